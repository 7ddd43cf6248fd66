//! The operations of the Artifacts API that ocird uses: it reads repositories and images, and changes images only.
//! <https://docs.oracle.com/en-us/iaas/api/#/en/registry/20160918/>
//!
//! There is no operation here that creates, changes or deletes a repository.

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use ocird_model::{
    Clock, CompartmentId, Digest, Etag, ImageDetails, ImageId, ImageRow, Namespace, RepositoryId,
    RepositoryName, RepositoryRow, Tag,
};
use serde::Serialize;

use crate::client::{Call, Client, if_match};
use crate::counts::Operation;
use crate::places::Service;
use crate::retry::Repeat;
use crate::target::Target;
use crate::transport::Answer;
use crate::{OciError, page, wire};

/// The most bytes of one repository or image; an image with 128 layers and a thousand tags has under one million.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// What a tenancy has configured about its registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// The namespace, the first part of every image path.
    pub namespace: Namespace,
    /// A push to a repository that does not exist creates it, in the root compartment.
    pub creates_on_first_push: bool,
}

/// One repository as a read of it shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryDetails {
    /// What the list shows as well.
    pub row: RepositoryRow,
    /// Tags cannot be moved to another image.
    pub is_immutable: bool,
    /// When it was created.
    pub created_at: Option<DateTime<Utc>>,
    /// When something was last pushed to it, if ever.
    pub last_pushed_at: Option<DateTime<Utc>>,
}

/// What leads to one image of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagOrDigest {
    /// The image that has this tag at present.
    Tag(Tag),
    /// The image of this digest.
    Digest(Digest),
}

impl<C: Clock> Client<C> {
    /// The registry's configuration. `compartment` is the tenancy's root.
    pub(crate) async fn configuration(&self, compartment: &CompartmentId) -> Result<Configuration, OciError> {
        let target = target("configuration").with("compartmentId", compartment.as_str());
        let call = Call::get(Operation::GetContainerConfiguration, target, MAX_ANSWER);
        let wire: wire::Configuration = self.signed(call).await?.json("the configuration")?;
        Ok(Configuration {
            namespace: wire.namespace,
            creates_on_first_push: wire.is_repository_created_on_first_push,
        })
    }

