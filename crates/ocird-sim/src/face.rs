//! The in-process face: the daemon's own traits on top of the tenancy, with its permissions, faults and list shapes,
//! and a count of every call. No bytes, no signatures: for those there is the HTTP face.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use ocird_model::{
    Bytes, Clock as _, CompartmentId, DeleteTarget, Digest, ErrorKind, Etag, FetchedManifest, ImageDetails,
    ImageId, ImageRow, Layer, Lifecycle, Namespace, ReadRegistry, RegistryError, RepositoryId,
    RepositoryName, RepositoryRow, ResourceTags, TenancyId, WriteRegistry,
};

use crate::clock::ClockView;
use crate::error::ApiError;
use crate::fault::{Fault, Operation};
use crate::registry::Reference;
use crate::tenancy::Tenancy;
use crate::view::{
    Cursor, ImageQuery, ImageRowView, ImageView, Page, RepositoryKind, RepositoryQuery, RepositoryView,
    Visibility,
};

/// The largest manifest that is handed over, in bytes: what registries accept at least.
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests>
const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// The reading half of the in-process face.
#[derive(Debug, Clone)]
pub struct Face {
    tenancy: Tenancy,
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
        Self { tenancy, clock, counts: CallCounts::default(), has_answered: Arc::new(AtomicBool::new(false)) }
    }

    /// The writing half that goes with it; both count into the same counts.
    pub fn writer(&self) -> FaceWriter {
        FaceWriter { face: self.clone() }
    }

    /// How often each operation was called.
    pub const fn counts(&self) -> &CallCounts {
        &self.counts
    }

    /// One call: counted, with its fault if one is set.
    async fn call<T>(
        &self,
        operation: Operation,
        ask: impl FnOnce(&Tenancy) -> Result<T, ApiError> + Send,
    ) -> Result<(T, Option<Fault>), RegistryError> {
        self.counts.add(operation);
        let fault = self.tenancy.fault_for(operation);
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
                | Fault::DroppedRow(_),
            )
            | None => {}
        }
        let answer = ask(&self.tenancy);
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
    async fn list<T: Send>(
        &self,
        operation: Operation,
        ask: impl Fn(&Tenancy, Cursor) -> Result<Page<T>, ApiError> + Send + Sync,
    ) -> Result<Vec<T>, RegistryError> {
        let mut rows = Vec::new();
        let mut cursor = Cursor::default();
        let mut seen = BTreeSet::new();
        loop {
            let (page, fault) = self.call(operation, |tenancy| ask(tenancy, cursor)).await?;
            let page = match fault {
                Some(fault) => fault.bend(page),
                None => page,
            };
            rows.extend(page.items);
            let Some(next) = page.next else {
                return Ok(rows);
            };
            if !seen.insert(next.clone()) {
                let name = operation.as_str();
                return Err(RegistryError::new(name, ErrorKind::Endless, "a cursor came twice"));
            }
            cursor = Cursor { limit: None, page: Some(next) };
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
        self.call(Operation::Federation, identity).await.map(|(identity, _)| identity)
    }

    async fn repositories(&self, compartment: &CompartmentId) -> Result<Vec<RepositoryRow>, RegistryError> {
        let ask = |tenancy: &Tenancy, cursor| {
            tenancy.list_repositories(&RepositoryQuery {
                cursor,
                ..RepositoryQuery::in_compartment(compartment.clone())
            })
        };
        let rows = self.list(Operation::ListContainerRepositories, ask).await?;
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
        let rows = self.list(Operation::ListContainerImages, ask).await?;
        Ok(rows.into_iter().map(image_row).collect())
    }

    async fn image(&self, image: &ImageId) -> Result<ImageDetails, RegistryError> {
        let (view, _) = self.call(Operation::GetContainerImage, |tenancy| tenancy.get_image(image)).await?;
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
        let (view, _) = self.call(Operation::GetManifest, ask).await?;
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

impl WriteRegistry for FaceWriter {
    async fn delete(&self, target: &DeleteTarget, if_match: &Etag) -> Result<(), RegistryError> {
        let ask = |tenancy: &Tenancy| tenancy.delete_image(&target.image, Some(&if_match.0));
        self.face.call(Operation::DeleteContainerImage, ask).await.map(|_| ())
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
