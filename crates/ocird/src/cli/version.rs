//! `ocird version`: what this binary is.

use std::sync::LazyLock;

use crate::metrics::Build;

/// [`long`] for clap, which keeps texts for ever.
pub(crate) static LONG: LazyLock<String> = LazyLock::new(long);

/// What a binary says of itself whose rules of safety can be put out of force. No released binary holds these letters, and
/// the release looks.
const SWITCHES: &str = if cfg!(ocird_switches) { ", ocird-switches" } else { "" };

/// One line: version, revision, target.
pub(crate) fn long() -> String {
    let Build { version, revision, architecture } = Build::THIS;
    format!("{version} ({revision}, {architecture}{SWITCHES})")
}

/// The answer of the command.
pub(crate) fn render(json: bool) -> String {
    if json {
        let build = serde_json::to_string_pretty(&Build::THIS).expect("a struct of texts is JSON");
        format!("{build}\n")
    } else {
        format!("ocird {}\n", long())
    }
}
