//! The steps that ask the cloud: from the metadata service to the manifest of one image, and the right to delete.
//!
//! All of them read. For the right to delete there is no question that is both harmless and answered: whatever is asked
//! in order to be refused could, by another reading of the service, be done. A delete of an image that is there may take
//! it, whatever its `if-match`; one of an image that is gone may end the time in which it can be restored, or take it if
//! it was pushed again a moment ago; of one that never was, "forbidden" and "not found" are the same 404; and to remove a
//! tag that is not there, or to restore what is, are other operations, which the least policy denies. So nothing is
//! asked: the journal may have the answer, and else it is not shown.

use ocird_model::{
    CompartmentId, Digest, ErrorChain, ErrorKind, ImageDetails, ImageRow, Lifecycle, OutcomeKind,
    ReadRegistry as _, RegistryError, RepositoryRow,
};
use ocird_oci::{Oci, Principal, Region};
use ocird_store::SettledIntent;

use super::statement::{Right, Subject};
use super::step::{State, Step, n_of};
use crate::clock::SystemClock;
use crate::config::{AuthConfig, Config, Mode, OciConfig};

/// The names of the steps, as the steps that need them call them too.
pub(super) const METADATA: &str = "metadata";
pub(super) const IDENTITY: &str = "identity";
pub(super) const TOKEN: &str = "sign-in";
pub(super) const CLOCK: &str = "clock";
pub(super) const REGION: &str = "region";
pub(super) const ARMING: &str = "arming";
pub(super) const REPOSITORIES: &str = "repositories";
pub(super) const IMAGE: &str = "image";
pub(super) const MANIFEST: &str = "manifest";
pub(super) const DELETION: &str = "deletion";

/// The skew in milliseconds beyond which deletion freezes (S-9).
const MAX_SKEW_MS: i64 = 60_000;

/// The cloud as it is configured.
#[derive(Debug)]
pub(super) struct Cloud<'a> {
    pub(super) oci: Oci<SystemClock>,
    pub(super) config: &'a OciConfig,
    pub(super) clock: SystemClock,
}

/// An image that could be read, and where.
#[derive(Debug)]
pub(super) struct Sample {
    repository: RepositoryRow,
    details: ImageDetails,
}

/// Whether the metadata service answers, where it is needed at all.
pub(super) async fn metadata(cloud: &Cloud<'_>) -> Step {
    if let AuthConfig::Profile(_) = cloud.config.auth {
        return Step::ok(METADATA, format!("not needed: auth = \"{}\"", cloud.config.auth.as_str()));
    }
    match cloud.oci.metadata_region().await {
        Ok(region) => Step::ok(METADATA, format!("answers; this instance is in {}", region.identifier())),
        Err(error) => Step::failed(METADATA, ErrorChain(&error).to_string())
            .and_do(
                "It answers on instances of Oracle's cloud only. Elsewhere, sign in by a profile: [oci] auth = \
                 \"api_key\". On an instance, a firewall may keep this user from it; see whether this answers:",
            )
            .and_copy("curl -sS -H 'Authorization: Bearer Oracle' http://169.254.169.254/opc/v2/instance/region"),
    }
}

/// As whom requests would be signed.
pub(super) async fn identity(cloud: &Cloud<'_>) -> (Step, Option<Principal>) {
    match cloud.oci.principal().await {
        Ok(principal) => (Step::ok(IDENTITY, described(&principal)), Some(principal)),
        Err(error) => {
            let step = Step::failed(IDENTITY, ErrorChain(&error).to_string());
            let step = match cloud.config.auth {
                AuthConfig::InstancePrincipal => step.and_do(
                    "The metadata service has the certificate of the instance; if it answers and this does not, try \
                     again in a few minutes: certificates are replaced several times a day.",
                ),
                AuthConfig::Profile(_) => step.and_do("See profile and config_file of [oci]."),
            };
            (step, None)
        }
    }
}

fn described(principal: &Principal) -> String {
    let unknown = || "not named".to_owned();
    match principal {
        Principal::Instance { instance, tenancy, compartment, certificate_ends_at } => format!(
            "instance {}, compartment {}, tenancy {tenancy}, certificate until {}",
            instance.clone().unwrap_or_else(unknown),
            compartment.as_ref().map_or_else(unknown, ToString::to_string),
            certificate_ends_at.format("%F %R UTC"),
        ),
        Principal::User { user, tenancy } => {
            format!("user {}, tenancy {tenancy}", user.clone().unwrap_or_else(unknown))
        }
    }
}

/// Signs in.
pub(super) async fn token(cloud: &Cloud<'_>) -> (Step, Option<(ocird_model::TenancyId, String)>) {
    match cloud.oci.identity().await {
        Ok(identity) => {
            let until = cloud.oci.token_expires_at();
            let until =
                until.map_or_else(String::new, |at| format!("; token until {}", at.format("%F %R UTC")));
            (Step::ok(TOKEN, format!("signed in{until}")), Some(identity))
        }
        Err(error) => {
            let step = Step::failed(TOKEN, ErrorChain(&error).to_string()).and_do(
                "This host needs https to auth.<region>.<domain>, and a clock that is right within five minutes.",
            );
            (step, None)
        }
    }
}

