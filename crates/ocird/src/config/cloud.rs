//! What is looked at and by which endpoints (`[oci]`), and what the operator believes that to be (`[armed_for]`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ocird_model::CompartmentId;
use toml::Spanned;

use super::environment::Environment;
use super::raw::{RawArmedFor, RawAuth, RawEndpoints, RawMetadata, RawOci, RawRestore};
use super::settings::{
    ArmedFor, AuthConfig, Endpoints, OciConfig, ProfileConfig, ProfileKind, Restoring, Sharing,
};
use super::source::Check;
use super::value::PlainHttp;

/// What third-party code asks for with success; no maximum is documented.
const PAGE_SIZE: u32 = 1000;

/// The name that Oracle's SDKs take when none is given.
const PROFILE: &str = "DEFAULT";

/// Where Oracle's SDKs look, from the home directory.
const CONFIG_FILE: &str = ".oci/config";

/// What is looked at, and how the cloud is reached.
pub(super) fn oci(
    raw: Option<&Spanned<RawOci>>,
    environment: &Environment,
    check: &mut Check<'_>,
) -> OciConfig {
    let span = raw.map(Spanned::span);
    let given = raw.and_then(|raw| raw.get_ref().compartments.as_ref());
    if given.is_none() {
        check.missing(
            span.as_ref(),
            "[oci] needs compartments, the OCIDs of the compartments to look at; none is never \"all\"",
        );
    }
    let compartments = given.map(|given| check.list(given, "oci.compartments")).unwrap_or_default();
    OciConfig {
        compartments: compartments.into_iter().map(|(_, compartment)| compartment).collect(),
        ..reach(raw.map(Spanned::get_ref), environment, check)
    }
}

/// How the cloud is reached, without what is looked at there.
pub(super) fn reach(raw: Option<&RawOci>, environment: &Environment, check: &mut Check<'_>) -> OciConfig {
    let nothing = RawOci::default();
    let raw = raw.unwrap_or(&nothing);
    OciConfig {
        auth: auth(raw, environment, check),
        compartments: Vec::new(),
        region: region(raw.region.as_ref(), check),
        region_metadata: environment.region_metadata(check),
        ca_file: check.path(raw.ca_file.as_ref(), "oci.ca_file"),
        endpoints: endpoints(&raw.endpoints, environment, check),
        page_size: check
            .count_up_to(PAGE_SIZE, raw.page_size.as_ref(), "oci.page_size")
            .map_or(PAGE_SIZE, u32::from),
    }
}

fn auth(raw: &RawOci, environment: &Environment, check: &mut Check<'_>) -> AuthConfig {
    let kind = match raw.auth {
        None | Some(RawAuth::InstancePrincipal) => {
            let keys = [("profile", &raw.profile), ("config_file", &raw.config_file)];
            for (key, given) in keys.into_iter().filter_map(|(key, given)| Some((key, given.as_ref()?))) {
                let text = format!(
                    "oci.{key} is for auth = \"api_key\" or \"security_token\"; an instance principal has no profile"
                );
                // The value of `auth` may be what could not be read.
                check.missing(Some(&given.span()), text);
            }
            return AuthConfig::InstancePrincipal;
        }
        Some(RawAuth::ApiKey) => ProfileKind::ApiKey,
        Some(RawAuth::SecurityToken) => ProfileKind::SecurityToken,
    };
    let home = environment.home();
    AuthConfig::Profile(ProfileConfig {
        kind,
        name: check.text(raw.profile.as_ref(), "oci.profile").unwrap_or_else(|| PROFILE.to_owned()),
        file: profile_file(raw, home, check).unwrap_or_default(),
        home: home.map(Path::to_owned),
    })
}

/// The file with the profile; `~/` at its start is the home directory, as in all files of Oracle's SDKs.
fn profile_file(raw: &RawOci, home: Option<&Path>, check: &mut Check<'_>) -> Option<PathBuf> {
    let Some(given) = &raw.config_file else {
        let file = home.map(|home| home.join(CONFIG_FILE));
        if file.is_none() {
            let text =
                "[oci] needs config_file, the file with the profile: without HOME there is no ~/.oci/config";
            check.missing(raw.profile.as_ref().map(Spanned::span).as_ref(), text);
        }
        return file;
    };
    let Some(rest) = given.get_ref().strip_prefix("~/") else {
        return check.path(raw.config_file.as_ref(), "oci.config_file");
    };
    if home.is_none() {
        check.problem(&given.span(), "oci.config_file starts with ~, and HOME is not set");
    }
    Some(home?.join(rest))
}

