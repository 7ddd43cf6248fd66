//! What happened in one fate, line by line: a running digest of it always, the lines themselves where somebody reads them.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, Utc};
use ocird_model::Digest;

/// The log of one fate.
pub(super) struct Log {
    digest: Context,
    line: String,
    lines: Option<Vec<String>>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

impl Log {
    /// A log whose lines are kept, or only digested.
    pub(super) fn new(keep: bool) -> Self {
        Self { digest: Context::new(&SHA256), line: String::new(), lines: keep.then(Vec::new) }
    }

    /// One more line.
    pub(super) fn note(&mut self, at: DateTime<Utc>, text: fmt::Arguments<'_>) {
        use fmt::Write as _;
        self.line.clear();
        write!(self.line, "{} {text}", at.timestamp_millis()).expect("a string takes every line");
        self.digest.update(self.line.as_bytes());
        self.digest.update(b"\n");
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{} {text}", at.format("%F %T%.3f")));
        }
    }

    /// The digest of every line so far.
    pub(super) fn digest(&self) -> Digest {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.digest.clone().finish().as_ref());
        Digest::from_bytes(hash)
    }

    /// The lines, where they are kept.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}