/// How far the clock is off, by what the cloud's answers said; any answer will do, a refusal too.
pub(super) fn clock(cloud: &Cloud<'_>) -> Step {
    let Some(ahead) = cloud.oci.server_clock_ahead() else {
        return Step::not_tried(CLOCK, TOKEN);
    };
    let ms = ahead.num_milliseconds();
    let side = if ms >= 0 { "behind" } else { "ahead of" };
    let tenths = ms.unsigned_abs() / 100;
    let seen = format!("{}.{} s {side} the cloud's", tenths / 10, tenths % 10);
    if ms.abs() <= MAX_SKEW_MS {
        return Step::ok(CLOCK, seen);
    }
    Step::failed(CLOCK, seen)
        .and_do("Beyond 60 s nothing is deleted, and beyond five minutes nobody is signed in. See the time service:")
        .and_copy("timedatectl timesync-status || chronyc tracking")
}

/// The region, and where its services are.
pub(super) async fn region(cloud: &Cloud<'_>) -> Step {
    let set = &cloud.config.endpoints;
    let found = cloud.oci.region().await;
    let place = |own: &Option<String>, usual: fn(&Region) -> String| match (own, &found) {
        (Some(own), _) => own.clone(),
        (None, Ok(region)) => usual(region),
        (None, Err(_)) => "unknown".to_owned(),
    };
    let places = format!(
        "artifacts {}, registry {}",
        place(&set.artifacts, Region::artifacts_url),
        place(&set.registry, Region::registry_url)
    );
    match &found {
        Ok(region) => Step::ok(REGION, format!("{} ({}): {places}", region.identifier(), region.realm())),
        Err(error) => Step::failed(REGION, format!("{}; {places}", ErrorChain(error))).and_do(
            "Name it in [oci] region. One that is too new for this ocird is described by OCI_REGION_METADATA.",
        ),
    }
}

/// Whether deletion is armed, and for this tenancy and region.
pub(super) fn arming(
    config: &Config,
    identity: &(ocird_model::TenancyId, String),
    subject: &Subject,
) -> Step {
    let (tenancy, region) = identity;
    match (config.mode, config.armed_for.as_ref()) {
        (Mode::Report, _) | (Mode::Enforce, None) => Step::ok(ARMING, "mode = \"report\": nothing is deleted"),
        (Mode::Enforce, Some(armed)) if armed.tenancy == *tenancy && armed.region == *region => {
            match (config.shared_identity(), config.unsaid_own_image(), config.unsaid_restore()) {
                (None, None, None) => {
                    let undoing = if config.may_restore() {
                        "it brings back what is needed, by your word that it may restore"
                    } else {
                        "it may not restore, so a person must bring back what is needed within 48 h"
                    };
                    Step::ok(ARMING, format!("mode = \"enforce\", and [armed_for] fits the credentials; {undoing}"))
                }
                (None, None, Some(why)) => subject.advise(
                    Step::failed(ARMING, format!("nothing is deleted yet: {why}")),
                    Right::RestoreImages,
                    &config.oci.compartments,
                ),
                (None, Some(why), _) => Step::failed(ARMING, format!("nothing is deleted yet: {why}")),
                (Some(why), _, _) => Step::failed(ARMING, format!("nothing is deleted yet: {why}"))
                    .and_do("See who reaches it, as a user other than ocird's:")
                    .and_copy("sudo -u nobody curl -sm 3 -H 'Authorization: Bearer Oracle' http://169.254.169.254/opc/v2/instance/region"),
            }
        }
        (Mode::Enforce, Some(armed)) => Step::failed(
            ARMING,
            format!("[armed_for] says {} in {}, the credentials {tenancy} in {region}", armed.tenancy, armed.region),
        )
        .and_do("Nothing is deleted until they agree. If the credentials are the right ones, correct [armed_for]."),
    }
}

