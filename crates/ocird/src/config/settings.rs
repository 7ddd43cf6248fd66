//! The configuration as the rest of the daemon sees it: checked, typed, with every default filled in. Nothing here
//! reads a file or knows TOML.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use chrono::TimeDelta;
use ocird_model::{CompartmentId, Patterns, Policies, TenancyId};
use ocird_oci::Region;

use super::findings::FindingsConfig;
use super::problem::Problem;
use crate::schedule::{Schedule, Window};

/// Everything an operator may set, checked as a whole.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// Look and say, or also act; the first switch of S-15.
    pub mode: Mode,
    /// What the credentials must turn out to belong to before anything is deleted; the second switch of S-15. Always
    /// given with [`Mode::Enforce`].
    pub armed_for: Option<ArmedFor>,
    /// Where the store, its lock and the kill switch live.
    pub state_dir: PathBuf,
    /// Where each project has its policy file.
    pub policies_dir: PathBuf,
    /// What is looked at, and by which endpoints.
    pub oci: OciConfig,
    /// When passes are due.
    pub schedule: ScheduleConfig,
    /// Every policy with the guardrails beneath.
    pub policies: Policies,
    /// How much may go at most (S-19).
    pub limits: Limits,
    /// Who says what runs (S-4).
    pub in_use: InUseConfig,
    /// What the centre gives each project; a policy may claim nothing else. Anything may be claimed when absent.
    pub projects: Option<BTreeMap<String, Patterns>>,
    /// What is worth telling people beside what is deleted.
    pub findings: FindingsConfig,
    /// The read-only HTTP surface (S-32).
    pub http: HttpConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    /// What is allowed but probably not meant, to be logged and shown at every start.
    pub warnings: Vec<Problem>,
}

/// Whether an enforcing pass is ever run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Look and say. Nothing is ever deleted.
    Report,
    /// Also act, provided that `armed_for` equals what the credentials report.
    Enforce,
}

/// What the operator believes the credentials belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmedFor {
    /// The tenancy.
    pub tenancy: TenancyId,
    /// The region identifier, such as `eu-milan-1`.
    pub region: String,
    /// The compartments; the same set as [`OciConfig::compartments`].
    pub compartments: BTreeSet<CompartmentId>,
}

/// What is looked at, and by which endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciConfig {
    /// As whom requests are signed.
    pub auth: AuthConfig,
    /// The compartments whose repositories are looked at; at least one, none twice. Empty only where somebody reads how
    /// to reach the cloud and nothing else ([`load_reach`](super::load_reach)).
    pub compartments: Vec<CompartmentId>,
    /// The region identifier; the instance's own when absent.
    pub region: Option<String>,
    /// A region that is newer than the table of this program, from `OCI_REGION_METADATA`.
    pub region_metadata: Option<Region>,
    /// A PEM file of certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Endpoints that differ from the region's usual ones.
    pub endpoints: Endpoints,
    /// Rows per listing page.
    pub page_size: u32,
}

/// As whom requests are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthConfig {
    /// As the instance this runs on; no credential is stored.
    InstancePrincipal,
    /// As a user, by a profile of a configuration file of Oracle's SDKs.
    Profile(ProfileConfig),
}

/// A profile of a configuration file of Oracle's SDKs.
/// <https://docs.oracle.com/en-us/iaas/Content/API/Concepts/sdkconfig.htm>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileConfig {
    /// What the profile must hold.
    pub kind: ProfileKind,
    /// Its name, such as `DEFAULT`.
    pub name: String,
    /// The file it stands in.
    pub file: PathBuf,
    /// What `~` means inside that file; `None` where the process has no home.
    pub home: Option<PathBuf>,
}

/// What signs for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileKind {
    /// A key that was uploaded for the user and does not expire.
    ApiKey,
    /// A token of an hour that a person got by signing in with a browser.
    SecurityToken,
}

impl AuthConfig {
    /// The value of `[oci] auth`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::InstancePrincipal => "instance_principal",
            Self::Profile(ProfileConfig { kind: ProfileKind::ApiKey, name: _, file: _, home: _ }) => {
                "api_key"
            }
            Self::Profile(ProfileConfig { kind: ProfileKind::SecurityToken, name: _, file: _, home: _ }) => {
                "security_token"
            }
        }
    }
}

/// Base URLs that differ from the usual ones: https, or http on a loopback address. The metadata service may also be
/// spoken to by plain http at its own two link-local addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// The metadata service, with its `/opc/v2`. From `OCI_METADATA_BASE_URL` when the file does not say.
    pub metadata: Option<String>,
    /// The federation service.
    pub auth: Option<String>,
    /// The artifacts API.
    pub artifacts: Option<String>,
    /// The registry that speaks the distribution protocol.
    pub registry: Option<String>,
    /// The identity API.
    pub identity: Option<String>,
}

/// When passes are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleConfig {
    /// When a pass looks.
    pub observe: Schedule,
    /// When a pass also acts, in [`Mode::Enforce`].
    pub enforce: Schedule,
    /// The hours in which it may act; at any hour when absent.
    pub window: Option<Window>,
}

/// How much may go at most, counted in families (S-19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In one pass; at least 1.
    pub max_per_pass: u32,
    /// In one day; at least 1.
    pub max_per_day: u32,
}

/// Who says what runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUseConfig {
    /// The plain words that repositories without a source have nothing running from them (S-4).
    pub accept_none: bool,
    /// Files written by `ocird collect`, a deployment or CI.
    pub files: Vec<FileSource>,
}

/// One file, or one family of files, that says what runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSource {
    /// The file. Its last component may be a pattern, such as `/var/lib/ocird/in-use/*.json`; directories are literal.
    pub path: PathBuf,
    /// The repositories it speaks for: what it does not name among these does not run.
    pub repositories: Patterns,
    /// How old the time inside the file may be.
    pub max_age: TimeDelta,
    /// A workload that always runs; an answer without it is not believed.
    pub sentinel: Option<String>,
    /// Hosts each of which must have written one of the files; empty when none is expected by name.
    pub expect: Vec<String>,
}

/// The read-only HTTP surface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where it listens; loopback unless `allow_remote`.
    pub listen: SocketAddr,
    /// The plain words that other hosts may read it.
    pub allow_remote: bool,
    /// Names, beside the loopback names and the address itself, by which it may be called; lower case.
    pub names: Vec<String>,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// For people or for programs.
    pub format: LogFormat,
    /// A level, or directives such as `info,ocird::pass=debug`; known to be a valid filter.
    pub filter: String,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}
