//! The directory of policies, and what only shows when all of them lie side by side: two owners of one repository,
//! claims beyond what a project was given, and repositories of which nobody says what runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ocird_model::{Guardrails, Pattern, Policy};

use super::cover::{both_claim, covers};
use super::policy::{self, Written};
use super::problem::Problem;
use super::projects::{Projects, check_claims};
use super::raw::RawPolicy;
use super::read::read;
use super::settings::{InUseConfig, Mode};
use super::source::{Check, Findings, Source};

/// The settings that decide what a directory of policies must be like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) directory: &'a Path,
    pub(super) mode: Mode,
    pub(super) guardrails: &'a Guardrails,
    pub(super) in_use: &'a InUseConfig,
    /// What each project may claim; anything when absent.
    pub(super) projects: Option<&'a Projects>,
}

/// A policy with its file.
struct Owned {
    source: Source,
    written: Written,
}

/// Reads every `*.toml` of the directory in the order of their names.
pub(super) fn load(terms: Terms<'_>, findings: &mut Findings) -> Vec<Policy> {
    let (paths, others) = match policy_files(terms.directory) {
        Ok(files) => files,
        Err(error) => {
            let text = format!("the policies cannot be listed: {error}");
            findings.problems.push(Problem::whole(terms.directory, text));
            return Vec::new();
        }
    };
    if paths.is_empty() {
        check_emptiness(terms, findings);
    }
    let mut policies: Vec<Owned> = Vec::new();
    for path in paths {
        if let Some(owned) = load_one(&path, terms, findings) {
            for other in &policies {
                check_against(&owned, other, findings);
            }
            policies.push(owned);
        }
    }
    let lifecycles: Vec<&PathBuf> =
        policies.iter().filter_map(|owned| owned.written.lifecycle.as_ref()).collect();
    let ignored = others.iter().filter(|path| !lifecycles.contains(path)).map(|path| {
        let text = "is ignored: the name of a policy file ends with .toml, and no policy names it as its ecr_lifecycle";
        Problem::whole(path, text)
    });
    findings.warnings.extend(ignored);
    policies.into_iter().map(|owned| owned.written.policy).collect()
}

/// The files to read, sorted, and what lies beside them, which is warned of: a policy in a misnamed file protects nobody.
fn policy_files(directory: &Path) -> io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let mut paths =
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    let is_hidden =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    Ok(paths
        .into_iter()
        .filter(|path| !is_hidden(path))
        .partition(|path| path.extension().is_some_and(|extension| extension == "toml")))
}

fn check_emptiness(terms: Terms<'_>, findings: &mut Findings) {
    let found = match terms.mode {
        Mode::Report => &mut findings.warnings,
        Mode::Enforce => &mut findings.problems,
    };
    found.push(Problem::whole(
        terms.directory,
        "there is no policy here, so nothing ever goes; write one file NAME.toml for each project",
    ));
}

fn load_one(path: &Path, terms: Terms<'_>, findings: &mut Findings) -> Option<Owned> {
    let source = match Source::read(path) {
        Ok(source) => source,
        Err(problem) => {
            findings.problems.push(problem);
            return None;
        }
    };
    let (raw, mut check) = read::<RawPolicy>(&source, findings);
    let written = policy::build(&raw, terms.guardrails, &mut check)?;
    if terms.mode == Mode::Enforce && !terms.in_use.accept_none {
        check_in_use(&written, terms.in_use, &mut check);
    }
    if let Some(projects) = terms.projects {
        check_claims(&written, projects, &mut check);
    }
    Some(Owned { source, written })
}

/// Arming needs a source for every repository, or the plain words that there is none (S-4).
fn check_in_use(written: &Written, in_use: &InUseConfig, check: &mut Check<'_>) {
    let patterns = written.policy.repositories.iter();
    for (pattern, span) in patterns.zip(&written.repositories) {
        let has_source = in_use.scopes().any(|scope| covers(&scope.repositories, pattern));
        if !has_source {
            check.missing(
                Some(span),
                format!(
                    "no source of [in_use] covers {pattern}, so nobody knows what runs; write the same pattern there, or \
                     say in_use.accept_none = true"
                ),
            );
        }
    }
}

/// A project has one file, and a repository one owner.
fn check_against(owned: &Owned, other: &Owned, findings: &mut Findings) {
    let mut check = Check { source: &owned.source, has_holes: false, findings };
    let elsewhere = other.source.path.display();
    let (policy, known) = (&owned.written.policy, &other.written.policy);
    if policy.project == known.project {
        check.problem(
            &owned.written.project,
            format!("project \"{}\" has a policy already, in {elsewhere}", policy.project),
        );
    }
    for (pattern, span) in policy.repositories.iter().zip(&owned.written.repositories) {
        let rival: Option<&Pattern> = known.repositories.iter().find(|rival| both_claim(pattern, rival));
        if let Some(rival) = rival {
            check.problem(
                span,
                format!("{pattern} and {rival} in {elsewhere} claim the same repositories; exactly one policy governs"),
            );
        }
    }
}
