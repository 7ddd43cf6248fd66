//! The Artifacts API: what the daemon may ask and do, under its permissions. Faults are not looked at here; the faces
//! ask for them first.
//! <https://docs.oracle.com/en-us/iaas/api/#/en/registry/20160918/>

use ocird_model::{CompartmentId, ImageId, Lifecycle, RepositoryId, Tag};

use crate::error::ApiError;
use crate::fault::Operation;
use crate::image::{Image, Life};
use crate::listing::{Slot, display_name, within};
use crate::registry::Reference;
use crate::repository::Repository;
use crate::state::{Hand, State};
use crate::tenancy::Tenancy;
use crate::truth;
use crate::view::{
    AuthTokenView, ConfigurationView, Cursor, Depth, ImageQuery, ImageRowView, ImageView, LayerView, Page,
    RepositoryQuery, RepositoryView, SignatureQuery, SignatureView, TagView,
};

impl Tenancy {
    /// `ListContainerRepositories`.
    pub fn list_repositories(&self, query: &RepositoryQuery) -> Result<Page<RepositoryView>, ApiError> {
        let (state, _) = self.lock();
        state.authorize(Operation::ListContainerRepositories, None)?;
        state.repository_page(query)
    }

    /// `GetContainerRepository`.
    pub fn get_repository(&self, id: &RepositoryId) -> Result<RepositoryView, ApiError> {
        let (state, _) = self.lock();
        let repository = state.repositories.get(id).ok_or(ApiError::NotAuthorizedOrNotFound)?;
        state.authorize(Operation::GetContainerRepository, Some(repository))?;
        Ok(state.repository_view(repository))
    }

    /// `ListContainerImages`: one row per tag or per image, as the settings say. Deleted images show for a while.
    pub fn list_images(&self, query: &ImageQuery) -> Result<Page<ImageRowView>, ApiError> {
        let (state, now) = self.lock();
        state.authorize(Operation::ListContainerImages, None)?;
        state.image_page(query, now)
    }

    /// `GetContainerImage`: answers for deleted images too, until they are purged.
    pub fn get_image(&self, id: &ImageId) -> Result<ImageView, ApiError> {
        let (state, _) = self.lock();
        let image = state.permitted(Operation::GetContainerImage, id)?;
        Ok(state.image_view(image))
    }

