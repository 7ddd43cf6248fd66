//! A second planner, written from the rules of the product alone and as naively as they read: every image is asked every
//! question anew, and every answer is a set. It is slow, it gives no thought to reasons, and it shares no code with the planner
//! that it judges.

use std::collections::BTreeMap;

use ocird_model::{
    Bytes, Content, DeleteRule, Digest, EffectivePolicy, Image, InUse, Inventory, KeepRule, Policies, Policy,
    Repository, RepositoryName, RuleName,
};

use crate::graph::{Graphs, graphs, subjects_of};
use crate::ledger::{Gone, Ledger, counts};
use crate::rules::{Scene, age, is_believable, is_used};
use crate::world::{World, now};

/// What becomes of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stays, and it would be wrong to delete it.
    Needed(&'static str),
    /// It stays because older families are enough to bring the account to a line.
    Spared,
    /// It stays because nobody wants it gone.
    NotSelected,
    /// It goes, and each of these rules is reason enough.
    ByRule(Vec<RuleName>),
    /// It goes with this head.
    WithHead(Digest),
    /// It is what was left of a family.
    Rest,
}

impl Fate {
    pub(crate) const fn goes(&self) -> bool {
        matches!(self, Self::ByRule(_) | Self::WithHead(_) | Self::Rest)
    }

    /// The fate as a kind.
    pub(crate) const fn words(&self) -> &'static str {
        match self {
            Self::Needed(why) => why,
            Self::Spared => "older ones are enough",
            Self::NotSelected => "nobody wants it gone",
            Self::ByRule(_) => "goes by a rule",
            Self::WithHead(_) => "goes with its head",
            Self::Rest => "goes as a rest",
        }
    }
}

/// The fate of every image of the repositories that were read whole.
pub(crate) type Fates = BTreeMap<(RepositoryName, Digest), Fate>;

/// What is thought of an image, where the account is known or not.
enum Opinion<'a> {
    /// It stays, or goes as a rest, whatever rules say.
    Settled(Fate),
    /// Each of these rules takes it with its family.
    Wanted(Vec<&'a DeleteRule>),
}

/// Who thinks something of the images of one repository.
struct Judge<'a> {
    scene: Scene<'a>,
    inventory: &'a Inventory,
    policies: &'a Policies,
    in_use: &'a InUse,
}

