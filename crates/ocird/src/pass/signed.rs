//! OCI image signatures: an image that somebody signed is relied on by somebody, so it is held unless its policy says
//! otherwise (S-35). Whether a signature is right is for who verifies it; here it is enough that there is one.
//!
//! One list for each compartment in which anything could go, in every pass, and once more before a batch: a signature leaves the
//! image as it is, so that no second look at that shows it. What cannot be listed to its end is not known, and then nothing
//! goes where a signature would have held.

use std::collections::{BTreeMap, BTreeSet};

use ocird_model::{
    CompartmentId, EffectivePolicy, ErrorChain, Hold, HoldOn, ImageId, Inventory, Policies, ReadRegistry,
    RegistryError, Repository, RepositoryId, RepositoryState, Rule,
};
use ocird_plan::Due;

use crate::status::{Refusal, RefusalCode};

/// Who holds a signed image, for people.
const BY: &str = "its OCI image signature";

/// Why, for people.
const WHY: &str = "somebody relies on it; signed = \"enforce\" in its policy lifts this";

/// Holds every signed image of the inventory. Answers the repositories of which it is not known what is signed.
pub(crate) async fn hold<R: ReadRegistry>(
    reader: &R,
    policies: &Policies,
    inventory: &mut Inventory,
) -> BTreeMap<RepositoryId, Refusal> {
    let mut unknown = BTreeMap::new();
    if !Rule::S35.in_force() {
        return unknown;
    }
    let asked = inventory.complete().filter(|repository| asks(policies, repository));
    let asked: BTreeSet<CompartmentId> = asked.map(|repository| repository.compartment.clone()).collect();
    for compartment in asked {
        let answer = reader.signed_images(&compartment).await;
        let of_compartment =
            inventory.repositories.values_mut().filter_map(|state| inside(state, &compartment));
        for repository in of_compartment.filter(|repository| asks(policies, repository)) {
            match &answer {
                Ok(signed) => hold_in(repository, signed, inventory.taken_at),
                Err(error) => drop(unknown.insert(repository.id.clone(), not_known(error))),
            }
        }
    }
    unknown
}

/// Leaves out of a batch every family of which something has been signed since the plan, and what is in a compartment of which
/// nobody can tell. Answers why, by repository.
pub(crate) async fn leave_out<R: ReadRegistry>(
    reader: &R,
    policies: &Policies,
    inventory: &Inventory,
    batch: &mut Vec<&Due>,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if !Rule::S35.in_force() {
        return refusals;
    }
    let mut answers = BTreeMap::new();
    for due in batch.iter() {
        if let Some(repository) = of(due, inventory).filter(|repository| asks(policies, repository))
            && !answers.contains_key(&repository.compartment)
        {
            let answer = reader.signed_images(&repository.compartment).await;
            answers.insert(repository.compartment.clone(), answer);
        }
    }
    batch.retain(|due| {
        let Some(repository) = of(due, inventory).filter(|repository| asks(policies, repository)) else {
            return true;
        };
        let refused = match &answers[&repository.compartment] {
            Ok(signed) => {
                let members = due.members().iter().filter_map(|member| repository.image(member));
                let mut ids = members.map(|member| &member.id).chain([&due.image().id]);
                let text =
                    || format!("{}@{} has been signed since the plan", repository.name, due.head().short());
                ids.any(|id| signed.contains(id)).then(|| Refusal { code: RefusalCode::Moved, text: text() })
            }
            Err(error) => {
                let Refusal { code, text } = not_known(error);
                Some(Refusal { code, text: format!("{}: {text}", repository.name) })
            }
        };
        let stays = refused.is_none();
        refusals.extend(refused.filter(|refused| !refusals.contains(refused)));
        stays
    });
    refusals
}

/// The repository of something that is due.
fn of<'i>(due: &Due, inventory: &'i Inventory) -> Option<&'i Repository> {
    inventory.repositories.get(due.repository_name()).and_then(RepositoryState::complete)
}

fn not_known(error: &RegistryError) -> Refusal {
    let text = format!("what is signed in it is not known: {}", ErrorChain(error));
    Refusal { code: RefusalCode::SignaturesUnknown, text }
}

/// Whether a signature would hold anything here: something may go, and the policy does not say that signed images may.
fn asks(policies: &Policies, repository: &Repository) -> bool {
    match policies.governing(&repository.name) {
        EffectivePolicy::One(policy) => !policy.enforce_signed && !policy.delete.is_empty(),
        EffectivePolicy::None | EffectivePolicy::Contested(_, _) => false,
    }
}

fn inside<'s>(state: &'s mut RepositoryState, compartment: &CompartmentId) -> Option<&'s mut Repository> {
    match state {
        RepositoryState::Complete(repository) if repository.compartment == *compartment => Some(repository),
        RepositoryState::Complete(_) | RepositoryState::Unreadable { id: _, why: _ } => None,
    }
}

fn hold_in(repository: &mut Repository, signed: &BTreeSet<ImageId>, now: chrono::DateTime<chrono::Utc>) {
    let images = repository.images.iter().filter(|image| signed.contains(&image.id));
    let holds = images.map(|image| Hold {
        on: HoldOn::Digest(image.digest),
        by: BY.into(),
        why: WHY.into(),
        since: now,
        until: None,
    });
    repository.holds.extend(holds);
}
