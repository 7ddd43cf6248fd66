//! The two teams under their policies: their life, told by the generator, and what the policies must have left of it,
//! read from the tenancy and by none of ocird's code.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Digest, RepositoryName};
use ocird_sim::ci::{Event, EventKind, Knobs};
use ocird_sim::http::Options;
use ocird_sim::stage::{Play, Stage};
use ocird_sim::{Reference, Settings};
use ocird_store::{SettledIntent, Store};

use crate::world::World;

/// The policy of the first team as it is delivered.
pub(crate) const MGH_POLICY: &str = include_str!("../../../../deploy/policies.d/mgh.toml");
const TODO_POLICY: &str = include_str!("../../../../deploy/policies.d/todo.toml");

/// How long the delivered policy of the second team keeps a build.
pub(crate) const DELIVERED_AGE: TimeDelta = TimeDelta::days(90);

/// The same in worlds that are shorter than that.
pub(crate) const SCALED_AGE: TimeDelta = TimeDelta::days(16);

/// From the pass that first selects a family to the one that deletes it: the grace, and the six hours between acting
/// passes at either end.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(24 + 12);

/// How many heads of each of its repositories the first team's policy keeps without its lines.
pub(crate) const NEWEST: usize = 10;

/// And with them, while the account of both teams together is far above.
pub(crate) const NEWEST_WHEN_SHORT: usize = 5;

/// Both teams, with a pass every three hours of which every other one acts. The first team's policy has no lines, so that
/// what it leaves does not hang on the bytes of the other team; the second's is scaled to the length of a test.
pub(crate) fn both_teams(seed: u64, settings: Settings) -> Play {
    let scaled = TODO_POLICY
        .replace("newer_than = \"30d\"", "newer_than = \"14d\"")
        .replace("older_than = \"90d\"", &format!("older_than = \"{}d\"", SCALED_AGE.num_days()));
    assert_ne!(scaled, TODO_POLICY);
    let is_line = |line: &&str| line.contains("usage_above");
    let unlined: Vec<&str> = MGH_POLICY.lines().filter(|line| !is_line(line)).collect();
    assert_eq!(unlined.len() + 2, MGH_POLICY.lines().count());
    Play {
        settings,
        knobs: Knobs { seed, ..Knobs::default() },
        policies: vec![("mgh.toml".to_owned(), unlined.join("\n")), ("todo.toml".to_owned(), scaled)],
        ..under_delivered_policies()
    }
}

/// The same under the policies as they are delivered.
pub(crate) fn under_delivered_policies() -> Play {
    Play {
        options: Options { token_lifetime: TimeDelta::days(30), ..Options::default() },
        observe: "0 */6 * * *".to_owned(),
        enforce: "0 3,9,15,21 * * *".to_owned(),
        ..Play::default()
    }
}

/// How long a life lasts: what `OCIRD_LIFE_DAYS` says, or the short form that every build lives.
#[expect(clippy::disallowed_methods, reason = "a test asks for its length; nothing of the product reads it")]
pub(crate) fn days_or(short_form: i64) -> i64 {
    std::env::var("OCIRD_LIFE_DAYS").ok().map_or(short_form, |days| days.parse().unwrap())
}

/// Lets days pass and asserts that every deployment, restart and rollback found its image. Answers the number of
/// events of each kind.
pub(crate) async fn live_well(world: &mut World, days: i64) -> BTreeMap<EventKind, usize> {
    let mut n_events = BTreeMap::new();
    let mut failures = Vec::new();
    let end = world.stage.tenancy.now() + TimeDelta::days(days);
    let tell = |event: &Event| {
        *n_events.entry(event.kind).or_default() += 1;
        if event.kind == EventKind::Failure {
            failures.push(event.to_string());
        }
    };
    world.stage.live_until(end, tell).await.unwrap();
    assert!(failures.is_empty(), "{failures:#?}");
    world.assert_nobody_misses_anything();
    n_events
}

/// A head that bears a tag of its own, as the tenancy has it.
struct Head {
    digest: Digest,
    tags: BTreeSet<String>,
    newest: DateTime<Utc>,
}

/// The tagged heads of a repository, newest first, read from the tenancy and by none of ocird's code.
fn heads(stage: &Stage, repository: &RepositoryName) -> Vec<Head> {
    let tenancy = &stage.tenancy;
    let mut heads = BTreeMap::new();
    for tag in tenancy.list_tags(repository).unwrap() {
        if tag.as_str().starts_with("sha256-") {
            continue;
        }
        let digest = tenancy.manifest_head(repository, &Reference::Tag(tag.clone())).unwrap().digest;
        let view = tenancy.get_image(&tenancy.find(repository, &digest).unwrap()).unwrap();
        let newest = view.tags.iter().map(|tag| tag.created_at).chain([view.created_at]).max().unwrap();
        let head = heads.entry(digest).or_insert(Head { digest, tags: BTreeSet::new(), newest });
        head.tags.insert(tag.to_string());
    }
    let mut heads: Vec<Head> = heads.into_values().collect();
    heads.sort_by_key(|head| std::cmp::Reverse(head.newest));
    heads
}

impl Head {
    /// True when the ground truth or a tag of the policies' first rules holds it.
    fn is_held(&self, needed: &BTreeSet<Digest>) -> bool {
        let is_channel = |tag: &String| ["latest", "prod", "staging"].contains(&tag.as_str());
        needed.contains(&self.digest) || self.tags.iter().any(is_channel)
    }
}

/// Asserts that what is left is what the policies leave: nothing that should have gone by now.
pub(crate) fn assert_policies_bite(stage: &Stage, newest: usize, todo_age: TimeDelta) {
    let (tenancy, now) = (&stage.tenancy, stage.tenancy.now());
    let needed: BTreeSet<Digest> = tenancy.needed().into_keys().map(|(_, digest)| digest).collect();
    for name in ["mgh-admin-backend", "mgh-admin-frontend", "mgh-website", "mgh-docs"] {
        let heads = heads(stage, &name.parse().unwrap());
        assert!(heads.len() >= newest, "{name} keeps its newest {newest}");
        // Two pushes a day: three families may be within the wait, one for a rebuild that moved a place, and two to go
        // back to, of a workload that runs something newer.
        let beyond = heads.iter().skip(newest).filter(|head| !head.is_held(&needed)).count();
        assert!(beyond <= 6, "{name} has {beyond} heads beyond the newest {newest} that nothing holds");
    }
    for name in ["todo-api", "todo-web", "todo-worker"] {
        let heads = heads(stage, &name.parse().unwrap());
        let too_old = |head: &&Head| now - head.newest > todo_age + LONGEST_WAIT;
        let left: Vec<_> = heads
            .iter()
            .filter(too_old)
            .filter(|head| !head.is_held(&needed))
            .map(|head| &head.tags)
            .collect();
        // The ground truth leaves room for one rollback; `keep_previous` for two, of each of two environments beside what
        // runs there.
        assert!(left.len() <= 4, "{name} has old builds that nothing holds: {left:?}");
        assert!(heads.len() >= 28, "{name} keeps what is younger than two weeks");
    }
}

/// Everything that was settled, newest first; nothing may be open. No daemon may run.
pub(crate) async fn journal(stage: &Stage) -> Vec<SettledIntent> {
    let store = Store::open(&stage.state_dir(), stage.tenancy.now()).await.unwrap();
    let settled = store.recent_outcomes(u32::MAX).await.unwrap();
    assert!(store.open_intents().await.unwrap().is_empty());
    store.close().await;
    settled
}
