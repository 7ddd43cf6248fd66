//! Three invented worlds for the tests of what people see: a fresh start, report mode with much pending, and an
//! armed daemon to which several things have gone wrong. And one whose every outside text is hostile.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Bytes, ErrorKind, Finding, FindingKind, Severity, Standing, Subject, Unreadable, UseKind};

use crate::status::{
    ApprovalStatus, Arming, BackupStatus, Bounds, BrakesStatus, Check, Checks, Counts, PassResult,
    PassSummary, Pending, Place, RecentOutcome, Refusal, RefusalCode, RepositoryStatus, SourceStatus, Status,
    StopStatus, UndoStatus, UseStatus,
};

/// What an adversary would put into an error text.
pub(crate) const HOSTILE: &str =
    "\u{1b}[2J\u{1b}]0;owned\u{7}\r\nfake \"line\"\\\u{9b}31m\u{202e}\u{0}{x=\"1\"}";

/// The instant at which the worlds are looked at.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}

/// Started 40 s ago, signed in, the first pass under way.
pub(crate) fn fresh_start() -> Status {
    Status {
        version: "0.1.0".to_owned(),
        started_at: now() - TimeDelta::seconds(40),
        arming: Arming::Report,
        place: None,
        next_observe_at: Some(now() + minutes(15)),
        next_enforce_at: None,
        passing_since: Some(now() - TimeDelta::seconds(38)),
        last_pass: None,
        last_complete_at: None,
        repositories: BTreeMap::new(),
        pending: Vec::new(),
        refusals: vec![refusal(RefusalCode::ReportMode, "set mode = \"enforce\" and armed_for to arm")],
        findings: Vec::new(),
        in_use: Vec::new(),
        n_uses: 0,
        uses: Vec::new(),
        checks: Checks {
            sign_in: Check::Ok,
            registry: Check::Pending,
            store: Check::Ok,
            clock: Check::Pending,
            in_use: Check::Pending,
            policies: Check::Ok,
            deletion: Check::Ok,
        },
        brakes: BrakesStatus::default(),
        undo: UndoStatus::default(),
        bounds: Bounds { complete_by: Some(now() + minutes(45)), ..Bounds::default() },
        backup: BackupStatus::default(),
        recent: Vec::new(),
        counts: Counts::default(),
    }
}

/// Everything works, nothing is armed, and the rules have selected twelve families.
pub(crate) fn report_mode() -> Status {
    let finished_at = now() - minutes(4);
    Status {
        started_at: now() - TimeDelta::hours(76),
        place: Some(Place {
            tenancy: "ocid1.tenancy.oc1..aaaaaaaaexampleexampleexampleexampleexampleexampleexample0"
                .to_owned(),
            region: "eu-milan-1".to_owned(),
        }),
        next_observe_at: Some(now() + minutes(11)),
        passing_since: None,
        last_pass: Some(PassSummary {
            started_at: finished_at - TimeDelta::seconds(2),
            finished_at,
            duration_seconds: 1.73,
            enforcing: false,
            result: PassResult::Complete,
            n_deleted: 0,
        }),
        last_complete_at: Some(finished_at),
        repositories: [
            ("mgh-admin-backend", repository(25, 12, 120_300_000, 30_100_000)),
            ("mgh-admin-frontend", repository(31, 14, 88_400_000, 12_000_000)),
            ("mgh-docs", repository(4, 4, 9_800_000, 0)),
            ("mgh-website", repository(58, 22, 142_900_000, 61_700_000)),
        ]
        .map(|(name, status)| (name.parse().unwrap(), status))
        .into(),
        pending: (0..12).map(pending).collect(),
        n_uses: 2,
        uses: vec![used("v2.3.1", UseKind::Running), used("v2.3.0", UseKind::Previous)],
        in_use: vec![source("/var/lib/ocird/in-use/milan-1.json", 11)],
        checks: all_ok(),
        bounds: Bounds {
            budget: Some(Bytes(500_000_000)),
            warn_at: Some(Bytes(350_000_000)),
            complete_by: Some(now() + minutes(41)),
            disk_floor: Some(Bytes(256_000_000)),
            disk_free: Some(Bytes(31_400_000_000)),
        },
        ..fresh_start()
    }
}

