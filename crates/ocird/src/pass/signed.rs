//! OCI image signatures: an image that somebody signed is relied on by somebody, so it is held unless its policy says
//! otherwise (S-35). Whether a signature is right is for who verifies it; here it is enough that there is one.
//!
//! One list for each compartment in which anything could go, in every pass. What cannot be listed to its end is not known,
//! and then nothing goes where a signature would have held.

use std::collections::{BTreeMap, BTreeSet};

use ocird_model::{
    CompartmentId, EffectivePolicy, ErrorChain, Hold, HoldOn, ImageId, Inventory, Policies, ReadRegistry,
    Repository, RepositoryId, RepositoryState, Rule,
};

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
    let asked: BTreeSet<CompartmentId> = inventory
        .complete()
        .filter(|repository| asks(policies, repository))
        .map(|repository| repository.compartment.clone())
        .collect();
    for compartment in asked {
        let answer = reader.signed_images(&compartment).await;
        let of_compartment =
            inventory.repositories.values_mut().filter_map(|state| inside(state, &compartment));
        for repository in of_compartment.filter(|repository| asks(policies, repository)) {
            match &answer {
                Ok(signed) => hold_in(repository, signed, inventory.taken_at),
                Err(error) => {
                    let text = format!("what is signed in it is not known: {}", ErrorChain(error));
                    let refusal = Refusal { code: RefusalCode::SignaturesUnknown, text };
                    unknown.insert(repository.id.clone(), refusal);
                }
            }
        }
    }
    unknown
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
