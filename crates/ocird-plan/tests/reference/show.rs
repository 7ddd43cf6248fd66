//! A world as people read it: a line for each rule, use and image, with letters for digests, and what both planners say.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use ocird_model::{
    Content, DeleteRule, Digest, Image, KeepRule, Patterns, Plan, Policy, Repository, RepositoryState,
    Selects, Target,
};

use crate::graph::{graphs, subject_in};
use crate::images::letter;
use crate::ledger::{Gone, Ledger};
use crate::planner::Fates;
use crate::world::{World, now};

/// The world with both opinions of each image.
pub(crate) fn show(world: &World, fates: &Fates, plan: &Plan) -> String {
    let mut text = format!(
        "the account is {:?}\n",
        Ledger::of(&world.inventory, &graphs(&world.inventory)).without(&Gone::new())
    );
    writeln!(text, "{:?}", world.policies.guardrails).unwrap();
    text.extend(world.policies.policies.iter().map(of_policy));
    for (repository, Target { tag, digest }) in &world.uses {
        writeln!(text, "in {repository} runs tag {tag:?} digest {:?}", digest.as_ref().map(letter)).unwrap();
    }
    let fresh_until = world.fresh_until.map(ago);
    writeln!(text, "doubts {:?}, uses fresh until {fresh_until:?}", world.doubts).unwrap();
    for (name, state) in &world.inventory.repositories {
        match state {
            RepositoryState::Complete(repository) => text += &of_repository(repository, fates, plan),
            RepositoryState::Unreadable { id: _, why } => writeln!(text, "repository {name}: {why}").unwrap(),
        }
    }
    text
}

fn of_policy(policy: &Policy) -> String {
    let Policy { project: _, repositories, keep, delete, enforce_public, enforce_signed: _ } = policy;
    let mut text = format!("policy for {repositories}, enforces public: {enforce_public}\n");
    text.extend(keep.iter().map(of_keep_rule));
    text.extend(delete.iter().map(of_delete_rule));
    text
}

fn of_keep_rule(rule: &KeepRule) -> String {
    let mut text = format!("  {}:", rule.name);
    let mut condition = |name, value: Option<String>| {
        if let Some(value) = value {
            write!(text, " {name}={value}").unwrap();
        }
    };
    condition("tags", rule.tags.as_ref().map(Patterns::to_string));
    condition("newest", rule.newest.map(|places| places.to_string()));
    condition("group_by", rule.group_by.as_ref().map(ToString::to_string));
    condition("newer_than", rule.newer_than.map(|span| span.to_string()));
    condition("pulled_within", rule.pulled_within.map(|span| span.to_string()));
    condition("digests", rule.digests.as_ref().map(|digests| digests.iter().map(letter).collect()));
    condition("resource_tags", rule.resource_tags.as_ref().map(|wanted| format!("{wanted:?}")));
    condition("unless_usage_above", rule.unless_usage_above.map(|line| line.0.to_string()));
    text + "\n"
}

fn of_delete_rule(rule: &DeleteRule) -> String {
    let selects = match &rule.selects {
        Selects::Untagged => "untagged".to_owned(),
        Selects::Tagged => "tagged".to_owned(),
        Selects::Tags(patterns) => format!("tags={patterns}"),
        Selects::Lifecycle(selection) => format!("{:?}", selection.lifecycle().rules()[selection.rule()]),
    };
    let older_than = rule.older_than.map(|span| format!(" older_than={span}")).unwrap_or_default();
    let quiet = rule.not_pulled_for.map(|span| format!(" not_pulled_for={span}")).unwrap_or_default();
    let line =
        rule.while_usage_above.map(|line| format!(" while_usage_above={}", line.0)).unwrap_or_default();
    format!("  {}: {selects}{older_than}{quiet}{line}\n", rule.name)
}

fn of_repository(repository: &Repository, fates: &Fates, plan: &Plan) -> String {
    let mut text = format!("repository {}, public: {}\n", repository.name, repository.is_public);
    for (member, head) in &repository.rests {
        writeln!(text, "  {} is a rest of {}", letter(member), letter(head)).unwrap();
    }
    for (image, decision) in repository.images.iter().zip(plan.decisions(&repository.name)) {
        let fate = &fates[&(repository.name.clone(), image.digest)];
        writeln!(text, "  {}", of_image(image)).unwrap();
        writeln!(text, "      reference: {}", fate.words()).unwrap();
        writeln!(text, "      planner:   {} (head {})", decision.verdict, letter(&decision.head)).unwrap();
    }
    text
}

fn of_image(image: &Image) -> String {
    let mut text = format!("{} {}", letter(&image.digest), time(image.created_at));
    for (tag, at) in &image.tags {
        let name = match subject_in(tag) {
            Some(subject) => {
                format!("sha256-<{}>{}", letter(&subject), &tag.as_str()["sha256-".len() + 64..])
            }
            None => tag.to_string(),
        };
        write!(text, ", {name} {}", time(*at)).unwrap();
    }
    let letters = |digests: &[Digest]| digests.iter().map(letter).collect::<String>();
    match &image.content {
        Content::Manifest { subject: _, config: _ } => {}
        Content::Index { children, subject: _ } => write!(text, ", index of {}", letters(children)).unwrap(),
        Content::Opaque { reason } => write!(text, ", {}", reason.as_str()).unwrap(),
    }
    if let Some(subject) = image.content.subject() {
        write!(text, ", subject {}", letter(&subject)).unwrap();
    }
    let layers = image.layers.as_ref().map(|layers| {
        layers.iter().map(|layer| (layer.digest.as_bytes()[0], layer.size.0)).collect::<Vec<_>>()
    });
    let (pulled, read) = (time(image.last_pulled_at), time(image.read_at));
    write!(text, "; layers {layers:?} + {}; pulled {pulled}, read {read}", image.manifest_size.0).unwrap();
    write!(text, "; {:?}", image.resource_tags).unwrap();
    text
}

fn time(time: Option<DateTime<Utc>>) -> String {
    time.map_or("never".to_owned(), ago)
}

/// Days and seconds before now.
fn ago(time: DateTime<Utc>) -> String {
    let seconds = (now() - time).num_seconds();
    match (seconds.div_euclid(86_400), seconds.rem_euclid(86_400)) {
        (days, 0) => format!("{days}d"),
        (days, seconds) => format!("{days}d{seconds}s"),
    }
}
