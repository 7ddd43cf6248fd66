//! A tenancy in which every kind of manifest is pushed once, and the daemon's own client, whose registry may be another.
//!
//! Each kind has a repository of its own with two plain images beside it: one that is old enough to go, and the newest,
//! which stays in any case. Whether the old one goes tells whether the daemon trusts itself to judge what is there.

use std::num::NonZeroU32;

use chrono::TimeDelta;
use ocird::cloud;
use ocird::pass::{Decided, Purpose, Survey};
use ocird_model::{Digest, ImageId, RepositoryName, Tag};
use ocird_oci::Oci;
use ocird_sim::ci::Knobs;
use ocird_sim::clock::ClockView;
use ocird_sim::manifest::{Blob, Flavour, Manifest, Platform};
use ocird_sim::stage::{Play, Stage};
use ocird_sim::workload::PullPolicy;
use ocird_sim::{NewRepository, Reference, Tenancy};

use crate::corpus::Answer;
use crate::docker_registry::{DockerRegistry, Refused};
use crate::specimen::Specimen;

/// Everything that is older than a fortnight may go.
const POLICY: &str = r#"
project = "kinds"
repositories = ["kinds/*"]
[[delete]]
name = "old and tagged"
tagged = true
older_than = "14d"
[[delete]]
name = "old and untagged"
tagged = false
older_than = "14d"
"#;

/// The one host that there is.
const HOST: &str = "host-1";

/// The tenancy.
pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) specimens: Vec<Specimen>,
    /// The image in each repository that is old enough to go.
    pub(crate) old: Plain,
    newest: Plain,
}

/// A plain image and its configuration.
pub(crate) struct Plain {
    pub(crate) manifest: Manifest,
    config: Blob,
}

impl World {
    /// One specimen of every kind, in the tenancy.
    pub(crate) fn open() -> Self {
        let mut world = Self {
            stage: Stage::open(play()).unwrap(),
            specimens: Specimen::all(),
            old: Plain::new("old"),
            newest: Plain::new("newest"),
        };
        let tenancy = world.tenancy().clone();
        for specimen in &world.specimens {
            let repository = specimen.kind.repository();
            tenancy
                .create_repository(NewRepository::private(repository.clone(), tenancy.compartment()))
                .unwrap();
            put(&tenancy, &repository, &world.old.manifest, Some("old"));
            specimen.named.iter().for_each(|named| _ = put(&tenancy, &repository, named, None));
            put(&tenancy, &repository, &specimen.manifest, Some(&world.tag(specimen)));
        }
        tenancy.clock().advance(TimeDelta::days(40));
        for specimen in &world.specimens {
            put(&tenancy, &specimen.kind.repository(), &world.newest.manifest, Some("newest"));
        }
        // A host that runs one of the newest: where nobody says what runs, nothing would go (S-4).
        tenancy.add_host(HOST, Platform::Arm64, PullPolicy::Always);
        let running = world.specimens[0].kind.repository();
        tenancy.deploy(HOST, "web", &running, Reference::Tag("newest".parse().unwrap())).unwrap();
        world.stage.collect().unwrap();
        world
    }

    pub(crate) const fn tenancy(&self) -> &Tenancy {
        &self.stage.tenancy
    }

    /// The tag under which a specimen is pushed. What speaks about another by its tag speaks about the old image.
    pub(crate) fn tag(&self, specimen: &Specimen) -> String {
        let old = format!("sha256-{}", self.old.manifest.digest.hex());
        match specimen.kind.name {
            "cosign-signature-by-tag" => format!("{old}.sig"),
            "cosign-attestation-by-tag" => format!("{old}.att"),
            "referrers-fallback-index" => old,
            name => name.to_owned(),
        }
    }

    /// A real registry with nothing in it.
    pub(crate) fn empty_docker_registry(&self) -> DockerRegistry {
        DockerRegistry::start(self.stage.directory(), self.tenancy().settings().namespace)
    }

    /// A real registry with the same in it, as far as it takes it.
    pub(crate) async fn docker_registry(&self) -> DockerRegistry {
        let registry = self.empty_docker_registry();
        let (mut answers, mut expected) = (Vec::new(), Vec::new());
        for specimen in &self.specimens {
            let repository = specimen.kind.repository();
            for (plain, tag) in [(&self.old, "old"), (&self.newest, "newest")] {
                registry.upload(&repository, std::slice::from_ref(&plain.config)).await;
                registry.put(&repository, &plain.manifest, tag).await.unwrap();
            }
            registry.upload(&repository, &specimen.blobs).await;
            for named in &specimen.named {
                registry.put(&repository, named, &named.digest.to_string()).await.unwrap();
            }
            let answer = registry.put(&repository, &specimen.manifest, &self.tag(specimen)).await;
            answers.push((specimen.kind.name, answer));
            expected.push((
                specimen.kind.name,
                match specimen.kind.docker_registry {
                    Answer::Takes => Ok(()),
                    Answer::Refuses(status, code) => Err(Refused { status, code: code.to_owned() }),
                },
            ));
        }
        assert_eq!(answers, expected);
        registry
    }

    /// The daemon's client: the tenancy's for everything but the registry, which is this one.
    pub(crate) fn client(&self, registry: &str) -> Oci<ClockView> {
        let mut config = self.stage.config().unwrap().oci;
        config.endpoints.registry = Some(registry.to_owned());
        cloud::client(&config, self.stage.clock.clone()).unwrap()
    }

    /// A look at everything and a plan, with manifests from this registry. At least the newest image stays.
    pub(crate) async fn survey(&self, registry: &str) -> Decided {
        let mut config = self.stage.config().unwrap();
        config.policies.guardrails.min_newest = NonZeroU32::MIN;
        let mut survey = Survey::new(config, self.client(registry));
        survey.decide(Purpose::Observe, self.tenancy().now(), &self.stage.clock).await.unwrap()
    }

    /// The image of a manifest that was pushed.
    pub(crate) fn image(&self, specimen: &Specimen) -> ImageId {
        self.tenancy().find(&specimen.kind.repository(), &specimen.manifest.digest).unwrap()
    }
}

impl Plain {
    fn new(revision: &str) -> Self {
        let (manifest, config) = Manifest::image(Flavour::Oci, Platform::Arm64, revision, &[]);
        Self { manifest, config }
    }

    pub(crate) const fn digest(&self) -> Digest {
        self.manifest.digest
    }
}

/// A play without teams: nothing is there but what is pushed here.
fn play() -> Play {
    Play {
        knobs: Knobs { teams: Vec::new(), ..Knobs::default() },
        policies: vec![("kinds.toml".to_owned(), POLICY.to_owned())],
        armed: false,
        ..Play::default()
    }
}

/// Pushes into the tenancy, by tag or by digest.
pub(crate) fn put(
    tenancy: &Tenancy,
    repository: &RepositoryName,
    manifest: &Manifest,
    tag: Option<&str>,
) -> ImageId {
    let tag: Option<Tag> = tag.map(|tag| tag.parse().unwrap());
    tenancy.put_manifest(repository, manifest, tag.as_ref(), "ci").unwrap()
}
