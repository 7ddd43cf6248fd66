//! Random worlds: one to three repositories under every kind of policy, with uses, doubts and lines of usage drawn where the
//! account is.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::LazyLock;

use chrono::TimeDelta;
use ocird_model::{
    Bytes, DeleteRule, Digest, EcrCount, EcrLifecycle, EcrPattern, EcrRule, EcrSelection, EcrTags, GroupBy,
    Guardrails, Inventory, KeepRule, Patterns, Policies, Policy, RepositoryName, RepositoryState,
    ResourceTagPatterns, RuleName, Selects, Target, Unreadable,
};

use crate::dice::Dice;
use crate::graph::graphs;
use crate::images::{DAYS, Names, TAGS, repository};
use crate::ledger::{Gone, Ledger};
use crate::world::{World, now};

/// Patterns over tags. Compiled once: a world has a handful, and there are many worlds.
static TAG_PATTERNS: LazyLock<Vec<Patterns>> = LazyLock::new(|| {
    [
        &["*"][..],
        &["v*"],
        &["v1.*", "latest"],
        &["prod", "staging"],
        &["pr-*"],
        &["*.sig"],
        &["sha256-*"],
        &["[0-9]*"],
    ]
    .map(patterns)
    .into()
});

static GROUPINGS: LazyLock<Vec<GroupBy>> = LazyLock::new(|| {
    [r"^v(\d+\.\d+)\.", r"^v(\d+)", r"^([a-z]*)", r"^pr-(\d)", "(sig)$"]
        .map(|text| text.parse().unwrap())
        .into()
});

static RESOURCE_TAGS: LazyLock<Vec<ResourceTagPatterns>> = LazyLock::new(|| {
    [("KEEP", "yes"), ("keep", "*"), ("retention.keep", "y*")]
        .map(|(name, value)| BTreeMap::from([(name.to_owned(), value.parse().unwrap())]))
        .map(|wanted| ResourceTagPatterns::new(wanted).unwrap())
        .into()
});

const REPOSITORIES: [&str; 3] = ["api", "docs", "web"];

/// Patterns over repositories: all, and each by its name.
static REPOSITORY_PATTERNS: LazyLock<Vec<Patterns>> =
    LazyLock::new(|| [&["*"][..], &["api"], &["docs"], &["web"]].map(patterns).into());

