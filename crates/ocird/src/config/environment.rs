//! The environment, read here and nowhere else: another metadata service, and where the log goes.

use std::io::IsTerminal;

use super::problem::Problem;
use super::source::Check;
use super::value::{PlainHttp, endpoint};
use crate::log::Destination;

/// The variable by which Oracle's own SDKs are told of another metadata service; its base with `/opc/v2`.
const METADATA_BASE_URL: &str = "OCI_METADATA_BASE_URL";

/// What the environment says.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    /// `OCI_METADATA_BASE_URL`; blank is as good as absent, as in Oracle's SDKs.
    metadata_base_url: Option<String>,
}

/// Where standard error leads: systemd sets `JOURNAL_STREAM` when it connects it to the journal.
/// <https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html>
#[expect(clippy::disallowed_methods, reason = "config/ is where the environment is read")]
pub fn log_destination() -> Destination {
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        Destination::Journal
    } else if std::io::stderr().is_terminal() {
        Destination::Terminal
    } else {
        Destination::Plain
    }
}

impl Environment {
    /// The environment of this process.
    #[expect(clippy::disallowed_methods, reason = "config/ is where the environment is read")]
    pub(super) fn of_process() -> Self {
        Self::from_value(
            std::env::var_os(METADATA_BASE_URL).map(|value| value.to_string_lossy().into_owned()),
        )
    }

    pub(super) fn from_value(metadata_base_url: Option<String>) -> Self {
        Self {
            metadata_base_url: metadata_base_url
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty()),
        }
    }

    /// The base URL of the metadata service.
    pub(super) fn metadata_base_url(&self, check: &mut Check<'_>) -> Option<String> {
        let text = self.metadata_base_url.as_deref()?;
        match endpoint(text, PlainHttp::LoopbackOrMetadata) {
            Ok(url) => Some(url),
            Err(why) => {
                let text = format!("the environment variable {METADATA_BASE_URL} {why}");
                check.findings.problems.push(Problem::whole(&check.source.path, text));
                None
            }
        }
    }
}
