//! Small registries to remember: everything is derived from a number, so that a test names only what it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Bytes, Content, Decision, Digest, Etag, FetchedManifest, Image, ImageDetails, ImageId, Intent, Inventory,
    Layer, Lifecycle, Mark, MarkKey, Outcome, OutcomeKind, Plan, Repository, RepositoryId, RepositoryName,
    RepositoryPlan, RepositoryState, ResourceTags, Tag, Usage, Verdict,
};
use ocird_store::{Fresh, PassRecord, Store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

/// A store in a directory of its own.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) store: Store,
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), at(0)).await.unwrap();
        Self { dir, store }
    }

    /// The same store after a restart.
    pub(crate) async fn reopened(self) -> Self {
        let Self { dir, store } = self;
        store.close().await;
        let store = Store::open(dir.path(), at(0)).await.unwrap();
        Self { dir, store }
    }

    /// Another connection to the file.
    pub(crate) async fn raw(&self) -> SqliteConnection {
        let options =
            SqliteConnectOptions::new().filename(self.dir.path().join("ocird.db")).foreign_keys(true);
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    /// What one number in the file is.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.raw().await).await.unwrap()
    }

    /// Remembers images of the first repository, and that a pass saw exactly these.
    pub(crate) async fn see(&self, images: &[ImageDetails], now: DateTime<Utc>) {
        self.store.remember(&repository(1), &name(1), &read(images), now).await.unwrap();
        self.store.record(&pass(Some(&inventory(images, now)), now)).await.unwrap();
    }

    /// Writes down that a deletion was meant and how it ended.
    pub(crate) async fn settle(&self, intent: &Intent, kind: OutcomeKind, now: DateTime<Utc>) {
        let id = self.store.intend(intent, now).await.unwrap();
        self.store.conclude(id, &outcome(kind, now)).await.unwrap();
    }
}

/// So many minutes after the beginning of time.
pub(crate) fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
}

pub(crate) fn days(days: i64) -> DateTime<Utc> {
    at(days * 24 * 60)
}

pub(crate) fn repository(n: u64) -> RepositoryId {
    format!("ocid1.containerrepo.oc1.eu-milan-1.0.ns.{n}").parse().unwrap()
}

pub(crate) fn name(n: u64) -> RepositoryName {
    format!("mgh-{n}").parse().unwrap()
}

pub(crate) fn image(n: u64) -> ImageId {
    format!("ocid1.containerimage.oc1.eu-milan-1.0.namespace.aaaaaaaa{n:052}").parse().unwrap()
}