/// Armed, paused by hand, a repository unreadable, a source too old, the clock in doubt.
pub(crate) fn armed_with_failures() -> Status {
    let mut status = report_mode();
    status.arming = Arming::Armed;
    status.next_enforce_at = Some(now() + minutes(41));
    status.refusals = vec![
        refusal(
            RefusalCode::Paused,
            "somebody paused it on 2026-02-28 (\"release week\"); ocird resume lifts it",
        ),
        refusal(
            RefusalCode::Unreadable,
            "mgh-docs: listing its images failed (timeout); the next pass tries again",
        ),
        refusal(
            RefusalCode::InUseUnknown,
            "/var/lib/ocird/in-use/milan-1.json was written 31 h ago and may be 26 h old; see ocird-collect.timer",
        ),
    ];
    status.last_pass = Some(PassSummary {
        started_at: now() - minutes(20),
        finished_at: now() - minutes(19),
        duration_seconds: 61.2,
        enforcing: true,
        result: PassResult::Partial { n_unreadable: 1 },
        n_deleted: 0,
    });
    status.last_complete_at = Some(now() - minutes(34));
    let docs = status.repositories.get_mut(&"mgh-docs".parse().unwrap()).unwrap();
    docs.unreadable = Some(Unreadable::Listing { kind: ErrorKind::Timeout });
    docs.size = None;
    docs.freeable = None;
    status.in_use[0].doubt = Some("written 31 h ago; 26 h are allowed".to_owned());
    status.in_use[0].written_at = Some(now() - TimeDelta::hours(31));
    status.findings = vec![
        finding(
            FindingKind::Contested,
            Severity::Problem,
            "mgh-docs is claimed by the policies of mgh and docs, so nothing of it goes.",
        ),
        finding(
            FindingKind::Public,
            Severity::Warning,
            "Anybody may pull from mgh-website, so it is only observed.",
        ),
    ];
    status.checks.registry = failed("1 of 4 repositories could not be read; see the log for its error");
    status.checks.deletion = failed("paused: somebody paused it");
    status.checks.in_use = failed("1 of 1 sources is too old: is ocird-collect.timer running on milan-1?");
    status.recent = (0..3).map(recent).collect();
    status.counts.n_outcomes = [("deleted", 2), ("drifted", 1)].into();
    status.counts.n_failed = [("sign_in", 1)].into();
    status
}

/// Every text that can come from outside is the adversary's.
pub(crate) fn hostile() -> Status {
    hostile_in(HOSTILE)
}

/// Every text that can come from outside is `text`, in some places many times over.
pub(crate) fn hostile_in(text: &str) -> Status {
    let mut status = armed_with_failures();
    status.version = text.to_owned();
    status.place = Some(Place { tenancy: text.repeat(50), region: text.to_owned() });
    status.refusals = vec![refusal(RefusalCode::Breaker, &text.repeat(500))];
    status.last_pass.as_mut().unwrap().result =
        PassResult::Failed { stage: "sign_in", error: text.repeat(500) };
    status.in_use =
        vec![SourceStatus { host: Some(text.to_owned()), doubt: Some(text.repeat(500)), ..source(text, 1) }];
    status.findings = vec![finding(FindingKind::Vanished, Severity::Problem, &text.repeat(500))];
    for family in &mut status.pending {
        family.digest = text.to_owned();
        family.rule = text.to_owned();
        family.tags = vec![text.to_owned()];
    }
    for outcome in &mut status.recent {
        outcome.rule = text.to_owned();
        outcome.tags = vec![text.to_owned()];
    }
    for used in &mut status.uses {
        used.by = text.to_owned();
        used.tag = Some(text.to_owned());
    }
    let stop = StopStatus { at: now(), why: text.repeat(50) };
    (status.brakes.breaker, status.brakes.freeze) = (Some(stop.clone()), Some(stop));
    status.brakes.approval = Some(ApprovalStatus {
        plan: text.to_owned(),
        at: now(),
        by: text.to_owned(),
        until: now() + minutes(90),
        n_families: 3,
    });
    status.checks.clock = failed(&text.repeat(500));
    status
}