/// Lists the repositories of each compartment.
pub(super) async fn repositories(cloud: &Cloud<'_>, subject: &Subject) -> (Step, Vec<RepositoryRow>) {
    let (mut rows, mut failures, mut refused, mut empty) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for compartment in &cloud.config.compartments {
        match cloud.oci.repositories(compartment).await {
            Ok(listed) if listed.is_empty() => empty.push(compartment),
            Ok(listed) => rows.extend(listed),
            Err(error) => {
                failures.push(format!("{compartment}: {}", ErrorChain(&error)));
                if may_lack_rights(&error) {
                    refused.push(compartment);
                }
            }
        }
    }
    let n_compartments = cloud.config.compartments.len();
    let seen = format!(
        "{} in {}",
        n_of(rows.len(), "repository", "repositories"),
        n_of(n_compartments, "compartment", "compartments")
    );
    let step = if !failures.is_empty() {
        let step = Step::failed(REPOSITORIES, failures.join("; "));
        if refused.is_empty() { step } else { subject.advise(step, Right::Inspect, refused) }
    } else if let [first, ..] = empty.as_slice() {
        Step::warning(REPOSITORIES, format!("{seen}; none in {first}"))
            .and_do("Without the right to list, and in the wrong region, a compartment looks just as empty.")
    } else {
        Step::ok(REPOSITORIES, seen)
    };
    (step, rows)
}

/// Reads one image: the newest of the first repository that has any, for of all images it is the one that no rule may
/// take, so that being looked at changes nothing for it.
pub(super) async fn image(
    cloud: &Cloud<'_>,
    repositories: &[RepositoryRow],
    subject: &Subject,
) -> (Step, Option<Sample>) {
    let mut failure = None;
    for repository in repositories.iter().filter(|row| row.lifecycle == Lifecycle::Available) {
        match newest(cloud, repository).await {
            Ok(None) => {}
            Ok(Some(details)) => {
                let n_tags = n_of(details.tags.len(), "tag", "tags");
                let seen = format!("{} {} with {n_tags}", repository.name, short(&details.digest));
                return (Step::ok(IMAGE, seen), Some(Sample { repository: repository.clone(), details }));
            }
            Err(error) => {
                failure = Some((repository, error));
                break;
            }
        }
    }
    let step = match failure {
        Some((repository, error)) => {
            let step = Step::failed(IMAGE, format!("{}: {}", repository.name, ErrorChain(&error)));
            if may_lack_rights(&error) {
                subject.advise(step, Right::Read, [&repository.compartment])
            } else {
                step
            }
        }
        None => Step::warning(IMAGE, "there is no image in any repository, so that none could be read"),
    };
    (step, None)
}

async fn newest(
    cloud: &Cloud<'_>,
    repository: &RepositoryRow,
) -> Result<Option<ImageDetails>, RegistryError> {
    let rows = cloud.oci.images(&repository.compartment, &repository.id).await?;
    let rows = rows.iter().filter(|row| row.lifecycle == Lifecycle::Available);
    match rows.max_by_key(|row: &&ImageRow| (row.tag.is_some(), row.created_at)) {
        Some(row) => cloud.oci.image(&row.id).await.map(Some),
        None => Ok(None),
    }
}

/// Reads the manifest of that image, from the registry itself.
pub(super) async fn manifest(cloud: &Cloud<'_>, sample: &Sample, subject: &Subject) -> Step {
    let Sample { repository, details } = sample;
    match cloud.oci.manifest(&repository.namespace, &repository.name, &details.digest).await {
        Ok(manifest) => {
            Step::ok(MANIFEST, format!("{}, {} bytes", manifest.media_type, manifest.bytes.len()))
        }
        Err(error) => {
            let step = Step::failed(MANIFEST, ErrorChain(&error).to_string());
            let compartment: &CompartmentId = &repository.compartment;
            if may_lack_rights(&error) { subject.advise(step, Right::Read, [compartment]) } else { step }
        }
    }
}

/// Whether deletions are allowed, by the latest of them in the journal; see the module for why nobody is asked.
pub(super) fn deletion(
    latest: Option<&SettledIntent>,
    subject: &Subject,
    compartments: &[CompartmentId],
) -> Step {
    let about = |settled: &SettledIntent| {
        let SettledIntent { repository_name, digest, outcome, .. } = settled;
        format!("{repository_name} {} at {}", short(digest), outcome.at.format("%F %R UTC"))
    };
    let (state, seen) = match latest.map(|settled| (settled, settled.outcome.kind)) {
        Some((settled, OutcomeKind::Deleted)) => {
            return Step::ok(
                DELETION,
                format!("allowed: the latest one went through, of {}", about(settled)),
            );
        }
        Some((settled, OutcomeKind::Failed(kind))) if is_denial(kind) => {
            (State::Failed, format!("the latest one was refused ({kind}), of {}", about(settled)))
        }
        Some(_) | None => (
            State::NotShown,
            "only a deletion would show whether it is allowed, and the journal has none that does".to_owned(),
        ),
    };
    subject.advise(Step::new(DELETION, state, seen), Right::DeleteImages, compartments)
}

/// The cloud answers 404 for what is forbidden.
fn may_lack_rights(error: &RegistryError) -> bool {
    is_denial(error.kind())
}

const fn is_denial(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unauthenticated | ErrorKind::Forbidden | ErrorKind::NotFound)
}

/// A digest as people and tables write it.
fn short(digest: &Digest) -> String {
    digest.to_string().trim_start_matches("sha256:").chars().take(12).collect()
}
