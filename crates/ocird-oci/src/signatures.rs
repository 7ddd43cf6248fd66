//! The OCI image signatures of a repository: which images somebody signed, and so relies on (S-35).
//! <https://docs.oracle.com/en-us/iaas/api/#/en/registry/20160918/ContainerImageSignatureSummary/>
//!
//! Whether a signature is right is for who verifies it at deployment; here it is enough that there is one.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ocird_model::{Clock, CompartmentId, ImageId, Lifecycle, RepositoryId};
use serde::Deserialize;

use crate::client::Client;
use crate::counts::Operation;
use crate::error::clean;
use crate::target::Target;
use crate::wire::{lifecycle, time};
use crate::{OciError, page};

/// Where signatures are listed.
const PATH: &str = "/20160918/container/imageSignatures";

/// One signature of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSignature {
    /// Its OCID.
    pub id: String,
    /// The image that was signed.
    pub image: ImageId,
    /// The OCID of the key it was signed with.
    pub key: String,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// Whether it is there, going or gone.
    pub lifecycle: Lifecycle,
}

/// `ContainerImageSignatureSummary`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSignature {
    id: String,
    image_id: ImageId,
    kms_key_id: String,
    #[serde(default, deserialize_with = "time")]
    time_created: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "lifecycle")]
    lifecycle_state: Lifecycle,
}

impl<C: Clock> Client<C> {
    /// Every image of a compartment that has a signature, to the last page. Only a signature that is known to be on its way
    /// out does not count (S-7).
    pub(crate) async fn signed_images(
        &self,
        compartment: &CompartmentId,
    ) -> Result<BTreeSet<ImageId>, OciError> {
        let target = Target::new(PATH).with("compartmentId", compartment.as_str());
        let rows: Vec<WireSignature> =
            page::list(self, Operation::ListContainerImageSignatures, target).await?;
        let counts = |row: &WireSignature| match row.lifecycle_state {
            Lifecycle::Available | Lifecycle::Unknown => true,
            Lifecycle::Deleting | Lifecycle::Deleted => false,
        };
        Ok(rows.into_iter().filter(counts).map(|row| row.image_id).collect())
    }

    /// Every signature of the images of one repository, to the last page.
    pub(crate) async fn image_signatures(
        &self,
        compartment: &CompartmentId,
        repository: &RepositoryId,
    ) -> Result<Vec<ImageSignature>, OciError> {
        let target = Target::new(PATH)
            .with("compartmentId", compartment.as_str())
            .with("repositoryId", repository.as_str());
        let rows: Vec<WireSignature> =
            page::list(self, Operation::ListContainerImageSignatures, target).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

impl From<WireSignature> for ImageSignature {
    fn from(wire: WireSignature) -> Self {
        Self {
            id: clean(&wire.id),
            image: wire.image_id,
            key: clean(&wire.kms_key_id),
            created_at: wire.time_created,
            lifecycle: wire.lifecycle_state,
        }
    }
}