/// Decides about a world.
pub(crate) fn decide(world: &World) -> Fates {
    let in_use = world.in_use();
    let graphs = graphs(&world.inventory);
    let judge = |repository| Judge::of(repository, &graphs, world, &in_use);
    let judges: Vec<Judge<'_>> = world.inventory.complete().map(judge).collect();
    let mut images: Vec<(&Judge<'_>, &Image)> = judges
        .iter()
        .flat_map(|judge| judge.scene.repository.images.iter().map(move |image| (judge, image)))
        .collect();
    images.sort_by_key(|(judge, image)| (image.newest_time(), judge.name(), image.digest));

    // What goes whatever the account is goes first.
    let (mut fates, mut going) = (Fates::new(), Fates::new());
    for (judge, image) in &images {
        let opinion = judge.opinion(image, None);
        going.extend(judge.departures(image, &opinion, &going));
        fates.insert(judge.place(image.digest), opinion.fate());
    }
    if !world.lines().is_empty() {
        ask_the_account(&Ledger::of(&world.inventory, &graphs), &images, &mut fates, &mut going);
    }
    fates.extend(going);
    for (judge, image) in &images {
        // To the account it may have gone, so that nothing else pays for it.
        if let Some(why) = judge.why_closed() {
            fates.insert(judge.place(image.digest), Fate::Needed(why));
        }
    }
    fates
}

/// Draws up the account anew before each image, oldest first over all repositories, so that rules with a line take no more
/// than they must.
fn ask_the_account(
    ledger: &Ledger<'_>,
    images: &[(&Judge<'_>, &Image)],
    fates: &mut Fates,
    going: &mut Fates,
) {
    let without = |going: &Fates| ledger.without(&going.keys().cloned().collect());
    let at_first = ledger.without(&Gone::new());
    let mut by_then = without(going);
    for (judge, image) in images {
        fates.insert(judge.place(image.digest), judge.opinion(image, at_first).fate());
        if !going.contains_key(&judge.place(image.digest)) {
            let account = if judge.why_closed().is_none() { by_then } else { Some(Bytes(u64::MAX)) };
            let departures = judge.departures(image, &judge.opinion(image, account), going);
            if !departures.is_empty() {
                going.extend(departures);
                by_then = without(going);
            }
        }
    }
}

impl Opinion<'_> {
    /// What becomes of the image unless it goes.
    fn fate(&self) -> Fate {
        match self {
            Self::Settled(fate) => fate.clone(),
            Self::Wanted(_) => Fate::Spared,
        }
    }
}

impl<'a> Judge<'a> {
    fn of(repository: &'a Repository, graphs: &'a Graphs, world: &'a World, in_use: &'a InUse) -> Self {
        let scene = Scene { repository, graph: &graphs[&repository.name] };
        Self { scene, inventory: &world.inventory, policies: &world.policies, in_use }
    }

    fn name(&self) -> &RepositoryName {
        &self.scene.repository.name
    }

    fn place(&self, digest: Digest) -> (RepositoryName, Digest) {
        (self.name().clone(), digest)
    }

    /// What goes when this image is looked at: nothing, a rest, or a head with everything that no other head is left to
    /// hold. What is below a rest waits until the rest is gone.
    fn departures(&self, image: &'a Image, opinion: &Opinion<'_>, going: &Fates) -> Fates {
        let own_place = self.place(image.digest);
        match opinion {
            Opinion::Settled(fate) if fate.goes() => Fates::from([(own_place, fate.clone())]),
            Opinion::Settled(_) => Fates::new(),
            Opinion::Wanted(rules) => {
                let gone = going
                    .iter()
                    .filter(|((name, _), fate)| name == self.name() && matches!(fate, Fate::ByRule(_)));
                let heads = gone.map(|((_, digest), _)| *digest).chain([image.digest]).collect();
                let members = self.scene.graph.under_only(&heads).into_iter();
                let members = members.map(|member| (self.place(member), self.with_newest_head(member)));
                let mut departures: Fates = members.filter(|(place, _)| !going.contains_key(place)).collect();
                let rules = rules.iter().map(|rule| rule.name.clone());
                departures.insert(own_place, Fate::ByRule(rules.collect()));
                departures
            }
        }
    }

    /// The oldest go first, so the newest head takes along what several hold.
    fn with_newest_head(&self, member: Digest) -> Fate {
        let graph = self.scene.graph;
        let heads = graph.above(member).copied().filter(|above| graph.is_head(*above));
        let newest = heads.max_by_key(|head| (self.scene.image(*head).newest_time(), *head));
        Fate::WithHead(newest.expect("what is under heads alone has a head"))
    }

    fn opinion(&self, image: &'a Image, account: Option<Bytes>) -> Opinion<'a> {
        let policy = match self.policy() {
            Ok(policy) => policy,
            Err(why) => return Opinion::Settled(Fate::Needed(why)),
        };
        let graph = &self.scene.graph;
        if !graph.is_head(image.digest) || graph.meets_a_circle(image.digest) {
            return Opinion::Settled(Fate::Needed("something listed carries it, or it is above a circle"));
        }
        if !self.scene.is_rest(image.digest) {
            return self.ordinary(policy, image, account);
        }
        // What is left of a family is no matter of usage or rules, but stays where somebody may have tagged what it carries.
        let is_left_alone = self.scene.reached(image.digest).all(|below| self.is_left_alone(below));
        match self.ordinary(policy, image, None) {
            Opinion::Settled(Fate::NotSelected) | Opinion::Wanted(_) => {
                Opinion::Settled(if is_left_alone { Fate::Rest } else { Fate::NotSelected })
            }
            Opinion::Settled(fate) => Opinion::Settled(fate),
        }
    }

    /// The opinion of a head that rules must select.
    fn ordinary(&self, policy: &'a Policy, image: &'a Image, account: Option<Bytes>) -> Opinion<'a> {
        let need = |below: &'a Image| self.need(policy, below, self.account_between(image, below, account));
        if let Some(why) = self.scene.reached(image.digest).find_map(need) {
            return Opinion::Settled(Fate::Needed(why));
        }
        let selecting = |rule: &&DeleteRule| self.scene.selects(rule, image.digest, account);
        let rules: Vec<_> = policy.delete.iter().filter(selecting).collect();
        if rules.is_empty() { Opinion::Settled(Fate::NotSelected) } else { Opinion::Wanted(rules) }
    }

    /// What a keep rule with a line may ask of the account when it holds something below a head. What has no part in the
    /// account it always holds, and for the sake of others it never holds what is left of a family.
    fn account_between(&self, head: &Image, below: &Image, account: Option<Bytes>) -> Option<Bytes> {
        if !counts(self.scene.repository, self.scene.graph, below.digest) {
            None
        } else if self.scene.is_rest(head.digest) {
            Some(Bytes(u64::MAX))
        } else {
            account
        }
    }

    /// The policy in force, or why there is none.
    fn policy(&self) -> Result<&'a Policy, &'static str> {
        match self.policies.governing(&self.scene.repository.name) {
            EffectivePolicy::One(policy) => Ok(policy),
            EffectivePolicy::None => Err("no policy governs it"),
            EffectivePolicy::Contested(_, _) => Err("two policies claim it"),
        }
    }

    /// Why nothing may go from this repository at all, whatever its policy takes.
    fn why_closed(&self) -> Option<&'static str> {
        let repository = self.scene.repository;
        let is_opaque = |image: &Image| matches!(image.content, Content::Opaque { reason: _ });
        let policy = self.policy().ok()?;
        if repository.is_public && !policy.enforce_public {
            Some("its repository is public")
        } else if self.in_use.doubt_about(&repository.name).is_some() || !self.in_use.is_fresh(now()) {
            Some("it is not known what runs")
        } else if repository.images.iter().any(is_opaque) {
            Some("something of its repository cannot be judged")
        } else {
            None
        }
    }

    /// Why it would be wrong to delete this image, for its own sake.
    fn need(&self, policy: &Policy, image: &'a Image, account: Option<Bytes>) -> Option<&'static str> {
        let places = self.policies.guardrails.min_newest.get();
        if let Some(why) = self.need_of_any(image) {
            Some(why)
        } else if self.scene.is_mere_rest(image.digest) {
            let is_meant = |rule: &KeepRule| rule.asks_the_image() && self.scene.is_meant(rule, image);
            policy.keep.iter().any(is_meant).then_some("a keep rule means it")
        } else if policy.keep.iter().any(|rule| self.scene.holds(rule, image, account)) {
            Some("a keep rule holds it")
        } else if self.scene.is_among_newest(image, places, None, None) {
            Some("it is among the newest")
        } else {
            None
        }
    }

    /// What holds rests too.
    fn need_of_any(&self, image: &Image) -> Option<&'static str> {
        let uses = self.in_use.uses(&self.scene.repository.name);
        if uses.iter().any(|used| is_used(&used.target, image)) {
            Some("something runs from it")
        } else if !is_believable(image) {
            Some("a time of it is not believable")
        } else if age(image).is_none_or(|age| age < self.policies.guardrails.min_age) {
            Some("it is too young")
        } else {
            self.need_of_a_subject(image)
        }
    }

    /// What speaks about an image of another repository is needed as long as that is there, or may be.
    fn need_of_a_subject(&self, image: &Image) -> Option<&'static str> {
        let is_here = |subject: &Digest| self.scene.repository.image(subject).is_some();
        let abroad: Vec<Digest> =
            subjects_of(image).into_iter().filter(|subject| !is_here(subject)).collect();
        let is_elsewhere = |subject: &Digest| {
            self.inventory.complete().any(|repository| repository.image(subject).is_some())
        };
        let is_unread = self.inventory.repositories.values().any(|state| state.complete().is_none());
        if abroad.iter().any(is_elsewhere) {
            Some("another repository has what it speaks about")
        } else {
            (is_unread && !abroad.is_empty()).then_some("what it speaks about may be where nobody could read")
        }
    }

    /// True when an image bears no tag that anybody gave; what ties a rest to what is gone is none.
    fn is_left_alone(&self, image: &'a Image) -> bool {
        self.scene.is_mere_rest(image.digest) || self.scene.free_tags(image).next().is_none()
    }
}
