//! What is in use, from every configured source; each answers completely and freshly, or puts the repositories it
//! covers in doubt (S-4).
//!
//! Deliberately not here: any decision. A doubt is handed to the planner, which keeps.

pub mod file;
pub mod reference;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Digest, InUse, Inventory, Pattern, Patterns, Reference, RepositoryName, Target, Use};

use crate::config::{FileSource, InUseConfig};
use crate::in_use::file::ReferenceFile;
use crate::in_use::reference::{Folded, Folder};
use crate::status::SourceStatus;
use ocird_model::ErrorChain;

/// How far ahead of us a writer's clock may be before its time is not believed.
const TOLERATED_AHEAD: TimeDelta = TimeDelta::minutes(5);

/// What every source said, for the planner and for people.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// For the planner.
    pub in_use: InUse,
    /// For people: one entry per file.
    pub sources: Vec<SourceStatus>,
    /// Every digest that anything runs from under a name that is not ours, and who runs it.
    digests: BTreeMap<Digest, Arc<str>>,
}

/// Asks every configured source about the repositories that were just seen. Failures are answers too: they come back as
/// doubts, never as an error. No source at all is not "nothing in use" (S-4).
///
/// # Panics
/// Never: the name of a repository is a pattern of itself.
pub async fn gather(
    config: &InUseConfig,
    folder: &Folder,
    inventory: &Inventory,
    now: DateTime<Utc>,
) -> Gathered {
    let mut gathered = Gathered::default();
    for source in &config.files {
        gather_files(source, folder, now, &mut gathered).await;
    }
    gathered.hold_digests(inventory);
    if !config.accept_none {
        for repository in inventory.repositories.keys().filter(|name| !is_covered(config, name)) {
            let why = "no source covers it; name one in [[in_use.files]], or say accept_none = true";
            let only: Pattern =
                repository.as_str().parse().expect("a repository's name is a pattern of itself");
            gathered.in_use.doubt(Patterns::new(vec![only]).expect("one pattern is not none"), why);
        }
    }
    gathered
}

fn is_covered(config: &InUseConfig, repository: &RepositoryName) -> bool {
    config.files.iter().any(|source| source.repositories.matches(repository.as_str()))
}

async fn gather_files(source: &FileSource, folder: &Folder, now: DateTime<Utc>, gathered: &mut Gathered) {
    let paths = match file::expand(&source.path).await {
        Ok(paths) => paths,
        Err(error) => return gathered.doubt_file(source, &source.path, format!("{}", ErrorChain(&error))),
    };
    if paths.is_empty() {
        return gathered.doubt_file(source, &source.path, "no file is there yet".to_owned());
    }
    let mut hosts = BTreeSet::new();
    let mut sentinel_seen = false;
    for path in paths {
        match file::read(&path).await {
            Ok(file) => {
                hosts.insert(file.host.clone());
                sentinel_seen |= shows_sentinel(&file, source.sentinel.as_deref());
                gathered.take(source, &path, file, folder, now);
            }
            Err(error) => gathered.doubt_file(source, &path, format!("{}", ErrorChain(&error))),
        }
    }
    for host in source.expect.iter().filter(|host| !hosts.contains(*host)) {
        gathered.doubt_file(source, &source.path, format!("no file of host {host}, which is expected"));
    }
    if let Some(sentinel) = source.sentinel.as_deref().filter(|_| !sentinel_seen) {
        gathered.doubt_file(source, &source.path, format!("the sentinel {sentinel} is not among what runs"));
    }
}

/// True when the file names the sentinel: an image that always runs, by its reference up to the tag or digest.
fn shows_sentinel(file: &ReferenceFile, sentinel: Option<&str>) -> bool {
    let is = |image: &str, sentinel: &str| {
        image.strip_prefix(sentinel).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@']))
    };
    sentinel.is_some_and(|sentinel| file.references.iter().any(|reference| is(&reference.image, sentinel)))
}

