//! From the raw shape of `ocird.toml` to the settings: every default, every bound, every rule between two keys.
//!
//! What is built while a problem is on record is worthless and never leaves `load`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use chrono::TimeDelta;
use ocird_model::{Bytes, Guardrails, Policies};
use toml::Spanned;

use super::admin::admin;
use super::cloud::{armed_for, oci};
use super::environment::Environment;
use super::findings::findings;
use super::price::price;
use super::projects::projects;
use super::raw::{
    RawConfig, RawGuardrails, RawHttp, RawLimits, RawLog, RawLogFormat, RawMode, RawSchedule, RawStore,
};
use super::settings::{BackupConfig, Config, HttpConfig, Limits, LogConfig, LogFormat, Mode, ScheduleConfig};
use super::source::Check;
use super::sources::in_use;
use super::value::LONGEST;
use crate::schedule::{Schedule, Window};

/// Where the packages put the state.
const STATE_DIR: &str = "/var/lib/ocird";
/// Beside the central file.
const POLICIES_DIR: &str = "policies.d";
/// Every quarter of an hour: three passes, the least before anything goes (S-16), fit in an hour, and a day has 96.
const OBSERVE: &str = "*/15 * * * *";
/// Hourly, aside from the full hour on which everybody else's timers fire.
const ENFORCE: &str = "7 * * * *";
/// One hour is the floor under the floor (S-13).
pub(super) const SHORTEST_AGE: TimeDelta = TimeDelta::hours(1);
/// Loopback; the port spells OCIR on a telephone, and the range of Prometheus exporters is used up.
const LISTEN: &str = "127.0.0.1:6247";
/// What an operator wants to see unasked.
const FILTER: &str = "info";
/// The room under which nothing is deleted: twice what a store of ten years takes, so that the journal of many days still
/// fits when deletion has stopped.
const MIN_FREE: Bytes = Bytes(256_000_000);
/// The least that may be asked for: no zero, and room for what one pass writes down.
const LEAST_FREE: Bytes = Bytes(1_000_000);
/// The most: more than the disk of a small server has is a slip of the hand.
const MOST_FREE: Bytes = Bytes(1_000_000_000_000);
/// A copy of the store a day, so that a mistake costs a day of history at most; the journal of the registry's last 48 hours is
/// in at least one of them.
const BACKUP_EVERY: TimeDelta = TimeDelta::hours(24);
/// A week of them: a mistake made on a Friday is seen before the last copy without it goes.
const BACKUP_KEEP: NonZeroU32 = NonZeroU32::new(7).expect("seven is not zero");
/// More copies than days of a year are an archive, which this is not.
const MAX_COPIES: u32 = 366;
/// Families a pass and a day: a wrong policy is seen after 50 or at most 200 (S-19).
const LIMITS: Limits = Limits { max_per_pass: 50, max_per_day: 200, max_plan: 200 };

/// Builds the settings without the policies.
pub(super) fn build(raw: &RawConfig, environment: &Environment, check: &mut Check<'_>) -> Config {
    let mode = match raw.mode.as_ref().map(|mode| *mode.get_ref()) {
        None | Some(RawMode::Report) => Mode::Report,
        Some(RawMode::Enforce) => Mode::Enforce,
    };
    let oci = oci(raw.oci.as_ref(), environment, check);
    let armed_for = armed_for(raw.armed_for.as_ref(), &oci, check);
    if mode == Mode::Enforce && raw.armed_for.is_none() {
        check.missing(
            raw.mode.as_ref().map(Spanned::span).as_ref(),
            "mode \"enforce\" needs [armed_for] with tenancy, region and compartments, so that no other place is ever \
             touched",
        );
    }
    let policies_dir = check
        .path(raw.policies_dir.as_ref(), "policies_dir")
        .unwrap_or_else(|| check.source.directory().join(POLICIES_DIR));
    let state_dir =
        check.path(raw.state_dir.as_ref(), "state_dir").unwrap_or_else(|| PathBuf::from(STATE_DIR));
    let findings = findings(raw, &oci, check);
    let admin = admin(&raw.admin, &state_dir, check);
    Config {
        path: check.source.path.clone(),
        mode,
        armed_for,
        state_dir,
        min_free: check
            .size(raw.store.min_free.as_ref(), "store.min_free", (LEAST_FREE, MOST_FREE))
            .unwrap_or(MIN_FREE),
        backup: backup(&raw.store, check),
        policies_dir,
        oci,
        schedule: schedule(&raw.schedule, check),
        policies: Policies { guardrails: guardrails(&raw.guardrails, check), policies: Vec::new() },
        limits: limits(&raw.limits, check),
        in_use: in_use(&raw.in_use, environment, check),
        container: environment.container(),
        projects: projects(raw, check),
        findings,
        price: price(raw.price.as_ref(), check),
        http: http(&raw.http, check),
        admin,
        log: log(&raw.log, check),
        warnings: Vec::new(),
    }
}

fn backup(raw: &RawStore, check: &mut Check<'_>) -> Option<BackupConfig> {
    let RawStore { min_free: _, backup, backup_every, backup_keep } = raw;
    let every = check.duration(backup_every.as_ref(), "store.backup_every", (SHORTEST_AGE, LONGEST));
    let keep = check.count_up_to(MAX_COPIES, backup_keep.as_ref(), "store.backup_keep");
    let is_wanted = backup.as_ref().is_none_or(|backup| *backup.get_ref());
    is_wanted
        .then(|| BackupConfig { every: every.unwrap_or(BACKUP_EVERY), keep: keep.unwrap_or(BACKUP_KEEP) })
}

