//! Indexes in indexes. There is no bound on how deep they nest: manifests are read one by one and never followed, and
//! who walks from one to the other does so without recursion. So depth must cost nothing and hide nothing.

use ocird_model::{Content, RepositoryName};
use ocird_sim::NewRepository;
use ocird_sim::manifest::{Blob, Child, Flavour, Manifest, Platform};

use crate::front::Front;
use crate::kinds::read;
use crate::world::{World, put};

/// Far deeper than any that is found; a real registry has each child before the index that names it, so that none is a
/// circle.
const N_INDEXES: usize = 200;

/// A nest of indexes, the innermost manifest first.
struct Nest {
    repository: RepositoryName,
    manifests: Vec<Manifest>,
    config: Blob,
}

impl Nest {
    fn new() -> Self {
        let (innermost, config) = Manifest::image(Flavour::Oci, Platform::Arm64, "innermost", &[]);
        let mut manifests = vec![innermost];
        for n in 0..N_INDEXES {
            let flavour = if n % 2 == 0 { Flavour::Oci } else { Flavour::Docker };
            let child = Child { manifest: manifests[n].clone(), platform: Platform::Arm64, attests: None };
            manifests.push(Manifest::index(flavour, &[child]));
        }
        Self { repository: "nest/deep".parse().unwrap(), manifests, config }
    }

    /// Asserts that every manifest is read from this registry as what it is.
    async fn assert_read(&self, world: &World, registry: &str) {
        let client = world.client(registry);
        for (n, manifest) in self.manifests.iter().enumerate() {
            let expected = match n {
                0 => Content::Manifest { subject: None, config: Some(self.config.digest) },
                _ => Content::Index { children: vec![self.manifests[n - 1].digest], subject: None },
            };
            let reading = read(world, &client, &self.repository, manifest).await.unwrap();
            assert_eq!((reading.bytes, reading.content), (Some(manifest.digest), expected), "at depth {n}");
        }
    }
}

#[tokio::test]
async fn indexes_nested_ever_so_deep_are_read_one_by_one() {
    let (world, nest) = (World::open(), Nest::new());
    let tenancy = world.tenancy();
    tenancy
        .create_repository(NewRepository::private(nest.repository.clone(), tenancy.compartment()))
        .unwrap();
    for manifest in &nest.manifests {
        put(tenancy, &nest.repository, manifest, None);
    }
    nest.assert_read(&world, &world.stage.server.registry_url()).await;
}

#[tokio::test]
#[ignore = "needs docker-registry, see .ci/registry"]
async fn a_real_registry_takes_and_gives_indexes_nested_ever_so_deep() {
    let (world, nest) = (World::open(), Nest::new());
    let registry = world.empty_docker_registry();
    registry.upload(&nest.repository, std::slice::from_ref(&nest.config)).await;
    for manifest in &nest.manifests {
        registry.put(&nest.repository, manifest, &manifest.digest.to_string()).await.unwrap();
    }
    let front = Front::before(world.tenancy(), &registry.url).await;
    nest.assert_read(&world, &front.url).await;
}