impl Gathered {
    /// Takes over what one file says. What it names is held even when the file as a whole is in doubt.
    fn take(
        &mut self,
        source: &FileSource,
        path: &Path,
        file: ReferenceFile,
        folder: &Folder,
        now: DateTime<Utc>,
    ) {
        let mut doubt = file_doubt(&file, source.max_age, now);
        let mut n_references = 0;
        for reference in &file.references {
            let by: Arc<str> = format!("{} on {}", reference.by, file.host).into();
            let pinned = reference.image.split_once('@').map(|(_, digest)| digest);
            let digests =
                pinned.into_iter().chain(reference.digest.as_deref()).filter_map(|text| text.parse().ok());
            match folder.fold(&reference.image, reference.digest.as_deref()) {
                Ok(Folded::Elsewhere) => self.digests.extend(digests.map(|digest| (digest, Arc::clone(&by)))),
                Ok(Folded::Ours(Reference { repository, target })) => {
                    n_references += 1;
                    // What is pinned and what runs may differ; both are held.
                    for digest in digests.filter(|digest| Some(*digest) != target.digest) {
                        let target = Target { tag: None, digest: Some(digest) };
                        self.in_use.add(repository.clone(), Use { target, by: Arc::clone(&by) });
                    }
                    self.in_use.add(repository, Use { target, by });
                }
                Err(error) => doubt = doubt.or(Some(error.to_string())),
            }
        }
        self.in_use.answered(source.repositories.clone(), file.written_at);
        match &doubt {
            Some(why) => self.in_use.doubt(source.repositories.clone(), format!("{}: {why}", path.display())),
            None => self.in_use.expires(file.written_at + source.max_age),
        }
        self.sources.push(SourceStatus {
            name: path.display().to_string(),
            host: Some(file.host),
            written_at: Some(file.written_at),
            n_references,
            doubt,
        });
    }

    /// Holds every image whose digest runs somewhere under a name that is not ours: after a retag on the host, from a mirror
    /// or by a bare image id, the name says nothing of the repository it came from.
    fn hold_digests(&mut self, inventory: &Inventory) {
        for repository in inventory.complete() {
            for image in &repository.images {
                if let Some(by) = self.digests.get(&image.digest) {
                    let target = Target { tag: None, digest: Some(image.digest) };
                    self.in_use.add(repository.name.clone(), Use { target, by: Arc::clone(by) });
                }
            }
        }
    }

    fn doubt_file(&mut self, source: &FileSource, path: &Path, why: String) {
        self.in_use.doubt(source.repositories.clone(), format!("{}: {why}", path.display()));
        self.sources.push(SourceStatus {
            name: path.display().to_string(),
            host: None,
            written_at: None,
            n_references: 0,
            doubt: Some(why),
        });
    }
}

