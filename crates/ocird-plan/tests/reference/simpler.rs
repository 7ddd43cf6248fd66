//! Every world that is one thing simpler than a given one. A difference is looked at in the simplest world that still shows
//! it; and a condition has decided something where the world without it ends otherwise.

use chrono::TimeDelta;
use ocird_model::{
    Content, DeleteRule, Image, KeepRule, Policy, Repository, RepositoryName, RepositoryState, ResourceTags,
    Selects,
};

use crate::graph::subject_in;
use crate::rules::is_believable;
use crate::world::{World, now};

/// One thing that can be taken out of a world.
pub(crate) struct Step {
    /// What is taken out, as a class.
    pub(crate) kind: &'static str,
    take: Box<dyn Fn(&mut World)>,
}

impl Step {
    fn new(kind: &'static str, take: impl Fn(&mut World) + 'static) -> Self {
        Self { kind, take: Box::new(take) }
    }

    /// The world without it.
    pub(crate) fn taken_from(&self, world: &World) -> World {
        let mut simpler = world.clone();
        (self.take)(&mut simpler);
        simpler
    }
}

/// Every step that this world allows, the largest first.
pub(crate) fn steps(world: &World) -> Vec<Step> {
    let mut steps = Vec::new();
    for (name, state) in &world.inventory.repositories {
        let (kind, gone) = match state {
            RepositoryState::Complete(_) => ("a repository", name.clone()),
            RepositoryState::Unreadable { id: _, why: _ } => ("an unreadable repository", name.clone()),
        };
        steps.push(Step::new(kind, move |world| drop(world.inventory.repositories.remove(&gone))));
    }
    for (place, policy) in world.policies.policies.iter().enumerate() {
        steps.push(Step::new("a policy", move |world| drop(world.policies.policies.remove(place))));
        of_policy(place, policy, &mut steps);
    }
    for repository in world.inventory.complete() {
        of_repository(repository, &mut steps);
    }
    of_uses(world, &mut steps);
    steps
}

fn of_uses(world: &World, steps: &mut Vec<Step>) {
    for (place, (_, target)) in world.uses.iter().enumerate() {
        let kind = match (&target.tag, &target.digest) {
            (Some(_), Some(_)) => "a use by tag and digest",
            (Some(_), None) => "a use by tag",
            (None, _) => "a use by digest",
        };
        steps.push(Step::new(kind, move |world| drop(world.uses.remove(place))));
    }
    if !world.doubts.is_empty() {
        steps.push(Step::new("a doubt", |world| world.doubts.clear()));
    }
    if world.fresh_until.is_some() {
        steps.push(Step::new("a term of uses", |world| world.fresh_until = None));
    }
}

fn of_policy(place: usize, policy: &Policy, steps: &mut Vec<Step>) {
    for (number, rule) in policy.keep.iter().enumerate() {
        let conditions = keep_conditions(rule);
        // To take out the only condition would leave a rule that holds everything.
        let has_several = conditions.len() > 1;
        let kind = conditions.first().filter(|_| !has_several);
        let kind = kind.map_or("a keep rule of several conditions", |(only, _)| only);
        steps.push(Step::new(kind, move |world| drop(world.policies.policies[place].keep.remove(number))));
        for (kind, clear) in conditions.into_iter().filter(|_| has_several) {
            steps.push(Step::new(kind, move |world| clear(&mut world.policies.policies[place].keep[number])));
        }
    }
    for (number, rule) in policy.delete.iter().enumerate() {
        let kind = match rule.selects {
            Selects::Untagged => "a delete rule about what is untagged",
            Selects::Tagged => "a delete rule about what is tagged",
            Selects::Tags(_) => "a delete rule about tags",
            Selects::Lifecycle(_) => "a rule of a lifecycle document",
        };
        steps.push(Step::new(kind, move |world| drop(world.policies.policies[place].delete.remove(number))));
        for (kind, clear) in delete_conditions(rule) {
            steps.push(Step::new(kind, move |world| {
                clear(&mut world.policies.policies[place].delete[number]);
            }));
        }
    }
}

