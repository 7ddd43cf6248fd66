//! What is due: heads that have been marked often and long enough, and rests (S-16). Caps, ramp, approval and the read
//! before the delete (S-17 to S-20) come after this and belong to whoever acts.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ocird_model::{
    Decision, DeleteReason, Digest, Image, Inventory, Mark, MarkKey, Policies, Repository, RepositoryId,
    RepositoryName, RepositoryPlan, Rule, Verdict,
};

use crate::{CheckedPlan, fingerprint};

/// Number of complete passes in a row that must have selected a family before it goes (S-16).
pub const MIN_PASSES: u32 = 3;

/// One image that is due. Only [`due`] makes one, so that nothing goes without a checked plan and a ripe mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    repository: RepositoryId,
    name: RepositoryName,
    image: Image,
    head: Digest,
    kind: DueKind,
    members: Vec<Digest>,
    reason: DeleteReason,
    mark: Option<Mark>,
}

/// What a due image is in its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DueKind {
    /// The head: the rest of the family follows in a later pass.
    Head,
    /// A member whose head ocird deleted before.
    Rest,
}

impl Due {
    /// The repository's OCID.
    pub const fn repository_id(&self) -> &RepositoryId {
        &self.repository
    }

    /// The repository's name.
    pub const fn repository_name(&self) -> &RepositoryName {
        &self.name
    }

    /// The image as the plan saw it: OCID, digest, tags and times.
    pub const fn image(&self) -> &Image {
        &self.image
    }

    /// The head of its family: its own digest, or that of the head ocird deleted before.
    pub const fn head(&self) -> &Digest {
        &self.head
    }

    /// Whether it is a head or a rest.
    pub const fn kind(&self) -> DueKind {
        self.kind
    }

    /// The other members of its family, in order of digest; empty for a rest.
    pub fn members(&self) -> &[Digest] {
        &self.members
    }

    /// Why it may go.
    pub const fn reason(&self) -> &DeleteReason {
        &self.reason
    }

    /// Why it may go, in the words of the verdict.
    pub fn rule(&self) -> String {
        self.reason.to_string()
    }

    /// When the unbroken row of passes that select it began; `None` for a rest, which goes under its head's mark.
    pub fn since(&self) -> Option<DateTime<Utc>> {
        self.mark.as_ref().map(|mark| mark.since)
    }

    /// Number of passes in that row; 0 for a rest.
    pub fn n_passes(&self) -> u32 {
        self.mark.as_ref().map_or(0, |mark| mark.n_passes)
    }
}

/// Everything that is due now, oldest first (S-19); what is equally old comes by name and digest.
///
/// A head is due when its mark has at least [`MIN_PASSES`] passes, is at least the guardrail's grace old, was earned under the
/// rule that takes it now, and bears the present fingerprint (S-14). A rest is due at once. In a repository of `observe_only` nothing is (S-9, S-15).
/// `marks` are those that [`crate::advance`] gave for this same plan, and `inventory` is the plan's own.
pub fn due(
    checked: &CheckedPlan,
    inventory: &Inventory,
    marks: &BTreeMap<MarkKey, Mark>,
    policies: &Policies,
    now: DateTime<Utc>,
    observe_only: &BTreeSet<RepositoryId>,
) -> Vec<Due> {
    let mut all = Vec::new();
    for repository in inventory.complete().filter(|repository| !observe_only.contains(&repository.id)) {
        let Some(decisions) = decisions(checked, repository) else {
            continue;
        };
        let policy = fingerprint(policies.governing(&repository.name), &policies.guardrails);
        let is_ripe = |mark: &Mark| {
            let is_long = mark.n_passes >= MIN_PASSES
                && now.signed_duration_since(mark.since) >= policies.guardrails.grace;
            (mark.policy == policy || !Rule::S14.in_force()) && (is_long || !Rule::S16.in_force())
        };
        due_in(repository, decisions, marks, is_ripe, &mut all);
    }
    all.sort_by(|a, b| rank(a).cmp(&rank(b)));
    all
}

fn rank(due: &Due) -> (Option<DateTime<Utc>>, &RepositoryName, Digest) {
    (due.image.newest_time(), &due.name, due.image.digest)
}

/// The decisions about this very repository, or `None` when the plan has none.
fn decisions<'a>(checked: &'a CheckedPlan, repository: &Repository) -> Option<&'a [Decision]> {
    match checked.plan().repositories.get(&repository.name)? {
        RepositoryPlan::Decided { id, decisions } if *id == repository.id => Some(decisions),
        RepositoryPlan::Decided { id: _, decisions: _ } | RepositoryPlan::Undecided { id: _, why: _ } => None,
    }
}

fn due_in(
    repository: &Repository,
    decisions: &[Decision],
    marks: &BTreeMap<MarkKey, Mark>,
    is_ripe: impl Fn(&Mark) -> bool,
    all: &mut Vec<Due>,
) {
    let mut members = members(decisions);
    for decision in decisions {
        let Verdict::Delete(reason) = &decision.verdict else {
            continue;
        };
        let Some(image) = repository.image(&decision.digest).filter(|image| image.id == decision.image)
        else {
            continue;
        };
        let key = MarkKey { repository: repository.id.clone(), head: decision.digest };
        let (kind, head, mark) = match reason {
            DeleteReason::Rule { rule } => {
                match marks.get(&key).filter(|mark| mark.rule == *rule && is_ripe(mark)) {
                    Some(mark) => (DueKind::Head, decision.digest, Some(mark.clone())),
                    None => continue,
                }
            }
            DeleteReason::Rest => match repository.rests.get(&decision.digest) {
                Some(head) => (DueKind::Rest, *head, None),
                None => continue,
            },
            DeleteReason::WithHead { rule: _ } => continue,
        };
        all.push(Due {
            repository: repository.id.clone(),
            name: repository.name.clone(),
            image: image.clone(),
            head,
            kind,
            members: members.remove(&decision.digest).unwrap_or_default(),
            reason: reason.clone(),
            mark,
        });
    }
}

/// The members that go with each head.
fn members(decisions: &[Decision]) -> BTreeMap<Digest, Vec<Digest>> {
    let mut members = BTreeMap::<Digest, Vec<Digest>>::new();
    for decision in decisions {
        if let Verdict::Delete(DeleteReason::WithHead { rule: _ }) = &decision.verdict {
            members.entry(decision.head).or_default().push(decision.digest);
        }
    }
    members
}