fn patterns(texts: &[&str]) -> Patterns {
    Patterns::new(texts.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
}

/// The world of this number; the same for ever.
pub(crate) fn world(number: u64) -> World {
    let mut dice = Dice::seeded(number);
    let dice = &mut dice;
    let names = Names::shuffled(dice);
    let n_repositories = *dice.one_of(&[1, 1, 1, 2, 2, 3]);
    let states = REPOSITORIES[..n_repositories].iter().map(|name| {
        let name: RepositoryName = name.parse().unwrap();
        let repository = repository(dice, &names, &name);
        let state = if dice.percent(4) {
            RepositoryState::Unreadable { id: repository.id, why: Unreadable::UnknownState }
        } else {
            RepositoryState::Complete(repository)
        };
        (name, state)
    });
    let inventory = Inventory { taken_at: now(), repositories: states.collect(), n_unlisted: 0 };
    let policies = policies(dice, &names, &inventory);
    let uses = if dice.percent(35) { uses(dice, &names, &inventory) } else { Vec::new() };
    let doubts = dice.maybe(4, |dice| dice.one_of(&REPOSITORY_PATTERNS).clone());
    World {
        inventory,
        policies,
        uses,
        doubts: doubts.into_iter().collect(),
        fresh_until: dice.maybe(20, |dice| now() + TimeDelta::seconds(dice.between(-1, 8))),
    }
}

/// Uses of what is there, and now and then of what is not.
fn uses(dice: &mut Dice, names: &Names, inventory: &Inventory) -> Vec<(RepositoryName, Target)> {
    let used = |dice: &mut Dice| {
        let repository: RepositoryName =
            dice.one_of(&REPOSITORIES[..inventory.repositories.len()]).parse().unwrap();
        let images = inventory.repositories[&repository].complete().map_or(&[][..], |listed| &listed.images);
        let image = if images.is_empty() { None } else { Some(dice.one_of(images)) };
        let tag = dice.maybe(50, |dice| {
            let own = image.and_then(|image| image.tags.keys().next().cloned());
            own.unwrap_or_else(|| dice.one_of(&TAGS).parse().unwrap())
        });
        let digest = if tag.is_none() || dice.percent(40) {
            let other = names.digest(dice.below(8));
            Some(image.map_or(other, |image| image.digest))
        } else {
            None
        };
        (repository, Target { tag, digest })
    };
    let n_uses = 1 + dice.below(2);
    (0..n_uses).map(|_| used(dice)).collect()
}

/// One policy for everything, or one, none or two for each repository.
fn policies(dice: &mut Dice, names: &Names, inventory: &Inventory) -> Policies {
    let lines = lines(dice, inventory);
    let mut claims = Vec::new();
    if dice.percent(50) {
        claims.push(&REPOSITORY_PATTERNS[0]);
    } else {
        for own in &REPOSITORY_PATTERNS[1..] {
            let n_claims = *dice.one_of(&[0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
            claims.extend((0..n_claims).map(|_| own));
        }
    }
    let policies = claims.into_iter().map(|claim| policy(dice, names, &lines, claim)).collect();
    let guardrails = Guardrails {
        min_newest: number(*dice.one_of(&[1, 1, 1, 1, 1, 2, 2, 3])),
        min_age: TimeDelta::hours(*dice.one_of(&[1, 24, 24, 48])),
        grace: TimeDelta::hours(24),
    };
    Policies { guardrails, policies }
}

/// Lines at what the account is, or would be without some of the images, and one byte beside.
fn lines(dice: &mut Dice, inventory: &Inventory) -> Vec<Bytes> {
    let graphs = graphs(inventory);
    let ledger = Ledger::of(inventory, &graphs);
    let line = |dice: &mut Dice| {
        let gone: Gone = inventory
            .complete()
            .flat_map(|repository| {
                repository.images.iter().map(|image| (repository.name.clone(), image.digest))
            })
            .filter(|_| dice.percent(40))
            .collect();
        let gone = if dice.percent(25) { Gone::new() } else { gone };
        let size = ledger.without(&gone).unwrap_or(Bytes(100)).0;
        Bytes(size.saturating_add_signed(dice.between(-1, 1)).max(1))
    };
    let n_lines = *dice.one_of(&[1, 1, 2, 3]);
    (0..n_lines).map(|_| line(dice)).collect()
}

fn policy(dice: &mut Dice, names: &Names, lines: &[Bytes], claim: &Patterns) -> Policy {
    let n_keep = *dice.one_of(&[0, 0, 1, 1, 2]);
    let delete = if dice.percent(12) {
        EcrSelection::rules(lifecycle(dice))
    } else {
        let n_delete = *dice.one_of(&[1, 2, 2, 3]);
        (0..n_delete).map(|number| delete_rule(dice, lines, number)).collect()
    };
    Policy {
        project: "mgh".to_owned(),
        repositories: claim.clone(),
        keep: (0..n_keep).map(|number| keep_rule(dice, names, lines, number)).collect(),
        delete,
        enforce_public: dice.percent(50),
        enforce_signed: false,
    }
}

/// One to three conditions, whichever.
fn keep_rule(dice: &mut Dice, names: &Names, lines: &[Bytes], number_of_rule: usize) -> KeepRule {
    let mut rule = KeepRule::named(name("keep", number_of_rule));
    let n_conditions = *dice.one_of(&[1, 1, 2, 2, 3]);
    for _ in 0..n_conditions {
        match dice.below(10) {
            0 | 1 => rule.tags = Some(dice.one_of(&TAG_PATTERNS).clone()),
            2 | 3 => {
                rule.newest = Some(number(*dice.one_of(&[1, 1, 2, 3])));
                rule.group_by = dice.maybe(70, |dice| dice.one_of(&GROUPINGS).clone());
            }
            4 => rule.newer_than = Some(span(dice)),
            5 | 6 => rule.pulled_within = Some(span(dice)),
            7 => rule.digests = Some(digests(dice, names)),
            8 => rule.resource_tags = Some(dice.one_of(&RESOURCE_TAGS).clone()),
            _ => rule.unless_usage_above = Some(*dice.one_of(lines)),
        }
    }
    rule
}

fn digests(dice: &mut Dice, names: &Names) -> BTreeSet<Digest> {
    (0..2).map(|_| names.digest(dice.below(8))).collect()
}

fn delete_rule(dice: &mut Dice, lines: &[Bytes], number_of_rule: usize) -> DeleteRule {
    let selects = match dice.below(10) {
        0..4 => Selects::Untagged,
        4..7 => Selects::Tagged,
        _ => Selects::Tags(dice.one_of(&TAG_PATTERNS).clone()),
    };
    let mut rule = DeleteRule::about(name("delete", number_of_rule), selects);
    rule.older_than = dice.maybe(50, span);
    rule.not_pulled_for = dice.maybe(25, span);
    rule.while_usage_above = dice.maybe(40, |dice| *dice.one_of(lines));
    rule
}

/// A lifecycle document of one to three rules.
fn lifecycle(dice: &mut Dice) -> EcrLifecycle {
    let n_rules = *dice.one_of(&[1, 1, 2, 3]);
    let rule = |priority: u32, dice: &mut Dice| EcrRule {
        priority: number(priority),
        name: format!("lifecycle {priority}").parse().unwrap(),
        tags: ecr_tags(dice),
        expires: if dice.percent(50) {
            EcrCount::BeyondNewest(number(*dice.one_of(&[1, 1, 2, 3])))
        } else {
            EcrCount::DaysSincePush(number(u32::try_from(*dice.one_of(&DAYS)).unwrap()))
        },
    };
    EcrLifecycle::new((1..=n_rules).map(|priority| rule(priority, dice)).collect()).unwrap()
}

fn ecr_tags(dice: &mut Dice) -> EcrTags {
    let prefixes =
        |prefixes: &[&str]| EcrTags::Prefixes(prefixes.iter().map(|&text| text.to_owned()).collect());
    let patterns = |patterns: &[&str]| {
        EcrTags::Patterns(patterns.iter().map(|text| EcrPattern::new(text).unwrap()).collect())
    };
    match dice.below(8) {
        0 | 1 => EcrTags::Untagged,
        2 | 3 => EcrTags::Any,
        4 => prefixes(&["v"]),
        5 => prefixes(&["v", "p"]),
        6 => patterns(&["*1", "v*"]),
        _ => patterns(&[*dice.one_of(&["*.sig", "*a*", "sha256-*", "v*.*.*"])]),
    }
}

fn name(kind: &str, number: usize) -> RuleName {
    format!("{kind} {number}").parse().unwrap()
}

fn span(dice: &mut Dice) -> TimeDelta {
    TimeDelta::days(*dice.one_of(&DAYS))
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}
