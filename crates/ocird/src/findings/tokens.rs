//! The auth tokens of watched users: older than their rotation, or not to be read. ocird makes none and removes none.
//! <https://docs.oracle.com/en-us/iaas/Content/Registry/Tasks/registrygettingauthtoken.htm>

use chrono::{DateTime, Utc};
use ocird_model::{Finding, FindingKind, Severity, Subject};
use ocird_oci::AuthToken;

use super::look::Look;
use super::words::{cut, days, listed};
use super::{Tokens, carried, finding};
use crate::config::WatchedUser;

/// The most tokens that a user may hold.
/// <https://docs.oracle.com/en-us/iaas/Content/Identity/Tasks/managingcredentials.htm>
const MAX_TOKENS: usize = 2;

/// The lifecycle state of a token with which somebody can log in.
const ACTIVE: &str = "ACTIVE";

pub(super) fn find(look: &Look<'_>, found: &mut Vec<Finding>) {
    for watched in &look.config.auth_tokens {
        match look.answers.tokens.get(&watched.user) {
            Some(Tokens::Listed(tokens)) => {
                let active: Vec<&AuthToken> =
                    tokens.iter().filter(|token| is_active(token, look.at)).collect();
                found.extend(overdue(watched, &active, look.at));
                found.extend(undated(watched, &active));
            }
            Some(Tokens::Unreadable { why }) => {
                found.push(unreadable(watched, why));
                found.extend(carried(look, FindingKind::TokenOverdue, user(watched)));
            }
            None => {
                let kinds = [FindingKind::TokenOverdue, FindingKind::TokenUnreadable];
                found.extend(kinds.into_iter().filter_map(|kind| carried(look, kind, user(watched))));
            }
        }
    }
}

fn user(watched: &WatchedUser) -> Subject {
    Subject::User { name: watched.name.clone() }
}

fn is_active(token: &AuthToken, now: DateTime<Utc>) -> bool {
    token.state == ACTIVE && token.expires_at.is_none_or(|at| at > now)
}

fn overdue(watched: &WatchedUser, active: &[&AuthToken], now: DateTime<Utc>) -> Option<Finding> {
    let ages = active.iter().filter_map(|token| Some((now - token.created_at?, *token)));
    let mut old: Vec<_> = ages.filter(|(age, _)| *age > watched.rotate_after).collect();
    old.sort_by_key(|(age, _)| std::cmp::Reverse(*age));
    if old.is_empty() {
        return None;
    }
    let tokens =
        old.iter().map(|(age, token)| format!("\"{}\", {} old", cut(&token.description), days(*age)));
    let what = format!(
        "Of the auth tokens of {}, these are older than {}: {}.",
        watched.name,
        days(watched.rotate_after),
        listed(tokens)
    );
    let remedy = if active.len() < MAX_TOKENS {
        "Make a second token, give it to whoever logs in with the old one, then delete the old one."
    } else {
        "A user holds two tokens at most, and both are there: see which one nobody uses, delete it, and make a new one."
    };
    Some(finding(FindingKind::TokenOverdue, user(watched), Severity::Warning, what, remedy))
}

/// A token that does not say when it was made may be of any age.
fn undated(watched: &WatchedUser, active: &[&AuthToken]) -> Option<Finding> {
    let undated = active.iter().filter(|token| token.created_at.is_none());
    let undated: Vec<String> = undated.map(|token| format!("\"{}\"", cut(&token.description))).collect();
    (!undated.is_empty()).then(|| {
        let what = format!(
            "Of the auth tokens of {}, these do not say how old they are: {}.",
            watched.name,
            listed(undated)
        );
        let remedy = "Look at them in the console.";
        finding(FindingKind::TokenUnreadable, user(watched), Severity::Warning, what, remedy)
    })
}

/// What it takes is a right of its own, which an instance does not have by itself.
/// <https://docs.oracle.com/en-us/iaas/Content/Identity/Reference/iampolicyreference.htm>
fn unreadable(watched: &WatchedUser, why: &str) -> Finding {
    let remedy = format!(
        "Add this policy statement and wait a day, or restart: Allow dynamic-group <group> to read users in tenancy where \
         target.user.id = '{}'",
        watched.user
    );
    let what = format!("The auth tokens of {} cannot be read: {}.", watched.name, cut(why));
    finding(FindingKind::TokenUnreadable, user(watched), Severity::Warning, what, remedy)
}
