//! The tenancy of the comparison: thirty days of builds, and in every repository one workload, whose image is not always
//! among the newest.
//!
//! Nothing here is rare: a service that nobody has deployed for a month, one that was deployed yesterday and may have to go
//! back, and one that runs from a tag which was moved to an old build.

use std::iter;

use chrono::TimeDelta;
use ocird_model::{RepositoryName, Tag};
use ocird_sim::ci::Knobs;
use ocird_sim::manifest::Platform;
use ocird_sim::stage::{Medium, Play, Stage};
use ocird_sim::workload::PullPolicy;
use ocird_sim::{Build, NewRepository, Reference, Settings};
use ocird_store::{BatchEnd, Store};

use crate::world::{PAGE_SIZE, Size, real_time};

/// The days in which the images are pushed, evenly.
const PUSHES: TimeDelta = TimeDelta::days(26);

/// From the last push to the deployments: everything is older than the floor of a day when ocird looks.
const REST: TimeDelta = TimeDelta::days(2);

/// How long ocird looks before: a grace of one day would do.
const LOOKS: TimeDelta = TimeDelta::days(2);

/// When it looks, in cron. Three passes at least must select an image.
const OBSERVE: &str = "0 */6 * * *";

/// ocird's default for the most that may go in a pass.
const MAX_PER_PASS: usize = 50;

/// The same for a day, and for the most that may be due without somebody having looked.
const MAX_PER_DAY: usize = 200;

/// The machine that runs everything.
const HOST: &str = "milan-1";

/// The oldest build of every repository, far beyond the newest.
const OLDEST: u32 = 1;

/// A stage with the tenancy on it, its clock two days before now.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) stage: Stage,
    pub(super) keep: u32,
    size: Size,
}

/// What a repository's workload needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// The newest build.
    Newest,
    /// The oldest, by its own tag: nobody has deployed since.
    Oldest,
    /// The newest since yesterday, and the oldest to roll back to.
    Rollback,
    /// The oldest, by a tag that was moved to it when the newest failed. It counts as new from then on (S-8).
    Moved,
}

impl Need {
    const fn of(repository: u32) -> Self {
        match repository % 4 {
            0 => Self::Newest,
            1 => Self::Oldest,
            2 => Self::Rollback,
            _ => Self::Moved,
        }
    }

    /// Whether it holds an image that is otherwise to go.
    const fn holds_one(self) -> bool {
        match self {
            Self::Oldest | Self::Rollback => true,
            Self::Newest | Self::Moved => false,
        }
    }
}

impl Scene {
    /// Lets the past pass until ocird first looks.
    pub(super) fn furnish(size: Size, keep: u32, seed: u64) -> anyhow::Result<Self> {
        let settings = Settings {
            seed,
            start: real_time() - PUSHES - REST - LOOKS,
            page_size: PAGE_SIZE,
            // `ocird collect` cannot know what a rollback wants.
            writes_rollbacks: false,
            ..Settings::default()
        };
        let policy = format!(
            "project = \"mgh\"\nrepositories = [\"mgh-*\"]\n[[keep]]\nname = \"the newest\"\nnewest = {keep}\n\
             [[delete]]\nname = \"beyond them\"\ntagged = true\n"
        );
        let stage = Stage::open(Play {
            settings,
            knobs: Knobs { teams: Vec::new(), ..Knobs::default() },
            policies: vec![("mgh.toml".to_owned(), policy)],
            armed: false,
            observe: OBSERVE.to_owned(),
            medium: Medium::Disk,
            ..Play::default()
        })?;
        let scene = Self { stage, keep, size };
        scene.push()?;
        scene.stage.tenancy.clock().advance(REST);
        scene.deploy()?;
        Ok(scene)
    }

    fn push(&self) -> anyhow::Result<()> {
        let tenancy = &self.stage.tenancy;
        for (_, name) in self.repositories() {
            tenancy.create_repository(NewRepository::private(name, tenancy.compartment()))?;
        }
        let n_images = i32::try_from(self.size.images)?;
        for number in OLDEST..=self.size.images {
            tenancy.clock().advance(PUSHES / n_images);
            for (_, name) in self.repositories() {
                let build = Build::small(&format!("{name} {number}")).single();
                tenancy.push(&name, &build, &[version(number)], "ci")?;
            }
        }
        Ok(())
    }