pub(crate) fn digest(n: u64) -> Digest {
    let mut bytes = [0x5a; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Digest::from_bytes(bytes)
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

/// An image of the first repository with these tags.
pub(crate) fn details(n: u64, tags: &[&str]) -> ImageDetails {
    ImageDetails {
        id: image(n),
        digest: digest(n),
        repository: repository(1),
        tags: tags.iter().map(|text| (tag(text), Some(at(0)))).collect(),
        layers: (0..3).map(|i| Layer { digest: digest(n * 100 + i), size: Bytes(1000 + i) }).collect(),
        manifest_size: Bytes(1234),
        n_pulls: 7,
        last_pulled_at: Some(at(1)),
        created_at: Some(at(0)),
        created_by: Some("ocid1.user.oc1..pusher".to_owned()),
        resource_tags: Some(ResourceTags::new([("keep".to_owned(), "yes".to_owned())])),
        lifecycle: Lifecycle::Available,
        etag: Some(Etag("\"1\"".to_owned())),
    }
}

/// A manifest that is told from others by its bytes.
pub(crate) fn manifest(n: u64) -> (Digest, FetchedManifest, Content) {
    let fetched = FetchedManifest {
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        bytes: format!("{{\"n\":{n}}}").into_bytes().into(),
        too_large: false,
    };
    (digest(n), fetched, Content::Manifest { subject: None, config: None })
}

/// What a first look at these images reads.
pub(crate) fn read(images: &[ImageDetails]) -> Fresh {
    let number = |image: &ImageDetails| u64::from_be_bytes(image.digest.as_bytes()[..8].try_into().unwrap());
    Fresh {
        details: images.iter().map(|image| (image.clone(), image.tags.keys().cloned().collect())).collect(),
        manifests: images.iter().map(|image| manifest(number(image))).collect(),
    }
}

/// The first repository with exactly these images.
pub(crate) fn inventory(images: &[ImageDetails], now: DateTime<Utc>) -> Inventory {
    let mut images: Vec<Image> = images.iter().map(seen).collect();
    images.sort_by_key(|image| image.digest);
    let repository = Repository {
        id: repository(1),
        name: name(1),
        compartment: "ocid1.compartment.oc1..c".parse().unwrap(),
        namespace: "ns".parse().unwrap(),
        is_public: false,
        images,
        rests: BTreeMap::new(),
        holds: Vec::new(),
    };
    let repositories = BTreeMap::from([(name(1), RepositoryState::Complete(repository))]);
    Inventory { taken_at: now, repositories, n_unlisted: 0 }
}

fn seen(details: &ImageDetails) -> Image {
    Image {
        id: details.id.clone(),
        digest: details.digest,
        tags: details.tags.clone(),
        created_at: details.created_at,
        first_seen_at: None,
        last_pulled_at: details.last_pulled_at,
        resource_tags: details.resource_tags.clone(),
        read_at: None,
        content: Content::Manifest { subject: None, config: None },
        layers: Some(Arc::clone(&details.layers)),
        manifest_size: details.manifest_size,
    }
}

/// No repository.
const NONE: &BTreeSet<RepositoryId> = &BTreeSet::new();

/// A pass of which there is nothing to say but what it saw.
pub(crate) fn pass(inventory: Option<&Inventory>, now: DateTime<Utc>) -> PassRecord<'_> {
    PassRecord {
        started_at: now,
        finished_at: now,
        enforcing: false,
        result: "complete",
        inventory,
        plan: None,
        usage: Vec::new(),
        account: None,
        marks: None,
        certain: NONE,
        adopted: Vec::new(),
    }
}

/// A plan with one verdict for each of these images.
pub(crate) fn plan(verdicts: &[(u64, Verdict)], now: DateTime<Utc>) -> Plan {
    let decisions = verdicts.iter().map(|(n, verdict)| Decision {
        image: image(*n),
        digest: digest(*n),
        head: digest(*n),
        verdict: verdict.clone(),
    });
    let decided = RepositoryPlan::Decided { id: repository(1), decisions: decisions.collect() };
    Plan { at: now, repositories: BTreeMap::from([(name(1), decided)]), usage: Usage::NotAsked }
}

/// A mark on the family of an image.
pub(crate) fn mark(n: u64, n_passes: u32) -> (MarkKey, Mark) {
    let key = MarkKey { repository: repository(1), head: digest(n) };
    (key, Mark { rule: "old".parse().unwrap(), policy: u64::MAX - n, since: at(0), n_passes })
}

/// The intent to delete an image of the first repository, head of a family with these other members.
pub(crate) fn intent(n: u64, members: &[u64]) -> Intent {
    Intent {
        image: image(n),
        digest: digest(n),
        repository: repository(1),
        repository_name: name(1),
        tags: BTreeMap::from([(tag("v1"), Some(at(0))), (tag("v1.0"), None)]),
        media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
        manifest: Arc::from(*b"{}"),
        etag: Etag("\"7\"".to_owned()),
        head: digest(n),
        members: members.iter().copied().map(digest).collect(),
        rule: "rule \"old\"".to_owned(),
        evidence: "96 passes".to_owned(),
        frees: Some(Bytes(1_000)),
    }
}

pub(crate) fn outcome(kind: OutcomeKind, at: DateTime<Utc>) -> Outcome {
    Outcome { kind, at, detail: "204".to_owned() }
}

pub(crate) fn tags(texts: &[&str]) -> BTreeSet<Tag> {
    texts.iter().copied().map(tag).collect()
}
