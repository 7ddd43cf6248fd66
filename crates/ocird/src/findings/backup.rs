//! Whether the store is copied: a store that is lost has no journal, and nobody looks at copies until they are needed.

use ocird_model::{Finding, FindingKind, Severity, Subject};

use super::look::Look;
use super::words::cut;
use super::{carried, finding};
use crate::status::Check;

pub(super) fn find(look: &Look<'_>) -> Option<Finding> {
    match look.backup {
        Check::Ok => None,
        // Not tried since the start: what was so before may still be.
        Check::Pending => carried(look, FindingKind::BackupFailed, Subject::Tenancy),
        Check::Failed { text } => Some(finding(
            FindingKind::BackupFailed,
            Subject::Tenancy,
            Severity::Warning,
            format!("The last copy of the store could not be made: {}.", cut(text)),
            "Make room on the disk of the state directory, or see what the log says; it is tried again every hour.",
        )),
    }
}
