//! `/status`: the board on one screen of 80 columns, for a person with curl. Every byte is printable ASCII or a line
//! break, whatever an error text or a file name holds (S-34).

mod tables;
#[cfg(test)]
mod tests;
mod text;

use std::cmp::max;

use chrono::{DateTime, Utc};
use ocird_model::Bytes;

use self::text::Page;
use crate::status::{
    ApprovalStatus, Arming, Check, ClearedBy, PassResult, PassSummary, ProofStatus, Status, UndoStatus,
};

pub(super) use self::text::{ago, instant, within};

/// How much of the tenancy's OCID is shown, in characters.
const OCID_TAIL: usize = 16;

/// The whole screen, ending in a line break.
pub fn screen(status: &Status, now: DateTime<Utc>) -> String {
    let mut page = Page::new(&format!("ocird {}", status.version), &instant(now));
    summary(&mut page, status, now);
    tables::repositories(&mut page, status, now);
    tables::pending(&mut page, status, now);
    tables::recent(&mut page, status, now);
    tables::in_use(&mut page, status, now);
    tables::uses(&mut page, status, now);
    tables::findings(&mut page, status, now);
    checks(&mut page, status);
    page.finish()
}

/// What it is, whether anything goes and when, and the passes.
fn summary(page: &mut Page, status: &Status, now: DateTime<Utc>) {
    if let Some(place) = &status.place {
        page.entry("region", &format!("{}, tenancy {}", place.region, tail(&place.tenancy)));
    }
    page.entry("running", &format!("since {}", both(status.started_at, now)));
    page.entry("mode", mode(status.arming));
    page.entry("deletion", &deletion(status, now));
    for refusal in &status.refusals {
        page.item(&format!("{}: {}", refusal.code.as_str(), refusal.text));
    }
    brakes(page, status, now);
    undo(page, status, now);
    page.entry("last pass", &last_pass(status, now));
    page.entry("next pass", &next_pass(status, now));
    page.entry("usage", &usage(status));
}

const fn mode(arming: Arming) -> &'static str {
    match arming {
        Arming::Report => "report: it looks and says, and deletes nothing",
        Arming::Armed => "armed: it deletes what the rules select and nothing holds",
        Arming::Disarmed => "disarmed: set to delete, but something does not agree; it deletes nothing",
    }
}

/// The one line that says why nothing goes, or when the next deletion may be (S-33).
fn deletion(status: &Status, now: DateTime<Utc>) -> String {
    let pending = families(status.pending.len());
    match status.refusals.iter().map(|refusal| refusal.code).find(|code| code.stops_everything()) {
        Some(code) => {
            let then = match (code.cleared_by(), next_deletion(status, now)) {
                (ClearedBy::Itself, Some(at)) => format!("at {}", both(at, now)),
                (ClearedBy::Itself, None) | (ClearedBy::Hand, _) => "after that".to_owned(),
            };
            let (code, clears) = (code.as_str(), code.clears());
            format!(
                "nothing goes because of {code}; it takes {clears}; the next deletion may be {then}; {pending} pending"
            )
        }
        None => match next_deletion(status, now) {
            Some(at) => format!("the next may go at {}; {pending} pending", both(at, now)),
            None => "nothing is pending".to_owned(),
        },
    }
}

/// When the next deletion may be, as far as time decides. What is overdue goes at the next opportunity, which does not lie
/// in the past.
pub(super) fn next_deletion(status: &Status, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let due_at = status.pending.iter().map(|pending| pending.due_at).min()?;
    Some(status.next_enforce_at.map_or(due_at, |next| max(next, due_at)).max(now))
}

/// What somebody approved, and how far the store is trusted yet; nothing where only the limits count.
fn brakes(page: &mut Page, status: &Status, now: DateTime<Utc>) {
    if let Some(ApprovalStatus { plan, at: _, by, until, n_families }) = &status.brakes.approval {
        let list = families(usize::try_from(*n_families).unwrap_or(usize::MAX));
        page.entry("approved", &format!("plan {plan}, {list}, by {by}; it ends {}", within(*until, now)));
    }
    if let Some(size) = status.brakes.next_batch
        && status.arming == Arming::Armed
    {
        page.entry("ramp", &format!("the next batch takes {} at most", families(size as usize)));
    }
}

