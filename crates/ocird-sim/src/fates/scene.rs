//! Everything one fate consists of beside the daemon: the tenancy, who lives in it, the policies, the dice, and what is
//! known of the pass that runs.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Digest, ImageId, RepositoryName};

use super::dice::Dice;
use super::hosts::{HOSTS, Writing};
use super::judge::Floor;
use super::kinds::{Allowed, FaultTable, Misfortune};
use super::laws::{Begun, Ledger};
use super::life::Window;
use super::log::Log;
use super::policies::Drawn;
use crate::clock::ClockView;
use crate::push::Build;
use crate::settings::{
    EtagChanges, ListingShape, ManifestReads, PullAccounting, PullTimes, Repush, Settings, parsed,
};
use crate::tenancy::{NewRepository, Tenancy};

/// The repository that holds what every host runs, and at the end what is certain to go.
pub(super) const LITTER: &str = "litter";

/// The workload that every host runs always, and its tag.
pub(super) const ANCHOR: &str = "anchor";

/// How often things go wrong, in ten thousand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    /// An event before a call.
    pub(super) events: u32,
    /// A call that goes wrong.
    pub(super) calls: u32,
    /// A host that writes badly, for each pass.
    pub(super) hosts: u32,
    /// What befalls the daemon and its store, for each pass.
    pub(super) daemon: u32,
    /// The clock, for each pass.
    pub(super) clock: u32,
}

/// One fate without its daemon.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) tenancy: Tenancy,
    pub(super) clock: ClockView,
    pub(super) directory: PathBuf,
    pub(super) dice: Dice,
    pub(super) log: Log,
    pub(super) table: FaultTable,
    pub(super) allowed: Allowed,
    pub(super) rates: Rates,
    /// Top-level images beyond which nobody pushes into a repository: worlds stay small, so that many can be lived.
    pub(super) enough: usize,
    pub(super) repositories: Vec<RepositoryName>,
    pub(super) policies: Vec<Drawn>,
    pub(super) floor: Floor,
    pub(super) grace: TimeDelta,
    pub(super) interval: TimeDelta,
    pub(super) max_per_pass: u32,
    pub(super) max_per_day: u32,
    pub(super) writing: [Writing; HOSTS.len()],
    pub(super) answers: [Option<String>; HOSTS.len()],
    pub(super) older_answers: [Option<String>; HOSTS.len()],
    pub(super) builds: Vec<(RepositoryName, Build)>,
    pub(super) n_builds: u64,
    pub(super) next_pass_at: DateTime<Utc>,
    /// What the daemon has looked at, while a pass runs.
    pub(super) window: Option<Window>,
    /// Number of calls of the pass that runs, and the one at which the daemon dies.
    pub(super) n_calls: u64,
    pub(super) dies_at: Option<u64>,
    /// It has died: nothing that it asks is answered any more.
    pub(super) is_dead: bool,
    pub(super) ledger: Ledger,
    /// Number of images that were brought back because somebody wanted them.
    pub(super) n_restored: u64,
}

impl Scene {
    /// The scene of a seed, in a directory of its own.
    pub(super) fn new(seed: u64, allowed: Allowed, keep_log: bool, directory: &Path) -> io::Result<Self> {
        let mut dice = Dice::new(seed);
        let settings = settings(&mut dice, seed, &allowed);
        let tenancy = Tenancy::new(settings);
        let rates = rates(&mut dice);
        let mut scene = Self {
            clock: tenancy.clock().view(TimeDelta::zero()),
            directory: directory.to_owned(),
            log: Log::new(keep_log),
            table: FaultTable::default(),
            allowed,
            rates,
            enough: usize::try_from(dice.between(5, 14)).unwrap_or(5),
            repositories: Vec::new(),
            policies: Vec::new(),
            floor: Floor {
                min_newest: usize::try_from(dice.between(1, 3)).unwrap_or(1),
                min_age: TimeDelta::hours(dice.one_of([1, 24, 48])),
            },
            grace: TimeDelta::hours(dice.one_of([24, 24, 48, 72])),
            interval: TimeDelta::hours(dice.one_of([12, 24, 24, 24, 24, 24, 24, 24])),
            max_per_pass: dice.one_of([5, 10, 50]),
            max_per_day: dice.one_of([20, 50, 200]),
            writing: [Writing::Well; HOSTS.len()],
            answers: [const { None }; HOSTS.len()],
            older_answers: [const { None }; HOSTS.len()],
            builds: Vec::new(),
            n_builds: 0,
            next_pass_at: tenancy.now(),
            window: None,
            n_calls: 0,
            dies_at: None,
            is_dead: false,
            ledger: Ledger::default(),
            n_restored: 0,
            tenancy,
            dice,
        };
        scene.people();
        scene.write_files()?;
        Ok(scene)
    }

