//! What a whole look at the registry makes of every kind: what cannot be judged stays, and so does whatever it may refer
//! to; where everything can be judged, what is old goes.

use ocird::pass::Decided;
use ocird_model::{
    Content, Digest, ErrorKind, KeepReason, RepositoryName, RepositoryState, Unreadable, Verdict,
};

use crate::corpus::Answer;
use crate::front::Front;
use crate::specimen::Specimen;
use crate::world::World;

fn verdict(decided: &Decided, repository: &RepositoryName, digest: Digest) -> Verdict {
    let decisions = decided.checked.plan().decisions(repository);
    let found = decisions.iter().find(|decision| decision.digest == digest);
    found.unwrap_or_else(|| panic!("no verdict in {repository}")).verdict.clone()
}

/// Asserts what becomes of a specimen that could be read, and of the old image beside it.
fn assert_judged(world: &World, decided: &Decided, specimen: &Specimen) {
    let repository = specimen.kind.repository();
    let old = verdict(decided, &repository, world.old.digest());
    let Content::Opaque { reason: why } = specimen.reading.content else {
        assert!(old.is_delete(), "{repository}: {old}");
        return;
    };
    let own = verdict(decided, &repository, specimen.manifest.digest);
    assert_eq!(own, Verdict::Keep(KeepReason::Opaque { why }), "{repository}");
    assert_eq!(old, Verdict::Keep(KeepReason::ReferencesUnknown), "{repository}");
}

#[tokio::test]
async fn what_cannot_be_judged_keeps_itself_and_its_repository() {
    let world = World::open();
    let decided = world.survey(&world.stage.server.registry_url()).await;
    for specimen in &world.specimens {
        assert_judged(&world, &decided, specimen);
    }
}

#[tokio::test]
#[ignore = "needs docker-registry, see .ci/registry"]
async fn from_a_real_registry_the_same_is_seen_and_decided() {
    let world = World::open();
    let registry = world.docker_registry().await;
    let front = Front::before(world.tenancy(), &registry.url).await;
    let simulated = world.survey(&world.stage.server.registry_url()).await;
    let real = world.survey(&front.url).await;
    for specimen in &world.specimens {
        let repository = specimen.kind.repository();
        let state = &real.inventory.repositories[&repository];
        match specimen.kind.docker_registry {
            Answer::Takes => {
                assert_judged(&world, &real, specimen);
                assert_eq!(contents(state), contents(&simulated.inventory.repositories[&repository]));
                let decisions = |decided: &Decided| decided.checked.plan().decisions(&repository).to_vec();
                assert_eq!(decisions(&real), decisions(&simulated), "{repository}");
            }
            // It is listed, and the registry denies it: nobody knows what it refers to (S-6).
            Answer::Refuses(_, _) => {
                let RepositoryState::Unreadable { id: _, why } = state else {
                    panic!("{repository} was read");
                };
                let digest = specimen.manifest.digest;
                assert_eq!(*why, Unreadable::Manifest { digest, kind: ErrorKind::NotFound }, "{repository}");
            }
        }
    }
}

/// What every image of a repository refers to, if all of them were read.
fn contents(state: &RepositoryState) -> Vec<(Digest, Content)> {
    let images = &state.complete().unwrap().images;
    images.iter().map(|image| (image.digest, image.content.clone())).collect()
}
