//! The configuration as the rest of the daemon sees it: checked, typed, with every default filled in. Nothing here
//! reads a file or knows TOML.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use chrono::TimeDelta;
use ocird_model::{Bytes, CompartmentId, Patterns, Policies, Rule, TenancyId};
use ocird_oci::Region;

use super::admin::AdminConfig;
use super::findings::FindingsConfig;
use super::problem::Problem;
use crate::forecast::Price;
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
    /// The room on the disk of the state directory under which nothing is deleted (S-28).
    pub min_free: Bytes,
    /// When copies of the store are made; `None` when somebody else makes them.
    pub backup: Option<BackupConfig>,
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
    /// The file or variable by which it shows that this process runs in a container; `None` outside of one.
    pub container: Option<&'static str>,
    /// What the centre gives each project; a policy may claim nothing else. Anything may be claimed when absent.
    pub projects: Option<BTreeMap<String, Patterns>>,
    /// What is worth telling people beside what is deleted.
    pub findings: FindingsConfig,
    /// What storage costs; without it no money is told.
    pub price: Option<Price>,
    /// The read-only HTTP surface (S-32).
    pub http: HttpConfig,
    /// The admin socket, over which whatever changes anything is asked for (S-32).
    pub admin: AdminConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    /// What is allowed but probably not meant, to be logged and shown at every start.
    pub warnings: Vec<Problem>,
}

/// When copies of the store are made, and how many stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupConfig {
    /// How long after a copy the next one is made.
    pub every: TimeDelta,
    /// How many stay.
    pub keep: NonZeroU32,
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
    /// Who else on the instance has ocird's rights, by the operator's word (S-31).
    pub sharing: Sharing,
    /// Whether ocird may bring back what it deleted, by the operator's word (S-26).
    pub restoring: Restoring,
}

/// Whether ocird may bring back what it deleted. The cloud tells nobody which rights they have, and a call that tries would
/// have to restore something: so the operator says, and what the journal holds of refusals speaks against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restoring {
    /// Nobody said.
    Unsaid,
    /// It may: the statements in `deploy/iam` give it.
    Permitted,
    /// It may not, and that is accepted in plain words: what is needed waits for a person.
    NotPermitted,
}

/// Who else on an instance has ocird's rights. A dynamic group matches instances and not processes: whoever reaches the
/// metadata service signs in as ocird does, and to delete an image takes the same right as to push one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody said.
    Unsaid,
    /// The metadata service is fenced to ocird's own user.
    Fenced,
    /// Nothing but ocird runs on the instance.
    OwnInstance,
    /// Others have its rights too, and that is accepted in plain words.
    Accepted,
}

impl Config {
    /// Why deletion is not armed for the sake of undoing it (S-26); `None` when somebody has answered for it.
    pub fn unsaid_restore(&self) -> Option<&'static str> {
        let restoring = self.armed_for.as_ref().map(|armed| armed.restoring)?;
        (restoring == Restoring::Unsaid && Rule::S26.in_force()).then_some(
            "nobody said whether ocird may bring back what it deleted; say in [armed_for] restore = \"permitted\", which the \
             statements of deploy/iam give, or restore = \"not_permitted\" if a person is to do it within 48 h",
        )
    }

    /// Whether ocird is to bring back what is needed. In report mode it is asked as well: what was deleted before may be needed.
    pub fn may_restore(&self) -> bool {
        self.armed_for.as_ref().is_none_or(|armed| armed.restoring != Restoring::NotPermitted)
    }

    /// Why deletion is not armed for the sake of the image that ocird itself runs from; `None` when somebody has named it, and
    /// outside a container.
    pub fn unsaid_own_image(&self) -> Option<String> {
        let container = self.container.filter(|_| self.in_use.own_image.is_none() && Rule::S4.in_force())?;
        Some(format!(
            "this is a container ({container}), and nobody said from which image ocird itself runs; say own_image = \"...\" in \
             [in_use], or set OCIRD_IMAGE, to its reference in whichever registry"
        ))
    }

    /// Why deletion is not armed for the sake of who else has ocird's rights (S-31); `None` when somebody has answered for it,
    /// and for a user's key or session, which no metadata service hands out.
    pub fn shared_identity(&self) -> Option<&'static str> {
        let sharing = self.armed_for.as_ref().map(|armed| armed.sharing)?;
        let is_shared = match (&self.oci.auth, sharing) {
            (AuthConfig::InstancePrincipal, Sharing::Unsaid) => Rule::S31.in_force(),
            (AuthConfig::InstancePrincipal, Sharing::Fenced | Sharing::OwnInstance | Sharing::Accepted)
            | (AuthConfig::Profile(_), _) => false,
        };
        is_shared.then_some(
            "whoever reaches the metadata service of this instance has ocird's rights; say in [armed_for] that it is \
             fenced to ocird's user (metadata = \"fenced\"), that nothing else runs here (metadata = \"own_instance\"), or \
             accept_shared_identity = true",
        )
    }
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
    /// Due at once before the whole pass is refused and waits for an approval; at least 1.
    pub max_plan: u32,
}

