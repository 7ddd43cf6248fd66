//! The files as they are written: the shape of the TOML and nothing else. Every value is optional and keeps its place,
//! so that what is missing or wrong is said by the checks, with a caret, all at once.
//!
//! The shape is closed: a key that is not here is an error, never ignored.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::admin::RawAdmin;
use super::findings::RawFindings;
use super::price::RawPrice;

/// A value with its place, if it was given.
pub(super) type Given<T> = Option<Spanned<T>>;
/// A list with its place and the place of each item.
pub(super) type GivenList = Given<Vec<Spanned<String>>>;

/// `ocird.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    pub(super) mode: Given<RawMode>,
    pub(super) state_dir: Given<String>,
    pub(super) policies_dir: Given<String>,
    pub(super) armed_for: Given<RawArmedFor>,
    pub(super) oci: Given<RawOci>,
    pub(super) store: RawStore,
    pub(super) schedule: RawSchedule,
    pub(super) guardrails: RawGuardrails,
    pub(super) limits: RawLimits,
    pub(super) in_use: RawInUse,
    pub(super) projects: Given<BTreeMap<String, Spanned<RawProject>>>,
    pub(super) findings: RawFindings,
    pub(super) price: Given<RawPrice>,
    pub(super) http: RawHttp,
    pub(super) admin: RawAdmin,
    pub(super) log: RawLog,
}

/// `ocird.toml` as far as it says how to reach the cloud. The one shape that is open: whoever reads it has no use for
/// the rest, and a slip there is not theirs to stumble over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RawReach {
    pub(super) oci: Given<RawOci>,
}

/// `mode`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawMode {
    Report,
    Enforce,
}

/// `[armed_for]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawArmedFor {
    pub(super) tenancy: Given<String>,
    pub(super) region: Given<String>,
    pub(super) compartments: GivenList,
    pub(super) metadata: Given<RawMetadata>,
    pub(super) accept_shared_identity: Given<bool>,
    pub(super) restore: Given<RawRestore>,
}

/// `armed_for.restore`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawRestore {
    Permitted,
    NotPermitted,
}

/// `armed_for.metadata`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawMetadata {
    Fenced,
    OwnInstance,
}

/// `[store]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawStore {
    pub(super) min_free: Given<SizeText>,
    pub(super) backup: Given<bool>,
    pub(super) backup_every: Given<DurationText>,
    pub(super) backup_keep: Given<i64>,
}

/// `[oci]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawOci {
    pub(super) auth: Option<RawAuth>,
    pub(super) profile: Given<String>,
    pub(super) config_file: Given<String>,
    pub(super) compartments: GivenList,
    pub(super) region: Given<String>,
    pub(super) ca_file: Given<String>,
    pub(super) page_size: Given<i64>,
    pub(super) endpoints: RawEndpoints,
}

/// `oci.auth`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawAuth {
    InstancePrincipal,
    ApiKey,
    SecurityToken,
}

/// `[oci.endpoints]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawEndpoints {
    pub(super) metadata: Given<String>,
    pub(super) auth: Given<String>,
    pub(super) artifacts: Given<String>,
    pub(super) registry: Given<String>,
    pub(super) identity: Given<String>,
}

/// `[schedule]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSchedule {
    pub(super) observe: Given<String>,
    pub(super) enforce: Given<String>,
    pub(super) window: Given<String>,
}

/// `[guardrails]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawGuardrails {
    pub(super) min_newest: Given<i64>,
    pub(super) min_age: Given<DurationText>,
    pub(super) grace: Given<DurationText>,
}

/// `[limits]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, reason = "the fields are the keys of the table")]
pub(super) struct RawLimits {
    pub(super) max_per_pass: Given<i64>,
    pub(super) max_per_day: Given<i64>,
    pub(super) max_plan: Given<i64>,
}

/// `[in_use]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawInUse {
    pub(super) accept_none: bool,
    pub(super) keep_previous: Given<i64>,
    pub(super) own_image: Given<String>,
    pub(super) files: Vec<Spanned<RawFileSource>>,
    pub(super) docker: Vec<Spanned<RawDockerSource>>,
    pub(super) prometheus: Vec<Spanned<RawPrometheusSource>>,
    pub(super) kubernetes: Vec<Spanned<RawKubernetesSource>>,
}

