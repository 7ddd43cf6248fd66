//! Sources that see more than one host: a Prometheus server (`[[in_use.prometheus]]`) and a Kubernetes cluster
//! (`[[in_use.kubernetes]]`).

use chrono::TimeDelta;
use toml::Spanned;

use super::raw::{RawKubernetesSource, RawPrometheusSource};
use super::settings::{KubernetesAccess, KubernetesSource, PrometheusSource};
use super::source::Check;
use super::sources::{self, LEAST_AGE, MAX_ANSWER_AGE, OLDEST_ANSWER, RawScope, hosts, texts};
use super::value::PlainHttp;

/// What cAdvisor says of every container that it has just seen.
/// <https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md>
const QUERY: &str = "container_last_seen{image!=\"\"}";
/// The label by which it names the image.
const IMAGE_LABEL: &str = "image";
/// Prometheus answers with samples of the last five minutes, and a pass takes some time too.
const LEAST_SAMPLE_AGE: TimeDelta = TimeDelta::minutes(8);
/// The present revision and two before it, as many as ocird keeps by its own history.
const REVISIONS: u32 = 3;
/// A Deployment keeps ten unless it says otherwise; more are not there to be asked for.
const MOST_REVISIONS: u32 = 100;

/// One Prometheus server.
pub(super) fn prometheus_source(
    given: &Spanned<RawPrometheusSource>,
    check: &mut Check<'_>,
) -> Option<PrometheusSource> {
    const TABLE: &str = "in_use.prometheus";
    let (span, raw) = (given.span(), given.get_ref());
    if raw.url.is_none() {
        check.missing(Some(&span), "[[in_use.prometheus]] needs url, the base URL of the server");
    }
    let url = check.endpoint(raw.url.as_ref(), "in_use.prometheus.url", PlainHttp::Loopback);
    let (expect, forget) = hosts(&raw.expect, &raw.forget, TABLE, check);
    check_hosts(given, check);
    let mut text = |given, key: &str| check.text(given, &format!("{TABLE}.{key}"));
    let query = text(raw.query.as_ref(), "query").unwrap_or_else(|| QUERY.to_owned());
    let down = text(raw.down.as_ref(), "down");
    let image_label = text(raw.image_label.as_ref(), "image_label").unwrap_or_else(|| IMAGE_LABEL.to_owned());
    let digest_label = text(raw.digest_label.as_ref(), "digest_label");
    let host_label = text(raw.host_label.as_ref(), "host_label");
    // None is the usual ones, which depend on what a series has.
    let by_labels = texts(&raw.by_labels, "in_use.prometheus.by_labels", check);
    let scope = RawScope {
        table: TABLE,
        span,
        repositories: &raw.repositories,
        max_age: &raw.max_age,
        sentinel: &raw.sentinel,
        ages: [LEAST_SAMPLE_AGE, MAX_ANSWER_AGE, OLDEST_ANSWER],
    };
    Some(PrometheusSource {
        query,
        down,
        image_label,
        digest_label,
        host_label,
        by_labels,
        token_file: check.path(raw.token_file.as_ref(), "in_use.prometheus.token_file"),
        ca_file: check.path(raw.ca_file.as_ref(), "in_use.prometheus.ca_file"),
        expect,
        forget,
        scope: sources::scope(scope, check),
        url: url?,
    })
}

/// Without a label that tells hosts apart, none can be missed.
fn check_hosts(given: &Spanned<RawPrometheusSource>, check: &mut Check<'_>) {
    let raw = given.get_ref();
    if raw.host_label.is_some() {
        return;
    }
    match raw.expect.as_ref().or(raw.forget.as_ref()) {
        Some(roster) => check.problem(&roster.span(), "hosts are told apart only with host_label"),
        None => check.warn(
            &given.span(),
            "without host_label, a host whose exporter is silent is not missed; say host_label = \"instance\"",
        ),
    }
}

/// One cluster.
pub(super) fn kubernetes_source(
    given: &Spanned<RawKubernetesSource>,
    check: &mut Check<'_>,
) -> Option<KubernetesSource> {
    let (span, raw) = (given.span(), given.get_ref());
    let scope = RawScope {
        table: "in_use.kubernetes",
        span: span.clone(),
        repositories: &raw.repositories,
        max_age: &raw.max_age,
        sentinel: &raw.sentinel,
        ages: [LEAST_AGE, MAX_ANSWER_AGE, OLDEST_ANSWER],
    };
    let scope = sources::scope(scope, check);
    let in_cluster = raw.in_cluster.as_ref().is_some_and(|given| *given.get_ref());
    let context = check.text(raw.context.as_ref(), "in_use.kubernetes.context");
    let kubeconfig = check.path(raw.kubeconfig.as_ref(), "in_use.kubernetes.kubeconfig");
    let revisions = check.count_up_to(MOST_REVISIONS, raw.revisions.as_ref(), "in_use.kubernetes.revisions");
    let access = match (in_cluster, kubeconfig) {
        (true, None) if context.is_none() => KubernetesAccess::InCluster,
        (false, Some(path)) => KubernetesAccess::Kubeconfig { path, context },
        (true, _) => {
            check.problem(&span, "with in_cluster = true there is no kubeconfig and no context");
            return None;
        }
        (false, None) => {
            check.missing(Some(&span), "[[in_use.kubernetes]] needs kubeconfig, or in_cluster = true");
            return None;
        }
    };
    Some(KubernetesSource { access, revisions: revisions.map_or(REVISIONS, u32::from), scope })
}