/// Why a file that was read cannot be believed as a whole. A host where nothing at all runs is not believed either:
/// its engine may be down, or the collector may have lost its rights.
fn file_doubt(file: &ReferenceFile, max_age: TimeDelta, now: DateTime<Utc>) -> Option<String> {
    let age = now - file.written_at;
    if !file.complete {
        Some("its writer says that it is not complete".to_owned())
    } else if age > max_age {
        Some(format!("it is {} h old, and {} h are allowed", age.num_hours(), max_age.num_hours()))
    } else if -age > TOLERATED_AHEAD {
        Some("its time is in the future".to_owned())
    } else if file.references.is_empty() {
        Some("it names nothing at all".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use ocird_model::{Bytes, Content, Image, Repository, RepositoryState};

    use super::*;

    struct World {
        directory: tempfile::TempDir,
        source: FileSource,
        now: DateTime<Utc>,
    }

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let source = FileSource {
                path: directory.path().join("*.json"),
                repositories: Patterns::all(),
                max_age: TimeDelta::hours(26),
                sentinel: None,
                expect: Vec::new(),
            };
            Self { directory, source, now: "2026-11-21T12:00:00Z".parse().unwrap() }
        }

        fn write(&self, host: &str, hours_ago: i64, complete: bool, images: &[&str]) {
            let references: Vec<_> =
                images.iter().map(|image| serde_json::json!({"image": image, "by": "container x"})).collect();
            let file = serde_json::json!({"version": 1, "host": host, "complete": complete,
                "written_at": self.now - TimeDelta::hours(hours_ago), "references": references});
            std::fs::write(self.directory.path().join(format!("{host}.json")), file.to_string()).unwrap();
        }

        async fn gather(&self) -> Gathered {
            let folder = Folder::new(["lin.ocir.io".to_owned()], "ns".parse().unwrap());
            let config = InUseConfig { accept_none: false, files: vec![self.source.clone()] };
            gather(&config, &folder, &inventory(), self.now).await
        }

        async fn doubt(&self) -> Option<String> {
            self.gather().await.in_use.doubt_about(&app()).map(str::to_owned)
        }
    }

    fn app() -> RepositoryName {
        "app".parse().unwrap()
    }

    fn digest() -> Digest {
        Digest::from_bytes([7; 32])
    }

    /// One repository with one image.
    fn inventory() -> Inventory {
        let image = Image {
            id: "ocid1.containerimage.oc1.x".parse().unwrap(),
            digest: digest(),
            tags: BTreeMap::new(),
            created_at: None,
            first_seen_at: None,
            last_pulled_at: None,
            resource_tags: None,
            read_at: None,
            content: Content::Manifest { subject: None },
            layers: None,
            manifest_size: Bytes::ZERO,
        };
        let repository = Repository {
            id: "ocid1.containerrepo.oc1.x".parse().unwrap(),
            name: app(),
            compartment: "ocid1.compartment.oc1..x".parse().unwrap(),
            namespace: "ns".parse().unwrap(),
            is_public: false,
            images: vec![image],
            rests: BTreeMap::new(),
        };
        let repositories = BTreeMap::from([(app(), RepositoryState::Complete(repository))]);
        Inventory { taken_at: World::new().now, repositories }
    }

    #[tokio::test]
    async fn what_runs_by_digest_is_held_under_any_name() {
        let pinned = format!("mirror.example/other/name@{}", digest());
        let known = format!("{}", digest());
        for (image, digest) in [("app:prod", Some(known.as_str())), (pinned.as_str(), None)] {
            let world = World::new();
            let reference = serde_json::json!({"image": image, "digest": digest, "by": "container x"});
            let file = serde_json::json!({"version": 1, "host": "a", "complete": true, "written_at": world.now,
                "references": [reference]});
            std::fs::write(world.directory.path().join("a.json"), file.to_string()).unwrap();
            let gathered = world.gather().await;
            assert_eq!(gathered.in_use.uses(&app()).len(), 1, "{image}");
            assert_eq!(gathered.in_use.looked_at(&app()), Some(world.now));
        }
    }

    #[tokio::test]
    async fn a_fresh_complete_file_is_believed() {
        let world = World::new();
        world.write("a", 1, true, &["lin.ocir.io/ns/app:v1", "nginx:1"]);
        let gathered = world.gather().await;
        assert_eq!(gathered.in_use.doubt_about(&app()), None);
        assert_eq!(gathered.in_use.uses(&app()).len(), 1);
        assert_eq!(gathered.sources[0].n_references, 1);
        assert!(!gathered.in_use.is_fresh(world.now + TimeDelta::hours(26)));
    }

    #[tokio::test]
    async fn what_is_old_or_of_the_future_or_incomplete_or_empty_is_doubted() {
        for (hours_ago, complete, images) in
            [(27, true, &["x"][..]), (-1, true, &["x"]), (1, false, &["x"]), (1, true, &[])]
        {
            let world = World::new();
            world.write("a", hours_ago, complete, images);
            assert!(world.doubt().await.is_some(), "{hours_ago} {complete} {images:?}");
        }
    }

    #[tokio::test]
    async fn a_doubted_file_still_holds_what_it_names() {
        let world = World::new();
        world.write("a", 100, true, &["lin.ocir.io/ns/app:v1"]);
        assert_eq!(world.gather().await.in_use.uses(&app()).len(), 1);
    }

    #[tokio::test]
    async fn a_repository_that_no_source_covers_is_doubted_unless_that_is_accepted() {
        let folder = Folder::new(["lin.ocir.io".to_owned()], "ns".parse().unwrap());
        for accept_none in [false, true] {
            let config = InUseConfig { accept_none, files: Vec::new() };
            let gathered = gather(&config, &folder, &inventory(), World::new().now).await;
            assert_eq!(gathered.in_use.doubt_about(&app()).is_none(), accept_none);
        }
    }

    #[tokio::test]
    async fn no_file_at_all_is_doubt_and_not_emptiness() {
        assert!(World::new().doubt().await.unwrap().contains("no file is there yet"));
    }

    #[tokio::test]
    async fn one_bad_file_among_good_ones_is_doubt() {
        let world = World::new();
        world.write("a", 1, true, &["lin.ocir.io/ns/app:v1"]);
        std::fs::write(world.directory.path().join("b.json"), "{\"version\":1,").unwrap();
        assert!(world.doubt().await.unwrap().contains("b.json"));
    }

    #[tokio::test]
    async fn an_expected_host_and_the_sentinel_must_show() {
        let mut world = World::new();
        world.write("a", 1, true, &["lin.ocir.io/ns/app:v1"]);
        world.source.expect = vec!["a".to_owned()];
        world.source.sentinel = Some("lin.ocir.io/ns/app".to_owned());
        assert_eq!(world.doubt().await, None);
        world.source.sentinel = Some("lin.ocir.io/ns/ap".to_owned());
        assert!(world.doubt().await.unwrap().contains("sentinel"));
        world.source.sentinel = Some("lin.ocir.io/ns/app".to_owned());
        world.source.expect = vec!["b".to_owned()];
        assert!(world.doubt().await.unwrap().contains("host b"));
        world.source.expect.clear();
        world.source.sentinel = Some("lin.ocir.io/ns/watchdog".to_owned());
        assert!(world.doubt().await.unwrap().contains("sentinel"));
    }

    #[tokio::test]
    async fn a_reference_into_this_registry_that_is_not_understood_is_doubt() {
        let world = World::new();
        world.write("a", 1, true, &["lin.ocir.io/ns/app:v1:v2"]);
        assert!(world.doubt().await.unwrap().contains("cannot be understood"));
    }
}