fn region(given: Option<&Spanned<String>>, check: &mut Check<'_>) -> Option<String> {
    let given = given?;
    let text = given.get_ref();
    let is_identifier = text.split('-').count() >= 3
        && text.split('-').all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
    if !is_identifier {
        check.problem(&given.span(), format!("{text:?} is not a region identifier such as \"eu-milan-1\""));
        return None;
    }
    Some(text.clone())
}

fn endpoints(raw: &RawEndpoints, environment: &Environment, check: &mut Check<'_>) -> Endpoints {
    let metadata = match &raw.metadata {
        Some(_) => {
            check.endpoint(raw.metadata.as_ref(), "oci.endpoints.metadata", PlainHttp::LoopbackOrMetadata)
        }
        None => environment.metadata_base_url(check),
    };
    Endpoints {
        metadata,
        auth: check.endpoint(raw.auth.as_ref(), "oci.endpoints.auth", PlainHttp::Loopback),
        artifacts: check.endpoint(raw.artifacts.as_ref(), "oci.endpoints.artifacts", PlainHttp::Loopback),
        registry: check.endpoint(raw.registry.as_ref(), "oci.endpoints.registry", PlainHttp::Loopback),
        identity: check.endpoint(raw.identity.as_ref(), "oci.endpoints.identity", PlainHttp::Loopback),
    }
}

/// The second switch of S-15, which must agree with what is looked at.
pub(super) fn armed_for(
    raw: Option<&Spanned<RawArmedFor>>,
    oci: &OciConfig,
    check: &mut Check<'_>,
) -> Option<ArmedFor> {
    let span = raw?.span();
    let raw = raw?.get_ref();
    let wanted = [
        ("tenancy", raw.tenancy.is_some()),
        ("region", raw.region.is_some()),
        ("compartments", raw.compartments.is_some()),
    ];
    for (key, _) in wanted.iter().filter(|(_, is_given)| !is_given) {
        check.missing(
            Some(&span),
            format!("[armed_for] needs {key}: it names tenancy, region and compartments, all three"),
        );
    }
    let tenancy = raw.tenancy.as_ref().and_then(|given| check.parsed(given.get_ref(), &given.span()));
    let region = armed_region(raw.region.as_ref(), oci, check);
    let compartments = raw.compartments.as_ref().map(|given| armed_compartments(given, oci, check));
    let sharing = sharing(raw, check);
    let restoring = match raw.restore.as_ref().map(|given| *given.get_ref()) {
        Some(RawRestore::Permitted) => Restoring::Permitted,
        Some(RawRestore::NotPermitted) => Restoring::NotPermitted,
        None => Restoring::Unsaid,
    };
    Some(ArmedFor { tenancy: tenancy?, region: region?, compartments: compartments?, sharing, restoring })
}

/// Who else on the instance has ocird's rights (S-31). That nobody said is no problem of the file: ocird starts, looks, and
/// says why nothing goes.
fn sharing(raw: &RawArmedFor, check: &mut Check<'_>) -> Sharing {
    let accepted = raw.accept_shared_identity.as_ref().filter(|given| *given.get_ref());
    if let (Some(metadata), Some(_)) = (&raw.metadata, accepted) {
        let text = "armed_for says both that nobody else has ocird's rights (metadata) and that it is accepted if others have \
             them (accept_shared_identity)";
        check.problem(&metadata.span(), text);
    }
    match (raw.metadata.as_ref().map(|given| *given.get_ref()), accepted) {
        (Some(RawMetadata::Fenced), _) => Sharing::Fenced,
        (Some(RawMetadata::OwnInstance), _) => Sharing::OwnInstance,
        (None, Some(_)) => Sharing::Accepted,
        (None, None) => Sharing::Unsaid,
    }
}

fn armed_region(given: Option<&Spanned<String>>, oci: &OciConfig, check: &mut Check<'_>) -> Option<String> {
    let armed = region(given, check)?;
    if let (Some(given), Some(configured)) = (given, &oci.region)
        && armed != *configured
    {
        check.problem(&given.span(), format!("armed_for.region is not oci.region, which is {configured:?}"));
    }
    Some(armed)
}

fn armed_compartments(
    given: &Spanned<Vec<Spanned<String>>>,
    oci: &OciConfig,
    check: &mut Check<'_>,
) -> BTreeSet<CompartmentId> {
    let armed: BTreeSet<CompartmentId> =
        check.list(given, "armed_for.compartments").into_iter().map(|(_, compartment)| compartment).collect();
    let configured: BTreeSet<CompartmentId> = oci.compartments.iter().cloned().collect();
    if armed != configured {
        check.missing(
            Some(&given.span()),
            "armed_for.compartments must name the same compartments as oci.compartments, no more and no fewer",
        );
    }
    armed
}
