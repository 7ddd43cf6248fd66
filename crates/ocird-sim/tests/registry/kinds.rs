//! Every kind, read by its digest.

use ocird_model::{Content, ReadRegistry as _, RepositoryName};
use ocird_oci::{Oci, declared_layers, interpret};
use ocird_sim::clock::ClockView;
use ocird_sim::digest::sha256;
use ocird_sim::manifest::Manifest;

use crate::corpus::Answer;
use crate::front::Front;
use crate::specimen::{Reading, Specimen};
use crate::world::World;

/// What the daemon's client makes of a manifest, or the kind of error it ends in.
pub(crate) async fn read(
    world: &World,
    client: &Oci<ClockView>,
    repository: &RepositoryName,
    manifest: &Manifest,
) -> Result<Reading, &'static str> {
    let namespace = world.tenancy().settings().namespace;
    let fetched = client.manifest(&namespace, repository, &manifest.digest).await;
    let fetched = fetched.map_err(|error| error.kind().as_str())?;
    assert_eq!(fetched.too_large, fetched.bytes.is_empty());
    Ok(Reading {
        bytes: (!fetched.too_large).then(|| sha256(&fetched.bytes)),
        content: interpret(&fetched),
        layers: declared_layers(&fetched),
        media_type: fetched.media_type,
    })
}

async fn read_specimen(
    world: &World,
    client: &Oci<ClockView>,
    specimen: &Specimen,
) -> Result<Reading, &'static str> {
    read(world, client, &specimen.kind.repository(), &specimen.manifest).await
}

#[tokio::test]
async fn the_simulated_registry_gives_every_kind_as_it_was_pushed() {
    let world = World::open();
    let client = world.client(&world.stage.server.registry_url());
    for specimen in &world.specimens {
        let reading = read_specimen(&world, &client, specimen).await;
        assert_eq!(reading.as_ref(), Ok(&specimen.reading), "{}", specimen.kind.name);
    }
}

#[tokio::test]
async fn the_layers_that_the_artifacts_api_tells_are_those_that_the_manifest_names() {
    let world = World::open();
    let client = world.client(&world.stage.server.registry_url());
    for specimen in world.specimens.iter().filter(|specimen| !specimen.kind.is_opaque()) {
        let details = client.image(&world.image(specimen)).await.unwrap();
        let named = specimen.reading.layers.clone().unwrap_or_default();
        assert_eq!(*details.layers, *named, "{}", specimen.kind.name);
        assert_eq!(details.manifest_size.0, specimen.manifest.bytes.len() as u64);
    }
}

#[tokio::test]
#[ignore = "needs docker-registry, see .ci/registry"]
async fn a_real_registry_gives_every_kind_that_it_takes_as_the_simulated_one_does() {
    let world = World::open();
    let registry = world.docker_registry().await;
    let front = Front::before(world.tenancy(), &registry.url).await;
    let (simulated, real) = (world.client(&world.stage.server.registry_url()), world.client(&front.url));
    for specimen in &world.specimens {
        let name = specimen.kind.name;
        let from_simulated = read_specimen(&world, &simulated, specimen).await;
        let from_real = read_specimen(&world, &real, specimen).await;
        let words = match specimen.kind.docker_registry {
            Answer::Takes => {
                assert_eq!(from_real.as_ref(), Ok(&specimen.reading), "{name}");
                assert_eq!(from_real, from_simulated, "{name}");
                in_words(&specimen.reading.content)
            }
            Answer::Refuses(status, code) => {
                assert_eq!(from_real, Err("not_found"), "{name}");
                format!("push refused: {status} {code}")
            }
        };
        // What `.ci/registry` shows.
        println!("registry: {name:<32} {:<32} {words}", in_words(&from_simulated.unwrap().content));
    }
}

fn in_words(content: &Content) -> String {
    let subject = if content.subject().is_some() { ", has a subject" } else { "" };
    match content {
        Content::Manifest { subject: _, config: _ } => format!("manifest{subject}"),
        Content::Index { children, subject: _ } => format!("index of {}{subject}", children.len()),
        Content::Opaque { reason } => format!("opaque: {}", reason.as_str()),
    }
}
