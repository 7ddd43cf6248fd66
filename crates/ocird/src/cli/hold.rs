//! `ocird hold` and `ocird release`: an image stays because somebody says so, whatever the rules say.

use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};

use crate::admin::wire::{HoldAnswer, HoldQuestion, HoldsAnswer, ReleaseQuestion, ReleasedAnswer};
use crate::cli::grid::Grid;
use crate::cli::operate::{daemon, print_json, unanswered, warn_off_record};
use crate::cli::sheet::Sheet;
use crate::cli::{Failure, print};
use crate::config::{self, Config};
use crate::paint::Paint;

/// What is held, for how long, and why.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct HoldArgs {
    /// Such as app:v1, which holds whatever has the tag, or app@sha256:1234567, which holds that very image.
    #[arg(required_unless_present = "list")]
    image: Option<String>,
    /// For how long, such as 30d; until it is released if it is left out.
    #[arg(long = "for", value_name = "TIME", value_parser = stretch)]
    hold_for: Option<TimeDelta>,
    /// Why, for whoever finds it held.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Show every hold instead.
    #[arg(long, conflicts_with_all = ["image", "hold_for", "why"])]
    list: bool,
    /// One JSON document.
    #[arg(long)]
    json: bool,
}

/// What is released.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ReleaseArgs {
    /// As `ocird hold --list` shows it: the tag or digest that the hold is on.
    image: String,
    /// One JSON document.
    #[arg(long)]
    json: bool,
}

/// A stretch of time as people write it.
pub(super) fn stretch(text: &str) -> Result<TimeDelta, String> {
    let parsed = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let stretch = TimeDelta::from_std(parsed).map_err(|error| error.to_string())?;
    if stretch < TimeDelta::seconds(1) {
        return Err("it is a second at least, such as 30d or 12h".to_owned());
    }
    Ok(stretch)
}

/// Has the daemon place a hold, or lists every one.
pub(crate) async fn hold(config: &Config, args: HoldArgs) -> Result<ExitCode, Failure> {
    let HoldArgs { image, hold_for, why, list: _, json } = args;
    let Some(image) = image else { return list(config, json).await };
    let question = HoldQuestion { image, hold_for_seconds: hold_for.map(|time| time.num_seconds()), why };
    let answered = daemon(config).post::<HoldAnswer>("/v1/hold", &question).await;
    let answer = answered.map_err(|error| unanswered(config, error))?;
    if json {
        return print_json(&answer);
    }
    warn_off_record(&answer);
    Ok(print(&placed(&answer.body, config::paint())))
}

/// Has the daemon release a hold.
pub(crate) async fn release(config: &Config, args: ReleaseArgs) -> Result<ExitCode, Failure> {
    let ReleaseArgs { image, json } = args;
    let answered = daemon(config).post::<ReleasedAnswer>("/v1/release", &ReleaseQuestion { image }).await;
    let answer = answered.map_err(|error| unanswered(config, error))?;
    if json {
        return print_json(&answer);
    }
    warn_off_record(&answer);
    let mut sheet = Sheet::new(config::paint());
    for hold in &answer.body.released {
        sheet.paragraph(&format!("{} is released; it was {}.", hold.image, in_words(hold)));
    }
    sheet.paragraph("The rules may select it again, and it then waits a whole grace.");
    Ok(print(&sheet.finish()))
}

async fn list(config: &Config, json: bool) -> Result<ExitCode, Failure> {
    let answered = daemon(config).get::<HoldsAnswer>("/v1/holds").await;
    let answer = answered.map_err(|error| unanswered(config, error))?;
    if json {
        return print_json(&answer);
    }
    Ok(print(&table(&answer.body, config::paint())))
}

fn placed(hold: &HoldAnswer, paint: Paint) -> String {
    let mut sheet = Sheet::new(paint);
    sheet.paragraph(&format!("{} is {}.", hold.image, in_words(hold)));
    if hold.is_on_something == Some(false) {
        sheet.paragraph("No image that is listed now has this tag or digest; the hold waits for one.");
    }
    sheet.paragraph(&format!("`ocird release {}` releases it.", hold.image));
    sheet.finish()
}

/// `held by root (uid 0) until 2026-12-21 07:00 UTC: the audit`.
fn in_words(hold: &HoldAnswer) -> String {
    let until = hold.until.map(|until| format!(" until {}", moment(until))).unwrap_or_default();
    let why = if hold.why.is_empty() { String::new() } else { format!(": {}", hold.why) };
    format!("held by {}{until}{why}", hold.by)
}

fn table(answer: &HoldsAnswer, paint: Paint) -> String {
    let HoldsAnswer { at: _, holds } = answer;
    if holds.is_empty() {
        return "nothing is held\n".to_owned();
    }
    let mut grid = Grid::new([30, 16, 28], paint);
    grid.head(["HELD", "UNTIL, IN UTC", "BY, AND WHY"]);
    for hold in holds {
        let why = if hold.why.is_empty() { String::new() } else { format!(": {}", hold.why) };
        grid.row(&[hold.image.clone(), ends(hold), format!("{}{why}", hold.by)]);
    }
    grid.finish()
}

fn ends(hold: &HoldAnswer) -> String {
    match hold.until {
        _ if !hold.in_force => "has ended".to_owned(),
        Some(until) => until.format("%F %H:%M").to_string(),
        None => "it is released".to_owned(),
    }
}

/// An instant as it is told in a sentence.
fn moment(at: DateTime<Utc>) -> String {
    at.format("%F %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use ocird_model::{Digest, HoldOn};

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn held(until: Option<DateTime<Utc>>, why: &str) -> HoldAnswer {
        let on = HoldOn::Digest(Digest::from_bytes([7; 32]));
        HoldAnswer {
            image: format!("mgh-docs{on}"),
            repository: "mgh-docs".parse().unwrap(),
            on,
            by: "alice (uid 1000)".to_owned(),
            why: why.to_owned(),
            since: now(),
            until,
            in_force: until.is_none_or(|until| until > now()),
            is_on_something: None,
        }
    }

    #[test]
    fn a_hold_is_listed_with_its_end_and_as_it_is_released() {
        let holds = vec![
            held(Some(now() + TimeDelta::days(30)), "the audit"),
            held(None, ""),
            held(Some(now() - TimeDelta::days(1)), ""),
        ];
        let text = table(&HoldsAnswer { at: now(), holds }, Paint::Plain);
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        for words in ["2026-12-21 12:00", "it is released", "has ended"] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }

    #[test]
    fn a_hold_on_nothing_says_that_it_waits() {
        let waits = HoldAnswer { is_on_something: Some(false), ..held(None, "the audit") };
        let text = placed(&waits, Paint::Plain);
        assert!(text.contains("the hold waits for one"), "{text}");
        let holds = HoldAnswer { is_on_something: Some(true), ..waits };
        assert!(!placed(&holds, Paint::Plain).contains("waits for one"));
    }

    #[test]
    fn a_stretch_of_time_is_written_as_in_the_configuration() {
        assert_eq!(stretch("30d"), Ok(TimeDelta::days(30)));
        assert_eq!(stretch("1d 12h"), Ok(TimeDelta::hours(36)));
        for text in ["", "0s", "30", "soon", "-1d", "10ms", "99999999999999999y"] {
            assert!(stretch(text).is_err(), "{text}");
        }
    }
}
