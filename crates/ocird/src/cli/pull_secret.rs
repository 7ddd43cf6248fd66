//! `ocird credential pull-secret`: a registry token as Kubernetes pull secrets, printed, brought into the cluster, or kept fresh
//! there. What is printed is the token; nothing else here writes it anywhere.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use ocird_model::ErrorChain;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Exit, Failure, deliver, print, say};
use crate::clock::SystemClock;
use crate::config::{self, KubernetesAccess};
use crate::credential::load_reach;
use crate::credential::pull_secret::{
    Done, IssueError, Issuer, Keeping, NamespaceName, PullSecret, SecretName, Shelf, keep,
};
use crate::log;
use crate::notify;

/// What an operator wants to see of a process that keeps secrets fresh.
const FILTER: &str = "info";

/// Which secrets, and what becomes of them.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PullSecretArgs {
    /// The namespaces that get the secret.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    namespaces: Vec<NamespaceName>,
    /// The name of the secret, for imagePullSecrets.
    #[arg(long, value_name = "NAME")]
    name: SecretName,
    /// The registry, such as fra.ocir.io; that of the region if it is left out.
    #[arg(long, value_name = "HOST")]
    registry: Option<String>,
    /// Print one JSON document instead of YAML.
    #[arg(long, conflicts_with = "apply")]
    json: bool,
    /// Put the secrets into the cluster instead of printing them.
    #[arg(long)]
    apply: bool,
    /// Go on, with a new token each time: 30m, from 1m to 1h. At half of a token's life it is renewed in any case.
    #[arg(long, value_name = "TIME", requires = "apply", value_parser = every)]
    every: Option<TimeDelta>,
    /// The kubeconfig of the cluster; without it, the service account of the pod.
    #[arg(long, value_name = "FILE", requires = "apply")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    context: Option<String>,
    /// Take the secret over where somebody else keeps it.
    #[arg(long, requires = "apply")]
    force_conflicts: bool,
}

/// Signs in, and prints or applies.
pub(crate) async fn pull_secret(args: PullSecretArgs, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let wrong = |problems: config::Problems| Failure { exit: Exit::Config, error: problems.into() };
    let config = load_reach(config).map_err(wrong)?;
    let PullSecretArgs {
        namespaces,
        name,
        registry,
        json,
        apply,
        every,
        kubeconfig,
        context,
        force_conflicts,
    } = args;
    let namespaces: BTreeSet<NamespaceName> = namespaces.into_iter().collect();
    let clock = SystemClock::new();
    let issuer = Issuer::new(config, clock, registry.as_deref()).map_err(|error| match error {
        IssueError::NotOurs(_) => Failure::usage(error),
        error => error.into(),
    })?;
    if !apply {
        let secret = issuer.issue(&name).await.map_err(Failure::unavailable)?;
        return Ok(deliver(&if json { secret.json(&namespaces) } else { secret.yaml(&namespaces) }));
    }
    let access =
        kubeconfig.map_or(KubernetesAccess::InCluster, |path| KubernetesAccess::Kubeconfig { path, context });
    let shelf = Shelf { access, takes_over: force_conflicts, clock };
    if let Some(every) = every {
        return kept(&Keeping { name, namespaces, every }, &issuer, &shelf).await;
    }
    let secret = issuer.issue(&name).await.map_err(Failure::unavailable)?;
    Ok(applied(&secret, &namespaces, &shelf).await)
}

/// Puts the secret into every namespace, once. One that refuses it keeps it from no other.
async fn applied(
    secret: &PullSecret,
    namespaces: &BTreeSet<NamespaceName>,
    shelf: &Shelf<SystemClock>,
) -> ExitCode {
    let (mut text, mut code) = (String::new(), Exit::Ok.into());
    let until = secret.expires_at().format("%F %H:%M UTC");
    for namespace in namespaces {
        let name = secret.name();
        match shelf.put(namespace, secret).await {
            Ok(done) => {
                let done = if done == Done::Created { "made" } else { "renewed" };
                writeln!(text, "{namespace}/{name}: {done}, good until {until}")
                    .expect("a string takes everything");
            }
            Err(error) => {
                code = say(&format!("ocird: {namespace}/{name}: {}", ErrorChain(&error)), Exit::Failed);
            }
        }
    }
    print(&text);
    code
}

