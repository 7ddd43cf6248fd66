//! `ocird restore`: brings back what ocird deleted, and says plainly what it could not put back.

use std::process::ExitCode;
use std::time::Duration;

use chrono::TimeDelta;
use ocird_model::Tag;
use ocird_store::PassId;

use crate::admin::wire::{
    LostTagAnswer, RestorableAnswer, RestorableImage, RestoreAnswer, RestoreQuestion, RestoreWhat,
    RestoredImageAnswer,
};
use crate::cli::grid::Grid;
use crate::cli::hold::stretch;
use crate::cli::operate::{daemon, print_json, span, unanswered, warn_off_record};
use crate::cli::sheet::Sheet;
use crate::cli::{Exit, Failure, print};
use crate::config::{self, Config};
use crate::paint::{Ink, Paint};

/// How long a restore may take: a large run asks the registry some thousand times.
const PATIENCE: Duration = Duration::from_mins(14);

/// What is brought back, and what becomes of it.
#[derive(Debug, Clone, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["image", "run", "since", "list"])))]
pub(crate) struct RestoreArgs {
    /// Its whole family comes back: such as app:v1, or app@sha256:1234567.
    image: Option<String>,
    /// All that one pass deleted: its number, as --list shows it, or `last`.
    #[arg(long, value_name = "PASS")]
    run: Option<Run>,
    /// All that was deleted within this time, such as 24h.
    #[arg(long, value_name = "TIME", value_parser = stretch)]
    since: Option<TimeDelta>,
    /// Show what can be brought back, and until when.
    #[arg(long, conflicts_with_all = ["hold_for", "why"])]
    list: bool,
    /// How long what came back is held.
    #[arg(long = "for", value_name = "TIME", value_parser = stretch, default_value = "30d")]
    hold_for: TimeDelta,
    /// Why, for the record and for the hold.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// One JSON document.
    #[arg(long)]
    json: bool,
}

/// One pass.
#[derive(Debug, Clone, Copy)]
enum Run {
    /// The last one that deleted something.
    Last,
    /// The one of this number.
    Pass(PassId),
}

impl std::str::FromStr for Run {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "last" => Ok(Self::Last),
            text => {
                text.parse().map(Self::Pass).map_err(|_| "it is the number of a pass, or `last`".to_owned())
            }
        }
    }
}

/// Has the daemon bring it back, or lists what can be.
pub(crate) async fn restore(config: &Config, args: RestoreArgs) -> Result<ExitCode, Failure> {
    let RestoreArgs { image, run, since, list: _, hold_for, why, json } = args;
    let what = match (image, run, since) {
        (Some(image), _, _) => RestoreWhat::Image { image },
        (None, Some(Run::Last), _) => RestoreWhat::LastRun,
        (None, Some(Run::Pass(pass)), _) => RestoreWhat::Run { pass },
        (None, None, Some(since)) => RestoreWhat::Since { seconds: since.num_seconds() },
        (None, None, None) => return list(config, json).await,
    };
    let question = RestoreQuestion { what, why, hold_for_seconds: Some(hold_for.num_seconds()) };
    let asked = daemon(config).patient(PATIENCE).post::<RestoreAnswer>("/v1/restore", &question).await;
    let answer = asked.map_err(|error| unanswered(config, error))?;
    let shown = if json {
        print_json(&answer)?
    } else {
        warn_off_record(&answer);
        print(&report(&answer.body, hold_for, config::paint()))
    };
    Ok(if answer.body.is_whole { shown } else { Exit::Failed.into() })
}

async fn list(config: &Config, json: bool) -> Result<ExitCode, Failure> {
    let answered = daemon(config).get::<RestorableAnswer>("/v1/restorable").await;
    let answer = answered.map_err(|error| unanswered(config, error))?;
    if json {
        return print_json(&answer);
    }
    Ok(print(&table(&answer.body, config::paint())))
}

