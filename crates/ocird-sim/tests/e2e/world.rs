//! A small shop of two repositories, known to the last image, on a stage with the real daemon; and what the tests ask
//! of any daemon on any stage.
//!
//! Each repository has eight builds, `v1` to `v8`, pushed half an hour apart. The policy keeps the newest four, and
//! `web` runs `v2`: seven images are to go, 24 hours after the daemon's first look, in its acting pass at half past.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use ocird::status::{RefusalCode, Status};
use ocird_model::{CompartmentId, Digest, RepositoryName, Tag};
use ocird_sim::ci::Knobs;
use ocird_sim::http::Options;
use ocird_sim::manifest::Platform;
use ocird_sim::stage::{Play, Running, Stage};
use ocird_sim::workload::PullPolicy;
use ocird_sim::{Build, Deletion, Hand, NewRepository, Oracle, Pushed, Reference, Settings};
use ocird_store::{BatchEnd, Store};
use serde_json::Value;

/// The host that runs `v2` of `web`.
pub(crate) const HOST: &str = "shop-1";

/// The repositories of the shop.
pub(crate) const SHOP: [&str; 2] = ["shop-api", "shop-web"];

/// Builds in each repository of the shop.
const N_BUILDS: u32 = 8;

/// Images of the shop that are to go: four of `shop-api`, three of `shop-web`.
pub(crate) const N_DUE: usize = 7;

/// The shop's policy, which keeps the newest four.
pub(crate) const SHOP_POLICY: &str = r#"
project = "shop"
repositories = ["shop-*"]
[[keep]]
name = "the newest"
newest = 4
[[delete]]
name = "beyond the newest"
tagged = true
"#;

/// A stage, and the daemon on it while one runs.
pub(crate) struct World {
    pub(crate) stage: Stage,
    running: Option<Running>,
}

/// A play without teams: the test itself makes what happens. A session token lasts, as each costs an RSA key.
pub(crate) fn play(policy: &str) -> Play {
    Play {
        knobs: Knobs { teams: Vec::new(), ..Knobs::default() },
        options: Options { token_lifetime: TimeDelta::days(30), ..Options::default() },
        policies: vec![("shop.toml".to_owned(), policy.to_owned())],
        ..Play::default()
    }
}

/// The shop before its daemon has begun, a day after its last push.
pub(crate) fn shop_of(play: Play) -> World {
    let mut world = World::open(play);
    for name in SHOP {
        world.create(name);
    }
    for number in 1..=N_BUILDS {
        for name in SHOP {
            world.push(name, &format!("v{number}"));
        }
    }
    world.stage.tenancy.clock().advance(TimeDelta::days(1));
    world.run("shop-web", "v2");
    world
}

/// The shop, with `shop-api` in a compartment of its own that is listed second.
pub(crate) fn shop_in_two_compartments() -> World {
    let settings = Settings::default();
    let other: CompartmentId = "ocid1.compartment.oc1..aaaaaaaaother".parse().unwrap();
    let compartments = [settings.compartments.clone(), vec![other.clone()]].concat();
    let world = shop_of(Play { settings: Settings { compartments, ..settings }, ..play(SHOP_POLICY) });
    let tenancy = &world.stage.tenancy;
    tenancy.move_repository(&name("shop-api"), other.clone()).unwrap();
    let ours = format!("[\"{}\"]", tenancy.compartment());
    let both = format!("[\"{}\", \"{other}\"]", tenancy.compartment());
    world.edit_config(
        &format!("[oci]\nauth = \"instance_principal\"\ncompartments = {ours}"),
        &format!("[oci]\nauth = \"instance_principal\"\ncompartments = {both}"),
    );
    world.edit_config(
        &format!("compartments = {ours}\nmetadata"),
        &format!("compartments = {both}\nmetadata"),
    );
    world
}

/// The shop, twenty minutes before its daemon acts for the first time.
pub(crate) async fn ripe_shop() -> World {
    ripe(shop_of(play(SHOP_POLICY))).await
}

/// Starts the daemon on a store that is trusted already, and lets it look for a whole grace.
pub(crate) async fn ripe(mut world: World) -> World {
    world.trust().await;
    world.start();
    world.live(TimeDelta::hours(24) + TimeDelta::minutes(10)).await;
    assert_eq!(world.n_deleted(), 0, "nothing goes within the grace");
    world
}

