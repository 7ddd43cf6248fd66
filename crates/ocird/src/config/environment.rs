//! The environment, read here and nowhere else: another metadata service, the home directory, where the log goes, and
//! what the Docker command line passes on to its credential helper.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use ocird_oci::Region;

use super::problem::Problem;
use super::source::Check;
use super::value::{PlainHttp, endpoint};
use crate::log::Destination;
use crate::paint::Paint;

/// The variable by which Oracle's own SDKs are told of another metadata service; its base with `/opc/v2`.
const METADATA_BASE_URL: &str = "OCI_METADATA_BASE_URL";

/// The variable by which Oracle's own SDKs are told of a region newer than they are.
/// <https://docs.oracle.com/en-us/iaas/Content/API/Concepts/sdk_adding_new_region_endpoints.htm>
const REGION_METADATA: &str = "OCI_REGION_METADATA";

/// The configuration file, where the command line names none.
const OCIRD_CONFIG: &str = "OCIRD_CONFIG";

/// The image that this process runs from, as whoever started its container knows it.
const OCIRD_IMAGE: &str = "OCIRD_IMAGE";

/// What Kubernetes sets in every container.
/// <https://kubernetes.io/docs/concepts/containers/container-environment/>
const KUBERNETES: &str = "KUBERNETES_SERVICE_HOST";

/// The files by which Docker and Podman mark a container from within. Neither says which image it is of: `/proc/self/cgroup` says
/// nothing of it either under cgroups of version 2, and an engine's socket would be as good as root.
const CONTAINER_FILES: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// The directory of the credential helper's cache.
const OCIRD_CACHE_DIR: &str = "OCIRD_CACHE_DIR";

/// `true` lets the credential helper's `store` succeed without storing anything.
const OCIRD_IGNORE_CREDS_STORAGE: &str = "OCIRD_IGNORE_CREDS_STORAGE";

/// What the environment says. Blank is as good as absent, as in Oracle's SDKs.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    /// `OCI_METADATA_BASE_URL`.
    metadata_base_url: Option<String>,
    /// `OCI_REGION_METADATA`.
    region_metadata: Option<String>,
    /// `HOME`.
    home: Option<PathBuf>,
    /// `OCIRD_IMAGE`.
    own_image: Option<String>,
    /// By what it shows that this process runs in a container.
    container: Option<&'static str>,
}

/// Where standard error leads: systemd sets `JOURNAL_STREAM` when it connects it to the journal.
/// <https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html>
pub fn log_destination() -> Destination {
    if variable("JOURNAL_STREAM").is_some() {
        Destination::Journal
    } else if std::io::stderr().is_terminal() {
        Destination::Terminal
    } else {
        Destination::Plain
    }
}

/// Any variable as it is, blank or not: compose files may name each.
pub fn compose_variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the environment is read in this file and nowhere else")]
    env::var(name).ok()
}

/// The configuration file that `OCIRD_CONFIG` names, if it names one.
pub fn config_file() -> Option<PathBuf> {
    variable(OCIRD_CONFIG).map(PathBuf::from)
}

/// Whether standard output is a terminal that shows colours, and nobody said that they are not wanted.
/// <https://no-color.org>
pub fn paint() -> Paint {
    let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
    if std::io::stdout().is_terminal() && variable("NO_COLOR").is_none() && !is_dumb {
        Paint::Colours
    } else {
        Paint::Plain
    }
}

/// The directory of the credential helper's cache: `$OCIRD_CACHE_DIR`, else `$XDG_CACHE_HOME/ocird`, else
/// `~/.cache/ocird`. `None` without any of them: then nothing is remembered.
pub fn credential_cache() -> Option<PathBuf> {
    cache_directory(variable)
}

/// Whether `store` of the credential helper is to succeed without storing anything.
pub fn ignores_stored_credentials() -> bool {
    variable(OCIRD_IGNORE_CREDS_STORAGE).is_some_and(|value| value == "true")
}

/// The directories in which programs are looked for.
pub fn search_path() -> Vec<PathBuf> {
    variable("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// A cache directory that is not absolute would be another one in each working directory; the specification has such
/// values ignored. <https://specifications.freedesktop.org/basedir-spec/latest/>
fn cache_directory(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(OCIRD_CACHE_DIR)
        .or_else(|| absolute("XDG_CACHE_HOME").map(|path| path.join("ocird")))
        .or_else(|| absolute("HOME").map(|path| path.join(".cache/ocird")))
}

/// A variable of this process that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "config/ is where the environment is read")]
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn wrong(name: &str, why: impl Display, check: &mut Check<'_>) {
    let text = format!("the environment variable {name} {why}");
    check.findings.problems.push(Problem::whole(&check.source.path, text));
}

impl Environment {
    /// The environment of this process.
    pub(super) fn of_process() -> Self {
        let environment = Self::of(variable);
        let file = || CONTAINER_FILES.into_iter().find(|file| Path::new(file).exists());
        Self { container: environment.container.or_else(file), ..environment }
    }

    /// The environment as this function knows it.
    pub(super) fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name: &str| {
            let value = variable(name)?.to_string_lossy().trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        Self {
            metadata_base_url: text(METADATA_BASE_URL),
            region_metadata: text(REGION_METADATA),
            home: variable("HOME").map(PathBuf::from),
            own_image: text(OCIRD_IMAGE),
            container: variable(KUBERNETES).map(|_| KUBERNETES),
        }
    }

    /// The image that this process runs from, if whoever started it said so.
    pub(super) fn own_image(&self) -> Option<&str> {
        self.own_image.as_deref()
    }

    /// The file or variable by which it shows that this process runs in a container, if it does.
    pub(super) const fn container(&self) -> Option<&'static str> {
        self.container
    }

    /// The home directory of the process's user, if it has one.
    pub(super) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The base URL of the metadata service.
    pub(super) fn metadata_base_url(&self, check: &mut Check<'_>) -> Option<String> {
        let text = self.metadata_base_url.as_deref()?;
        match endpoint(text, PlainHttp::LoopbackOrMetadata) {
            Ok(url) => Some(url),
            Err(why) => {
                wrong(METADATA_BASE_URL, why, check);
                None
            }
        }
    }

    /// The region that the table of this program may not have.
    pub(super) fn region_metadata(&self, check: &mut Check<'_>) -> Option<Region> {
        match Region::from_metadata(self.region_metadata.as_deref()?) {
            Ok(region) => Some(region),
            Err(error) => {
                wrong(REGION_METADATA, format_args!("is wrong: {error}"), check);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(variables: &[(&str, &str)]) -> Option<PathBuf> {
        cache_directory(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_cache_is_where_it_is_told_to_be_and_never_relative() {
        let all = [("OCIRD_CACHE_DIR", "/a"), ("XDG_CACHE_HOME", "/b"), ("HOME", "/c")];
        assert_eq!(cache(&all), Some("/a".into()));
        assert_eq!(cache(&all[1..]), Some("/b/ocird".into()));
        assert_eq!(cache(&all[2..]), Some("/c/.cache/ocird".into()));
        assert_eq!(cache(&[("OCIRD_CACHE_DIR", "a"), ("HOME", "/c")]), Some("/c/.cache/ocird".into()));
        assert_eq!(cache(&[("HOME", ".")]), None);
        assert_eq!(cache(&[]), None);
    }
}
