//! The screens of the three invented worlds, and that no text from outside breaks one.

use chrono::TimeDelta;

use super::*;
use crate::http::worlds::{armed_with_failures, fresh_start, hostile, now, report_mode};
use crate::status::{Refusal, RefusalCode};

#[test]
fn a_screen_keeps_to_its_width_and_height_whatever_it_shows() {
    for world in [fresh_start(), report_mode(), armed_with_failures(), hostile()] {
        let text = screen(&world, now());
        assert!(text.ends_with('\n'));
        assert!(text.lines().all(|line| line.len() <= 80 && line == line.trim_end()), "{text}");
        assert!(text.lines().count() <= 120, "{text}");
    }
}

#[test]
fn a_fresh_start_says_that_nothing_has_been_seen_yet() {
    let text = screen(&fresh_start(), now());
    assert!(text.contains("none has ended yet"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn report_mode_shows_what_would_go_and_that_nothing_does() {
    let text = screen(&report_mode(), now());
    assert!(text.contains("nothing goes because of report_mode; it takes arming it;"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn an_armed_daemon_that_is_held_back_says_by_what() {
    let text = screen(&armed_with_failures(), now());
    assert!(text.contains("nothing goes because of paused"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn what_passes_by_itself_says_when_the_next_deletion_may_be_and_what_does_not_says_who_acts() {
    let mut status = armed_with_failures();
    for &code in RefusalCode::ALL.iter().filter(|code| code.stops_everything()) {
        status.refusals = vec![Refusal { code, text: String::new() }];
        // Lines are wrapped wherever they end.
        let text = screen(&status, now()).split_whitespace().collect::<Vec<_>>().join(" ");
        let clears =
            format!("because of {}; it takes {}; the next deletion may be ", code.as_str(), code.clears());
        let (_, then) = text.split_once(&clears).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(then.starts_with("at 2026-03-01"), code.cleared_by() == ClearedBy::Itself, "{then}");
    }
}

#[test]
fn an_approval_and_the_ramp_are_shown_while_they_count() {
    let mut status = report_mode();
    assert!(!screen(&status, now()).contains("\nramp"));
    status.arming = Arming::Armed;
    status.brakes.next_batch = Some(10);
    status.brakes.approval = Some(ApprovalStatus {
        plan: "7".to_owned(),
        at: now(),
        by: "alice".to_owned(),
        until: now() + TimeDelta::days(30),
        n_families: 2100,
    });
    let text = screen(&status, now());
    assert!(text.contains("approved   plan 7, 2100 families, by alice; it ends in 30d\n"), "{text}");
    assert!(text.contains("ramp       the next batch takes 10 families at most\n"), "{text}");
}

#[test]
fn an_armed_daemon_says_when_the_next_deletion_may_be() {
    let mut status = report_mode();
    status.arming = Arming::Armed;
    status.refusals.clear();
    status.next_enforce_at = Some(now() + TimeDelta::minutes(41));
    let text = screen(&status, now());
    assert!(text.contains("the next may go at 2026-03-01 16:00:00 UTC (in 4h);"), "{text}");
    status.next_enforce_at = Some(now() + TimeDelta::hours(6));
    let text = screen(&status, now());
    assert!(text.contains("the next may go at 2026-03-01 18:00:00 UTC (in 6h);"), "{text}");
    status.pending.clear();
    assert!(screen(&status, now()).contains("deletion   nothing is pending\n"));
}
