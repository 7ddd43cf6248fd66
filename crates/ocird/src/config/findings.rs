//! What is worth telling people (`[findings]`): naming, expected repositories, recommended policies, the budget, the rotation
//! of auth tokens. Nothing here changes what is deleted. What a project's compartments are stands in `[projects]`.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use chrono::TimeDelta;
use ocird_model::{Bytes, CompartmentId, ParsePatternError, Pattern, Patterns, RepositoryName, UserId};
use serde::Deserialize;
use toml::Spanned;

use super::policy::LINE_BOUNDS;
use super::raw::{DurationText, Given, GivenList, RawConfig, SizeText};
use super::settings::OciConfig;
use super::source::Check;
use super::value::LONGEST;

/// The shortest age and rotation that can be meant.
const SHORTEST: TimeDelta = TimeDelta::days(1);

/// The text that stands for the name of each project.
const PROJECT: &str = "{project}";

/// What is worth telling people. Without a setting, its kind of finding is not looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingsConfig {
    /// What a policy should have.
    pub recommended: Recommended,
    /// Where the repositories of each project should lie.
    pub homes: Vec<Home>,
    /// What names of repositories should be like, beside the patterns of `[projects]`; any when empty.
    pub naming: Vec<NameTemplate>,
    /// Repositories that should be there.
    pub expected: BTreeSet<RepositoryName>,
    /// Repositories whose tags should not be movable.
    pub immutable: Option<Patterns>,
    /// Usage of this much is a problem.
    pub budget: Option<Bytes>,
    /// Usage of this much is warned of; under the budget.
    pub warn_at: Option<Bytes>,
    /// Users whose auth tokens are watched; none twice.
    pub auth_tokens: Vec<WatchedUser>,
}

/// What a policy should have (`[findings.recommended]`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recommended {
    /// Untagged images should go at this age at the latest.
    pub untagged_older_than: Option<TimeDelta>,
    /// So many of the newest should stay whatever else is so.
    pub keep_newest: Option<NonZeroU32>,
}

/// Where the repositories of one project should lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The project.
    pub project: String,
    /// The repositories that it was given.
    pub repositories: Patterns,
    /// The compartments in which they should lie.
    pub compartments: BTreeSet<CompartmentId>,
}

/// A pattern in which `{project}` stands for the name of each project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameTemplate(String);

/// A user whose auth tokens are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedUser {
    /// The OCID.
    pub user: UserId,
    /// What findings call the user.
    pub name: String,
    /// How old a token may become.
    pub rotate_after: TimeDelta,
}

/// `[findings]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawFindings {
    recommended: RawRecommended,
    naming: GivenList,
    expected: GivenList,
    immutable: GivenList,
    budget: Given<SizeText>,
    warn_at: Given<SizeText>,
    auth_tokens: Vec<Spanned<RawWatchedUser>>,
}

/// `[findings.recommended]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawRecommended {
    untagged_older_than: Given<DurationText>,
    keep_newest: Given<i64>,
}

/// One of `findings.auth_tokens`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawWatchedUser {
    user: Given<String>,
    name: Given<String>,
    rotate_after: Given<DurationText>,
}

impl NameTemplate {
    /// The names that the template allows for a project. `None` for a project whose own name has a character that
    /// patterns read otherwise, or that no repository can have.
    pub fn pattern_for(&self, project: &str) -> Option<Pattern> {
        let is_plain = !project.contains(['*', '?', '[', ']', '{', '}', ',']);
        if is_plain { self.0.replace(PROJECT, project).parse().ok() } else { None }
    }

    /// The template without projects; `None` when it needs one.
    pub fn pattern(&self) -> Option<Pattern> {
        if self.0.contains(PROJECT) { None } else { self.0.parse().ok() }
    }
}

impl std::str::FromStr for NameTemplate {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.replace(PROJECT, "project").parse::<Pattern>()?;
        Ok(Self(text.to_owned()))
    }
}

/// Reads `[findings]`, and the compartments of `[projects]`.
pub(super) fn findings(raw: &RawConfig, oci: &OciConfig, check: &mut Check<'_>) -> FindingsConfig {
    let homes = homes(raw, oci, check);
    let raw = &raw.findings;
    let (budget, warn_at) = budget(raw, check);
    let naming = raw.naming.as_ref().map(|given| check.list(given, "findings.naming")).unwrap_or_default();
    let expected =
        raw.expected.as_ref().map(|given| check.list(given, "findings.expected")).unwrap_or_default();
    FindingsConfig {
        recommended: recommended(&raw.recommended, check),
        homes,
        naming: naming.into_iter().map(|(_, template)| template).collect(),
        expected: expected.into_iter().map(|(_, name)| name).collect(),
        immutable: check.patterns(raw.immutable.as_ref(), "findings.immutable").map(|(_, patterns)| patterns),
        budget,
        warn_at,
        auth_tokens: watched_users(&raw.auth_tokens, check),
    }
}

