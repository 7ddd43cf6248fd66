//! zot's window of the hours in which it collects. Hours are the schedule's matter, and so are its tests; this only counts
//! that none of the cases is lost. <https://zotregistry.dev/latest/articles/retention/>

use crate::suite::{Elsewhere, Suite};

const IN_OR_OUT: &str = "the_windows_of_another_registry_hold_the_same_minutes";
const REFUSED: &str = "what_another_registry_refuses_as_a_window_is_refused";

pub(crate) fn suite() -> Suite {
    let ids = &["01:00-08:00", "22:00-06:00", "0100", "25:00-26:00", "05:00-05:00"];
    let tests = [IN_OR_OUT, IN_OR_OUT, REFUSED, REFUSED, REFUSED];
    let elsewhere = ids.iter().zip(tests).map(|(id, test)| Elsewhere {
        id,
        tested_by: Some(("ocird/src/schedule/window.rs", test)),
        because: "The planner knows no hours; a plan is the same at night.",
    });
    Suite { name: "zot, window", ids, cases: Vec::new(), elsewhere: elsewhere.collect() }
}
