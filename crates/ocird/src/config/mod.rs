//! The configuration: one central file, `ocird.toml`, and one file for each project in `policies.d`.
//!
//! A text becomes a raw shape (`raw`, by `read`), and the raw shape becomes settings (`build`, `policy`) in one go that
//! names every problem at its very place. Blank, zero, unknown, twice or contradicting is a problem, never a default
//! (S-11); what is merely odd is a warning. The environment is read here and nowhere else.
//!
//! Deliberately absent: the clock, the network, and any look at what the registry holds. Whether the patterns match
//! anything, whether two of them meet in a repository that exists, and whether `armed_for` is true, only a pass knows.

mod admin;
mod build;
mod cloud;
mod cover;
mod delete;
mod directory;
mod ecr;
mod environment;
mod findings;
mod fleet;
mod keep;
mod policy;
mod price;
mod problem;
mod projects;
mod raw;
mod read;
mod settings;
mod source;
mod sources;
mod value;

#[cfg(test)]
mod tests;

use std::path::Path;

use ocird_model::Policies;
use toml::Spanned;

pub use self::admin::AdminConfig;
use self::directory::Terms;
use self::environment::Environment;
pub use self::environment::{
    compose_variable, config_file, credential_cache, ignores_stored_credentials, log_destination, paint,
    search_path,
};
pub use self::findings::{FindingsConfig, Home, NameTemplate, Recommended, WatchedUser};
pub use self::problem::{Place, Problem, Problems};
use self::raw::{RawConfig, RawReach};
pub(crate) use self::read::nearest;
pub use self::settings::{
    ArmedFor, AuthConfig, BackupConfig, Config, DockerSource, Endpoints, FileSource, HttpConfig, InUseConfig,
    KubernetesAccess, KubernetesSource, Limits, LogConfig, LogFormat, Mode, OciConfig, ProfileConfig,
    ProfileKind, PrometheusSource, Restoring, ScheduleConfig, Scope, Sharing,
};
use self::source::{Findings, Source};

/// Reads and checks the central file and every policy. Fails with everything that is wrong in any of them.
pub fn load(path: &Path) -> Result<Config, Problems> {
    load_in(path, &Environment::of_process())
}

/// Reads the policies again, under the settings of `config`, for a reload. Fails with everything that is wrong; the
/// policies that `config` holds stay as they are.
pub fn load_policies(config: &Config) -> Result<Policies, Problems> {
    let mut findings = Findings::default();
    let policies = directory::load(terms(config), &mut findings);
    match Problems::new(findings.problems) {
        Some(problems) => Err(problems),
        None => Ok(Policies { guardrails: config.policies.guardrails, policies }),
    }
}

/// Reads how to reach the cloud, and nothing else of the file: what is wrong in other tables is no concern of who pulls
/// an image. Without a file it is the instance principal, with the usual endpoints. No compartments are read.
pub fn load_reach(path: Option<&Path>) -> Result<OciConfig, Problems> {
    reach_in(path, &Environment::of_process())
}

fn reach_in(path: Option<&Path>, environment: &Environment) -> Result<OciConfig, Problems> {
    let source = match path {
        Some(path) => Source::read(path).map_err(Problems::one)?,
        None => Source { path: "the environment".into(), text: String::new() },
    };
    let mut findings = Findings::default();
    let (raw, mut check) = read::read::<RawReach>(&source, &mut findings);
    let reach = cloud::reach(raw.oci.as_ref().map(Spanned::get_ref), environment, &mut check);
    match Problems::new(findings.problems) {
        Some(problems) => Err(problems),
        None => Ok(reach),
    }
}

fn load_in(path: &Path, environment: &Environment) -> Result<Config, Problems> {
    let source = Source::read(path).map_err(Problems::one)?;
    let mut findings = Findings::default();
    let (raw, mut check) = read::read::<RawConfig>(&source, &mut findings);
    let mut config = build::build(&raw, environment, &mut check);
    // With a hole in the central file nobody knows for certain where the policies are, or what arming asks of them;
    // what can be said of them without is still said.
    let mut terms = terms(&config);
    if check.has_holes {
        terms.mode = Mode::Report;
    }
    if !check.has_holes || terms.directory.is_dir() {
        config.policies.policies = directory::load(terms, &mut findings);
    }
    if let Some(problems) = Problems::new(findings.problems) {
        return Err(problems);
    }
    findings.warnings.sort();
    config.warnings = findings.warnings;
    Ok(config)
}

fn terms(config: &Config) -> Terms<'_> {
    Terms {
        directory: &config.policies_dir,
        mode: config.mode,
        guardrails: &config.policies.guardrails,
        in_use: &config.in_use,
        projects: config.projects.as_ref(),
    }
}