    /// What every host starts, days ago.
    fn deploy(&self) -> anyhow::Result<()> {
        let tenancy = &self.stage.tenancy;
        tenancy.add_host(HOST, Platform::Arm64, PullPolicy::Always);
        let production: Tag = "prod".parse()?;
        for (need, name) in self.repositories() {
            let tag = match need {
                Need::Newest => version(self.size.images),
                Need::Oldest | Need::Rollback => version(OLDEST),
                Need::Moved => {
                    let oldest = tenancy.manifest_head(&name, &Reference::Tag(version(OLDEST)))?;
                    tenancy.retag(&name, &oldest.digest, &production, "ci")?;
                    Clone::clone(&production)
                }
            };
            tenancy.deploy(HOST, name.as_str(), &name, Reference::Tag(tag))?;
        }
        Ok(())
    }

    /// The deployments of yesterday.
    fn deploy_again(&self) -> anyhow::Result<()> {
        let newest = Reference::Tag(version(self.size.images));
        for (_, name) in self.repositories().filter(|(need, _)| *need == Need::Rollback) {
            self.stage.tenancy.deploy(HOST, name.as_str(), &name, Clone::clone(&newest))?;
        }
        Ok(())
    }

    /// Lets the days until now pass without ocird.
    pub(super) fn unobserved(&mut self) -> anyhow::Result<()> {
        let now = self.stage.tenancy.now();
        self.stage.live_without_daemon_until(now + LOOKS / 2, |_| {})?;
        self.deploy_again()?;
        self.stage.live_without_daemon_until(now + LOOKS, |_| {})?;
        Ok(())
    }

    /// Lets the days until now pass while ocird looks, on a store whose ramp is behind it.
    pub(super) async fn observed(&mut self) -> anyhow::Result<()> {
        let now = self.stage.tenancy.now();
        self.stage.collect()?;
        self.trust().await?;
        let running = self.stage.start_in_process()?;
        self.stage.live_until(now + LOOKS / 2, |_| {}).await?;
        self.deploy_again()?;
        self.stage.collect()?;
        self.stage.live_until(now + LOOKS, |_| {}).await?;
        running.stop().await?;
        // All this took a moment.
        self.stage.tenancy.clock().advance_to(real_time());
        Ok(self.stage.collect()?)
    }

    /// Two clean batches, after which they are no longer small (S-20).
    async fn trust(&self) -> anyhow::Result<()> {
        let now = self.stage.tenancy.now();
        let store = Store::open(&self.stage.state_dir(), now).await?;
        for _ in 0..2 {
            store.begin_batch(now).await?;
            store.end_batch(BatchEnd::Proved, now).await?;
        }
        store.close().await;
        Ok(())
    }

    /// Tagged images beyond the newest by the time of their push, which is what the scripts go by.
    pub(super) fn n_beyond(&self) -> usize {
        (self.size.repositories * (self.size.images - self.keep)) as usize
    }

    /// What the policy gives up and nobody needs.
    pub(super) fn n_that_may_go(&self) -> usize {
        self.n_beyond() - self.repositories().filter(|(need, _)| need.holds_one()).count()
    }

    /// The second switch, for the pass that deletes.
    pub(super) fn armed_for(&self) -> String {
        let settings = self.stage.tenancy.settings();
        format!(
            "[armed_for]\ntenancy = \"{}\"\nregion = \"{}\"\ncompartments = [\"{}\"]\nmetadata = \"own_instance\"\n\
             restore = \"permitted\"\n",
            settings.tenancy,
            settings.region,
            self.stage.tenancy.compartment()
        )
    }

    /// What ocird's configuration says beside: the limits at their defaults, or at what is due where that is more.
    pub(super) fn tables(&self) -> String {
        let n_due = self.n_beyond();
        let (of_a_pass, of_a_day) = (n_due.max(MAX_PER_PASS), n_due.max(MAX_PER_DAY));
        format!(
            "[limits]\nmax_per_pass = {of_a_pass}\nmax_per_day = {of_a_day}\nmax_plan = {of_a_day}\n\
             [schedule]\nobserve = \"{OBSERVE}\"\n[in_use]\nown_image = \"localhost/ocird\"\n\
             [[in_use.files]]\npath = \"in-use/*.json\"\nrepositories = [\"*\"]\nexpect = [\"{HOST}\"]"
        )
    }

    fn repositories(&self) -> impl Iterator<Item = (Need, RepositoryName)> {
        let name = |number| format!("mgh-{number}").parse().expect("a word and a number are a name");
        iter::zip((0..self.size.repositories).map(Need::of), (0..self.size.repositories).map(name))
    }
}

fn version(number: u32) -> Tag {
    format!("v{number}").parse().expect("a letter and a number are a tag")
}
