//! The board and the cloud's counts as families of samples, made anew at each scrape.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use ocird_model::{
    Bytes, DeleteReason, ErrorKind, FindingKind, KeepReason, OutcomeKind, ProofKind, ProofResult,
    RepositoryName, Severity, Standing, Unreadable,
};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::catalogue::{self, Family};
use super::sheet::Sheet;
use super::{Build, CloudCounts, process};
use crate::status::{Arming, Board, Bounds, BrakesStatus, RefusalCode, RepositoryStatus, Status, UndoStatus};

/// The most repositories with samples of their own: 200 × 8 series. People who push make repositories, so their
/// number must not decide how large a scrape is.
pub(super) const MAX_REPOSITORIES: usize = 200;

/// The stages at which a pass can fail, as [`crate::status::PassResult::Failed`] names them.
const STAGES: [&str; 3] = ["sign_in", "list_repositories", "check"];

/// The results that a reload of the policies can have.
const RELOADS: [&str; 2] = ["ok", "refused"];

/// The calls that a pass makes, so that their counters exist before the first.
const OPERATIONS: [&str; 10] = [
    "DeleteContainerImage",
    "Federate",
    "GetAccessToken",
    "GetContainerImage",
    "GetManifest",
    "GetMetadata",
    "ListContainerImages",
    "ListContainerRepositories",
    "PutManifest",
    "RestoreContainerImage",
];

/// Makes the samples from the present picture.
pub(super) struct BoardCollector {
    board: Board,
    cloud: Arc<RwLock<CloudCounts>>,
    descriptions: Vec<Desc>,
}

impl BoardCollector {
    pub(super) fn new(board: Board, cloud: Arc<RwLock<CloudCounts>>) -> Self {
        let made_here = catalogue::ALL.iter().filter(|family| family.name != catalogue::HTTP_REQUESTS.name);
        Self { board, cloud, descriptions: made_here.map(description).collect() }
    }
}

/// What the registry of the `prometheus` crate asks for, to see that no name is taken twice.
fn description(family: &Family) -> Desc {
    Desc::new(family.name.to_owned(), family.help.to_owned(), Vec::new(), std::collections::HashMap::new())
        .expect("the catalogue's names are valid, and a test renders them all")
}

impl Collector for BoardCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let status = self.board.read();
        let mut sheet = Sheet::default();
        identity(&mut sheet, &status);
        permission(&mut sheet, &status);
        brakes(&mut sheet, &status.brakes);
        undo(&mut sheet, &status.undo);
        findings(&mut sheet, &status.findings);
        passes(&mut sheet, &status);
        registry(&mut sheet, &status);
        bounds(&mut sheet, &status.bounds);
        repositories(&mut sheet, &status.repositories);
        in_use(&mut sheet, &status);
        cloud(&mut sheet, &self.cloud.read().unwrap_or_else(PoisonError::into_inner));
        process::collect(&mut sheet, status.started_at);
        sheet.into_families()
    }
}

fn identity(sheet: &mut Sheet, status: &Status) {
    let Build { version, revision, architecture } = Build::THIS;
    let build = [("version", version), ("revision", revision), ("architecture", architecture)];
    sheet.put_labelled(catalogue::BUILD_INFO, &build, 1.0);
    let region = status.place.as_ref().map_or("", |place| &place.region);
    sheet.put_labelled(catalogue::INSTANCE_INFO, &[("region_name", region)], 1.0);
}