/// What came of a restore: every image, every tag that is not back, and the sum.
fn report(answer: &RestoreAnswer, hold_for: TimeDelta, paint: Paint) -> String {
    let RestoreAnswer { is_whole, images, absent, n_holds: _ } = answer;
    let mut sheet = Sheet::new(paint);
    for image in images {
        told(&mut sheet, image);
    }
    for missing in absent {
        let (index, child) = (missing.index.short(), missing.child.short());
        let text =
            format!("{child}, which index {index} names, and ocird cannot bring back: pulls of it will fail");
        sheet.inked(Ink::Red, "ABSENT", &text);
    }
    let (ink, word) = if *is_whole { (Ink::Green, "whole") } else { (Ink::Red, "NOT WHOLE") };
    sheet.inked(ink, word, &sum(answer));
    sheet.paragraph(&format!("What is back is held for {}; `ocird hold --list` shows it.", span(hold_for)));
    sheet.finish()
}

fn told(sheet: &mut Sheet, image: &RestoredImageAnswer) {
    let RestoredImageAnswer { repository, digest, fate, why, tags, lost } = image;
    let (ink, word) = match fate.as_str() {
        "back" => (Ink::Green, "back"),
        "there" => (Ink::Green, "was there"),
        "not_back" => (Ink::Red, "NOT BACK"),
        _ => (Ink::Yellow, "UNKNOWN"),
    };
    let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    sheet.inked(ink, word, &format!("{repository}@{}{}{why}", digest.short(), tagged(tags)));
    for LostTagAnswer { tag, why } in lost {
        sheet.inked(Ink::Red, "  NO TAG", &format!("{tag}: {why}"));
    }
}

fn tagged(tags: &[Tag]) -> String {
    let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
    if tags.is_empty() { String::new() } else { format!(" as {}", tags.join(", ")) }
}

fn sum(answer: &RestoreAnswer) -> String {
    let n_images = answer.images.len();
    let n_there =
        answer.images.iter().filter(|image| matches!(image.fate.as_str(), "back" | "there")).count();
    let n_tags: usize = answer.images.iter().map(|image| image.tags.len()).sum();
    let n_lost: usize = answer.images.iter().map(|image| image.lost.len()).sum();
    format!("{n_there} of {n_images} images are there, with {n_tags} of {} tags", n_tags + n_lost)
}

/// What can be brought back, pass by pass.
fn table(answer: &RestorableAnswer, paint: Paint) -> String {
    let RestorableAnswer { at: _, images } = answer;
    if images.is_empty() {
        return "ocird has deleted nothing in the last 48 h, and nothing older can be brought back\n"
            .to_owned();
    }
    let mut text = String::new();
    let mut before: Option<Option<PassId>> = None;
    for image in images {
        if before != Some(image.pass) {
            if before.is_some() {
                text.push('\n');
            }
            before = Some(image.pass);
            text.push_str(&heading(image, images, paint));
            let mut grid = Grid::new([16, 12, 22, 22], paint);
            grid.head(["UNTIL, IN UTC", "DIGEST", "REPOSITORY", "TAGS"]);
            text.push_str(&grid.finish());
        }
        let mut grid = Grid::new([16, 12, 22, 22], paint);
        grid.row(&row(image));
        text.push_str(&grid.finish());
    }
    text
}

fn heading(first: &RestorableImage, images: &[RestorableImage], paint: Paint) -> String {
    let n = images.iter().filter(|image| image.pass == first.pass).count();
    let n = if n == 1 { "1 image".to_owned() } else { format!("{n} images") };
    let mut sheet = Sheet::new(paint);
    sheet.heading(&match first.pass {
        Some(pass) => format!("Pass {pass} deleted {n}: ocird restore --run {pass}"),
        None => format!("{n} of a pass that is not on record: ocird restore IMAGE"),
    });
    sheet.finish()
}

