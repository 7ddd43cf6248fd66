//! Who says what runs (`[in_use]`).

use std::ops::Range;
use std::path::Path;

use chrono::TimeDelta;
use ocird_model::{Pattern, Patterns};
use toml::Spanned;

use super::raw::{RawFileSource, RawInUse};
use super::settings::{FileSource, InUseConfig};
use super::source::Check;

/// A daily timer, and two hours for a run that is late (S-4).
const MAX_AGE: TimeDelta = TimeDelta::hours(26);
/// Weekly: an answer older than this says nothing of what runs now.
const OLDEST_ANSWER: TimeDelta = TimeDelta::days(7);

/// Every source, none twice.
pub(super) fn in_use(raw: &RawInUse, check: &mut Check<'_>) -> InUseConfig {
    let mut files: Vec<FileSource> = Vec::new();
    for given in &raw.files {
        let Some(source) = file_source(given, check) else {
            continue;
        };
        if files.iter().any(|known| known.path == source.path) {
            check.problem(&given.span(), "this path has an [[in_use.files]] above already");
        }
        files.push(source);
    }
    InUseConfig { accept_none: raw.accept_none, files }
}

fn file_source(given: &Spanned<RawFileSource>, check: &mut Check<'_>) -> Option<FileSource> {
    let (span, raw) = (given.span(), given.get_ref());
    if raw.path.is_none() {
        check.missing(Some(&span), "[[in_use.files]] needs path, the file that says what runs");
    }
    if raw.repositories.is_none() {
        check.missing(
            Some(&span),
            "[[in_use.files]] needs repositories: those for which what the file does not name does not run; [\"*\"] \
             for all",
        );
    }
    let path = check.path(raw.path.as_ref(), "in_use.files.path");
    let expect = raw.expect.as_ref().map(|given| check.words(given, "in_use.files.expect"));
    let source = FileSource {
        repositories: check
            .patterns(raw.repositories.as_ref(), "in_use.files.repositories")
            .map_or_else(Patterns::all, |(_, patterns)| patterns),
        max_age: check
            .duration(raw.max_age.as_ref(), "in_use.files.max_age", (TimeDelta::minutes(1), OLDEST_ANSWER))
            .unwrap_or(MAX_AGE),
        sentinel: check.text(raw.sentinel.as_ref(), "in_use.files.sentinel"),
        expect: expect.iter().flatten().map(|(_, host)| (*host).to_owned()).collect(),
        path: path?,
    };
    let path_span = raw.path.as_ref().map_or(span, Spanned::span);
    check_file_pattern(&source, &path_span, check);
    Some(source)
}

/// A directory is meant literally; only the last component may be a pattern.
fn check_file_pattern(source: &FileSource, span: &Range<usize>, check: &mut Check<'_>) {
    let is_pattern = |text: &str| text.contains(['*', '?', '[', '{']);
    let directory = source.path.parent().unwrap_or(Path::new(""));
    if is_pattern(&directory.to_string_lossy()) {
        check.problem(span, "only the last component of a path may be a pattern");
    }
    let name = source.path.file_name().unwrap_or_default().to_string_lossy();
    if !is_pattern(&name) {
        return;
    }
    if check.parsed::<Pattern>(&name, span).is_some() && source.expect.is_empty() {
        check.warn(
            span,
            "with a pattern, a host whose file is gone is not missed; name the hosts in expect = [\"...\"]",
        );
    }
}
