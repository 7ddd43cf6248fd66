//! What the daemon never does and everybody else does: ask by tag, look with HEAD, and accept some media types only. The
//! simulated registry must answer as a real one where that bears on the daemon.

use ocird_oci::Endpoint;
use ocird_sim::manifest::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use reqwest::{Client, Method, Response, StatusCode};
use secrecy::ExposeSecret as _;

use crate::corpus::Answer;
use crate::specimen::Specimen;
use crate::world::World;

const INDEXES: [&str; 2] = [OCI_INDEX, DOCKER_LIST];
const MANIFESTS: [&str; 2] = [OCI_MANIFEST, DOCKER_MANIFEST];

/// A registry as any client sees it.
struct Seen {
    /// Up to the namespace.
    base: String,
    token: String,
    http: Client,
}

impl Seen {
    /// The registry at this URL, with a token of the tenancy's.
    async fn at(world: &World, url: &str) -> Self {
        let simulated = world.stage.server.registry_url();
        let endpoint: Endpoint = simulated.parse().unwrap();
        let login = world.client(&simulated).registry_login(&endpoint).await.unwrap();
        Self {
            base: format!("{url}/v2/{}", world.tenancy().settings().namespace),
            token: login.password.expose_secret().to_owned(),
            http: Client::builder().no_proxy().build().unwrap(),
        }
    }

    async fn ask(&self, method: Method, specimen: &Specimen, reference: &str, accept: &[&str]) -> Response {
        let url = format!("{}/{}/manifests/{reference}", self.base, specimen.kind.repository());
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        for media_type in accept {
            request = request.header("accept", *media_type);
        }
        request.send().await.unwrap()
    }

    /// Asserts that HEAD and GET, by tag and by digest, tell the same of everything this registry has.
    async fn assert_tells_the_same_by_tag(&self, world: &World, specimen: &Specimen) {
        let accept = [INDEXES, MANIFESTS].concat();
        let (name, manifest) = (specimen.kind.name, &specimen.manifest);
        let (tag, digest) = (world.tag(specimen), manifest.digest.to_string());
        for reference in [&tag, &digest] {
            for method in [Method::HEAD, Method::GET] {
                let answer = self.ask(method.clone(), specimen, reference, &accept).await;
                assert_eq!(answer.status(), StatusCode::OK, "{name}");
                let told = |header: &str| answer.headers()[header].to_str().unwrap().to_owned();
                assert_eq!(told("docker-content-digest"), digest, "{name}");
                assert_eq!(told("content-type"), *manifest.media_type, "{name}");
                assert_eq!(told("content-length"), manifest.bytes.len().to_string(), "{name}");
                let whole: &[u8] = if method == Method::GET { &manifest.bytes } else { &[] };
                assert_eq!(answer.bytes().await.unwrap(), whole, "{name} by {method}");
            }
        }
    }

    /// Status of a GET that accepts manifests only, and the media type if it is answered.
    async fn without_indexes(&self, specimen: &Specimen, reference: &str) -> (u16, Option<String>) {
        let answer = self.ask(Method::GET, specimen, reference, &MANIFESTS).await;
        let media_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let status = answer.status();
        (status.as_u16(), status.is_success().then_some(media_type))
    }
}

fn indexes(world: &World) -> impl Iterator<Item = &Specimen> {
    world.specimens.iter().filter(|specimen| INDEXES.contains(&&*specimen.manifest.media_type))
}

#[tokio::test]
async fn a_tag_and_its_digest_lead_to_the_same_by_head_and_by_get() {
    let world = World::open();
    let seen = Seen::at(&world, &world.stage.server.registry_url()).await;
    for specimen in &world.specimens {
        seen.assert_tells_the_same_by_tag(&world, specimen).await;
    }
}

#[tokio::test]
async fn an_index_that_is_not_accepted_is_denied() {
    let world = World::open();
    let seen = Seen::at(&world, &world.stage.server.registry_url()).await;
    for specimen in indexes(&world) {
        for reference in [world.tag(specimen), specimen.manifest.digest.to_string()] {
            let answer = seen.without_indexes(specimen, &reference).await;
            assert_eq!(answer, (404, None), "{}", specimen.kind.name);
        }
    }
}

#[tokio::test]
#[ignore = "needs docker-registry, see .ci/registry"]
async fn from_a_real_registry_a_tag_and_its_digest_lead_to_the_same_by_head_and_by_get() {
    let world = World::open();
    let registry = world.docker_registry().await;
    let seen = Seen::at(&world, &registry.url).await;
    for specimen in world.specimens.iter().filter(|specimen| specimen.kind.docker_registry == Answer::Takes) {
        seen.assert_tells_the_same_by_tag(&world, specimen).await;
    }
}

/// The real one denies OCI's indexes too. A list of Docker's it gives by digest whatever is accepted, and by tag it
/// gives the manifest for amd64 in its place: who accepts less than everything is told of another digest.
#[tokio::test]
#[ignore = "needs docker-registry, see .ci/registry"]
async fn a_real_registry_denies_or_replaces_an_index_that_is_not_accepted() {
    let world = World::open();
    let registry = world.docker_registry().await;
    let seen = Seen::at(&world, &registry.url).await;
    let taken = indexes(&world).filter(|specimen| specimen.kind.docker_registry == Answer::Takes);
    for specimen in taken {
        let by_digest = seen.without_indexes(specimen, &specimen.manifest.digest.to_string()).await;
        let by_tag = seen.without_indexes(specimen, &world.tag(specimen)).await;
        let expected = if *specimen.manifest.media_type == *DOCKER_LIST {
            ((200, Some(DOCKER_LIST.to_owned())), (200, Some(DOCKER_MANIFEST.to_owned())))
        } else {
            ((404, None), (404, None))
        };
        assert_eq!((by_digest, by_tag), expected, "{}", specimen.kind.name);
    }
}
