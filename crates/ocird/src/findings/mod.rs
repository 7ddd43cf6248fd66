//! Findings: what is odd about the registry or about what is said of it, for people and as numbers. Where the centre owns the
//! guardrails and each project its policies, nobody else notices that a repository has no policy, or too loose a one.
//!
//! [`of`] is a pure function of one pass: what was seen, what is said, what was decided, and what stood before. No clock, no
//! cloud, no store. Its answer goes to the store, the board and the log, and to nothing that decides or deletes: a
//! finding never changes what goes.
//!
//! An error is never an absence (S-2): what a pass could not see it neither finds nor clears; such a finding stands on.
//!
//! Deliberately absent: what a single pass refuses (`crate::status::Refusal`), which says why nothing goes now. A finding says
//! what somebody should do, and since when.

mod audit;
mod auditor;
mod backup;
mod frozen;
mod in_use;
mod limits;
mod look;
mod ownership;
mod place;
mod policies;
mod recommended;
mod standing;
#[cfg(test)]
mod tests;
mod tokens;
mod vanished;
mod words;

use ocird_model::{Finding, FindingKey, FindingKind, Severity, Subject};

use crate::plain::plain;

pub use self::audit::Audit;
pub(crate) use self::auditor::{Answers, Auditor, Tokens};
pub(crate) use self::look::Look;
pub(crate) use self::standing::{log_changes, stand};
pub(crate) use self::vanished::VANISHED_STANDS;

/// The longest sentence, in characters.
const MAX_TEXT: usize = 700;

/// Everything that is odd, at most one finding of each kind about each subject, in order of kind and subject.
pub(crate) fn of(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    ownership::find(look, &mut found);
    place::find(look, &mut found);
    policies::find(look, &mut found);
    recommended::find(look, &mut found);
    limits::find(look, &mut found);
    tokens::find(look, &mut found);
    vanished::find(look, &mut found);
    in_use::find(look, &mut found);
    frozen::find(look, &mut found);
    found.extend(backup::find(look));
    found.sort_by_key(Finding::key);
    found.dedup_by_key(|finding| finding.key());
    found
}

/// A finding in its parts. Its sentences quote names, files and servers, and are shown on terminals (S-34).
fn finding(
    kind: FindingKind,
    subject: Subject,
    severity: Severity,
    what: impl Into<String>,
    remedy: impl Into<String>,
) -> Finding {
    let fit = |text: String| plain(&text, MAX_TEXT);
    Finding { kind, subject, severity, what: fit(what.into()), remedy: fit(remedy.into()) }
}

/// What stood before, for a subject of which this pass cannot tell.
fn carried(look: &Look<'_>, kind: FindingKind, subject: Subject) -> Option<Finding> {
    look.standing.get(&FindingKey { kind, subject }).map(|standing| standing.finding.clone())
}
