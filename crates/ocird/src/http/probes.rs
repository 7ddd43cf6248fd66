//! The probes: does it live, is it ready, is it well. A machine reads the status code; the words are for people.
//! An outage of the cloud is a warning with 200, for a restart would mend nothing; `?strict` is for those who have
//! nothing but curl.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::problem::{Problem, ProblemKind};
use super::screen::ago;
use super::{App, Json};
use crate::plain::plain;
use crate::status::{Check, PassSummary, Status};

/// What a probe that is content says.
const OK: &str = "ok\n";

/// The longest reason in the text form, in characters.
const MAX_REASON: usize = 200;

pub(super) async fn livez(State(app): State<App>) -> Response {
    match pulse(&app) {
        Check::Failed { text } => Problem::new(ProblemKind::Unavailable, text).into_response(),
        Check::Pending | Check::Ok => OK.into_response(),
    }
}

pub(super) async fn readyz(State(app): State<App>) -> Response {
    let reason = if app.stopping.is_cancelled() {
        Some("it is stopping")
    } else if app.board.read().has_looked() {
        None
    } else {
        Some("the first pass has not ended yet")
    };
    match reason {
        Some(reason) => Problem::new(ProblemKind::Unavailable, reason).into_response(),
        None => OK.into_response(),
    }
}

pub(super) async fn healthz(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let asked = Asked::parse(query.as_deref().unwrap_or_default());
    let status = app.board.read();
    let health = Health::of(&app, &status, (app.clock)());
    let code = match health.state {
        HealthState::Pass => StatusCode::OK,
        HealthState::Warn if !asked.strict => StatusCode::OK,
        HealthState::Warn | HealthState::Fail => StatusCode::SERVICE_UNAVAILABLE,
    };
    if asked.verbose { (code, health.text()).into_response() } else { (code, Json(health)).into_response() }
}

/// The switches of `/healthz`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    strict: bool,
    verbose: bool,
}

impl Asked {
    /// `?strict`, `?strict=1` and `?strict=true` all mean it; `=0` and `=false` do not.
    fn parse(query: &str) -> Self {
        let mut asked = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let is_on = !matches!(value, "0" | "false");
            match name {
                "strict" => asked.strict = is_on,
                "verbose" => asked.verbose = is_on,
                _ => {}
            }
        }
        asked
    }
}

/// How well it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum HealthState {
    /// Nothing is known to be wrong.
    Pass,
    /// Something is; it serves and observes as far as it can.
    Warn,
    /// The daemon itself no longer works.
    Fail,
}

/// How well it is, part by part.
#[derive(Debug, Serialize)]
pub(super) struct Health<'a> {
    #[serde(rename = "status")]
    pub(super) state: HealthState,
    version: &'a str,
    pub(super) checks: BTreeMap<&'static str, Check>,
    last_complete_at: Option<DateTime<Utc>>,
    last_pass: Option<&'a PassSummary>,
}

impl<'a> Health<'a> {
    pub(super) fn of(app: &App, status: &'a Status, now: DateTime<Utc>) -> Self {
        let mut checks: BTreeMap<_, _> =
            status.checks.named().into_iter().map(|(name, check)| (name, check.clone())).collect();
        checks.insert("passes", freshness(status, now));
        let is_degraded = checks.values().any(Check::is_failed);
        let pulse = pulse(app);
        let state = match (pulse.is_failed(), is_degraded) {
            (true, _) => HealthState::Fail,
            (false, true) => HealthState::Warn,
            (false, false) => HealthState::Pass,
        };
        checks.insert("scheduler", pulse);
        Self {
            state,
            version: &status.version,
            checks,
            last_complete_at: status.last_complete_at,
            last_pass: status.last_pass.as_ref(),
        }
    }

    /// One line for each check and a summary, as Kubernetes writes them.
    fn text(&self) -> String {
        let mut text = String::new();
        for (name, check) in &self.checks {
            match check {
                Check::Ok => writeln!(text, "[+]{name} ok"),
                Check::Pending => writeln!(text, "[+]{name} pending: not tried yet"),
                Check::Failed { text: reason } => {
                    writeln!(text, "[-]{name} failed: {}", plain(reason, MAX_REASON))
                }
            }
            .expect("writing to a string never fails");
        }
        text.push_str(match self.state {
            HealthState::Pass => "healthz check passed\n",
            HealthState::Warn => "healthz check passed with warnings\n",
            HealthState::Fail => "healthz check failed\n",
        });
        text
    }
}

/// Whether the scheduler's loop turns.
fn pulse(app: &App) -> Check {
    if app.heartbeat.is_alive() {
        return Check::Ok;
    }
    let silence = app.heartbeat.silence().as_secs();
    Check::Failed {
        text: format!("the scheduler has given no sign of life for {silence} s; restart the service"),
    }
}

/// Whether the last complete pass is recent enough: by the schedule, which may well leave the night out. Before the first, the
/// time counts from the start.
fn freshness(status: &Status, now: DateTime<Utc>) -> Check {
    if status.bounds.complete_by.is_none_or(|due| now <= due) {
        return match status.last_complete_at {
            Some(_) => Check::Ok,
            None => Check::Pending,
        };
    }
    let text = match status.last_complete_at {
        Some(at) => format!("the last complete pass ended {}; the log says why", ago(at, now)),
        None => format!("no pass has been complete since the start {}", ago(status.started_at, now)),
    };
    Check::Failed { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_on_unless_it_says_no() {
        let both = Asked { strict: true, verbose: true };
        assert_eq!(Asked::parse("strict&verbose=1"), both);
        assert_eq!(Asked::parse("strict=false&verbose=0"), Asked::default());
        assert_eq!(Asked::parse("strictly=1&x&=&verbose"), Asked { strict: false, verbose: true });
    }
}