    /// `LookupContainerImageByUri`: `namespace/repository:tag` or `namespace/repository@sha256:…`, without a host.
    pub fn lookup_image(&self, uri: &str) -> Result<ImageView, ApiError> {
        let (state, _) = self.lock();
        let path = uri
            .strip_prefix(state.settings.namespace.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or(ApiError::NotAuthorizedOrNotFound)?;
        let (name, reference) =
            path.split_once('@').or_else(|| path.rsplit_once(':')).ok_or_else(|| invalid("imageUri"))?;
        let name = name.parse().map_err(|_| invalid("imageUri"))?;
        let reference: Reference = reference.parse().map_err(|_| invalid("imageUri"))?;
        let repository = state.repository(&name)?;
        state.authorize(Operation::LookupContainerImageByUri, Some(repository))?;
        let image = state.resolve(repository, &reference).map_err(|_| ApiError::NotAuthorizedOrNotFound)?;
        Ok(state.image_view(image))
    }

    /// `DeleteContainerImage`: the manifest goes with all its tags, whatever names it. If something needed it, the
    /// ground truth notes a violation at once.
    pub fn delete_image(&self, id: &ImageId, if_match: Option<&str>) -> Result<(), ApiError> {
        let (mut state, now) = self.lock();
        let image = state.permitted(Operation::DeleteContainerImage, id)?;
        match image.life {
            Life::Available => {}
            Life::Deleting { since: _ } => return Err(ApiError::IncorrectState { state: "DELETING" }),
            Life::Deleted { since: _ } => return Err(ApiError::NotAuthorizedOrNotFound),
        }
        check_etag(image, if_match)?;
        if let Some(violation) = truth::wrong_deletion(&state, image, now) {
            state.violations.push(violation);
        }
        state.remove(id, Hand::Daemon, now);
        Ok(())
    }

    /// Lets an image vanish by another hand: native retention, or a person in the Console. No violation is noted;
    /// whoever misses it will.
    pub fn vanish(&self, id: &ImageId) -> Result<(), ApiError> {
        let (mut state, now) = self.lock();
        match state.images.get(id).map(|image| image.life) {
            Some(Life::Available) => {
                state.remove(id, Hand::Other, now);
                Ok(())
            }
            Some(Life::Deleting { .. } | Life::Deleted { .. }) | None => {
                Err(ApiError::NotAuthorizedOrNotFound)
            }
        }
    }

    /// `RemoveContainerVersion`: takes one tag away and leaves the manifest.
    pub fn remove_version(
        &self,
        id: &ImageId,
        tag: &Tag,
        if_match: Option<&str>,
    ) -> Result<ImageView, ApiError> {
        let (mut state, now) = self.lock();
        let image = state.permitted(Operation::RemoveContainerVersion, id)?;
        check_etag(image, if_match)?;
        if !image.tags.contains_key(tag) {
            return Err(ApiError::NotAuthorizedOrNotFound);
        }
        state.untag(id, tag, now);
        Ok(state.image_view(&state.images[id]))
    }

    /// `RestoreContainerImage`: within the window, under the same OCID, without its tags but for the one named.
    pub fn restore_image(
        &self,
        id: &ImageId,
        version: Option<&Tag>,
        if_match: Option<&str>,
    ) -> Result<ImageView, ApiError> {
        let (mut state, now) = self.lock();
        let image = state.permitted(Operation::RestoreContainerImage, id)?;
        match image.life {
            Life::Deleted { since: _ } => {}
            Life::Deleting { since: _ } => return Err(ApiError::IncorrectState { state: "DELETING" }),
            Life::Available => return Err(ApiError::IncorrectState { state: "AVAILABLE" }),
        }
        check_etag(image, if_match)?;
        let repository = &state.repositories[&image.repository];
        if state.available(repository, &image.manifest.digest).is_some() {
            return Err(conflict("the digest has been pushed again under another OCID"));
        }
        if version.is_some_and(|tag| repository.tags.contains_key(tag)) {
            return Err(conflict("the version belongs to another image by now"));
        }
        state.revive(id, now);
        if let Some(tag) = version {
            state.tag(id, tag, "ocid1.user.oc1..aaaaaaaarestorer", now);
        }
        Ok(state.image_view(&state.images[id]))
    }

    /// `GetContainerConfiguration`.
    pub fn configuration(&self, compartment: &CompartmentId) -> Result<ConfigurationView, ApiError> {
        let (state, _) = self.lock();
        state.authorize(Operation::GetContainerConfiguration, None)?;
        state.check_compartment(compartment, Depth::Compartment)?;
        Ok(ConfigurationView {
            namespace: state.settings.namespace.clone(),
            is_repository_created_on_first_push: false,
        })
    }

    /// Signs an image: a resource beside it, tied to its OCID.
    pub fn sign_image(&self, id: &ImageId, by: &str) -> Result<SignatureView, ApiError> {
        let (mut state, now) = self.lock();
        let ocid = state.ocid("containerimagesignature");
        let image = state.images.get(id).ok_or(ApiError::NotAuthorizedOrNotFound)?;
        let repository = &state.repositories[&image.repository];
        let signature = SignatureView {
            id: ocid,
            image: id.clone(),
            digest: image.manifest.digest,
            repository: repository.id.clone(),
            repository_name: repository.name.clone(),
            compartment: repository.compartment.clone(),
            kms_key: "ocid1.key.oc1.eu-milan-1.simulated.signer".to_owned(),
            created_at: now,
            created_by: by.to_owned(),
        };
        state.signatures.push(signature.clone());
        Ok(signature)
    }

    /// `ListContainerImageSignatures`.
    pub fn list_image_signatures(&self, query: &SignatureQuery) -> Result<Page<SignatureView>, ApiError> {
        let (state, _) = self.lock();
        state.authorize(Operation::ListContainerImageSignatures, None)?;
        state.check_compartment(&query.compartment, query.depth)?;
        let question = format!("{:?}", SignatureQuery { cursor: Cursor::default(), ..query.clone() });
        let slot = Slot::read(&query.cursor, &question, &state.settings)?;
        let fitting = |signature: &&SignatureView| {
            within(&signature.compartment, &query.compartment, query.depth)
                && query.image.as_ref().is_none_or(|id| *id == signature.image)
                && query.repository.as_ref().is_none_or(|id| *id == signature.repository)
                && query
                    .repository_name
                    .as_ref()
                    .is_none_or(|name| *name == signature.repository_name.as_str())
                && query.digest.is_none_or(|digest| digest == signature.digest)
        };
        let rows = state.signatures.iter().filter(fitting).cloned();
        Ok(slot.page(slot.cut(rows).collect(), state.signatures.len()))
    }

    /// The auth tokens of a user; a user nobody knows is not found.
    pub fn list_auth_tokens(&self, user: &str) -> Result<Vec<AuthTokenView>, ApiError> {
        let (state, _) = self.lock();
        state.authorize(Operation::ListAuthTokens, None)?;
        state.auth_tokens.get(user).cloned().ok_or(ApiError::NotAuthorizedOrNotFound)
    }
}

impl State {
    /// Refuses what the daemon's rights do not hold, in the cloud's words.
    pub(crate) fn authorize(
        &self,
        operation: Operation,
        repository: Option<&Repository>,
    ) -> Result<(), ApiError> {
        if self.iam.permits(operation, repository.map(|repository| &repository.name)) {
            Ok(())
        } else {
            Err(ApiError::NotAuthorizedOrNotFound)
        }
    }

