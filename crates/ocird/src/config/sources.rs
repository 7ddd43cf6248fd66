//! Who says what runs (`[in_use]`).

use std::ops::Range;
use std::path::Path;

use chrono::TimeDelta;
use ocird_model::{Pattern, Patterns};
use toml::Spanned;

use super::environment::Environment;
use super::fleet::{kubernetes_source, prometheus_source};
use super::raw::{DurationText, Given, GivenList, RawDockerSource, RawFileSource, RawInUse};
use super::settings::{DockerSource, FileSource, InUseConfig, Scope};
use super::source::Check;

/// Of a file: a daily timer, and two hours for a run that is late (S-4).
const MAX_FILE_AGE: TimeDelta = TimeDelta::hours(26);
/// Weekly: an answer older than this says nothing of what runs now.
const OLDEST_FILE: TimeDelta = TimeDelta::days(7);
/// Of what is asked directly: a pass that acts takes less (S-4).
pub(super) const MAX_ANSWER_AGE: TimeDelta = TimeDelta::minutes(15);
/// What is asked directly is asked in every pass; an answer is never an hour old but by a mistake.
pub(super) const OLDEST_ANSWER: TimeDelta = TimeDelta::hours(1);
/// The shortest age of either.
pub(super) const LEAST_AGE: TimeDelta = TimeDelta::minutes(1);
/// Earlier deployments whose images stay: the one before, and one more for when that is bad too.
const KEEP_PREVIOUS: u32 = 2;
/// The most of them: beyond, it is a keep rule that is wanted.
const MOST_PREVIOUS: u32 = 20;

/// What every kind of source has.
pub(super) struct RawScope<'a> {
    /// Such as `in_use.files`.
    pub(super) table: &'static str,
    /// Where the source stands.
    pub(super) span: Range<usize>,
    pub(super) repositories: &'a GivenList,
    pub(super) max_age: &'a Given<DurationText>,
    pub(super) sentinel: &'a Given<String>,
    /// How old an answer may be: at least, if nothing is said, and at most.
    pub(super) ages: [TimeDelta; 3],
}

/// Every source, none twice.
pub(super) fn in_use(raw: &RawInUse, environment: &Environment, check: &mut Check<'_>) -> InUseConfig {
    let own_image = check.text(raw.own_image.as_ref(), "in_use.own_image");
    let keep_previous = check.count_up_to(MOST_PREVIOUS, raw.keep_previous.as_ref(), "in_use.keep_previous");
    InUseConfig {
        accept_none: raw.accept_none,
        keep_previous: keep_previous.map_or(KEEP_PREVIOUS, u32::from),
        own_image: own_image.or_else(|| environment.own_image().map(str::to_owned)),
        files: once(&raw.files, "in_use.files", file_source, |source| source.path.clone(), check),
        docker: once(&raw.docker, "in_use.docker", docker_source, |source| source.socket.clone(), check),
        prometheus: once(
            &raw.prometheus,
            "in_use.prometheus",
            prometheus_source,
            |source| (source.url.clone(), source.query.clone()),
            check,
        ),
        kubernetes: once(
            &raw.kubernetes,
            "in_use.kubernetes",
            kubernetes_source,
            |source| source.access.clone(),
            check,
        ),
    }
}

/// Every source of one kind. One that asks the same as another is a mistake.
fn once<R, S, K: PartialEq>(
    given: &[Spanned<R>],
    table: &str,
    build: fn(&Spanned<R>, &mut Check<'_>) -> Option<S>,
    key: fn(&S) -> K,
    check: &mut Check<'_>,
) -> Vec<S> {
    let mut all: Vec<S> = Vec::new();
    for given in given {
        let Some(source) = build(given, check) else { continue };
        if all.iter().any(|known| key(known) == key(&source)) {
            check.problem(&given.span(), format!("the same is asked by another [[{table}]] above already"));
        }
        all.push(source);
    }
    all
}

pub(super) fn scope(raw: RawScope<'_>, check: &mut Check<'_>) -> Scope {
    let RawScope { table, span, repositories, max_age, sentinel, ages: [least, usual, oldest] } = raw;
    if repositories.is_none() {
        check.missing(
            Some(&span),
            format!(
                "[[{table}]] needs repositories: those for which what it does not name does not run; [\"*\"] for all"
            ),
        );
    }
    Scope {
        repositories: check
            .patterns(repositories.as_ref(), &format!("{table}.repositories"))
            .map_or_else(Patterns::all, |(_, patterns)| patterns),
        max_age: check
            .duration(max_age.as_ref(), &format!("{table}.max_age"), (least, oldest))
            .unwrap_or(usual),
        sentinel: check.text(sentinel.as_ref(), &format!("{table}.sentinel")),
    }
}

fn file_source(given: &Spanned<RawFileSource>, check: &mut Check<'_>) -> Option<FileSource> {
    let (span, raw) = (given.span(), given.get_ref());
    if raw.path.is_none() {
        check.missing(Some(&span), "[[in_use.files]] needs path, the file that says what runs");
    }
    let path = check.path(raw.path.as_ref(), "in_use.files.path");
    let (expect, forget) = hosts(&raw.expect, &raw.forget, "in_use.files", check);
    let scope = RawScope {
        table: "in_use.files",
        span: span.clone(),
        repositories: &raw.repositories,
        max_age: &raw.max_age,
        sentinel: &raw.sentinel,
        ages: [LEAST_AGE, MAX_FILE_AGE, OLDEST_FILE],
    };
    let scope = self::scope(scope, check);
    let source = FileSource { scope, expect, forget, path: path? };
    let path_span = raw.path.as_ref().map_or(span, Spanned::span);
    check_file_pattern(&source, &path_span, check);
    Some(source)
}

/// The hosts that are expected, and those that are gone for good.
pub(super) fn hosts(
    expect: &GivenList,
    forget: &GivenList,
    table: &str,
    check: &mut Check<'_>,
) -> (Vec<String>, Vec<String>) {
    let expected = texts(expect, &format!("{table}.expect"), check);
    let forgotten = texts(forget, &format!("{table}.forget"), check);
    if let (Some(given), Some(host)) = (forget, forgotten.iter().find(|host| expected.contains(host))) {
        check.problem(&given.span(), format!("{host} is expected above, so it cannot be forgotten"));
    }
    (expected, forgotten)
}

/// The texts of a list; none where there is no list.
pub(super) fn texts(given: &GivenList, key: &str, check: &mut Check<'_>) -> Vec<String> {
    let words = given.as_ref().map(|given| check.words(given, key));
    words.iter().flatten().map(|(_, text)| (*text).to_owned()).collect()
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
            "with a pattern, a host that has never written is not missed; name the hosts in expect = [\"...\"]",
        );
    }
}

fn docker_source(given: &Spanned<RawDockerSource>, check: &mut Check<'_>) -> Option<DockerSource> {
    let (span, raw) = (given.span(), given.get_ref());
    if raw.socket.is_none() {
        check.missing(Some(&span), "[[in_use.docker]] needs socket, the path of the engine's Unix socket");
    }
    let socket = check.path(raw.socket.as_ref(), "in_use.docker.socket");
    let scope = RawScope {
        table: "in_use.docker",
        span,
        repositories: &raw.repositories,
        max_age: &raw.max_age,
        sentinel: &raw.sentinel,
        ages: [LEAST_AGE, MAX_ANSWER_AGE, OLDEST_ANSWER],
    };
    let scope = self::scope(scope, check);
    Some(DockerSource { scope, socket: socket? })
}
