//! A small world for a named scenario: one repository, one host, one policy, and the real engine, step by step.

use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use ocird::pass::Purpose;
use ocird_model::{Digest, RepositoryName, Tag};
use tempfile::TempDir;

use super::daemon::{Daemon, Place};
use super::laws::journaled;
use super::run::scratch;
use crate::face::Bystander;
use crate::manifest::Platform;
use crate::push::{Build, Pushed};
use crate::registry::Reference;
use crate::settings::{Settings, parsed};
use crate::state::Hand;
use crate::tenancy::{NewRepository, Tenancy};
use crate::truth::Oracle;
use crate::workload::PullPolicy;

/// How far passes are apart.
const INTERVAL: TimeDelta = TimeDelta::hours(6);

/// The host, and what it always runs, so that its answers are never empty.
const HOST: &str = "shop-1";

/// The stage of a scenario.
pub(super) struct Replay {
    pub(super) tenancy: Tenancy,
    pub(super) web: RepositoryName,
    place: Place,
    daemon: Option<Daemon>,
    hosts_write: bool,
    _directory: TempDir,
}

impl Replay {
    /// A repository `web` under this policy's rules, with a floor of one image and an hour; a day of grace.
    pub(super) fn new(rules: &str) -> anyhow::Result<Self> {
        Self::with(rules, |_| {})
    }

    /// The same in a tenancy of other behaviour.
    pub(super) fn with(rules: &str, change: impl FnOnce(&mut Settings)) -> anyhow::Result<Self> {
        let mut settings = Settings::default();
        change(&mut settings);
        let tenancy = Tenancy::new(settings);
        let directory = scratch()?;
        let place = Place {
            clock: tenancy.clock().view(TimeDelta::zero()),
            directory: directory.path().to_owned(),
            tenancy: tenancy.clone(),
            bystander: None,
        };
        for name in ["base", "web"] {
            tenancy.create_repository(NewRepository::private(parsed(name), tenancy.compartment()))?;
        }
        tenancy.add_host(HOST, Platform::Arm64, PullPolicy::Always);
        tenancy.push(&parsed("base"), &Build::small("base"), &[parsed("base")], "ci")?;
        tenancy.deploy(HOST, "base", &parsed("base"), Reference::Tag(parsed("base")))?;
        let mut replay = Self {
            web: parsed("web"),
            tenancy,
            place,
            daemon: None,
            hosts_write: true,
            _directory: directory,
        };
        replay.write(rules)?;
        Ok(replay)
    }

    fn write(&mut self, rules: &str) -> anyhow::Result<()> {
        let folder = &self.place.directory;
        for name in ["policies.d", "in-use", "state"] {
            std::fs::create_dir_all(folder.join(name))?;
        }
        let policy = format!("project = \"web\"\nrepositories = [\"web\"]\n{rules}");
        std::fs::write(folder.join("policies.d/web.toml"), policy)?;
        let settings = self.tenancy.settings();
        let compartment = self.tenancy.compartment();
        let config = format!(
            "mode = \"enforce\"\nstate_dir = \"state\"\npolicies_dir = \"policies.d\"\n\
             [armed_for]\ntenancy = \"{}\"\nregion = \"{}\"\ncompartments = [\"{compartment}\"]\n\
             metadata = \"own_instance\"\nrestore = \"permitted\"\n[store]\nmin_free = \"1MB\"\nbackup = false\n\
             [oci]\nauth = \"instance_principal\"\ncompartments = [\"{compartment}\"]\n\
             [schedule]\nobserve = \"0 */6 * * *\"\nenforce = \"0 */6 * * *\"\n\
             [guardrails]\nmin_newest = 1\nmin_age = \"1h\"\ngrace = \"24h\"\n\
             [in_use]\nown_image = \"localhost/ocird\"\n\
             [[in_use.files]]\npath = \"in-use/*.json\"\nrepositories = [\"*\"]\nexpect = [\"{HOST}\"]\n",
            settings.tenancy, settings.region
        );
        std::fs::write(folder.join("ocird.toml"), config)?;
        Ok(())
    }

    /// Pushes a build under these tags; an hour later nothing else has happened.
    pub(super) fn push(&self, build: &Build, tags: &[&str]) -> anyhow::Result<Pushed> {
        let tags: Vec<Tag> = tags.iter().map(|tag| parsed(tag)).collect();
        let pushed = self.tenancy.push(&self.web, build, &tags, "ci")?;
        self.tenancy.clock().advance(TimeDelta::hours(1));
        Ok(pushed)
    }