/// A healthy repository.
pub(crate) fn repository(n_images: u64, n_tags: u64, size: u64, freeable: u64) -> RepositoryStatus {
    RepositoryStatus {
        project: Some("mgh".to_owned()),
        complete_at: Some(now() - minutes(4)),
        unreadable: None,
        n_images,
        n_tags,
        verdicts: [("floor", 3), ("not_selected", n_images - 4), ("delete_rule", 1)].into(),
        size: Some(Bytes(size)),
        freeable: Some(Bytes(freeable)),
        reported_size: Bytes(size + 1_000_000),
        newest_push_at: Some(now() - TimeDelta::hours(9)),
    }
}

fn pending(n: u8) -> Pending {
    let name = ["mgh-website", "mgh-admin-backend"][usize::from(n % 2)];
    Pending {
        repository: name.parse().unwrap(),
        digest: format!("{:012x}", 0x9f3a_51c0_7700_u64 + u64::from(n)),
        tags: if n < 5 { Vec::new() } else { vec![format!("v1.{n}.0"), format!("build-{n}")] },
        rule: if n < 5 { "untagged for 14 days" } else { "beyond the newest ten" }.to_owned(),
        since: now() - TimeDelta::hours(20) + minutes(i64::from(n) * 90),
        due_at: now() + TimeDelta::hours(4) + minutes(i64::from(n) * 90),
    }
}

fn recent(n: u8) -> RecentOutcome {
    RecentOutcome {
        at: now() - TimeDelta::hours(26) - minutes(i64::from(n)),
        repository: "mgh-website".parse().unwrap(),
        digest: format!("{:012x}", 0x77aa_0000_1000_u64 + u64::from(n)),
        tags: if n == 0 { vec!["v0.9.1".to_owned()] } else { Vec::new() },
        outcome: if n == 0 { "drifted" } else { "deleted" },
        rule: "untagged for 14 days".to_owned(),
    }
}

fn used(tag: &str, kind: UseKind) -> UseStatus {
    UseStatus {
        repository: "mgh-docs".parse().unwrap(),
        tag: Some(tag.to_owned()),
        digest: None,
        by: "container docs on milan-1".to_owned(),
        kind,
        since: Some(now() - TimeDelta::days(3)),
        is_missing: Some(false),
    }
}

fn source(name: &str, n_references: u64) -> SourceStatus {
    SourceStatus {
        name: name.to_owned(),
        host: Some("milan-1".to_owned()),
        written_at: Some(now() - minutes(7)),
        n_references,
        doubt: None,
    }
}

fn finding(kind: FindingKind, severity: Severity, what: &str) -> Standing {
    let subject = Subject::Repository { name: "mgh-docs".parse().unwrap() };
    let (what, remedy) = (what.to_owned(), "Look at it.".to_owned());
    Standing {
        finding: Finding { kind, subject, severity, what, remedy },
        since: now() - TimeDelta::hours(50),
    }
}

fn refusal(code: RefusalCode, text: &str) -> Refusal {
    Refusal { code, text: text.to_owned() }
}

fn failed(text: &str) -> Check {
    Check::Failed { text: text.to_owned() }
}

fn all_ok() -> Checks {
    Checks {
        sign_in: Check::Ok,
        registry: Check::Ok,
        store: Check::Ok,
        clock: Check::Ok,
        in_use: Check::Ok,
        policies: Check::Ok,
        deletion: Check::Ok,
    }
}
