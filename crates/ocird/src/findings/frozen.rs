//! What keeps ocird from judging, for longer than a pass. While it is fresh it is good to know, and stands among the
//! refusals; after a day somebody must do something, or the janitor stands still (S-33).

use chrono::TimeDelta;
use ocird_model::{
    Content, Finding, FindingKey, FindingKind, Image, OpaqueReason, Repository, RepositoryState, Severity,
    Subject,
};
use ocird_store::{Brakes, RefusedPlan, Stop};

use super::look::{Look, repository};
use super::words::{cut, listed};
use super::{carried, finding};
use crate::status::RefusalCode;

/// From when on a doubt is nobody's passing trouble.
const LASTING: TimeDelta = TimeDelta::hours(24);

pub(super) fn find(look: &Look<'_>, found: &mut Vec<Finding>) {
    for (name, state) in &look.inventory.repositories {
        match state {
            RepositoryState::Complete(whole) => found.extend(opaque(whole)),
            RepositoryState::Unreadable { id: _, why } => {
                found.extend(carried(look, FindingKind::OpaqueManifest, repository(name)));
                let what = format!("{name} cannot be read whole, so nothing of it goes: {why}.");
                let remedy = "`ocird doctor` says what is missing; the log has the cloud's own words.";
                found.push(lasting(look, FindingKind::Unreadable, repository(name), what, remedy));
            }
        }
    }
    for row in look.rows {
        let why = look.observe_only.get(&row.id).filter(|why| why.code == RefusalCode::Shrunk);
        found.extend(why.map(|why| {
            let what = format!("Nothing of {} goes: {}.", row.name, cut(&why.text));
            let remedy = "If that was meant, wait: two later passes that agree lift it. If not, find out who deletes there; what \
                 went is kept by the cloud for 48 h (`oci artifacts container image restore`).";
            lasting(look, FindingKind::Shrunk, repository(&row.name), what, remedy)
        }));
    }
    let doubts: Vec<String> = look
        .in_use
        .doubts()
        .map(|(names, why)| format!("{}: {}", cut(&names.to_string()), cut(why)))
        .collect();
    if !doubts.is_empty() {
        let what =
            format!("It is not known what runs, so nothing goes of what that covers: {}.", listed(doubts));
        let remedy = "See that whoever writes the reference files runs, on every host.";
        found.push(lasting(look, FindingKind::InUseUnknown, Subject::Tenancy, what, remedy));
    }
    if let Some(why) = look.clock_doubt {
        let what = format!("The clock is in doubt, so nothing goes: {}.", cut(why));
        let remedy = "See that the host keeps its time by NTP or chrony.";
        found.push(lasting(look, FindingKind::ClockDoubt, Subject::Tenancy, what, remedy));
    }
    found.extend(waits_for_a_person(look.brakes));
}

/// What stops everything until somebody has looked, of which nobody should learn by a disk that fills.
fn waits_for_a_person(brakes: &Brakes) -> Vec<Finding> {
    let Brakes { breaker, freeze, n_unexpected: _, ramp: _, refused, approval: _ } = brakes;
    let mut found = Vec::new();
    if let Some(RefusedPlan { id, at: _, why, families: _ }) = refused {
        let what = format!("More is due than may go at once, so nothing goes: {why}.");
        let remedy = format!(
            "`ocird pending` shows the list; `ocird approve {id}` lets it go, a correction of the policy keeps it."
        );
        found.push(finding(FindingKind::TooMuch, Subject::Tenancy, Severity::Warning, what, remedy));
    }
    let remedy = "Look into it, then `ocird reset`.";
    if let Some(Stop { at: _, why }) = breaker {
        let what = format!("The breaker has tripped, so nothing goes: {}.", cut(why));
        found.push(finding(FindingKind::Breaker, Subject::Tenancy, Severity::Problem, what, remedy));
    }
    if let Some(Stop { at: _, why }) = freeze {
        let what = format!("Something that ocird deleted was needed, so nothing goes: {}.", cut(why));
        found.push(finding(FindingKind::Frozen, Subject::Tenancy, Severity::Problem, what, remedy));
    }
    found
}

/// A finding that is told at once and matters after a day.
fn lasting(look: &Look<'_>, kind: FindingKind, subject: Subject, what: String, remedy: &str) -> Finding {
    let key = FindingKey { kind, subject };
    let since = look.standing.get(&key).map_or(look.at, |standing| standing.since);
    let severity = if look.at - since >= LASTING { Severity::Problem } else { Severity::Info };
    finding(key.kind, key.subject, severity, what, remedy)
}

/// Anybody who may push can bring this about (S-34), and it does not pass by itself.
fn opaque(whole: &Repository) -> Option<Finding> {
    let of = |image: &Image| match &image.content {
        Content::Opaque { reason } => Some((image.digest.short(), *reason)),
        Content::Manifest { subject: _, config: _ } | Content::Index { children: _, subject: _ } => None,
    };
    let opaque: Vec<(String, OpaqueReason)> = whole.images.iter().filter_map(of).collect();
    let (_, reason) = opaque.first()?;
    let remedy = match reason {
        OpaqueReason::MediaType => {
            "Most often it is of Docker's schema 1: pull it and push it again with a client of today, then delete the old one."
        }
        OpaqueReason::Malformed
        | OpaqueReason::TooLarge
        | OpaqueReason::TooManyChildren
        | OpaqueReason::TooManyTags => {
            "Ask who pushed it and what for, and delete it by hand if nobody needs it."
        }
    };
    let named = listed(opaque.iter().map(|(digest, reason)| format!("{digest} ({})", reason.as_str())));
    let what = format!(
        "{} holds what cannot be judged and may refer to anything, so nothing of it goes: {named}.",
        whole.name
    );
    Some(finding(FindingKind::OpaqueManifest, repository(&whole.name), Severity::Warning, what, remedy))
}