    /// The image, if it exists and the daemon may do this to it.
    fn permitted(&self, operation: Operation, id: &ImageId) -> Result<&Image, ApiError> {
        let image = self.images.get(id).ok_or(ApiError::NotAuthorizedOrNotFound)?;
        self.authorize(operation, Some(&self.repositories[&image.repository]))?;
        Ok(image)
    }

    pub(crate) fn repository_view(&self, repository: &Repository) -> RepositoryView {
        RepositoryView {
            id: repository.id.clone(),
            name: repository.name.clone(),
            compartment: repository.compartment.clone(),
            namespace: self.settings.namespace.clone(),
            created_by: repository.created_by.clone(),
            created_at: repository.created_at,
            visibility: repository.visibility,
            mutability: repository.mutability,
            kind: repository.kind,
            n_images: repository.n_available,
            n_layers: repository.n_layers(),
            layers_size: repository.layers_size,
            last_pushed_at: repository.last_pushed_at,
            lifecycle: Lifecycle::Available,
        }
    }

    pub(crate) fn image_view(&self, image: &Image) -> ImageView {
        let repository = &self.repositories[&image.repository];
        let tags = image.tags_by_time();
        ImageView {
            id: image.id.clone(),
            digest: image.manifest.digest,
            display_name: display_name(repository, image, tags.first().map(|(tag, _)| *tag)),
            repository: repository.id.clone(),
            repository_name: repository.name.clone(),
            compartment: repository.compartment.clone(),
            tags: tags
                .into_iter()
                .map(|(tag, stamp)| TagView {
                    tag: tag.clone(),
                    created_at: stamp.at,
                    created_by: stamp.by.clone(),
                })
                .collect(),
            layers: image
                .facts
                .blobs
                .iter()
                .map(|(digest, size)| LayerView {
                    digest: *digest,
                    size: *size,
                    created_at: image.created_at,
                })
                .collect(),
            manifest_size: image.manifest.bytes.len() as u64,
            n_pulls: image.n_pulls,
            last_pulled_at: image.last_pulled_at,
            created_at: image.created_at,
            created_by: image.created_by.clone(),
            lifecycle: image.lifecycle(),
            etag: image.etag(),
        }
    }
}

fn check_etag(image: &Image, if_match: Option<&str>) -> Result<(), ApiError> {
    match if_match {
        Some(etag) if etag != image.etag() => Err(ApiError::NoEtagMatch),
        Some(_) | None => Ok(()),
    }
}

fn invalid(what: &str) -> ApiError {
    ApiError::InvalidParameter { what: what.to_owned() }
}

fn conflict(what: &str) -> ApiError {
    ApiError::Conflict { what: what.to_owned() }
}