/// A build for two platforms; no two repositories have one in common.
pub(crate) fn build(repository: &str, revision: &str) -> Build {
    Build::small(&format!("{repository} {revision}"))
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn next_half_past(now: DateTime<Utc>) -> DateTime<Utc> {
    let half_past = now.duration_trunc(TimeDelta::hours(1)).unwrap() + TimeDelta::minutes(30);
    if half_past > now { half_past } else { half_past + TimeDelta::hours(1) }
}

impl World {
    pub(crate) fn open(play: Play) -> Self {
        Self { stage: Stage::open(play).unwrap(), running: None }
    }

    /// Creates a repository in the compartment that the daemon looks at.
    pub(crate) fn create(&self, repository: &str) {
        let tenancy = &self.stage.tenancy;
        tenancy.create_repository(NewRepository::private(name(repository), tenancy.compartment())).unwrap();
    }

    /// Pushes a single image that bears its revision as its tag; half an hour later nothing else has happened.
    pub(crate) fn push(&self, repository: &str, revision: &str) -> Pushed {
        let pushed = self.push_build(repository, &build(repository, revision).single(), revision);
        self.stage.tenancy.clock().advance(TimeDelta::minutes(30));
        pushed
    }

    /// Pushes a build now.
    pub(crate) fn push_build(&self, repository: &str, build: &Build, as_tag: &str) -> Pushed {
        self.stage.tenancy.push(&name(repository), build, &[tag(as_tag)], "ci").unwrap()
    }

    /// Deploys an image on [`HOST`], which writes at once what it runs.
    pub(crate) fn run(&mut self, repository: &str, of_tag: &str) {
        let tenancy = &self.stage.tenancy;
        tenancy.add_host(HOST, Platform::Arm64, PullPolicy::Always);
        tenancy.deploy(HOST, "web", &name(repository), Reference::Tag(tag(of_tag))).unwrap();
        self.stage.collect().unwrap();
    }

    /// The digest of a build that [`World::push`] has pushed.
    pub(crate) fn digest(&self, repository: &str, of_tag: &str) -> Digest {
        self.stage.tenancy.manifest_head(&name(repository), &Reference::Tag(tag(of_tag))).unwrap().digest
    }

    /// Puts another text into the configuration, before the daemon starts.
    pub(crate) fn edit_config(&self, from: &str, to: &str) {
        let path = self.stage.config_file();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }

    pub(crate) fn start(&mut self) {
        self.running = Some(self.stage.start().unwrap());
    }

    /// The store, while no daemon runs.
    pub(crate) async fn store(&self) -> Store {
        assert!(self.running.is_none(), "the daemon holds its store");
        Store::open(&self.stage.state_dir(), self.stage.tenancy.now()).await.unwrap()
    }

    /// Lets the store have proved so many batches that its next ones are no longer small: most tests are about something
    /// else than the first deletions of a store.
    pub(crate) async fn trust(&self) {
        let (store, now) = (self.store().await, self.stage.tenancy.now());
        for _ in 0..2 {
            store.begin_batch(now).await.unwrap();
            store.end_batch(BatchEnd::Proved, now).await.unwrap();
        }
        store.close().await;
    }

    /// Stops the daemon, does something to its store as the admin socket would, and starts it again.
    pub(crate) async fn meanwhile(&mut self, act: impl AsyncFnOnce(&Store, DateTime<Utc>)) {
        self.stop().await;
        let store = self.store().await;
        act(&store, self.stage.tenancy.now()).await;
        store.close().await;
        self.start();
    }

    /// What a person says who has looked: everything may go on.
    pub(crate) async fn reset(&mut self) {
        self.meanwhile(async |store, now| store.reset("a test", now).await.unwrap()).await;
    }

    pub(crate) fn start_in_process(&mut self) {
        self.running = Some(self.stage.start_in_process().unwrap());
    }

    pub(crate) async fn stop(&mut self) {
        self.running.take().unwrap().stop().await.unwrap();
    }

    /// Lets time pass, with the daemon if it runs.
    pub(crate) async fn live(&mut self, duration: TimeDelta) {
        let end = self.stage.tenancy.now() + duration;
        match self.running {
            Some(_) => self.stage.live_until(end, |_| {}).await.unwrap(),
            None => self.stage.live_without_daemon_until(end, |_| {}).unwrap(),
        }
    }

    /// Lets time pass, with the daemon, until the next half past: its acting pass has just ended then.
    pub(crate) async fn act(&mut self) {
        let acting = next_half_past(self.stage.tenancy.now());
        self.stage.live_until(acting + TimeDelta::minutes(5), |_| {}).await.unwrap();
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub(crate) fn status(&self) -> Arc<Status> {
        self.running().shown.board.read()
    }

    /// The codes of the causes for which something stays at present.
    pub(crate) fn refusals(&self) -> BTreeSet<RefusalCode> {
        self.status().refusals.iter().map(|refusal| refusal.code).collect()
    }

    /// Reads the policies again, as SIGHUP would, and waits until the daemon has.
    pub(crate) async fn reload(&self) {
        let n_reloads = || self.status().counts.n_reloads.values().sum::<u64>();
        let before = n_reloads();
        self.running().wires.reload.notify_one();
        while n_reloads() == before {
            tokio::task::yield_now().await;
        }
    }

    /// The daemon's own deletions, by the tenancy's word.
    pub(crate) fn deletions(&self) -> Vec<Deletion> {
        let all = self.stage.tenancy.deletions();
        all.into_iter().filter(|deletion| deletion.hand == Hand::Daemon).collect()
    }

    pub(crate) fn n_deleted(&self) -> usize {
        self.deletions().len()
    }

    /// Number of deletions in one repository.
    pub(crate) fn n_deleted_from(&self, repository: &str) -> usize {
        self.deletions().iter().filter(|deletion| deletion.repository == name(repository)).count()
    }

    /// The tags that a repository still has.
    pub(crate) fn tags(&self, repository: &str) -> Vec<String> {
        let tags = self.stage.tenancy.list_tags(&name(repository)).unwrap();
        tags.iter().map(ToString::to_string).collect()
    }

    /// The switch that stops every deletion.
    pub(crate) fn pause_file(&self) -> PathBuf {
        self.stage.state_dir().join(ocird::pass::gate::PAUSE_FILE)
    }

    /// A page of the daemon.
    pub(crate) async fn page(&self, path: &str) -> String {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = http.get(format!("{}{path}", self.running().url)).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// A page as a browser is shown it, and the code of the answer.
    pub(crate) async fn browse(&self, path: &str) -> (u16, String) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let asked = http.get(format!("{}{path}", self.running().url)).header("accept", "text/html,*/*;q=0.8");
        let answer = asked.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// What `/healthz` says about one of its checks: its state, and the reason if it has failed.
    pub(crate) async fn health(&self, check: &str) -> (String, String) {
        let page: Value = serde_json::from_str(&self.page("/healthz").await).unwrap();
        let text = |key: &str| page["checks"][check][key].as_str().unwrap_or_default().to_owned();
        (text("state"), text("text"))
    }

    /// The value of one sample of `/metrics`.
    pub(crate) async fn sample(&self, name: &str) -> u64 {
        let page = self.page("/metrics").await;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no sample {name}")).parse().unwrap()
    }

    /// Asserts that this cause holds something back, and that status, counters and gauges say so.
    pub(crate) async fn assert_refuses(&self, code: RefusalCode) {
        assert!(self.refusals().contains(&code), "{:?}", self.status().refusals);
        let label = code.as_str();
        assert!(self.sample(&format!("ocird_refusing{{code=\"{label}\"}}")).await > 0);
        assert!(self.sample(&format!("ocird_refusals_total{{code=\"{label}\"}}")).await > 0);
    }

    /// The same for a cause that `/healthz` knows as a failed check, with these words in its reason.
    pub(crate) async fn assert_unwell(&self, code: RefusalCode, check: &str, words: &str) {
        self.assert_refuses(code).await;
        let (state, reason) = self.health(check).await;
        assert_eq!(state, "failed", "{check}");
        assert!(reason.contains(words), "{reason}");
        assert!(self.sample(&format!("ocird_check_failed{{check=\"{check}\"}}")).await > 0);
    }

    /// Asserts that the shop went as its policy says, each image once, and that what runs is there.
    pub(crate) fn assert_shop_is_tidy(&self) {
        assert_eq!(self.tags("shop-api"), ["v5", "v6", "v7", "v8"]);
        assert_eq!(self.tags("shop-web"), ["v2", "v5", "v6", "v7", "v8"]);
        assert_eq!(self.n_deleted(), N_DUE);
        self.assert_nobody_misses_anything();
    }

    /// Asserts that nothing needed was deleted, and that everything needed is there.
    pub(crate) fn assert_nobody_misses_anything(&self) {
        let noted = self.stage.tenancy.violations();
        let present = Oracle::check(&self.stage.tenancy);
        let all: Vec<String> = noted.iter().chain(&present).map(ToString::to_string).collect();
        assert!(all.is_empty(), "{all:#?}");
    }
}