fn schedule(raw: &RawSchedule, check: &mut Check<'_>) -> ScheduleConfig {
    let observe = cron(raw.observe.as_ref(), OBSERVE, check);
    let enforce = cron(raw.enforce.as_ref(), ENFORCE, check);
    let window: Option<Window> =
        raw.window.as_ref().and_then(|given| check.parsed(given.get_ref(), &given.span()));
    if let (Some(given), Some(window)) = (&raw.window, window)
        && !enforce.meets(window)
    {
        check.problem(
            &given.span(),
            format!("schedule.enforce ({enforce}) never falls into this window, so nothing would ever go"),
        );
    }
    ScheduleConfig { observe, enforce, window }
}

fn cron(given: Option<&Spanned<String>>, default: &str, check: &mut Check<'_>) -> Schedule {
    let by_default = || Schedule::parse(default).expect("the default schedules are schedules");
    let Some(given) = given else {
        return by_default();
    };
    Schedule::parse(given.get_ref()).unwrap_or_else(|error| {
        check.problem(&given.span(), error.to_string());
        by_default()
    })
}

fn guardrails(raw: &RawGuardrails, check: &mut Check<'_>) -> Guardrails {
    let default = Guardrails::default();
    let bounds = (SHORTEST_AGE, LONGEST);
    Guardrails {
        min_newest: check
            .count(raw.min_newest.as_ref(), "guardrails.min_newest")
            .unwrap_or(default.min_newest),
        min_age: check
            .duration(raw.min_age.as_ref(), "guardrails.min_age", bounds)
            .unwrap_or(default.min_age),
        grace: check.duration(raw.grace.as_ref(), "guardrails.grace", bounds).unwrap_or(default.grace),
    }
}

fn limits(raw: &RawLimits, check: &mut Check<'_>) -> Limits {
    let limits = Limits {
        max_per_pass: check
            .count(raw.max_per_pass.as_ref(), "limits.max_per_pass")
            .map_or(LIMITS.max_per_pass, u32::from),
        max_per_day: check
            .count(raw.max_per_day.as_ref(), "limits.max_per_day")
            .map_or(LIMITS.max_per_day, u32::from),
        max_plan: check.count(raw.max_plan.as_ref(), "limits.max_plan").map_or(LIMITS.max_plan, u32::from),
    };
    let given = raw.max_per_pass.as_ref().or(raw.max_per_day.as_ref());
    if let Some(given) = given
        && limits.max_per_pass > limits.max_per_day
    {
        let Limits { max_per_pass, max_per_day, max_plan: _ } = limits;
        check.warn(
            &given.span(),
            format!(
                "max_per_pass ({max_per_pass}) is never reached: max_per_day ({max_per_day}) stops before it"
            ),
        );
    }
    limits
}

fn http(raw: &RawHttp, check: &mut Check<'_>) -> HttpConfig {
    let by_default = || LISTEN.parse().expect("the default address is an address");
    let listen: SocketAddr = match &raw.listen {
        None => by_default(),
        Some(given) => given.get_ref().parse().unwrap_or_else(|_| {
            check.problem(
                &given.span(),
                format!("http.listen must be an address and a port, such as \"{LISTEN}\""),
            );
            by_default()
        }),
    };
    if let Some(given) = &raw.listen
        && !listen.ip().is_loopback()
        && !raw.allow_remote
    {
        check.missing(
            Some(&given.span()),
            "other hosts can reach this address; say http.allow_remote = true if that is meant, or listen on 127.0.0.1",
        );
    }
    HttpConfig { listen, allow_remote: raw.allow_remote, names: host_names(raw, check) }
}

fn host_names(raw: &RawHttp, check: &mut Check<'_>) -> Vec<String> {
    let Some(given) = &raw.names else {
        return Vec::new();
    };
    let mut names = Vec::new();
    for (span, name) in check.words(given, "http.names") {
        let is_host =
            name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
        if is_host {
            names.push(name.to_owned());
        } else {
            check.problem(&span, format!("{name:?} is not a host name in lower case, without a port"));
        }
    }
    names
}

fn log(raw: &RawLog, check: &mut Check<'_>) -> LogConfig {
    let filter = check.text(raw.filter.as_ref(), "log.filter");
    if let (Some(given), Some(filter)) = (&raw.filter, &filter)
        && !is_filter(filter)
    {
        check.problem(
            &given.span(),
            format!("{filter:?} is not a level (off, error, warn, info, debug, trace) or a list such as \"info,ocird=debug\""),
        );
    }
    LogConfig {
        format: match raw.format {
            None | Some(RawLogFormat::Text) => LogFormat::Text,
            Some(RawLogFormat::Json) => LogFormat::Json,
        },
        filter: filter.unwrap_or_else(|| FILTER.to_owned()),
    }
}

/// A bare word that is no level would be taken for a module's name and silence everything else, so it is refused.
fn is_filter(text: &str) -> bool {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let words_are_levels = text.split(',').map(str::trim).all(|directive| {
        directive.contains(['=', '[']) || LEVELS.iter().any(|level| directive.eq_ignore_ascii_case(level))
    });
    words_are_levels && tracing_subscriber::EnvFilter::builder().parse(text).is_ok()
}
