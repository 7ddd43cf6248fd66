//! Builds one repository with its policy, one line per thing, and shows a plan with names in place of digests. It knows
//! nothing of how anything is decided.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Bytes, Content, Decision, DeleteRule, Digest, EffectivePolicy, Guardrails, Hold, Image, InUse, Inventory,
    KeepRule, Layer, OpaqueReason, Patterns, Plan, Policies, Policy, Repository, RepositoryId,
    RepositoryName, RepositoryPlan, RepositoryState, ResourceTags, Selects, Target, Use, Verdict,
};
use ocird_plan::{CheckedPlan, check, plan};

/// The instant every fleet is planned for.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn days(days: i64) -> TimeDelta {
    TimeDelta::days(days)
}

/// A digest that sorts by name.
pub(crate) fn digest(name: &str) -> Digest {
    let mut bytes = [0; 32];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Digest::from_bytes(bytes)
}

/// The tag by which an artifact names its subject when the registry knows no referrers.
pub(crate) fn tie(subject: Digest, suffix: &str) -> String {
    format!("sha256-{}{suffix}", subject.hex())
}

pub(crate) fn patterns(texts: &[&str]) -> Patterns {
    Patterns::new(texts.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
}

/// One repository, `api`, governed by one policy, with the least floor there is.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    pub(crate) repository: Repository,
    pub(crate) policies: Policies,
    pub(crate) in_use: InUse,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let repository = Repository {
            id: "ocid1.containerrepo.oc1..api".parse().unwrap(),
            name: name(),
            compartment: "ocid1.compartment.oc1..mgh".parse().unwrap(),
            namespace: "ns".parse().unwrap(),
            is_public: false,
            images: Vec::new(),
            rests: BTreeMap::new(),
            holds: Vec::new(),
        };
        let policy = Policy {
            project: "mgh".to_owned(),
            repositories: patterns(&["api"]),
            keep: Vec::new(),
            delete: Vec::new(),
            enforce_public: false,
            enforce_signed: false,
        };
        let guardrails = Guardrails { min_newest: NonZeroU32::MIN, ..Guardrails::default() };
        let policies = Policies { guardrails, policies: vec![policy] };
        Self { repository, policies, in_use: InUse::nothing() }
    }

    /// A single manifest of this age; its tags are as old.
    pub(crate) fn image(self, name: &str, age: TimeDelta, tags: &[&str]) -> Self {
        self.content(name, age, tags, Content::Manifest { subject: None, config: None })
    }

    pub(crate) fn index(self, name: &str, age: TimeDelta, tags: &[&str], children: &[&str]) -> Self {
        let children = children.iter().map(|child| digest(child)).collect();
        self.content(name, age, tags, Content::Index { children, subject: None })
    }

    /// An artifact with a `subject` field.
    pub(crate) fn referrer(self, name: &str, age: TimeDelta, subject: &str) -> Self {
        self.content(name, age, &[], Content::Manifest { subject: Some(digest(subject)), config: None })
    }

    /// An artifact with a tag of the form `sha256-<hex>.sig`.
    pub(crate) fn signature(self, name: &str, age: TimeDelta, subject: &str) -> Self {
        self.image(name, age, &[&tie(digest(subject), ".sig")])
    }

    pub(crate) fn opaque(self, name: &str, age: TimeDelta) -> Self {
        self.content(name, age, &[], Content::Opaque { reason: OpaqueReason::MediaType })
    }

    fn content(mut self, name: &str, age: TimeDelta, tags: &[&str], content: Content) -> Self {
        let time = Some(now() - age);
        self.repository.images.push(Image {
            id: format!("ocid1.containerimage.oc1..{name}").parse().unwrap(),
            digest: digest(name),
            tags: tags.iter().map(|tag| (tag.parse().unwrap(), time)).collect(),
            created_at: time,
            first_seen_at: None,
            last_pulled_at: None,
            resource_tags: Some(ResourceTags::default()),
            read_at: Some(now()),
            content,
            layers: Some(Arc::from([])),
            manifest_size: Bytes(1),
        });
        self.repository.images.sort_by_key(|image| image.digest);
        self
    }

    /// Changes one image.
    pub(crate) fn with(mut self, name: &str, change: impl FnOnce(&mut Image)) -> Self {
        let place = self.repository.position(&digest(name)).unwrap();
        change(&mut self.repository.images[place]);
        self
    }

    pub(crate) fn layers(self, name: &str, layers: &[(&str, u64)]) -> Self {
        let layers: Vec<Layer> =
            layers.iter().map(|(name, size)| Layer { digest: digest(name), size: Bytes(*size) }).collect();
        self.with(name, |image| image.layers = Some(layers.into()))
    }

    /// Takes an image out of the listing.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.repository.images.retain(|image| image.digest != digest(name));
        self
    }

    /// Says that ocird deleted the head of this member.
    pub(crate) fn rest(mut self, member: &str, head: &str) -> Self {
        self.repository.rests.insert(digest(member), digest(head));
        self
    }

    /// Holds something by hand.
    pub(crate) fn hold(mut self, hold: Hold) -> Self {
        self.repository.holds.push(hold);
        self
    }

    pub(crate) fn keep(self, rule: &str, tags: Option<&[&str]>, newest: Option<u32>) -> Self {
        self.keep_rule(KeepRule {
            tags: tags.map(patterns),
            newest: newest.map(|newest| newest.try_into().unwrap()),
            ..KeepRule::named(rule.parse().unwrap())
        })
    }

    pub(crate) fn keep_rule(mut self, rule: KeepRule) -> Self {
        self.policies.policies[0].keep.push(rule);
        self
    }

    pub(crate) fn delete(self, rule: &str, selects: Selects, older_than: Option<TimeDelta>) -> Self {
        self.delete_rule(DeleteRule { older_than, ..DeleteRule::about(rule.parse().unwrap(), selects) })
    }

    pub(crate) fn delete_rule(mut self, rule: DeleteRule) -> Self {
        self.policies.policies[0].delete.push(rule);
        self
    }

    /// Whatever is older than 30 days may go, tagged or not.
    pub(crate) fn delete_old(self) -> Self {
        self.delete("old", Selects::Tagged, Some(days(30))).delete(
            "old untagged",
            Selects::Untagged,
            Some(days(30)),
        )
    }

    pub(crate) fn used_by_tag(self, tag: &str) -> Self {
        self.used(Target { tag: Some(tag.parse().unwrap()), digest: None })
    }

    pub(crate) fn used_by_digest(self, name: &str) -> Self {
        self.used(Target { tag: None, digest: Some(digest(name)) })
    }

    pub(crate) fn used(mut self, target: Target) -> Self {
        self.in_use.add(name(), Use::running(target, "web on milan-1"));
        self
    }

    pub(crate) fn inventory(&self) -> Inventory {
        inventory(self.repository.clone())
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(&self.inventory(), &self.policies, &self.in_use, now())
    }

    /// The plan after the check, which must agree.
    pub(crate) fn checked(&self) -> CheckedPlan {
        let checked = check(self.plan(), &self.inventory(), &self.policies, &self.in_use, now());
        checked.unwrap_or_else(|violations| panic!("the check refused the planner's own plan:\n{violations}"))
    }

    pub(crate) fn decisions(&self) -> Vec<Decision> {
        decisions(self.checked().plan()).to_vec()
    }

    pub(crate) fn verdict(&self, name: &str) -> Verdict {
        let decisions = self.decisions();
        let decision = decisions.iter().find(|decision| decision.digest == digest(name));
        decision.unwrap_or_else(|| panic!("no decision about {name}")).verdict.clone()
    }

    pub(crate) fn goes(&self, name: &str) -> bool {
        self.verdict(name).is_delete()
    }

    /// One line per image: its name and its verdict.
    pub(crate) fn show(&self) -> String {
        let lines: Vec<String> = self
            .decisions()
            .iter()
            .map(|decision| format!("{}: {}", self.name_of(&decision.digest), decision.verdict))
            .collect();
        let mut text = lines.join("\n");
        for image in &self.repository.images {
            text = text.replace(&image.digest.short(), &self.name_of(&image.digest));
        }
        text
    }

    pub(crate) fn governing(&self) -> EffectivePolicy<'_> {
        self.policies.governing(&self.repository.name)
    }

    fn name_of(&self, digest: &Digest) -> String {
        let image = self.repository.image(digest).unwrap();
        image.id.as_str().rsplit('.').next().unwrap().to_owned()
    }
}

pub(crate) fn name() -> RepositoryName {
    "api".parse().unwrap()
}

pub(crate) fn repository_id() -> RepositoryId {
    Fleet::new().repository.id
}

pub(crate) fn inventory(repository: Repository) -> Inventory {
    let state = RepositoryState::Complete(repository);
    Inventory { taken_at: now(), repositories: BTreeMap::from([(name(), state)]), n_unlisted: 0 }
}

pub(crate) fn decisions(plan: &Plan) -> &[Decision] {
    match &plan.repositories[&name()] {
        RepositoryPlan::Decided { id: _, decisions } => decisions,
        RepositoryPlan::Undecided { id: _, why } => panic!("undecided: {why}"),
    }
}