    /// Pushes single images under these tags, one each, oldest first.
    pub(super) fn push_singles(&self, tags: &[&str]) -> anyhow::Result<Vec<Pushed>> {
        tags.iter().map(|tag| self.push(&Build::small(tag).single(), &[tag])).collect()
    }

    /// Runs an image on the host, by its tag or digest.
    pub(super) fn run(&self, reference: &str) -> anyhow::Result<()> {
        self.run_as("web", reference)
    }

    /// The same, as a workload of this name.
    pub(super) fn run_as(&self, workload: &str, reference: &str) -> anyhow::Result<()> {
        self.tenancy.deploy(HOST, workload, &self.web, parsed(reference))?;
        Ok(())
    }

    /// Puts another text in the place of what the host would write, which writes no more.
    pub(super) fn falsify(&mut self, change: impl FnOnce(&mut serde_json::Value)) -> anyhow::Result<()> {
        let mut text = self.tenancy.in_use(HOST);
        change(&mut text);
        self.hosts_write = false;
        std::fs::write(self.place.directory.join("in-use").join(format!("{HOST}.json")), text.to_string())?;
        Ok(())
    }

    /// The host writes again what it runs.
    pub(super) fn tell_the_truth(&mut self) {
        self.hosts_write = true;
    }

    /// An image of `web` as a host names it in what it writes.
    pub(super) fn named(&self, tag: &str, digest: &Digest) -> serde_json::Value {
        let settings = self.tenancy.settings();
        let image = format!("{}/{}/{}:{tag}", settings.registry_host(), settings.namespace, self.web);
        serde_json::json!({"image": image, "digest": digest.to_string(), "by": "container web"})
    }

    /// Puts another text into the configuration, before the daemon starts.
    pub(super) fn edit_config(&self, from: &str, to: &str) -> anyhow::Result<()> {
        let path = self.place.directory.join("ocird.toml");
        let text = std::fs::read_to_string(&path)?;
        anyhow::ensure!(text.contains(from), "the configuration has no {from}");
        std::fs::write(path, text.replacen(from, to, 1))?;
        Ok(())
    }

    /// The deletions of which the daemon's journal knows nothing.
    pub(super) async fn unjournaled(&self) -> anyhow::Result<Vec<String>> {
        let deleted = self.tenancy.deletions().into_iter().filter(|deletion| deletion.hand == Hand::Daemon);
        let known = journaled(&[self.place.directory.join("state")], deleted.collect()).await?;
        let unknown = known.into_iter().filter(|(_, is_head)| is_head.is_none());
        Ok(unknown.map(|(deletion, _)| format!("nobody wrote {} down", deletion.digest.short())).collect())
    }

    /// From now on somebody stands between the daemon and the tenancy.
    pub(super) async fn beside(&mut self, bystander: Arc<dyn Bystander>) {
        self.place.bystander = Some(bystander);
        self.stop_daemon().await;
    }

    /// Stops the daemon; the next pass starts it again.
    pub(super) async fn stop_daemon(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop().await;
        }
    }

    /// So many acting passes, each after its interval.
    pub(super) async fn passes(&mut self, n: u32) -> anyhow::Result<()> {
        for _ in 0..n {
            self.tenancy.clock().advance(INTERVAL);
            if self.hosts_write {
                let path = self.place.directory.join("in-use").join(format!("{HOST}.json"));
                self.tenancy.write_in_use(&path, HOST)?;
            }
            if self.daemon.is_none() {
                self.daemon = Some(Daemon::start(&self.place, "ocird.toml")?);
            }
            let daemon = self.daemon.as_mut().context("it has just been started")?;
            daemon.pass(self.tenancy.clock(), Purpose::Enforce, std::future::pending()).await?;
        }
        Ok(())
    }

    /// True when the image is there.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.tenancy.find(&self.web, digest).is_some()
    }

    /// Every violation of the ground truth, noted as it happened or standing now.
    pub(super) fn wrongs(&self) -> Vec<String> {
        let noted = self.tenancy.violations();
        noted.iter().chain(&Oracle::check(&self.tenancy)).map(ToString::to_string).collect()
    }

    /// The images of `web` that the daemon has deleted, in order.
    pub(super) fn deleted(&self) -> Vec<Digest> {
        let all = self.tenancy.deletions().into_iter();
        all.filter(|deletion| deletion.hand == Hand::Daemon).map(|deletion| deletion.digest).collect()
    }

    /// The present.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.tenancy.now()
    }
}