/// Who says what runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUseConfig {
    /// The plain words that repositories without a source have nothing running from them (S-4).
    pub accept_none: bool,
    /// Of how many earlier deployments the images stay, so that a rollback can pull them; at least 1.
    pub keep_previous: u32,
    /// The image that ocird itself runs from, which is always in use. From `OCIRD_IMAGE` when the file does not say.
    pub own_image: Option<String>,
    /// Files written by `ocird collect`, a deployment or CI.
    pub files: Vec<FileSource>,
    /// Container engines on this host that are asked directly.
    pub docker: Vec<DockerSource>,
    /// Prometheus servers that see a fleet.
    pub prometheus: Vec<PrometheusSource>,
    /// Kubernetes clusters.
    pub kubernetes: Vec<KubernetesSource>,
}

impl InUseConfig {
    /// The scope of every source.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        let Self { accept_none: _, keep_previous: _, own_image: _, files, docker, prometheus, kubernetes } =
            self;
        let files = files.iter().map(|source| &source.scope);
        let servers = prometheus.iter().map(|source| &source.scope);
        let clusters = kubernetes.iter().map(|source| &source.scope);
        files.chain(docker.iter().map(|source| &source.scope)).chain(servers).chain(clusters)
    }
}

/// What a source speaks for, and what makes its answers believable (S-4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The repositories it speaks for: what it does not name among these does not run.
    pub repositories: Patterns,
    /// How old an answer may be.
    pub max_age: TimeDelta,
    /// A workload that always runs; an answer without it is not believed.
    pub sentinel: Option<String>,
}

/// One file, or one family of files, that says what runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSource {
    /// The file. Its last component may be a pattern, such as `/var/lib/ocird/in-use/*.json`; directories are literal.
    pub path: PathBuf,
    /// What it speaks for. Its age is that of the time inside the file.
    pub scope: Scope,
    /// Hosts each of which must have written one of the files. When any is named, no other is missed.
    pub expect: Vec<String>,
    /// Hosts that are gone for good: that they no longer write is no doubt.
    pub forget: Vec<String>,
}

/// A container engine on this host that speaks Docker's API: Docker's own, or Podman.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerSource {
    /// Its Unix socket.
    pub socket: PathBuf,
    /// What it speaks for.
    pub scope: Scope,
}

/// A Prometheus server, and a query whose series name what runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrometheusSource {
    /// Its base URL: https, or http on a loopback address.
    pub url: String,
    /// The instant query. Each series names one image in use.
    pub query: String,
    /// A second one, whose series are exporters that are down: while there is any, nothing is believed.
    pub down: Option<String>,
    /// The label that names the image.
    pub image_label: String,
    /// The label with the digest that really runs, if there is one.
    pub digest_label: Option<String>,
    /// The label that tells hosts apart, so that one that is silent is missed; `None` where hosts come and go.
    pub host_label: Option<String>,
    /// The labels that say what runs, for people; none are the usual ones.
    pub by_labels: Vec<String>,
    /// A file with a bearer token, such as a credential of systemd.
    pub token_file: Option<PathBuf>,
    /// A PEM file of certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Hosts that must be heard; when any is named, no other is missed.
    pub expect: Vec<String>,
    /// Hosts that are gone for good.
    pub forget: Vec<String>,
    /// What it speaks for.
    pub scope: Scope,
}

/// A Kubernetes cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesSource {
    /// How its API is reached.
    pub access: KubernetesAccess,
    /// How many of the last revisions of each workload count as in use, the present one included; at least 1.
    pub revisions: u32,
    /// What it speaks for.
    pub scope: Scope,
}

/// How a Kubernetes API is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KubernetesAccess {
    /// As the service account of the pod that ocird runs in.
    InCluster,
    /// By a kubeconfig.
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// The context; the file's current one when absent.
        context: Option<String>,
    },
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