    /// Repositories, hosts, policies, and the first images.
    fn people(&mut self) {
        let create = |name: &str| {
            let new = NewRepository::private(parsed(name), self.tenancy.compartment());
            self.tenancy.create_repository(new).expect("the name is new");
        };
        create(LITTER);
        let n = self.dice.between(1, 3);
        for number in 0..n {
            let name = format!("app-{number}");
            create(&name);
            self.repositories.push(parsed(&name));
        }
        self.add_hosts();
        for _ in 0..self.dice.between(4, 14) {
            self.tenancy.clock().advance(TimeDelta::minutes(30));
            self.event();
        }
        self.draw_policies();
    }

    /// One policy for all, or one for each; and the one of the litter.
    fn draw_policies(&mut self) {
        let known = self.known_digests();
        let names: Vec<String> = self.repositories.iter().map(ToString::to_string).collect();
        self.policies = if self.dice.chance(5_000) {
            vec![Drawn::draw(&mut self.dice, names, &known)]
        } else {
            names.into_iter().map(|name| Drawn::draw(&mut self.dice, vec![name], &known)).collect()
        };
        self.policies.push(Drawn::of_litter());
    }

    /// An owner edits a policy. Its repositories begin their grace anew.
    pub(super) fn edit_policy(&mut self) -> io::Result<()> {
        let known = self.known_digests();
        let place = self.dice.place(self.policies.len() - 1).expect("there is one beside the litter's");
        let repositories = self.policies[place].repositories.clone();
        let edited = Drawn::draw(&mut self.dice, repositories, &known);
        if edited != self.policies[place] {
            let now = self.tenancy.now();
            for name in &edited.repositories {
                self.ledger.begin_anew(name, now);
            }
            self.policies[place] = edited;
            self.log.note(now, format_args!("policy {place} was edited"));
        }
        self.write_policies()
    }

    fn known_digests(&mut self) -> Vec<Digest> {
        let (state, _) = self.tenancy.lock();
        state.images.values().take(8).map(|image| image.manifest.digest).collect()
    }

    fn write_files(&mut self) -> io::Result<()> {
        for folder in ["policies.d", "in-use", "state"] {
            std::fs::create_dir_all(self.directory.join(folder))?;
        }
        self.write_policies()?;
        self.write_config("ocird.toml", "state")?;
        self.collect()
    }

    fn write_policies(&self) -> io::Result<()> {
        let folder = self.directory.join("policies.d");
        for (place, policy) in self.policies.iter().enumerate() {
            let project = format!("p{place}");
            std::fs::write(folder.join(format!("{project}.toml")), policy.text(&project))?;
            if let Some(document) = policy.document() {
                std::fs::write(folder.join(format!("{project}.json")), document)?;
            }
        }
        Ok(())
    }

    /// The central file of a daemon with this state directory.
    pub(super) fn write_config(&self, name: &str, state_dir: &str) -> io::Result<()> {
        let settings = self.tenancy.settings();
        let compartment = self.tenancy.compartment();
        let look = match self.interval.num_hours() {
            24 => "0 0 * * *".to_owned(),
            hours => format!("0 */{hours} * * *"),
        };
        let hours = |duration: TimeDelta| format!("{}h", duration.num_hours());
        let expect: Vec<String> = HOSTS.iter().map(|host| format!("\"{}\"", host.name)).collect();
        let text = format!(
            "mode = \"enforce\"\nstate_dir = \"{state_dir}\"\npolicies_dir = \"policies.d\"\n\
             [armed_for]\ntenancy = \"{}\"\nregion = \"{}\"\ncompartments = [\"{compartment}\"]\n\
             metadata = \"own_instance\"\nrestore = \"permitted\"\n[store]\nmin_free = \"1MB\"\nbackup = false\n\
             [oci]\nauth = \"instance_principal\"\ncompartments = [\"{compartment}\"]\n\
             [schedule]\nobserve = \"{look}\"\nenforce = \"{look}\"\n\
             [guardrails]\nmin_newest = {}\nmin_age = \"{}\"\ngrace = \"{}\"\n\
             [limits]\nmax_per_pass = {}\nmax_per_day = {}\n\
             [in_use]\nown_image = \"localhost/ocird\"\n\
             [[in_use.files]]\npath = \"in-use/*.json\"\nrepositories = [\"*\"]\nexpect = [{}]\n",
            settings.tenancy,
            settings.region,
            self.floor.min_newest,
            hours(self.floor.min_age),
            hours(self.grace),
            self.max_per_pass.min(self.max_per_day),
            self.max_per_day,
            expect.join(", "),
        );
        std::fs::write(self.directory.join(name), text)
    }

    /// Deals out one misfortune of this kind, if it may be met at all.
    pub(super) fn deal(&mut self, kind: Misfortune) -> bool {
        let may = self.allowed.has(kind);
        if may {
            self.table.count(kind);
            let at = self.tenancy.now();
            self.log.note(at, format_args!("! {}", kind.as_str()));
        }
        may
    }

