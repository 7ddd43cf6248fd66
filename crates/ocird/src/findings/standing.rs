//! Since when findings stand, and what came and went between two passes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{Finding, FindingKey, Severity, Standing};

/// The findings of a pass, each since it was first found.
pub(crate) fn stand(
    found: Vec<Finding>,
    before: &BTreeMap<FindingKey, Standing>,
    at: DateTime<Utc>,
) -> Vec<Standing> {
    let stand = |finding: Finding| {
        let since = before.get(&finding.key()).map_or(at, |standing| standing.since);
        Standing { finding, since }
    };
    found.into_iter().map(stand).collect()
}

/// Those that were not there before, and those that no longer are.
pub(crate) fn changes<'f>(
    before: &'f BTreeMap<FindingKey, Standing>,
    now: &'f [Standing],
) -> (Vec<&'f Finding>, Vec<&'f Finding>) {
    let is_new = |finding: &&Finding| !before.contains_key(&finding.key());
    let appeared = now.iter().map(|standing| &standing.finding).filter(is_new).collect();
    let mut gone: BTreeMap<&FindingKey, &Finding> =
        before.iter().map(|(key, standing)| (key, &standing.finding)).collect();
    for standing in now {
        gone.remove(&standing.finding.key());
    }
    (appeared, gone.into_values().collect())
}

/// Logs each finding once when it appears and once when it clears.
pub(crate) fn log_changes(before: &BTreeMap<FindingKey, Standing>, now: &[Standing]) {
    let (appeared, cleared) = changes(before, now);
    for Finding { kind, subject, severity, what, remedy: _ } in appeared {
        let (finding, subject, severity_word) = (kind.as_str(), subject.to_string(), severity.as_str());
        match severity {
            Severity::Info => {
                tracing::info!(finding, subject, severity = severity_word, detail = %what, "a finding appeared");
            }
            Severity::Warning | Severity::Problem => {
                tracing::warn!(finding, subject, severity = severity_word, detail = %what, "a finding appeared");
            }
        }
    }
    for Finding { kind, subject, severity: _, what: _, remedy: _ } in cleared {
        tracing::info!(finding = kind.as_str(), subject = %subject, "a finding is cleared");
    }
}