fn recommended(raw: &RawRecommended, check: &mut Check<'_>) -> Recommended {
    let RawRecommended { untagged_older_than, keep_newest } = raw;
    Recommended {
        untagged_older_than: check.duration(
            untagged_older_than.as_ref(),
            "findings.recommended.untagged_older_than",
            (SHORTEST, LONGEST),
        ),
        keep_newest: check.count(keep_newest.as_ref(), "findings.recommended.keep_newest"),
    }
}

fn budget(raw: &RawFindings, check: &mut Check<'_>) -> (Option<Bytes>, Option<Bytes>) {
    let budget = check.size(raw.budget.as_ref(), "findings.budget", LINE_BOUNDS);
    let warn_at = check.size(raw.warn_at.as_ref(), "findings.warn_at", LINE_BOUNDS);
    if let (Some(given), Some(budget), Some(warn_at)) = (&raw.warn_at, budget, warn_at)
        && warn_at >= budget
    {
        check.problem(&given.span(), format!("findings.warn_at must be under findings.budget ({budget})"));
    }
    (budget, warn_at)
}

/// The projects that say where their repositories should lie.
fn homes(raw: &RawConfig, oci: &OciConfig, check: &mut Check<'_>) -> Vec<Home> {
    let mut homes = Vec::new();
    let projects = raw.projects.as_ref().map(Spanned::get_ref);
    for (project, given) in projects.into_iter().flatten() {
        let given = given.get_ref();
        let Some(compartments) = &given.compartments else { continue };
        let mut home = BTreeSet::new();
        for (span, compartment) in check.list::<CompartmentId>(compartments, "compartments") {
            if !oci.compartments.contains(&compartment) {
                let text = "oci.compartments does not have it, so ocird does not look there";
                check.warn(&span, text);
            }
            home.insert(compartment);
        }
        // What is wrong with the patterns is taken down where `[projects]` itself is read.
        let patterns = given.repositories.iter().flat_map(Spanned::get_ref);
        let patterns = patterns.filter_map(|pattern| pattern.get_ref().parse().ok()).collect();
        if let Some(repositories) = Patterns::new(patterns) {
            homes.push(Home { project: project.clone(), repositories, compartments: home });
        }
    }
    homes
}

fn watched_users(raw: &[Spanned<RawWatchedUser>], check: &mut Check<'_>) -> Vec<WatchedUser> {
    let mut users: BTreeMap<String, WatchedUser> = BTreeMap::new();
    for given in raw {
        let Some(watched) = watched_user(given, check) else { continue };
        let is_twice = users.values().any(|known| known.user == watched.user);
        if is_twice || users.contains_key(&watched.name) {
            check.problem(&given.span(), "this user, or this name, is watched above already");
        }
        users.insert(watched.name.clone(), watched);
    }
    users.into_values().collect()
}

fn watched_user(given: &Spanned<RawWatchedUser>, check: &mut Check<'_>) -> Option<WatchedUser> {
    let (span, RawWatchedUser { user, name, rotate_after }) = (given.span(), given.get_ref());
    let keys = [("user", user.is_some()), ("name", name.is_some()), ("rotate_after", rotate_after.is_some())];
    for (key, _) in keys.iter().filter(|(_, is_given)| !is_given) {
        let text =
            format!("findings.auth_tokens needs {key}: an OCID, a name for people, and an age in days");
        check.missing(Some(&span), text);
    }
    let parsed = user.as_ref().and_then(|given| check.parsed::<UserId>(given.get_ref(), &given.span()));
    let name = check.text(name.as_ref(), "findings.auth_tokens.name");
    let bounds = (SHORTEST, LONGEST);
    let rotate_after = check.duration(rotate_after.as_ref(), "findings.auth_tokens.rotate_after", bounds);
    Some(WatchedUser { user: parsed?, name: name?, rotate_after: rotate_after? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_stands_for_every_project_with_a_plain_name() {
        let template: NameTemplate = "{project}-{web,api}".parse().unwrap();
        assert!(template.pattern_for("mgh").unwrap().matches("mgh-api"));
        assert!(!template.pattern_for("mgh").unwrap().matches("todo-api"));
        assert_eq!(template.pattern_for("m*"), None, "it would stand for other projects too");
        assert_eq!(template.pattern(), None);
        let plain: NameTemplate = "base/*".parse().unwrap();
        assert!(plain.pattern().unwrap().matches("base/alpine"));
        assert!("{project}-[".parse::<NameTemplate>().is_err());
    }
}