/// The conditions of a rule: what each is called, whether it is there, and what takes it out.
type Conditions<R, const N: usize> = [(&'static str, bool, Clear<R>); N];

/// Takes something out of a rule.
type Clear<R> = fn(&mut R);

fn keep_conditions(rule: &KeepRule) -> Vec<(&'static str, Clear<KeepRule>)> {
    let conditions: Conditions<KeepRule, 8> = [
        ("keep tags", rule.tags.is_some(), |rule| rule.tags = None),
        ("keep newest", rule.newest.is_some(), |rule| rule.newest = None),
        ("keep group_by", rule.newest.is_some() && rule.group_by.is_some(), |rule| rule.group_by = None),
        ("keep newer_than", rule.newer_than.is_some(), |rule| rule.newer_than = None),
        ("keep pulled_within", rule.pulled_within.is_some(), |rule| rule.pulled_within = None),
        ("keep digests", rule.digests.is_some(), |rule| rule.digests = None),
        ("keep resource_tags", rule.resource_tags.is_some(), |rule| rule.resource_tags = None),
        ("keep unless_usage_above", rule.unless_usage_above.is_some(), |rule| rule.unless_usage_above = None),
    ];
    those_there(conditions)
}

fn delete_conditions(rule: &DeleteRule) -> Vec<(&'static str, Clear<DeleteRule>)> {
    let has_tags = matches!(rule.selects, Selects::Tags(_));
    let conditions: Conditions<DeleteRule, 4> = [
        ("delete tags", has_tags, |rule| rule.selects = Selects::Tagged),
        ("delete older_than", rule.older_than.is_some(), |rule| rule.older_than = None),
        ("delete not_pulled_for", rule.not_pulled_for.is_some(), |rule| rule.not_pulled_for = None),
        ("delete while_usage_above", rule.while_usage_above.is_some(), |rule| rule.while_usage_above = None),
    ];
    those_there(conditions)
}

fn those_there<R, const N: usize>(conditions: Conditions<R, N>) -> Vec<(&'static str, Clear<R>)> {
    conditions.into_iter().filter_map(|(kind, is_there, clear)| is_there.then_some((kind, clear))).collect()
}

fn of_repository(repository: &Repository, steps: &mut Vec<Step>) {
    let mut step = |kind, take: Box<dyn Fn(&mut Repository)>| {
        let name = repository.name.clone();
        steps.push(Step::new(kind, move |world| change(world, &name, &take)));
    };
    if repository.is_public {
        step("a public repository", Box::new(|repository| repository.is_public = false));
    }
    for member in repository.rests.keys().copied() {
        step("a rest", Box::new(move |repository| repository.rests.retain(|known, _| *known != member)));
    }
    for image in &repository.images {
        let digest = image.digest;
        step(
            "an image",
            Box::new(move |repository| repository.images.retain(|image| image.digest != digest)),
        );
        for (kind, clear) in of_image(image) {
            step(
                kind,
                Box::new(move |repository| {
                    repository.images.iter_mut().filter(|image| image.digest == digest).for_each(&clear);
                }),
            );
        }
    }
}

fn change(world: &mut World, name: &RepositoryName, take: &dyn Fn(&mut Repository)) {
    match world.inventory.repositories.get_mut(name) {
        Some(RepositoryState::Complete(repository)) => take(repository),
        Some(RepositoryState::Unreadable { id: _, why: _ }) | None => {}
    }
}

/// Takes something out of an image.
type Change = Box<dyn Fn(&mut Image)>;

fn of_image(image: &Image) -> Vec<(&'static str, Change)> {
    let mut steps: Vec<(&'static str, Change)> = Vec::new();
    for tag in image.tags.keys() {
        let tag = tag.clone();
        let kind = if subject_in(&tag).is_some() { "a tag that ties" } else { "a plain tag" };
        steps.push((kind, Box::new(move |image| image.tags.retain(|known, _| *known != tag))));
    }
    match &image.content {
        Content::Manifest { subject: None, config: _ } => {}
        Content::Manifest { subject: Some(_), config: _ } => {
            steps.push(("a subject", Box::new(|image| refer_to(image, None))));
        }
        Content::Index { children: _, subject } => {
            let subject = *subject;
            steps.push((
                "children",
                Box::new(move |image| image.content = Content::Manifest { subject, config: None }),
            ));
        }
        Content::Opaque { reason: _ } => {
            steps.push(("a manifest that cannot be judged", Box::new(|image| refer_to(image, None))));
        }
    }
    if !is_believable(image) {
        steps.push(("a time that is not believable", Box::new(make_old)));
    }
    if image.last_pulled_at.is_some() {
        steps.push(("a pull", Box::new(|image| image.last_pulled_at = None)));
    }
    if image.read_at != Some(now()) {
        steps.push(("an old read", Box::new(|image| image.read_at = Some(now()))));
    }
    if image.resource_tags != Some(ResourceTags::default()) {
        steps.push(("resource tags", Box::new(|image| image.resource_tags = Some(ResourceTags::default()))));
    }
    match &image.layers {
        Some(layers) if layers.is_empty() => {}
        Some(_) => steps.push(("layers", Box::new(|image| image.layers = Some([].into())))),
        None => steps.push(("unknown layers", Box::new(|image| image.layers = Some([].into())))),
    }
    steps
}

fn refer_to(image: &mut Image, subject: Option<ocird_model::Digest>) {
    image.content = Content::Manifest { subject, config: None };
}

fn make_old(image: &mut Image) {
    let long_ago = Some(now() - TimeDelta::days(90));
    image.created_at = long_ago;
    image.tags.values_mut().for_each(|time| *time = long_ago);
}
