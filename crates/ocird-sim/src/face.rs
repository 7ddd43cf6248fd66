//! The in-process face: the daemon's own traits on top of the tenancy, with its permissions, faults and list shapes,
//! and a count of every call. No bytes, no signatures: for those there is the HTTP face.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use ocird_model::{
    Bytes, Clock as _, CompartmentId, DeleteTarget, Digest, ErrorKind, Etag, FetchedManifest, ImageDetails,
    ImageId, ImageRow, Layer, Lifecycle, Namespace, ReadRegistry, RegistryError, RepositoryId,
    RepositoryName, RepositoryRow, ResourceTags, RestoreRegistry, Tag, TagPath, TenancyId, WriteRegistry,
};

use crate::clock::ClockView;
use crate::digest::sha256;
use crate::error::ApiError;
use crate::fault::{Fault, Operation};
use crate::registry::Reference;
use crate::tenancy::Tenancy;
use crate::view::{
    Cursor, ImageQuery, ImageRowView, ImageView, Page, RepositoryKind, RepositoryQuery, RepositoryView,
    SignatureQuery, Visibility,
};

/// The largest manifest that is handed over, in bytes: what registries accept at least.
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests>
const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// One call, as whoever listens in hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call<'a> {
    /// What is asked.
    pub operation: Operation,
    /// About what.
    pub about: About<'a>,
}

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About<'a> {
    /// The tenancy or a compartment as a whole.
    Place,
    /// The images of the repository with this OCID, from the first page on.
    Repository(&'a RepositoryId),
    /// A further page of them.
    FurtherPage(&'a RepositoryId),
    /// The image with this OCID.
    Image(&'a ImageId),
    /// A manifest of this repository.
    Manifest(&'a RepositoryName, &'a Digest),
}

/// Somebody who stands between the daemon and the tenancy: around each call the world may move, the call may go wrong, or
/// the daemon may die.
pub trait Bystander: fmt::Debug + Send + Sync {
    /// Just before the call.
    fn before(&self, call: Call<'_>) -> Turn;

    /// Just after its effect, before its answer.
    fn after(&self, call: Call<'_>) -> Turn;
}

/// How a call goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// As it should.
    Goes,
    /// It goes wrong in this way. Means nothing after the effect.
    Fails(Fault),
    /// Never: whoever asks is dead. The future is left as it is, to be dropped.
    Dies,
}

/// The reading half of the in-process face.
#[derive(Debug, Clone)]
pub struct Face {
    tenancy: Tenancy,
    bystander: Option<Arc<dyn Bystander>>,
    clock: ClockView,
    counts: CallCounts,
    /// Whether any call was answered, so that the server's clock is known.
    has_answered: Arc<AtomicBool>,
}

/// The writing half. Only the acting step is ever handed one.
#[derive(Debug, Clone)]
pub struct FaceWriter {
    face: Face,
}

/// The half that undoes. It cannot delete.
#[derive(Debug, Clone)]
pub struct FaceRestorer {
    face: Face,
}

/// How often each operation was called. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct CallCounts {
    counts: Arc<Mutex<BTreeMap<Operation, u64>>>,
}

impl CallCounts {
    /// Number of calls of this operation.
    pub fn of(&self, operation: Operation) -> u64 {
        self.lock().get(&operation).copied().unwrap_or(0)
    }

    /// Number of all calls.
    pub fn total(&self) -> u64 {
        self.lock().values().sum()
    }

    /// Every operation that was called, with its count.
    pub fn all(&self) -> BTreeMap<Operation, u64> {
        self.lock().clone()
    }

    /// Starts from zero again.
    pub fn reset(&self) {
        self.lock().clear();
    }

    fn add(&self, operation: Operation) {
        *self.lock().entry(operation).or_default() += 1;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Operation, u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Face {
    /// A face for a daemon whose host has this clock.
    pub fn new(tenancy: Tenancy, clock: ClockView) -> Self {
        Self {
            tenancy,
            bystander: None,
            clock,
            counts: CallCounts::default(),
            has_answered: Arc::new(AtomicBool::new(false)),
        }
    }

    /// The face with somebody beside it.
    #[must_use]
    pub fn beside(self, bystander: Arc<dyn Bystander>) -> Self {
        Self { bystander: Some(bystander), ..self }
    }

    /// The writing half that goes with it; both count into the same counts.
    pub fn writer(&self) -> FaceWriter {
        FaceWriter { face: self.clone() }
    }

    /// The half that undoes; it counts into the same counts.
    pub fn restorer(&self) -> FaceRestorer {
        FaceRestorer { face: self.clone() }
    }

    /// How often each operation was called.
    pub const fn counts(&self) -> &CallCounts {
        &self.counts
    }

    /// One call: counted, with its fault if one is set.
    async fn call<T>(
        &self,
        call: Call<'_>,
        ask: impl FnOnce(&Tenancy) -> Result<T, ApiError> + Send,
    ) -> Result<(T, Option<Fault>), RegistryError> {
        let operation = call.operation;
        self.counts.add(operation);
        let set = self.tenancy.fault_for(operation);
        let fault = match self.bystander.as_ref().map(|bystander| bystander.before(call)) {
            None | Some(Turn::Goes) => set,
            Some(Turn::Fails(fault)) => set.or(Some(fault)),
            Some(Turn::Dies) => std::future::pending().await,
        };
        let name = operation.as_str();
        match &fault {
            Some(Fault::Status { status, code }) => {
                return Err(RegistryError::new(name, kind_of(*status), *code));
            }
            Some(Fault::Throttled { retry_after: _ }) => {
                return Err(RegistryError::new(name, ErrorKind::Throttled, "TooManyRequests"));
            }
            Some(Fault::Instead(_)) => {
                return Err(RegistryError::new(name, ErrorKind::Malformed, "not what was asked for"));
            }
            Some(Fault::Dropped) => {
                return Err(RegistryError::new(name, ErrorKind::Unreachable, "connection reset"));
            }
            Some(Fault::Slow(delay)) => self.clock.sleep(*delay).await,
            Some(
                Fault::AnswerLost
                | Fault::Garbled
                // No certificates on this face, and so nothing to notice.
                | Fault::Rotation
                | Fault::EmptyPage
                | Fault::RepeatedCursor
                | Fault::DroppedRow(_)
                | Fault::RepeatedRow(_)
                | Fault::Reversed
                | Fault::Cut,
            )
            | None => {}
        }
        let answer = ask(&self.tenancy);
        if self.bystander.as_ref().is_some_and(|bystander| bystander.after(call) == Turn::Dies) {
            std::future::pending::<()>().await;
        }
        match fault {
            Some(Fault::AnswerLost) => Err(RegistryError::new(name, ErrorKind::Timeout, "no answer in time")),
            Some(Fault::Garbled) => Err(RegistryError::new(name, ErrorKind::Malformed, "not JSON")),
            fault => {
                self.has_answered.store(true, Ordering::Relaxed);
                let answer =
                    answer.map_err(|error| RegistryError::new(name, kind_of(error.status()), error))?;
                Ok((answer, fault))
            }
        }
    }

    /// A whole list, page by page.
    async fn list<T: Clone + Send>(
        &self,
        mut call: Call<'_>,
        ask: impl Fn(&Tenancy, Cursor) -> Result<Page<T>, ApiError> + Send + Sync,
    ) -> Result<Vec<T>, RegistryError> {
        let mut rows = Vec::new();
        let mut cursor = Cursor::default();
        let mut seen = BTreeSet::new();
        loop {
            let (page, fault) = self.call(call, |tenancy| ask(tenancy, cursor)).await?;
            let page = match fault {
                Some(fault) => fault.bend(page),
                None => page,
            };
            rows.extend(page.items);
            let Some(next) = page.next else {
                return Ok(rows);
            };
            if !seen.insert(next.clone()) {
                let name = call.operation.as_str();
                return Err(RegistryError::new(name, ErrorKind::Endless, "a cursor came twice"));
            }
            cursor = Cursor { limit: None, page: Some(next) };
            if let About::Repository(repository) = call.about {
                call.about = About::FurtherPage(repository);
            }
        }
    }
}

impl ReadRegistry for Face {
    async fn registry_hosts(&self) -> Result<Vec<String>, RegistryError> {
        Ok(self.tenancy.settings().registry_hosts())
    }

    async fn identity(&self) -> Result<(TenancyId, String), RegistryError> {
        let identity = |tenancy: &Tenancy| {
            let settings = tenancy.settings();
            Ok((settings.tenancy, settings.region))
        };
        let call = Call { operation: Operation::Federation, about: About::Place };
        self.call(call, identity).await.map(|(identity, _)| identity)
    }

    async fn repositories(&self, compartment: &CompartmentId) -> Result<Vec<RepositoryRow>, RegistryError> {
        let ask = |tenancy: &Tenancy, cursor| {
            tenancy.list_repositories(&RepositoryQuery {
                cursor,
                ..RepositoryQuery::in_compartment(compartment.clone())
            })
        };
        let call = Call { operation: Operation::ListContainerRepositories, about: About::Place };
        let rows = self.list(call, ask).await?;
        Ok(rows.into_iter().map(repository_row).collect())
    }

    async fn images(
        &self,
        compartment: &CompartmentId,
        repository: &RepositoryId,
    ) -> Result<Vec<ImageRow>, RegistryError> {
        let ask = |tenancy: &Tenancy, cursor| {
            tenancy.list_images(&ImageQuery {
                cursor,
                ..ImageQuery::in_repository(compartment.clone(), repository.clone())
            })
        };
        let about = About::Repository(repository);
        let rows = self.list(Call { operation: Operation::ListContainerImages, about }, ask).await?;
        Ok(rows.into_iter().map(image_row).collect())
    }

    async fn signed_images(&self, compartment: &CompartmentId) -> Result<BTreeSet<ImageId>, RegistryError> {
        let ask = |tenancy: &Tenancy, cursor| {
            tenancy.list_image_signatures(&SignatureQuery {
                cursor,
                ..SignatureQuery::in_compartment(compartment.clone())
            })
        };
        let call = Call { operation: Operation::ListContainerImageSignatures, about: About::Place };
        let rows = self.list(call, ask).await?;
        Ok(rows.into_iter().map(|signature| signature.image).collect())
    }

    async fn image(&self, image: &ImageId) -> Result<ImageDetails, RegistryError> {
        let call = Call { operation: Operation::GetContainerImage, about: About::Image(image) };
        let (view, _) = self.call(call, |tenancy| tenancy.get_image(image)).await?;
        Ok(details(view))
    }

    async fn manifest(
        &self,
        namespace: &Namespace,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<FetchedManifest, RegistryError> {
        let ask = |tenancy: &Tenancy| {
            if *namespace == tenancy.settings().namespace {
                tenancy.manifest(repository, &Reference::Digest(*digest))
            } else {
                Err(ApiError::NotAuthorizedOrNotFound)
            }
        };
        let about = About::Manifest(repository, digest);
        let (view, _) = self.call(Call { operation: Operation::GetManifest, about }, ask).await?;
        let too_large = view.bytes.len() > MAX_MANIFEST_BYTES;
        Ok(FetchedManifest {
            media_type: view.media_type.to_string(),
            bytes: if too_large { Arc::from([]) } else { view.bytes },
            too_large,
        })
    }

    fn server_clock_ahead(&self) -> Option<TimeDelta> {
        let known = self.has_answered.load(Ordering::Relaxed);
        known.then(|| self.tenancy.now() - self.clock.now())
    }
}

impl RestoreRegistry for FaceRestorer {
    async fn restore(&self, image: &ImageId, tag: Option<&Tag>) -> Result<(), RegistryError> {
        let ask = |tenancy: &Tenancy| tenancy.restore_image(image, tag, None);
        let call = Call { operation: Operation::RestoreContainerImage, about: About::Image(image) };
        self.face.call(call, ask).await.map(|_| ())
    }

    async fn put_tag(&self, at: &TagPath, manifest: &FetchedManifest) -> Result<(), RegistryError> {
        let TagPath { namespace, repository, tag } = at;
        let digest = sha256(&manifest.bytes);
        let ask = |tenancy: &Tenancy| {
            if *namespace == tenancy.settings().namespace {
                tenancy.put_tag(repository, tag, &manifest.media_type, &manifest.bytes)
            } else {
                Err(ApiError::NotAuthorizedOrNotFound)
            }
        };
        let call = Call { operation: Operation::PutManifest, about: About::Manifest(repository, &digest) };
        self.face.call(call, ask).await.map(|_| ()).map_err(|error| match error.kind() {
            // The registry says plainly what the other APIs hide behind a 404.
            ErrorKind::NotFound
                if !self.face.tenancy.iam().permits(Operation::PutManifest, Some(repository)) =>
            {
                RegistryError::new(Operation::PutManifest.as_str(), ErrorKind::Forbidden, "DENIED")
            }
            _ => error,
        })
    }
}

impl WriteRegistry for FaceWriter {
    async fn delete(&self, target: &DeleteTarget, if_match: &Etag) -> Result<(), RegistryError> {
        let ask = |tenancy: &Tenancy| tenancy.delete_image(&target.image, Some(&if_match.0));
        let about = About::Image(&target.image);
        self.face.call(Call { operation: Operation::DeleteContainerImage, about }, ask).await.map(|_| ())
    }
}

/// The kind of failure that a status means to the daemon.
const fn kind_of(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        412 => ErrorKind::Changed,
        429 => ErrorKind::Throttled,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::Refused,
    }
}

fn repository_row(view: RepositoryView) -> RepositoryRow {
    RepositoryRow {
        id: view.id,
        name: view.name,
        compartment: view.compartment,
        namespace: view.namespace,
        n_images: view.n_images,
        layers_size: Bytes(view.layers_size),
        is_public: view.visibility == Visibility::Public,
        lifecycle: match view.kind {
            RepositoryKind::Plain => view.lifecycle,
            // The row has no room for the sort of repository; what is not plain must look unknown (S-7).
            RepositoryKind::PullThroughCache | RepositoryKind::MultiRegion => Lifecycle::Unknown,
        },
    }
}

fn image_row(view: ImageRowView) -> ImageRow {
    ImageRow {
        id: view.id,
        digest: view.digest,
        tag: view.tag,
        repository: view.repository,
        created_at: Some(view.created_at),
        lifecycle: view.lifecycle,
    }
}

fn details(view: ImageView) -> ImageDetails {
    let layers = view.layers.iter().map(|layer| Layer { digest: layer.digest, size: Bytes(layer.size) });
    ImageDetails {
        layers: layers.collect(),
        id: view.id,
        digest: view.digest,
        repository: view.repository,
        tags: view.tags.into_iter().map(|tag| (tag.tag, Some(tag.created_at))).collect(),
        manifest_size: Bytes(view.manifest_size),
        n_pulls: view.n_pulls,
        last_pulled_at: view.last_pulled_at,
        created_at: Some(view.created_at),
        created_by: Some(view.created_by),
        resource_tags: Some(ResourceTags::default()),
        lifecycle: view.lifecycle,
        etag: Some(Etag(view.etag)),
    }
}