/// Keeps the secrets fresh until somebody says stop.
async fn kept(
    keeping: &Keeping,
    issuer: &Issuer<SystemClock>,
    shelf: &Shelf<SystemClock>,
) -> Result<ExitCode, Failure> {
    log::init(log::Format::Text, config::log_destination(), FILTER)?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to signals")?;
    let issue = async || issuer.issue(&keeping.name).await;
    let put = async |namespace: &NamespaceName, secret: &PullSecret| shelf.put(namespace, secret).await;
    tokio::select! {
        never = keep(keeping, issue, put, &shelf.clock) => match never {},
        _signal = terminate.recv() => {}
        _signal = interrupt.recv() => {}
    }
    notify::stopping();
    tracing::info!(secret = keeping.name.as_str(), "stopped; what is in the cluster stays until it ends");
    Ok(Exit::Ok.into())
}

/// How often secrets are renewed, from a command line: at least a minute, and no longer than a token lives.
fn every(text: &str) -> Result<TimeDelta, String> {
    let (least, most) = (Duration::from_mins(1), Duration::from_hours(1));
    let every = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if !(least..=most).contains(&every) {
        return Err("a token lives about an hour: write from 1m to 1h".to_owned());
    }
    Ok(TimeDelta::from_std(every).expect("an hour is in range"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Args, Command, CredentialVerb};
    use crate::yaml::Node;

    const DEPLOYMENT: &str = include_str!("../../../../deploy/kubernetes/pull-secret.yaml");
    const WRITER: &str = include_str!("../../../../deploy/kubernetes/pull-secret-writer.yaml");

    /// The texts of a list in the first document, by the keys that lead to it; the first item of every list on the way.
    fn texts(documents: &str, keys: &[&str]) -> Vec<String> {
        let first = documents.split("\n---\n").next().unwrap();
        let root = Node::parse(first).unwrap();
        let at = keys.iter().fold(root, |node, key| {
            let node = if node.is_list() { node.items().swap_remove(0) } else { node };
            node.get(key).unwrap()
        });
        at.items().iter().map(|item| item.text().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_deployment_asks_for_what_the_role_allows_and_nothing_else() {
        let container = ["spec", "template", "spec", "containers"];
        let of_container = |key| texts(DEPLOYMENT, &[&container[..], &[key]].concat());
        let line = [of_container("command"), of_container("args")].concat();
        let Command::Credential { verb: CredentialVerb::PullSecret(args) } =
            Args::try_parse_from(line).unwrap().command
        else {
            panic!("another command");
        };
        assert_eq!((args.apply, args.every, args.kubeconfig), (true, Some(TimeDelta::minutes(30)), None));
        assert_eq!(texts(WRITER, &["rules", "resourceNames"]), [args.name.as_str()]);
        assert_eq!(texts(WRITER, &["rules", "resources"]), ["secrets"]);
        assert_eq!(texts(WRITER, &["rules", "verbs"]), ["patch", "create"]);
        for namespace in &args.namespaces {
            assert!(
                WRITER.contains(&format!("\n  namespace: {namespace}\n")),
                "no RoleBinding in {namespace}"
            );
        }
        assert!(!WRITER.contains("kind: ClusterRoleBinding"));
    }

    #[test]
    fn a_token_is_renewed_at_least_hourly_and_not_all_the_time() {
        for (text, minutes) in [("1m", 1), ("30m", 30), ("1h", 60)] {
            assert_eq!(every(text), Ok(TimeDelta::minutes(minutes)));
        }
        for text in ["59s", "61m", "0", "", "soon"] {
            assert!(every(text).is_err(), "{text}");
        }
    }
}
