//! One repository with its pipeline: how its images grow from build to build, how it tags, releases and deploys.
//!
//! Sizes are those of a small web service: a base that changes monthly, dependencies that change weekly, and an
//! application layer that changes with every build, so that a few images make tens of megabytes.

use chrono::{DateTime, Utc};
use ocird_model::{Digest, RepositoryName, Tag};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use super::{Event, EventKind, Team, told};
use crate::error::ApiError;
use crate::manifest::{Blob, Flavour, Platform};
use crate::push::{Attestations, Build};
use crate::registry::Reference;
use crate::settings::parsed;
use crate::tenancy::{NewRepository, Tenancy};
use crate::workload::PullPolicy;

/// Builds on one base image: about a month at two builds a day.
const BUILDS_PER_BASE: u64 = 60;
/// Builds on one set of dependencies: about a week.
const BUILDS_PER_DEPENDENCIES: u64 = 14;
/// Bytes of the base image per platform.
const BASE_SIZE: u64 = 8_000_000;
/// Bytes of the dependencies per platform.
const DEPENDENCIES_SIZE: u64 = 4_000_000;

/// Whether production follows the releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Production {
    /// It does.
    Follows,
    /// It stays on the first one: the case that "keep the newest ten" breaks.
    StaysOnFirst,
}

/// What a pipeline makes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pipeline {
    /// An index for two platforms, attested as buildx did for years.
    Buildx,
    /// The same, attested with subjects as newer builders do.
    NewBuildx,
    /// A plain Docker image for one platform.
    Docker,
}

impl Pipeline {
    /// Media types, attestations and platforms.
    const fn products(self) -> (Flavour, Attestations, &'static [Platform]) {
        const BOTH: &[Platform] = &[Platform::Amd64, Platform::Arm64];
        match self {
            Self::Buildx => (Flavour::Oci, Attestations::Children, BOTH),
            Self::NewBuildx => (Flavour::Oci, Attestations::Subjects, BOTH),
            Self::Docker => (Flavour::Docker, Attestations::None, &[Platform::Amd64]),
        }
    }
}

/// A repository, its pipeline and its two workloads.
#[derive(Debug)]
pub(super) struct Project {
    team: Team,
    repository: RepositoryName,
    production: Production,
    pipeline: Pipeline,
    n_builds: u64,
    n_releases: u64,
    last: Option<LastBuild>,
    is_doubted: bool,
}

/// What was pushed last.
#[derive(Debug, Clone)]
struct LastBuild {
    build: Build,
    commit: String,
    digest: Digest,
}

impl Team {
    /// Adds the servers of the team.
    pub(super) fn set_up_hosts(self, tenancy: &Tenancy) {
        let (platform, policy) = match self {
            Self::Mgh => (Platform::Arm64, PullPolicy::Always),
            Self::Todo => (Platform::Amd64, PullPolicy::IfNotPresent),
        };
        for host in [self.development_host(), self.production_host()] {
            tenancy.add_host(host, platform, policy);
        }
    }

    /// The second team's nodes are replaced, which shows what their caches hid. The first team has no spare machine.
    pub(super) fn replace_machines(self, tenancy: &Tenancy) -> Vec<Event> {
        match self {
            Self::Mgh => Vec::new(),
            Self::Todo => [self.development_host(), self.production_host()]
                .map(|host| {
                    let lost = tenancy.replace_machine(host).join(", ");
                    let done = if lost.is_empty() {
                        Ok(())
                    } else {
                        Err(ApiError::ManifestUnknown { reference: lost })
                    };
                    let text = format!("{host} was replaced by a new machine");
                    told(tenancy, EventKind::Replacement, text, done)
                })
                .into(),
        }
    }

    /// True for the team's own servers.
    pub(super) fn owns_host(self, host: &str) -> bool {
        host == self.development_host() || host == self.production_host()
    }