/// What it may do, and what keeps it from doing it.
fn permission(sheet: &mut Sheet, status: &Status) {
    sheet.put(catalogue::ARMED, one_if(status.arming == Arming::Armed));
    for (mode, arming) in
        [("report", Arming::Report), ("armed", Arming::Armed), ("disarmed", Arming::Disarmed)]
    {
        sheet.put_labelled(catalogue::MODE, &[("mode", mode)], one_if(status.arming == arming));
    }
    for &code in RefusalCode::ALL {
        let is_refusing = status.refusals.iter().any(|refusal| refusal.code == code);
        sheet.put_labelled(catalogue::REFUSING, &[("code", code.as_str())], one_if(is_refusing));
    }
    let codes: Vec<&str> = RefusalCode::ALL.iter().map(|code| code.as_str()).collect();
    counts(sheet, catalogue::REFUSALS, "code", &codes, &status.counts.n_refusals);
    counts(sheet, catalogue::POLICY_RELOADS, "result", &RELOADS, &status.counts.n_reloads);
    sheet.put(catalogue::POLICIES_LOADED, instant(status.counts.policies_loaded_at));
    for (check, state) in status.checks.named() {
        sheet.put_labelled(catalogue::CHECK_FAILED, &[("check", check)], one_if(state.is_failed()));
    }
    sheet.put(catalogue::STORE_UP, one_if(!status.checks.store.is_failed()));
    sheet.put(catalogue::BACKUP_MADE, instant(status.backup.last_at));
    sheet.put(catalogue::BACKUP_FAILED, one_if(status.backup.check.is_failed()));
}

/// What waits for a person, and how far the store has been trusted yet.
fn brakes(sheet: &mut Sheet, brakes: &BrakesStatus) {
    let BrakesStatus { breaker, freeze, n_unexpected, n_proved, next_batch: _, refused_plan, approval } =
        brakes;
    sheet.put(catalogue::BREAKER_TRIPPED, one_if(breaker.is_some()));
    sheet.put(catalogue::FROZEN, one_if(freeze.is_some()));
    sheet.put(catalogue::UNEXPECTED_ANSWERS, f64::from(*n_unexpected));
    sheet.put(catalogue::PROVED_BATCHES, f64::from(*n_proved));
    let n_refused = refused_plan.as_ref().map_or(0, |plan| plan.n_families);
    sheet.put(catalogue::REFUSED_FAMILIES, n_refused as f64);
    let n_approved = approval.as_ref().map_or(0, |approval| approval.n_families);
    sheet.put(catalogue::APPROVED_FAMILIES, n_approved as f64);
    sheet.put(catalogue::APPROVAL_ENDS, instant(approval.as_ref().map(|approval| approval.until)));
}

/// Proofs and holds.
fn undo(sheet: &mut Sheet, undo: &UndoStatus) {
    let UndoStatus { proofs, next_proof_at: _, n_open_proofs, holds } = undo;
    sheet.put(catalogue::PROOFS_OPEN, *n_open_proofs as f64);
    for kind in ProofKind::ALL {
        let last = proofs.iter().find(|proof| proof.kind == kind);
        let missed = last.is_some_and(|proof| proof.result == ProofResult::Missing);
        sheet.put_labelled(
            catalogue::PROOF_MADE,
            &[("kind", kind.as_str())],
            instant(last.map(|proof| proof.made_at)),
        );
        sheet.put_labelled(catalogue::PROOF_MISSED, &[("kind", kind.as_str())], one_if(missed));
    }
    sheet.put(catalogue::HOLDS, holds.len() as f64);
}

/// What stands, with a zero for every kind and severity of which nothing does.
fn findings(sheet: &mut Sheet, standing: &[Standing]) {
    let all =
        FindingKind::ALL.iter().flat_map(|kind| Severity::ALL.map(|severity| ((*kind, severity), 0_u32)));
    let mut counts: BTreeMap<(FindingKind, Severity), u32> = all.collect();
    for Standing { finding, since: _ } in standing {
        *counts.entry((finding.kind, finding.severity)).or_default() += 1;
    }
    for ((kind, severity), n) in counts {
        let labels = [("kind", kind.as_str()), ("severity", severity.as_str())];
        sheet.put_labelled(catalogue::FINDINGS, &labels, f64::from(n));
    }
}