/// `[[in_use.files]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawFileSource {
    pub(super) path: Given<String>,
    pub(super) repositories: GivenList,
    pub(super) max_age: Given<DurationText>,
    pub(super) sentinel: Given<String>,
    pub(super) expect: GivenList,
    pub(super) forget: GivenList,
}

/// `[[in_use.prometheus]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPrometheusSource {
    pub(super) url: Given<String>,
    pub(super) query: Given<String>,
    pub(super) down: Given<String>,
    pub(super) image_label: Given<String>,
    pub(super) digest_label: Given<String>,
    pub(super) host_label: Given<String>,
    pub(super) by_labels: GivenList,
    pub(super) token_file: Given<String>,
    pub(super) ca_file: Given<String>,
    pub(super) expect: GivenList,
    pub(super) forget: GivenList,
    pub(super) repositories: GivenList,
    pub(super) max_age: Given<DurationText>,
    pub(super) sentinel: Given<String>,
}

/// `[[in_use.kubernetes]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawKubernetesSource {
    pub(super) in_cluster: Given<bool>,
    pub(super) kubeconfig: Given<String>,
    pub(super) context: Given<String>,
    pub(super) revisions: Given<i64>,
    pub(super) repositories: GivenList,
    pub(super) max_age: Given<DurationText>,
    pub(super) sentinel: Given<String>,
}

/// `[[in_use.docker]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDockerSource {
    pub(super) socket: Given<String>,
    pub(super) repositories: GivenList,
    pub(super) max_age: Given<DurationText>,
    pub(super) sentinel: Given<String>,
}

/// `[projects.NAME]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawProject {
    pub(super) repositories: GivenList,
    pub(super) compartments: GivenList,
}

/// `[http]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawHttp {
    pub(super) listen: Given<String>,
    pub(super) allow_remote: bool,
    pub(super) names: GivenList,
}

/// `[log]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLog {
    pub(super) format: Option<RawLogFormat>,
    pub(super) filter: Given<String>,
}

/// `log.format`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawLogFormat {
    Text,
    Json,
}

/// One file of `policies.d`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPolicy {
    pub(super) project: Given<String>,
    pub(super) repositories: GivenList,
    pub(super) public: Option<RawPublic>,
    pub(super) signed: Option<RawSigned>,
    pub(super) keep: Vec<Spanned<RawKeep>>,
    pub(super) delete: Vec<Spanned<RawDelete>>,
    pub(super) ecr_lifecycle: Given<String>,
}

/// What happens in public repositories (S-35).
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawPublic {
    Observe,
    Enforce,
}

/// What happens to images with an OCI image signature (S-35).
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawSigned {
    Keep,
    Enforce,
}

/// `[[keep]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawKeep {
    pub(super) name: Given<String>,
    pub(super) tags: GivenList,
    pub(super) newest: Given<i64>,
    pub(super) group_by: Given<String>,
    pub(super) newer_than: Given<DurationText>,
    pub(super) pulled_within: Given<DurationText>,
    pub(super) digests: GivenList,
    pub(super) resource_tags: Given<BTreeMap<String, Spanned<String>>>,
    pub(super) unless_usage_above: Given<SizeText>,
}

/// `[[delete]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDelete {
    pub(super) name: Given<String>,
    pub(super) tagged: Given<bool>,
    pub(super) tags: GivenList,
    pub(super) older_than: Given<DurationText>,
    pub(super) not_pulled_for: Given<DurationText>,
    pub(super) while_usage_above: Given<SizeText>,
}

/// The text of a duration. A type of its own so that a bare number is answered with how to write one.
#[derive(Debug)]
pub(super) struct DurationText(pub(super) String);

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let such_as = "a number with its unit in quotes, such as \"14d\" or \"36h\"";
        deserializer.deserialize_str(TextVisitor { such_as }).map(Self)
    }
}

/// The text of a size; a type of its own for the same reason.
#[derive(Debug)]
pub(super) struct SizeText(pub(super) String);

impl<'de> Deserialize<'de> for SizeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let such_as = "a number with its unit in quotes, such as \"350MB\" or \"350MiB\"";
        deserializer.deserialize_str(TextVisitor { such_as }).map(Self)
    }
}

struct TextVisitor {
    such_as: &'static str,
}

impl Visitor<'_> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.such_as)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}