fn row(image: &RestorableImage) -> [String; 4] {
    let RestorableImage { digest, repository, tags, is_head, until, is_back, .. } = image;
    let when = if *is_back { "is back".to_owned() } else { until.format("%F %H:%M").to_string() };
    let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
    let tags = match (tags.is_empty(), is_head) {
        (false, _) => tags.join(", "),
        (true, true) => "(untagged)".to_owned(),
        (true, false) => "(of a family)".to_owned(),
    };
    [when, digest.short(), repository.to_string(), tags]
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use ocird_model::Digest;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn image(n: u8, fate: &str, why: Option<&str>) -> RestoredImageAnswer {
        RestoredImageAnswer {
            repository: "mgh-docs".parse().unwrap(),
            digest: Digest::from_bytes([n; 32]),
            fate: fate.to_owned(),
            why: why.map(str::to_owned),
            tags: vec![format!("v{n}").parse().unwrap()],
            lost: Vec::new(),
        }
    }

    #[test]
    fn what_is_not_back_is_said_as_plainly_as_what_is() {
        let mut back = image(1, "back", None);
        back.lost = vec![LostTagAnswer {
            tag: "latest".parse().unwrap(),
            why: "it is on another image by now".to_owned(),
        }];
        let mut gone = image(2, "not_back", Some("RestoreContainerImage failed (conflict)"));
        gone.tags.clear();
        let answer =
            RestoreAnswer { is_whole: false, images: vec![back, gone], absent: Vec::new(), n_holds: 1 };
        let text = report(&answer, TimeDelta::days(30), Paint::Plain);
        assert!(text.contains("\n  NO TAG   latest: it is on another image by now\n"), "{text}");
        insta::assert_snapshot!(text, @"
        back       mgh-docs@010101010101 as v1
          NO TAG   latest: it is on another image by now
        NOT BACK   mgh-docs@020202020202: RestoreContainerImage failed (conflict)
        NOT WHOLE  1 of 2 images are there, with 1 of 2 tags
        What is back is held for 30 d; `ocird hold --list` shows it.
        ");
    }

    #[test]
    fn what_can_come_back_is_listed_pass_by_pass_with_its_time() {
        let restorable = |n: u8, pass: Option<&str>, is_head, is_back| RestorableImage {
            pass: pass.map(|pass| pass.parse().unwrap()),
            repository: "mgh-docs".parse().unwrap(),
            digest: Digest::from_bytes([n; 32]),
            is_head,
            tags: if is_head { vec!["v1".parse().unwrap()] } else { Vec::new() },
            rule: "old".to_owned(),
            deleted_at: now() - TimeDelta::hours(1),
            until: now() + TimeDelta::hours(47),
            is_back,
        };
        let images = vec![
            restorable(1, Some("12"), true, false),
            restorable(2, Some("12"), false, false),
            restorable(3, Some("9"), true, true),
            restorable(4, None, true, false),
        ];
        let text = table(&RestorableAnswer { at: now(), images }, Paint::Plain);
        assert!(text.contains("Pass 12 deleted 2 images: ocird restore --run 12\n"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        insta::assert_snapshot!(text, @"
        Pass 12 deleted 2 images: ocird restore --run 12
          UNTIL, IN UTC     DIGEST        REPOSITORY              TAGS
          2026-11-23 11:00  010101010101  mgh-docs                v1
          2026-11-23 11:00  020202020202  mgh-docs                (of a family)

        Pass 9 deleted 1 image: ocird restore --run 9
          UNTIL, IN UTC     DIGEST        REPOSITORY              TAGS
          is back           030303030303  mgh-docs                v1

        1 image of a pass that is not on record: ocird restore IMAGE
          UNTIL, IN UTC     DIGEST        REPOSITORY              TAGS
          2026-11-23 11:00  040404040404  mgh-docs                v1
        ");
        let nothing = RestorableAnswer { at: now(), images: Vec::new() };
        assert!(table(&nothing, Paint::Plain).contains("nothing in the last 48 h"));
    }

    #[test]
    fn a_pass_is_a_number_or_the_last() {
        assert!(matches!("last".parse(), Ok(Run::Last)));
        assert!(matches!("12".parse(), Ok(Run::Pass(_))));
        for text in ["", "all", "1.5", "*"] {
            assert!(text.parse::<Run>().is_err(), "{text}");
        }
    }
}