    const fn development_host(self) -> &'static str {
        match self {
            Self::Mgh => "milan-dev",
            Self::Todo => "todo-node-dev",
        }
    }

    const fn production_host(self) -> &'static str {
        match self {
            Self::Mgh => "milan-1",
            Self::Todo => "todo-node-1",
        }
    }

    const fn pusher(self) -> &'static str {
        match self {
            Self::Mgh => "ocid1.user.oc1..aaaaaaaamghci",
            Self::Todo => "ocid1.user.oc1..aaaaaaaatodoci",
        }
    }
}

impl Project {
    /// The repositories of a team.
    pub(super) fn all_of(team: Team) -> Vec<Self> {
        let names: &[&str] = match team {
            Team::Mgh => &["mgh-admin-backend", "mgh-admin-frontend", "mgh-website", "mgh-docs"],
            Team::Todo => &["todo-api", "todo-web", "todo-worker"],
        };
        names
            .iter()
            .map(|name| Self {
                team,
                repository: parsed(name),
                production: if *name == "mgh-docs" { Production::StaysOnFirst } else { Production::Follows },
                pipeline: match *name {
                    "todo-worker" => Pipeline::Docker,
                    name if name.starts_with("todo-") => Pipeline::NewBuildx,
                    _ => Pipeline::Buildx,
                },
                n_builds: 0,
                n_releases: 0,
                last: None,
                is_doubted: false,
            })
            .collect()
    }

    pub(super) const fn team(&self) -> Team {
        self.team
    }

    pub(super) fn create_repository(&self, tenancy: &Tenancy) -> Result<(), ApiError> {
        let new = NewRepository::private(self.repository.clone(), tenancy.compartment());
        tenancy.create_repository(new).map(|_| ())
    }

    /// Builds and pushes the next commit, and deploys it to development.
    pub(super) fn push(&mut self, random: &mut ChaCha8Rng, tenancy: &Tenancy) -> Vec<Event> {
        let commit = format!("{:010x}", random.random::<u64>() >> 24);
        let build = self.build(&commit, random);
        let tags = self.commit_tags(&commit, tenancy.now());
        let pushed = tenancy.push(&self.repository, &build, &tags, self.team.pusher());
        self.n_builds += 1;
        let text = format!("{} pushed {}", self.repository, listed(&tags));
        match pushed {
            Ok(pushed) => {
                self.last = Some(LastBuild { build, commit: commit.clone(), digest: pushed.digest });
                let pushed = told(tenancy, EventKind::Push, text, Ok(()));
                vec![pushed, self.deploy_to_development(&commit, tenancy)]
            }
            Err(error) => vec![told(tenancy, EventKind::Push, text, Err(error))],
        }
    }

    /// Runs the last pipeline again: the same bytes, so no new image, and its tags get a new time.
    pub(super) fn rebuild(&self, tenancy: &Tenancy) -> Vec<Event> {
        let Some(last) = &self.last else {
            return Vec::new();
        };
        let tags = self.commit_tags(&last.commit, tenancy.now());
        let done = tenancy.push(&self.repository, &last.build, &tags, self.team.pusher());
        let text = format!("{} rebuilt {} byte for byte", self.repository, last.commit);
        vec![told(tenancy, EventKind::Rebuild, text, done.map(|_| ()))]
    }

    /// Tags the last build as a release, signs it, and takes it to production.
    pub(super) fn release(&mut self, tenancy: &Tenancy) -> Vec<Event> {
        let Some(last) = self.last.clone() else {
            return Vec::new();
        };
        self.n_releases += 1;
        let version: Tag = parsed(&self.version());
        let done = self.tag_and_sign(&version, &last.digest, tenancy);
        let text = format!("{} released {version} from {}", self.repository, last.commit);
        let released = told(tenancy, EventKind::Release, text, done);
        if self.production == Production::StaysOnFirst && self.n_releases > 1 {
            return vec![released];
        }
        let deployed = self.deploy(self.team.production_host(), version, tenancy);
        vec![released, deployed]
    }