fn passes(sheet: &mut Sheet, status: &Status) {
    let last = status.last_pass.as_ref();
    sheet.put(catalogue::PASSES, status.counts.n_passes as f64);
    counts(sheet, catalogue::PASS_FAILURES, "stage", &STAGES, &status.counts.n_failed);
    sheet.put(catalogue::PASS_RUNNING, one_if(status.passing_since.is_some()));
    sheet.put(catalogue::LAST_PASS_START, instant(last.map(|pass| pass.started_at)));
    sheet.put(catalogue::LAST_PASS_END, instant(last.map(|pass| pass.finished_at)));
    sheet.put(catalogue::LAST_COMPLETE_PASS, instant(status.last_complete_at));
    sheet.put(catalogue::LAST_PASS_DURATION, last.map_or(0.0, |pass| pass.duration_seconds));
    sheet.put(catalogue::NEXT_OBSERVE, instant(status.next_observe_at));
    sheet.put(catalogue::NEXT_ENFORCE, instant(status.next_enforce_at));
    counts(sheet, catalogue::OUTCOMES, "outcome", &OutcomeKind::ALL, &status.counts.n_outcomes);
    sheet.put(catalogue::PENDING_FAMILIES, status.pending.len() as f64);
}

/// Sums over every repository, whatever the cap on series says.
fn registry(sheet: &mut Sheet, status: &Status) {
    let repositories = || status.repositories.values();
    sheet.put(catalogue::REPOSITORIES, status.repositories.len() as f64);
    for reason in Unreadable::ALL {
        let is_meant = |repository: &&RepositoryStatus| {
            repository.unreadable.as_ref().map(Unreadable::as_str) == Some(reason)
        };
        let n = repositories().filter(is_meant).count();
        sheet.put_labelled(catalogue::UNREADABLE_REPOSITORIES, &[("reason", reason)], n as f64);
    }
    let verdicts = [("keep", &KeepReason::ALL[..]), ("delete", &DeleteReason::ALL[..])];
    for (verdict, reasons) in verdicts {
        for reason in reasons {
            let n: u64 = repositories().filter_map(|r| r.verdicts.get(reason)).sum();
            let labels = [("verdict", verdict), ("reason", *reason)];
            sheet.put_labelled(catalogue::IMAGES, &labels, n as f64);
        }
    }
    if let Some(size) = repositories().map(|r| r.size).sum::<Option<Bytes>>() {
        sheet.put(catalogue::SIZE, bytes(size));
    }
    let reported = repositories().map(|r| r.reported_size).sum();
    sheet.put(catalogue::REPORTED_SIZE, bytes(reported));
}

/// What the figures are measured against; what nobody set is absent.
fn bounds(sheet: &mut Sheet, bounds: &Bounds) {
    let Bounds { budget, warn_at, complete_by, disk_floor, disk_free } = bounds;
    for (family, value) in [
        (catalogue::BUDGET, budget.map(bytes)),
        (catalogue::BUDGET_WARNING, warn_at.map(bytes)),
        (catalogue::COMPLETE_PASS_DUE, complete_by.map(|at| instant(Some(at)))),
        (catalogue::DISK_FLOOR, disk_floor.map(bytes)),
        (catalogue::DISK_FREE, disk_free.map(bytes)),
    ] {
        if let Some(value) = value {
            sheet.put(family, value);
        }
    }
}

/// The first [`MAX_REPOSITORIES`] by name, each with its own series, and the number of series left out.
fn repositories(sheet: &mut Sheet, repositories: &BTreeMap<RepositoryName, RepositoryStatus>) {
    let mut n_dropped = 0;
    for (n, (name, repository)) in repositories.iter().enumerate() {
        let samples = samples(repository);
        let samples = samples.into_iter().filter_map(|(family, value)| Some((family, value?)));
        if n >= MAX_REPOSITORIES {
            n_dropped += samples.count();
            continue;
        }
        for (family, value) in samples {
            sheet.put_labelled(family, &[("repository", name.as_str())], value);
        }
    }
    sheet.put(catalogue::DROPPED_SERIES, n_dropped as f64);
}