/// The proofs of what was deleted last, and what people hold; nothing where there is neither.
fn undo(page: &mut Page, status: &Status, now: DateTime<Utc>) {
    let UndoStatus { proofs, next_proof_at, n_open_proofs: _, holds } = &status.undo;
    let last = proofs.first().map(|proof| {
        let ProofStatus { kind: _, due_at: _, made_at, result, detail, n_deleted: _ } = proof;
        let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
        format!("the last was {}, {}{detail}", result.as_str(), ago(*made_at, now))
    });
    let next = next_proof_at.map(|at| format!("the next is due {}", within(at, now)));
    let said: Vec<String> = last.into_iter().chain(next).collect();
    if !said.is_empty() {
        page.entry("proofs", &said.join("; "));
    }
    if !holds.is_empty() {
        page.entry("held", &format!("{} images or tags by hand or after a restore", holds.len()));
    }
}

pub(super) fn last_pass(status: &Status, now: DateTime<Utc>) -> String {
    let Some(pass) = &status.last_pass else {
        return "none has ended yet".to_owned();
    };
    let PassSummary { started_at: _, finished_at, duration_seconds, enforcing, result, n_deleted } = pass;
    let result = match result {
        PassResult::Complete => "complete".to_owned(),
        PassResult::Partial { n_unreadable } => format!("partial ({n_unreadable} unreadable)"),
        PassResult::Failed { stage, error } => format!("FAILED at {stage}: {error}"),
    };
    let deed = if *enforcing { format!("{n_deleted} deleted") } else { "observing only".to_owned() };
    let complete = match status.last_complete_at {
        Some(at) if at != *finished_at => format!("; last complete {}", ago(at, now)),
        Some(_) => String::new(),
        None => "; none has been complete yet".to_owned(),
    };
    let when = both(*finished_at, now);
    format!("{when} in {duration_seconds:.1} s, {deed}, {result}{complete}")
}

pub(super) fn next_pass(status: &Status, now: DateTime<Utc>) -> String {
    let running = status.passing_since.map(|since| format!("one runs since {}", both(since, now)));
    let observe = status.next_observe_at.map(|at| format!("observes {}", within(at, now)));
    let enforce = status.next_enforce_at.map(|at| format!("acts {}", within(at, now)));
    let parts: Vec<String> = [running, observe, enforce].into_iter().flatten().collect();
    if parts.is_empty() {
        return "none is scheduled".to_owned();
    }
    parts.join("; ")
}

fn usage(status: &Status) -> String {
    let repositories = || status.repositories.values();
    let n_images: u64 = repositories().map(|repository| repository.n_images).sum();
    let reported: Bytes = repositories().map(|repository| repository.reported_size).sum();
    let own = repositories().map(|repository| repository.size).sum::<Option<Bytes>>();
    let own = own.map_or_else(|| "size not known".to_owned(), |size| size.to_string());
    let n_repositories = status.repositories.len();
    format!("{n_images} images in {n_repositories} repositories: {own} (service: {reported})")
}

fn checks(page: &mut Page, status: &Status) {
    page.heading("CHECKS");
    for (name, check) in status.checks.named() {
        match check {
            Check::Ok => page.entry(name, "ok"),
            Check::Pending => page.entry(name, "not tried yet"),
            Check::Failed { text } => page.entry(name, &format!("FAILED: {text}")),
        }
    }
}

/// The end of an OCID, which is where two of them differ.
fn tail(ocid: &str) -> String {
    let skipped = ocid.chars().count().saturating_sub(OCID_TAIL);
    if skipped == 0 {
        return ocid.to_owned();
    }
    format!("..{}", ocid.chars().skip(skipped).collect::<String>())
}

fn families(n: usize) -> String {
    match n {
        1 => "1 family".to_owned(),
        n => format!("{n} families"),
    }
}

/// An instant by the clock and by its distance.
fn both(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{} ({})", instant(at), within(at, now))
}