    /// Every repository of one compartment.
    pub(crate) async fn repositories(
        &self,
        compartment: &CompartmentId,
    ) -> Result<Vec<RepositoryRow>, OciError> {
        let target = target("repositories").with("compartmentId", compartment.as_str());
        let rows: Vec<wire::Repository> =
            page::list(self, Operation::ListContainerRepositories, target).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// One repository.
    pub(crate) async fn repository(&self, id: &RepositoryId) -> Result<RepositoryDetails, OciError> {
        let target = target(&format!("repositories/{id}"));
        let call = Call::get(Operation::GetContainerRepository, target, MAX_ANSWER);
        let wire: wire::FullRepository = self.signed(call).await?.json("the repository")?;
        Ok(RepositoryDetails {
            row: wire.summary.into(),
            is_immutable: wire.is_immutable,
            created_at: wire.time_created,
            last_pushed_at: wire.time_last_pushed,
        })
    }

    /// Every row of one repository.
    pub(crate) async fn images(
        &self,
        compartment: &CompartmentId,
        repository: &RepositoryId,
    ) -> Result<Vec<ImageRow>, OciError> {
        let target = target("images")
            .with("compartmentId", compartment.as_str())
            .with("repositoryId", repository.as_str());
        let rows: Vec<wire::ImageSummary> = page::list(self, Operation::ListContainerImages, target).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// One image with its etag.
    pub(crate) async fn image(&self, id: &ImageId) -> Result<ImageDetails, OciError> {
        let target = target(&format!("images/{id}"));
        let answer = self.signed(Call::get(Operation::GetContainerImage, target, MAX_ANSWER)).await?;
        details(&answer)
    }

    /// The image that `at` leads to, with its etag. A read, although the API wants it as a POST.
    pub(crate) async fn image_by_uri(
        &self,
        namespace: &Namespace,
        repository: &RepositoryName,
        at: &TagOrDigest,
    ) -> Result<ImageDetails, OciError> {
        let uri = match at {
            TagOrDigest::Tag(tag) => format!("{namespace}/{repository}:{tag}"),
            TagOrDigest::Digest(digest) => format!("{namespace}/{repository}@{digest}"),
        };
        let body = body(&wire::LookupDetails { image_uri: &uri })?;
        let target = target("images/actions/lookupImageByUri");
        let call = Call {
            method: Method::POST,
            body: &body,
            ..Call::get(Operation::LookupContainerImageByUri, target, MAX_ANSWER)
        };
        details(&self.signed(call).await?)
    }

    /// Deletes one image if it still has this etag; sent once, but for answers given before any work was done.
    pub(crate) async fn delete_image(&self, id: &ImageId, etag: &Etag) -> Result<(), OciError> {
        let call = Call {
            method: Method::DELETE,
            headers: HeaderMap::from_iter([if_match(etag)?]),
            repeat: Repeat::Carefully,
            ..Call::get(Operation::DeleteContainerImage, target(&format!("images/{id}")), MAX_ANSWER)
        };
        self.signed(call).await.map(drop)
    }

    /// Takes one tag off an image and leaves the rest of it as it is.
    pub(crate) async fn remove_version(&self, id: &ImageId, tag: &Tag, etag: &Etag) -> Result<(), OciError> {
        let headers = HeaderMap::from_iter([if_match(etag)?]);
        let target = target(&format!("images/{id}/actions/removeVersion"));
        let operation = Operation::RemoveContainerVersion;
        self.act(operation, target, headers, Some(tag), Repeat::Freely).await.map(drop)
    }

    /// Brings back an image deleted within the last 48 hours, with one tag attached or with none. Sent once, but for answers
    /// given before any work was done: whoever asked reads what came of it before asking again.
    pub(crate) async fn restore_image(&self, id: &ImageId, tag: Option<&Tag>) -> Result<(), OciError> {
        let target = target(&format!("images/{id}/actions/restore"));
        let operation = Operation::RestoreContainerImage;
        self.act(operation, target, HeaderMap::new(), tag, Repeat::Carefully).await.map(drop)
    }

    /// Posts one action. Its retry token makes the service do it once however often it is sent.
    async fn act(
        &self,
        operation: Operation,
        target: Target,
        mut headers: HeaderMap,
        tag: Option<&Tag>,
        repeat: Repeat,
    ) -> Result<Answer, OciError> {
        let body = body(&wire::VersionDetails { version: tag })?;
        headers.extend([retry_token()?]);
        let call = Call {
            operation,
            service: Service::Artifacts,
            method: Method::POST,
            target,
            headers,
            body: &body,
            repeat,
            max_body: MAX_ANSWER,
        };
        self.signed(call).await
    }
}

/// The image of an answer, with the etag beside it.
fn details(answer: &Answer) -> Result<ImageDetails, OciError> {
    let wire: wire::Image = answer.json("the image")?;
    Ok(wire.with_etag(answer.header("etag").map(|text| Etag(text.to_owned()))))
}

fn body(details: &impl Serialize) -> Result<Vec<u8>, OciError> {
    serde_json::to_vec(details).map_err(|error| OciError::malformed("the body of a request", error))
}

/// A path of the container half of the Artifacts API. OCIDs need no encoding: their characters were checked.
fn target(path: &str) -> Target {
    Target::new(format!("/20160918/container/{path}"))
}

/// A fresh `opc-retry-token`: 32 hex digits.
fn retry_token() -> Result<(HeaderName, HeaderValue), OciError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| OciError::malformed("a retry token", "the system gives no random bytes"))?;
    let token = format!("{:032x}", u128::from_ne_bytes(bytes));
    let value = HeaderValue::from_str(&token).map_err(|error| OciError::malformed("a retry token", error))?;
    Ok((HeaderName::from_static("opc-retry-token"), value))
}
