//! A registry that does not give what was asked for. None of its lies may become a reading.

use axum::body::Bytes;
use ocird_model::{Content, ErrorKind, OpaqueReason, RepositoryState, Unreadable};
use ocird_sim::manifest::{OCI_INDEX, OCI_MANIFEST};

use crate::front::Front;
use crate::kinds::read;
use crate::specimen::{Reading, Specimen};
use crate::world::World;

fn specimen<'a>(world: &'a World, name: &str) -> &'a Specimen {
    world.specimens.iter().find(|specimen| specimen.kind.name == name).unwrap()
}

/// What the client makes of the index of the corpus when it is given this.
async fn index_as(world: &World, media_type: &'static str, bytes: Bytes) -> Result<Reading, &'static str> {
    let liar = Front::saying(world.tenancy(), media_type, bytes).await;
    let asked = specimen(world, "oci-index");
    read(world, &world.client(&liar.url), &asked.kind.repository(), &asked.manifest).await
}

#[tokio::test]
async fn bytes_of_another_digest_are_refused() {
    let world = World::open();
    let truth = specimen(&world, "oci-index").manifest.bytes.to_vec();
    let another = specimen(&world, "oci-index-empty").manifest.bytes.to_vec();
    let with_a_blank = [&truth[..], b" "].concat();
    let cut_short = truth[..truth.len() - 1].to_vec();
    for lie in [another, with_a_blank, cut_short, Vec::new()] {
        assert_eq!(index_as(&world, OCI_INDEX, lie.into()).await, Err("malformed"));
    }
    let told = index_as(&world, OCI_INDEX, truth.into()).await;
    assert_eq!(
        told.as_ref(),
        Ok(&specimen(&world, "oci-index").reading),
        "the truth is believed from the same mouth"
    );
}

#[tokio::test]
async fn a_media_type_that_contradicts_the_document_makes_it_opaque() {
    let world = World::open();
    let truth: Bytes = specimen(&world, "oci-index").manifest.bytes.to_vec().into();
    for lie in [OCI_MANIFEST, "text/html", ""] {
        let reading = index_as(&world, lie, truth.clone()).await.unwrap();
        assert_eq!(reading.content, Content::Opaque { reason: OpaqueReason::MediaType }, "{lie:?}");
    }
}

#[tokio::test]
async fn a_registry_that_lies_freezes_every_repository() {
    let world = World::open();
    let lie = specimen(&world, "oci-index-empty").manifest.bytes.to_vec();
    let liar = Front::saying(world.tenancy(), OCI_INDEX, lie.into()).await;
    let decided = world.survey(&liar.url).await;
    for (name, state) in &decided.inventory.repositories {
        let RepositoryState::Unreadable { id: _, why } = state else { panic!("{name} was read") };
        assert!(
            matches!(why, Unreadable::Manifest { digest: _, kind: ErrorKind::Malformed }),
            "{name}: {why}"
        );
        assert!(decided.checked.plan().decisions(name).is_empty(), "{name}");
    }
    assert_eq!(decided.inventory.repositories.len(), world.specimens.len());
}
