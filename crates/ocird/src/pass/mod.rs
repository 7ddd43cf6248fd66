//! The pass: look at everything, decide once, let an independent check refuse, write it down, and, only when armed,
//! do exactly what was decided.
//!
//! | step | file |
//! |---|---|
//! | observe one repository | `observe` |
//! | all of them, what runs, plan and check | `survey` |
//! | every reason not to delete | `gate`, `clock_watch` |
//! | record, settle what was left open | `write_down`, `settle` |
//! | find what is odd, beside it | `find` |
//! | look again, act, prove | `again`, `act` |
//! | show | `publish` |

mod act;
mod again;
mod clock_watch;
mod engine;
mod find;
pub mod gate;
mod notebook;
mod observe;
mod publish;
mod settle;
mod survey;
mod write_down;

pub use engine::{Engine, Purpose};
pub(crate) use observe::NOBODY_KNOWS_WHEN;
pub use publish::first_status;
pub use survey::{Decided, Survey, SurveyError};
