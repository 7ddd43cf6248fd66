//! What a simulated tenancy is called and how it behaves where nobody knows how the cloud behaves.
//!
//! Every open question of the real service that could hurt is a setting here, and its default is the reading that is
//! harder for ocird. Nothing in this file does anything.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{CompartmentId, Namespace, TenancyId};

/// Names and behaviour of a tenancy. Changed in flight with [`crate::Tenancy::configure`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// The seed of every identifier the tenancy invents: same seed and same calls, same world.
    pub seed: u64,
    /// The instant at which the tenancy's clock starts.
    pub start: DateTime<Utc>,
    /// The tenancy's OCID; also its root compartment.
    pub tenancy: TenancyId,
    /// The compartments below the root.
    pub compartments: Vec<CompartmentId>,
    /// The region identifier, such as `eu-milan-1`.
    pub region: String,
    /// The region's short key, such as `lin`, the first label of the registry's usual host name.
    pub region_key: String,
    /// The second-level domain of the realm.
    pub realm_domain: String,
    /// The Object Storage namespace, first part of every image path.
    pub namespace: Namespace,
    /// The OCID of the instance that the daemon runs on.
    pub instance: String,
    /// What one row of the image list is.
    pub shape: ListingShape,
    /// What makes an image's etag change.
    pub etag: EtagChanges,
    /// How long a deleted image says DELETING before it says DELETED.
    pub deletion_delay: TimeDelta,
    /// How long an unfiltered list still shows an image after its deletion.
    pub listing_linger: TimeDelta,
    /// How long a fresh or restored image is missing from lists, while it can already be pulled.
    pub listing_lag: TimeDelta,
    /// How long the repository's byte count still holds the layers of a deleted image.
    pub storage_lag: TimeDelta,
    /// How long a deleted image can be restored; afterwards it is purged.
    pub restore_window: TimeDelta,
    /// Whose pull data a pull through an index touches.
    pub pull_accounting: PullAccounting,
    /// Whether a pull leaves its time beside its count.
    pub pull_times: PullTimes,
    /// Whether a bare GET of a manifest by the daemon counts as a pull.
    pub manifest_reads: ManifestReads,
    /// What a push of a digest makes of an image with that digest that is deleted but not purged.
    pub repush: Repush,
    /// Number of earlier deployments per workload that must remain for a rollback.
    pub rollback_keep: usize,
    /// Whether the reference files of the hosts also name what a rollback may want. `ocird collect` cannot know it, so that
    /// without this ocird's own history must.
    pub writes_rollbacks: bool,
    /// Rows per page when the caller names no limit, and the most it may get.
    pub page_size: usize,
}

/// What one row of the image list is. The SDK's words read one way, four users saw the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingShape {
    /// One row for each tag, and one for an image without tags.
    PerTag,
    /// One row for each image, with its most recent tag.
    PerImage,
}

/// What makes an image's etag change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EtagChanges {
    /// Only its lifecycle: `if-match` does not notice a new tag.
    LifecycleOnly,
    /// Its lifecycle and its tags.
    Tags,
    /// Its lifecycle, its tags and every pull.
    TagsAndPulls,
}

/// What a pull leaves in the pull data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullTimes {
    /// It is counted, and its time is the last.
    Known,
    /// It is only counted: the time comes later than anybody looks, or never.
    Missing,
}

/// Whose pull data a pull through an index touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullAccounting {
    /// The index only.
    Index,
    /// The child for the platform only.
    Child,
    /// Both.
    Both,
}

/// Whether a bare GET of a manifest counts as a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestReads {
    /// It does: a daemon that reads too often keeps everything alive.
    CountAsPulls,
    /// It does not.
    AreFree,
}

/// What a push makes of a deleted image with the same digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repush {
    /// A new image with a new OCID; the deleted one stays deleted.
    NewImage,
    /// The deleted image comes back under its OCID.
    Revives,
}

impl Settings {
    /// The host name that people put before an image path, such as `lin.ocir.io`.
    pub fn registry_host(&self) -> String {
        format!("{}.ocir.io", self.region_key)
    }

    /// Every spelling of that host: the usual one first, then by region, then as the Console's pull command has it.
    /// <https://docs.oracle.com/en-us/iaas/Content/Registry/Concepts/registryprerequisites.htm>
    pub fn registry_hosts(&self) -> Vec<String> {
        let Self { region, realm_domain, .. } = self;
        vec![self.registry_host(), format!("{region}.ocir.io"), format!("ocir.{region}.oci.{realm_domain}")]
    }
}

impl Default for Settings {
    /// The tenancy of the first team of the design: Milan, one compartment, the harder reading of every open question.
    fn default() -> Self {
        Self {
            seed: 1,
            start: DateTime::from_timestamp(1_767_225_600, 0).expect("2026-01-01 is a date"),
            tenancy: parsed("ocid1.tenancy.oc1..aaaaaaaasimulatedtenancy"),
            compartments: vec![parsed("ocid1.compartment.oc1..aaaaaaaasimulatedcompartment")],
            region: "eu-milan-1".to_owned(),
            region_key: "lin".to_owned(),
            realm_domain: "oraclecloud.com".to_owned(),
            namespace: parsed("axsimulated"),
            instance: "ocid1.instance.oc1.eu-milan-1.anwgsimulatedinstance".to_owned(),
            shape: ListingShape::PerTag,
            etag: EtagChanges::LifecycleOnly,
            deletion_delay: TimeDelta::seconds(90),
            listing_linger: TimeDelta::minutes(10),
            listing_lag: TimeDelta::zero(),
            storage_lag: TimeDelta::hours(12),
            restore_window: TimeDelta::hours(48),
            pull_accounting: PullAccounting::Both,
            pull_times: PullTimes::Known,
            manifest_reads: ManifestReads::CountAsPulls,
            repush: Repush::NewImage,
            rollback_keep: 1,
            writes_rollbacks: true,
            page_size: 100,
        }
    }
}

/// Reads one of the constants of this crate.
pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("the simulator's own names are well formed")
}