/// What is said of one repository; `None` where it is not known.
fn samples(repository: &RepositoryStatus) -> [(Family, Option<f64>); 8] {
    let RepositoryStatus {
        project: _,
        complete_at,
        unreadable,
        n_images,
        n_tags,
        verdicts: _,
        size,
        freeable,
        reported_size,
        newest_push_at,
    } = repository;
    [
        (catalogue::REPOSITORY_IMAGES, Some(*n_images as f64)),
        (catalogue::REPOSITORY_TAGS, Some(*n_tags as f64)),
        (catalogue::REPOSITORY_SIZE, size.map(bytes)),
        (catalogue::REPOSITORY_FREEABLE, freeable.map(bytes)),
        (catalogue::REPOSITORY_REPORTED_SIZE, Some(bytes(*reported_size))),
        (catalogue::REPOSITORY_NEWEST_PUSH, newest_push_at.map(|at| instant(Some(at)))),
        (catalogue::REPOSITORY_COMPLETE, Some(instant(*complete_at))),
        (catalogue::REPOSITORY_UNREADABLE, Some(one_if(unreadable.is_some()))),
    ]
}

fn in_use(sheet: &mut Sheet, status: &Status) {
    for source in &status.in_use {
        let labels = [("source", source.name.as_str())];
        sheet.put_labelled(catalogue::IN_USE_WRITTEN, &labels, instant(source.written_at));
        sheet.put_labelled(catalogue::IN_USE_REFERENCES, &labels, source.n_references as f64);
        sheet.put_labelled(catalogue::IN_USE_DOUBTFUL, &labels, one_if(source.doubt.is_some()));
    }
}

fn cloud(sheet: &mut Sheet, counted: &CloudCounts) {
    let CloudCounts {
        requests,
        retries,
        throttled,
        limit,
        token_refreshes,
        token_refresh_failures,
        token_expires_at,
        clock_ahead,
    } = counted;
    let codes = || std::iter::once("ok").chain(ErrorKind::ALL.map(ErrorKind::as_str));
    let known = OPERATIONS.into_iter().flat_map(|operation| codes().map(move |code| ((operation, code), 0)));
    let mut all: BTreeMap<(&str, &str), u64> = known.collect();
    all.extend(requests);
    for ((operation, code), n) in all {
        let labels = [("operation", operation), ("code", code)];
        sheet.put_labelled(catalogue::OCI_REQUESTS, &labels, n as f64);
    }
    sheet.put(catalogue::OCI_RETRIES, *retries as f64);
    sheet.put(catalogue::OCI_THROTTLED, *throttled as f64);
    if let Some(limit) = limit {
        sheet.put(catalogue::OCI_CONCURRENCY_LIMIT, *limit as f64);
    }
    sheet.put(catalogue::TOKEN_REFRESHES, *token_refreshes as f64);
    sheet.put(catalogue::TOKEN_REFRESH_FAILURES, *token_refresh_failures as f64);
    if let Some(at) = token_expires_at {
        sheet.put(catalogue::TOKEN_EXPIRY, instant(Some(*at)));
    }
    if let Some(ahead) = clock_ahead {
        sheet.put(catalogue::CLOCK_SKEW, ahead.num_milliseconds() as f64 / 1e3);
    }
}

/// One counter for each known word, and for any other that was counted.
fn counts(
    sheet: &mut Sheet,
    family: Family,
    label: &str,
    words: &[&'static str],
    counted: &BTreeMap<&'static str, u64>,
) {
    let mut all: BTreeMap<&str, u64> = words.iter().map(|word| (*word, 0)).collect();
    all.extend(counted);
    for (word, n) in all {
        sheet.put_labelled(family, &[(label, word)], n as f64);
    }
}

fn bytes(Bytes(n): Bytes) -> f64 {
    n as f64
}

fn one_if(condition: bool) -> f64 {
    if condition { 1.0 } else { 0.0 }
}

/// An instant in seconds since 1970; 0 when there is none.
fn instant(at: Option<DateTime<Utc>>) -> f64 {
    at.map_or(0.0, |at| at.timestamp_millis() as f64 / 1e3)
}