    /// People will not like the next release: it is rolled back the night after.
    pub(super) const fn doubt_next_release(&mut self) {
        self.is_doubted = true;
    }

    /// Takes production back to what it ran before, if the release was doubted and there is something before it.
    pub(super) fn roll_back_if_doubted(&mut self, tenancy: &Tenancy) -> Option<Event> {
        if !std::mem::take(&mut self.is_doubted) {
            return None;
        }
        let host = self.team.production_host();
        let text = format!("{} on {host} was rolled back", self.repository);
        match tenancy.rollback(host, self.repository.as_str()) {
            Ok(None) | Err(ApiError::NotAuthorizedOrNotFound) => None,
            Ok(Some(_)) => Some(told(tenancy, EventKind::Rollback, text, Ok(()))),
            Err(error) => Some(told(tenancy, EventKind::Rollback, text, Err(error))),
        }
    }

    /// The layers grow as in life: base and dependencies shared with the builds before, the application new.
    fn build(&self, commit: &str, random: &mut ChaCha8Rng) -> Build {
        let name = &self.repository;
        let base = self.n_builds / BUILDS_PER_BASE;
        let dependencies = self.n_builds / BUILDS_PER_DEPENDENCIES;
        let application_size = random.random_range(800_000..2_000_000);
        let layers = |platform: Platform| {
            let architecture = platform.architecture();
            vec![
                Blob::layer(&format!("base {base} {architecture}"), BASE_SIZE),
                Blob::layer(
                    &format!("{name} dependencies {base} {dependencies} {architecture}"),
                    DEPENDENCIES_SIZE,
                ),
                Blob::layer(&format!("{name} application {commit} {architecture}"), application_size),
            ]
        };
        let (flavour, attestations, platforms) = self.pipeline.products();
        Build {
            revision: commit.to_owned(),
            platforms: platforms.iter().map(|platform| (*platform, layers(*platform))).collect(),
            flavour,
            attestations,
        }
    }

    fn commit_tags(&self, commit: &str, now: DateTime<Utc>) -> Vec<Tag> {
        let mut tags = vec![parsed(commit), parsed("latest")];
        if self.team == Team::Todo {
            tags.push(parsed(&now.format("%Y-%m-%d").to_string()));
        }
        tags
    }

    fn version(&self) -> String {
        match self.team {
            Team::Mgh => format!("v1.{}.0", self.n_releases - 1),
            Team::Todo => format!("{}.{}.0", 1 + (self.n_releases - 1) / 10, (self.n_releases - 1) % 10),
        }
    }

    fn tag_and_sign(&self, version: &Tag, digest: &Digest, tenancy: &Tenancy) -> Result<(), ApiError> {
        let by = self.team.pusher();
        for tag in [version.clone(), parsed("staging"), parsed("prod")] {
            tenancy.retag(&self.repository, digest, &tag, by)?;
        }
        tenancy.cosign(&self.repository, digest, by)?;
        if self.team == Team::Todo {
            tenancy.attach(&self.repository, digest, &format!("materials of {digest}"), by)?;
        }
        Ok(())
    }

    /// The first team's development follows `latest`; the second names the commit, as its nodes keep what they have.
    fn deploy_to_development(&self, commit: &str, tenancy: &Tenancy) -> Event {
        let tag = match self.team {
            Team::Mgh => "latest",
            Team::Todo => commit,
        };
        self.deploy(self.team.development_host(), parsed(tag), tenancy)
    }

    fn deploy(&self, host: &str, tag: Tag, tenancy: &Tenancy) -> Event {
        let text = format!("{} {tag} deployed on {host}", self.repository);
        let reference = Reference::Tag(tag);
        let done = tenancy.deploy(host, self.repository.as_str(), &self.repository, reference);
        told(tenancy, EventKind::Deploy, text, done.map(|_| ()))
    }
}

/// The tags as people list them.
fn listed(tags: &[Tag]) -> String {
    let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
    tags.join(", ")
}