    /// Life goes on until the next pass, which begins then.
    pub(super) fn live_until_next_pass(&mut self, eventful: bool) {
        self.window = None;
        let now = self.tenancy.now();
        self.next_pass_at = now.max(self.next_pass_at + self.interval);
        let n_events = if eventful { self.dice.between(0, 3) } else { 0 };
        let mut left = (self.next_pass_at - now).num_seconds();
        for _ in 0..n_events {
            let step = self.dice.within(0, left.max(0) / 2);
            left -= step;
            self.tenancy.clock().advance(TimeDelta::seconds(step));
            self.event();
        }
        // A timer has more to do than one daemon: some looks find what they know a little less than a day old.
        let late = TimeDelta::seconds(self.dice.within(0, 3600));
        self.tenancy.clock().advance_to(self.next_pass_at + late);
    }

    /// The images that something needs now, by OCID.
    pub(super) fn needed_now(&self) -> Vec<ImageId> {
        let needed = self.tenancy.needed();
        let (state, _) = self.tenancy.lock();
        let id = |(name, digest): &(RepositoryName, Digest)| {
            let home = state.repository(name).ok()?;
            state.available(home, digest).map(|image| image.id.clone())
        };
        needed.keys().filter_map(id).collect()
    }

    /// Everything is put right again, for good.
    pub(super) fn calm_down(&mut self) -> io::Result<()> {
        self.rates = Rates { events: 0, calls: 0, hosts: 0, daemon: 0, clock: 0 };
        self.writing = [Writing::Well; HOSTS.len()];
        self.tenancy.set_iam(crate::iam::Iam::everything());
        self.clock.set_skew(TimeDelta::zero());
        self.want_no_more(true);
        self.unpause()?;
        self.collect()
    }

    /// The kill switch is let go.
    pub(super) fn unpause(&mut self) -> io::Result<()> {
        self.ledger.paused_since = None;
        for state_dir in ["state", "state-2"] {
            match std::fs::remove_file(self.directory.join(state_dir).join(ocird::pass::gate::PAUSE_FILE)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// A pass begins; the daemon dies at this half call of it, if any: before the n-th at 2n, after its effect at 2n + 1.
    pub(super) fn begin_pass(&mut self, by: usize, dies_at: Option<u64>) {
        self.window = Some(Window::default());
        self.n_calls = 0;
        self.dies_at = dies_at;
        self.is_dead = false;
        let (state, _) = self.tenancy.lock();
        let usage = super::judge::usage(&state);
        let n_deletions = state.deletions.len();
        drop(state);
        let all_write_well = self.writing.iter().all(|writing| *writing == Writing::Well);
        let needed = if all_write_well { self.needed_now().into_iter().collect() } else { BTreeSet::new() };
        let n_misfortunes = self.table.total();
        self.ledger.begin_pass(Begun { by, usage, n_deletions, needed, n_misfortunes });
    }
}

/// The harder readings of what nobody knows of the cloud, and the easier ones, by lot.
fn settings(dice: &mut Dice, seed: u64, allowed: &Allowed) -> Settings {
    let minutes = |dice: &mut Dice, kind, high| {
        if allowed.has(kind) { TimeDelta::minutes(dice.within(0, high)) } else { TimeDelta::zero() }
    };
    let lags = dice.chance(2_500) && allowed.has(Misfortune::ListLag);
    Settings {
        seed,
        shape: dice.one_of([ListingShape::PerTag, ListingShape::PerImage]),
        etag: dice.one_of([EtagChanges::LifecycleOnly, EtagChanges::Tags, EtagChanges::TagsAndPulls]),
        deletion_delay: minutes(dice, Misfortune::SlowDeletion, 10),
        listing_linger: minutes(dice, Misfortune::SlowDeletion, 30),
        listing_lag: if lags { TimeDelta::minutes(dice.within(1, 10)) } else { TimeDelta::zero() },
        storage_lag: minutes(dice, Misfortune::CountsLag, 24 * 60),
        pull_accounting: dice.one_of([PullAccounting::Index, PullAccounting::Child, PullAccounting::Both]),
        pull_times: if seed.is_multiple_of(8) { PullTimes::Missing } else { PullTimes::Known },
        manifest_reads: dice.one_of([ManifestReads::CountAsPulls, ManifestReads::AreFree]),
        repush: dice.one_of([Repush::NewImage, Repush::Revives]),
        page_size: usize::try_from(dice.between(4, 40)).unwrap_or(4),
        ..Settings::default()
    }
}

/// A quiet fate, a usual one or a stormy one.
fn rates(dice: &mut Dice) -> Rates {
    let n = dice.one_of([1, 3, 3, 10]);
    Rates { events: 100 * n, calls: 15 * n, hosts: 100 * n, daemon: 60 * n, clock: 20 * n }
}

impl Drawn {
    /// The policy of the repository whose litter is certain to go.
    fn of_litter() -> Self {
        use super::policies::{Delete, Takes};
        let rule = Delete {
            takes: Takes::Tags(vec!["litter-*"]),
            older_than_h: Some(48),
            not_pulled_for_h: None,
            while_usage_above: None,
        };
        Self { repositories: vec![LITTER.to_owned()], delete: vec![rule], ..Self::default() }
    }
}
