//! `ocird doctor`: tries step by step what the daemon needs, in the order in which it needs it, and says what to do where
//! something does not work. A step that fails stops only those that need it.
//!
//! It changes nothing: it reads, signs in, and looks. Above all it deletes nothing, not even to see whether it could
//! (`cloud` says why), and it is no pass: what it saw is remembered nowhere.

mod cloud;
mod host;
mod statement;
mod step;

use std::path::Path;

use ocird_model::{ErrorChain, ReadRegistry as _};

use self::cloud::Cloud;
use self::statement::Subject;
pub(crate) use self::step::Report;
use self::step::Step;
use crate::clock::SystemClock;
use crate::config::{self, AuthConfig, Config, OciConfig, Problems};

/// Everything that asks the cloud and has a step of its own, in order.
const IN_THE_CLOUD: [&str; 10] = [
    cloud::METADATA,
    cloud::IDENTITY,
    cloud::TOKEN,
    cloud::CLOCK,
    cloud::REGION,
    cloud::ARMING,
    cloud::REPOSITORIES,
    cloud::IMAGE,
    cloud::MANIFEST,
    cloud::DELETION,
];

/// Tries everything.
pub(crate) async fn examine(path: &Path, config: Result<Config, Problems>, clock: SystemClock) -> Report {
    let mut report = Report::default();
    let steps = &mut report.steps;
    steps.push(host::configuration(path, &config));
    let state_dir = config.as_ref().ok().map(|config| config.state_dir.as_path());
    let (store, latest) = match state_dir {
        Some(state_dir) => host::store(state_dir).await,
        None => (Step::not_tried(host::STORE, host::CONFIGURATION), None),
    };
    match client(path, &config, clock) {
        Ok((reach, oci)) => {
            let cloud = Cloud { oci, config: &reach, clock };
            in_the_cloud(&cloud, config.as_ref().ok(), latest.as_ref(), steps).await;
        }
        Err(None) => {
            let needed = host::CONFIGURATION;
            steps.extend(IN_THE_CLOUD.into_iter().map(|name| Step::not_tried(name, needed)));
            steps.push(Step::not_tried(host::IN_USE, needed));
        }
        Err(Some(step)) => {
            steps.push(step);
            let rest = IN_THE_CLOUD.into_iter().filter(|name| *name != cloud::IDENTITY);
            steps.extend(rest.map(|name| Step::not_tried(name, cloud::IDENTITY)));
            steps.push(Step::not_tried(host::IN_USE, cloud::IDENTITY));
        }
    }
    steps.push(store);
    steps.push(match &config {
        Ok(config) => host::disk(&config.state_dir, config.min_free),
        Err(_) => Step::not_tried(host::DISK, host::CONFIGURATION),
    });
    steps.push(host::helper(std::env::current_exe().ok().as_deref()));
    report
}

/// The client. Of a configuration that is wrong elsewhere, or not there yet, how to reach the cloud may still be known.
/// An error without a step is a configuration that does not say even that.
fn client(
    path: &Path,
    config: &Result<Config, Problems>,
    clock: SystemClock,
) -> Result<(OciConfig, ocird_oci::Oci<SystemClock>), Option<Step>> {
    let reach = match config {
        Ok(config) => config.oci.clone(),
        Err(_) => config::load_reach(path.exists().then_some(path)).map_err(|_| None)?,
    };
    match crate::cloud::client(&reach, clock) {
        Ok(oci) => Ok((reach, oci)),
        Err(error) => Err(Some(Step::failed(cloud::IDENTITY, ErrorChain(&error).to_string()))),
    }
}

async fn in_the_cloud(
    cloud: &Cloud<'_>,
    config: Option<&Config>,
    latest: Option<&ocird_store::SettledIntent>,
    steps: &mut Vec<Step>,
) {
    steps.push(cloud::metadata(cloud).await);
    let (identity, principal) = cloud::identity(cloud).await;
    steps.push(identity);
    let (token, signed_in) = match principal {
        Some(_) => cloud::token(cloud).await,
        None => (Step::not_tried(cloud::TOKEN, cloud::IDENTITY), None),
    };
    steps.push(token);
    steps.push(cloud::clock(cloud));
    steps.push(cloud::region(cloud).await);
    let subject = principal.as_ref().map_or_else(
        || match cloud.config.auth {
            AuthConfig::InstancePrincipal => Subject::Instance(None),
            AuthConfig::Profile(_) => Subject::User(None),
        },
        Subject::of,
    );
    steps.push(match (config, &signed_in) {
        (None, _) => Step::not_tried(cloud::ARMING, host::CONFIGURATION),
        (Some(_), None) => Step::not_tried(cloud::ARMING, cloud::TOKEN),
        (Some(config), Some(identity)) => cloud::arming(config, identity, &subject),
    });
    let in_use = in_the_registry(cloud, config, signed_in.is_some(), &subject, steps).await;
    steps.push(cloud::deletion(latest, &subject, &cloud.config.compartments));
    steps.push(in_use);
}

/// Repositories, an image and its manifest; and what runs, which takes the names of the repositories.
async fn in_the_registry(
    cloud: &Cloud<'_>,
    config: Option<&Config>,
    is_signed_in: bool,
    subject: &Subject,
    steps: &mut Vec<Step>,
) -> Step {
    let Some(config) = config.filter(|_| is_signed_in) else {
        let needed = if config.is_none() { host::CONFIGURATION } else { cloud::TOKEN };
        let names = [cloud::REPOSITORIES, cloud::IMAGE, cloud::MANIFEST];
        steps.extend(names.map(|name| Step::not_tried(name, needed)));
        return Step::not_tried(host::IN_USE, needed);
    };
    let (step, repositories) = cloud::repositories(cloud, subject).await;
    steps.push(step);
    if repositories.is_empty() {
        steps.extend([cloud::IMAGE, cloud::MANIFEST].map(|name| Step::not_tried(name, cloud::REPOSITORIES)));
        return Step::not_tried(host::IN_USE, cloud::REPOSITORIES);
    }
    let (step, sample) = cloud::image(cloud, &repositories, subject).await;
    steps.push(step);
    steps.push(match &sample {
        Some(sample) => cloud::manifest(cloud, sample, subject).await,
        None => Step::not_tried(cloud::MANIFEST, cloud::IMAGE),
    });
    match cloud.oci.registry_hosts().await {
        Ok(hosts) => host::in_use(&config.in_use, &repositories, hosts, &cloud.clock).await,
        Err(_) => Step::not_tried(host::IN_USE, cloud::REGION),
    }
}
