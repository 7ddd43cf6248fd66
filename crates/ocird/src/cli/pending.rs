//! `ocird pending`: what rules have selected, when each may go, and what was refused as too much and waits for an approval,
//! with the command that approves it.

use std::fmt::Write as _;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use ocird_model::RepositoryName;

use crate::admin::wire::{
    Answer, ApprovalAnswer, PendingAnswer, PendingFamily, RefusedFamily, RefusedPlanAnswer,
};
use crate::cli::grid::Grid;
use crate::cli::operate::{daemon, in_the_way, print_json, unanswered, until};
use crate::cli::sheet::Sheet;
use crate::cli::{Failure, print};
use crate::config::{self, Config};
use crate::paint::Paint;

/// The most families of one list that are shown unless all are asked for.
const MAX_FAMILIES: usize = 50;

/// How much is shown, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PendingArgs {
    /// Show every family, however many there are.
    #[arg(long)]
    all: bool,
    /// One JSON document, always with every family.
    #[arg(long)]
    json: bool,
}

/// Asks the daemon and prints.
pub(crate) async fn pending(config: &Config, args: PendingArgs) -> Result<ExitCode, Failure> {
    let answer = ask(config).await?;
    if args.json {
        return print_json(&answer);
    }
    let n_shown = if args.all { usize::MAX } else { MAX_FAMILIES };
    Ok(print(&page(&answer.body, n_shown, config::paint())))
}

/// What the daemon says is pending.
pub(super) async fn ask(config: &Config) -> Result<Answer<PendingAnswer>, Failure> {
    daemon(config).get("/v1/pending").await.map_err(|error| unanswered(config, error))
}

fn page(answer: &PendingAnswer, n_shown: usize, paint: Paint) -> String {
    let PendingAnswer { at, next_enforce_at, pending, refused, approval, in_the_way: standing } = answer;
    let waits = |family: &&PendingFamily| refused.as_ref().is_some_and(|plan| plan.lists(family));
    let n_waiting = pending.iter().filter(waits).count();
    let others: Vec<&PendingFamily> = pending.iter().filter(|family| !waits(family)).collect();
    let mut text = heading(pending.len(), n_waiting, *next_enforce_at, *at, paint);
    text.push_str(&selected(&others, *at, n_shown, paint));
    if let Some(refused) = refused {
        text.push('\n');
        text.push_str(&refused_plan(refused, n_shown, paint));
        let mut sheet = Sheet::new(paint);
        sheet.entry("approve", &format!("ocird approve {}", refused.plan));
        text.push_str(&sheet.finish());
    }
    let mut sheet = Sheet::new(paint);
    if let Some(ApprovalAnswer { plan, at: approved_at, by, n_families }) = approval {
        let when = approved_at.format("%F %H:%M UTC");
        sheet.paragraph(&format!(
            "Plan {plan} with {n_families} families was approved by {by} at {when}; what of it is still due goes in \
             later passes."
        ));
    }
    in_the_way(&mut sheet, standing, *at);
    text.push('\n');
    text.push_str(&sheet.finish());
    text
}

/// How much is selected, and when anything goes.
fn heading(
    n: usize,
    n_waiting: usize,
    next_enforce_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    paint: Paint,
) -> String {
    let mut sheet = Sheet::new(paint);
    if n == 0 {
        sheet.paragraph("Nothing is selected.");
        return sheet.finish();
    }
    let goes = match next_enforce_at {
        Some(at) if at <= now => "the next acting pass is due now".to_owned(),
        Some(at) => format!("the next acting pass is {}", until(at, now)),
        None => "no acting pass is due".to_owned(),
    };
    sheet.heading(&format!("{} selected; {goes}", families_in_words(n)));
    if n_waiting > 0 {
        sheet.paragraph(&format!("{n_waiting} of them wait for the approval of the plan below."));
    }
    sheet.finish()
}

/// What rules have selected, by repository, the next to go first.
fn selected(pending: &[&PendingFamily], now: DateTime<Utc>, n_shown: usize, paint: Paint) -> String {
    if pending.is_empty() {
        return String::new();
    }
    let mut list = List::new(["MAY GO", "DIGEST", "TAGS", "RULE"], [8, 12, 25, 27], paint);
    for PendingFamily { repository, digest, tags, rule, since: _, due_at } in pending.iter().take(n_shown) {
        list.row(repository, &[until(*due_at, now), digest.clone(), tags_in_words(tags), rule.clone()]);
    }
    list.finish(pending.len(), n_shown)
}

/// A refused plan, whole: its reason, and each family with its size.
pub(super) fn refused_plan(plan: &RefusedPlanAnswer, n_shown: usize, paint: Paint) -> String {
    let RefusedPlanAnswer { plan: id, refused_at, why, families } = plan;
    let mut sheet = Sheet::new(paint);
    sheet.heading(&format!("Plan {id} waits for an approval"));
    sheet.entry("why", why);
    sheet.entry("refused", &refused_at.format("%F %H:%M UTC").to_string());
    sheet.entry("families", &sum(plan));
    let mut text = sheet.finish();
    let mut list = List::new(["DIGEST", "SIZE", "TAGS", "RULE"], [12, 9, 26, 25], paint);
    for RefusedFamily { repository, digest, tags, rule, size } in families.iter().take(n_shown) {
        let size = size.map_or_else(|| "unknown".to_owned(), |size| size.to_string());
        list.row(repository, &[digest.clone(), size, tags_in_words(tags), rule.clone()]);
    }
    text.push_str(&list.finish(families.len(), n_shown));
    text
}

/// Families in columns, under the name of their repository.
struct List<'a> {
    grid: Grid<4>,
    repository: Option<&'a RepositoryName>,
}

impl<'a> List<'a> {
    fn new(names: [&str; 4], widths: [usize; 4], paint: Paint) -> Self {
        let mut grid = Grid::new(widths, paint);
        grid.head(names);
        Self { grid, repository: None }
    }

    fn row(&mut self, repository: &'a RepositoryName, cells: &[String; 4]) {
        if self.repository != Some(repository) {
            self.grid.heading(repository.as_str());
            self.repository = Some(repository);
        }
        self.grid.row(cells);
    }

    /// Every line, and how many of `n` rows were left out.
    fn finish(self, n: usize, n_shown: usize) -> String {
        let mut text = self.grid.finish();
        if let Some(n_more @ 1..) = n.checked_sub(n_shown) {
            writeln!(text, "  and {n_more} more; --all shows them").expect("a string takes everything");
        }
        text
    }
}

/// `212 families, 34.2 GB at most: 200 of mgh-docs, 12 of mgh-website`.
pub(super) fn sum(plan: &RefusedPlanAnswer) -> String {
    let size = plan.size().map(|size| format!(", {size} at most")).unwrap_or_default();
    let by_repository = plan.by_repository();
    let parts: Vec<String> = by_repository.iter().map(|(name, n)| format!("{n} of {name}")).collect();
    format!("{}{size}: {}", families_in_words(plan.families.len()), parts.join(", "))
}

fn families_in_words(n: usize) -> String {
    if n == 1 { "1 family".to_owned() } else { format!("{n} families") }
}

fn tags_in_words(tags: &[String]) -> String {
    if tags.is_empty() { "(untagged)".to_owned() } else { tags.join(", ") }
}

#[cfg(test)]
mod tests {
    use ocird_model::Bytes;

    use super::*;
    use crate::admin::wire::{InTheWay, Obstacle};

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn answer() -> PendingAnswer {
        let pending = |repository: &str, digest: &str, tags: &[&str], hours| PendingFamily {
            repository: repository.parse().unwrap(),
            digest: digest.to_owned(),
            tags: tags.iter().copied().map(str::to_owned).collect(),
            rule: "beyond the newest, while past 350 MB".to_owned(),
            since: now(),
            due_at: now() + chrono::TimeDelta::hours(hours),
        };
        let family = |size| RefusedFamily {
            repository: "mgh-docs".parse().unwrap(),
            digest: "13ca341076f6".to_owned(),
            tags: vec!["v1.2.0".to_owned()],
            rule: "rule \"old\"".to_owned(),
            size,
        };
        let obstacle = Obstacle {
            code: "too_much".to_owned(),
            text: "plan 7 waits for an approval: 2 families are more than 1".to_owned(),
            clears: "`ocird approve`, or less being due".to_owned(),
            stops_everything: true,
        };
        PendingAnswer {
            at: now(),
            next_enforce_at: Some(now() + chrono::TimeDelta::minutes(7)),
            pending: vec![
                pending("mgh-docs", "03ca341076f6", &["v1.2.0", "3039b336c4", "\u{1b}[2Jevil\n"], -1),
                pending("mgh-docs", "13ca341076f6", &[], 5),
                pending("mgh-website", "03ca341076f6", &["release-candidate-of-november-2026"], 30),
            ],
            refused: Some(RefusedPlanAnswer {
                plan: "7".parse().unwrap(),
                refused_at: now(),
                why: "2 families are more than 1".to_owned(),
                families: vec![family(Some(Bytes(34_500_000))), family(None)],
            }),
            approval: None,
            in_the_way: InTheWay {
                as_of: Some(now() - chrono::TimeDelta::minutes(4)),
                obstacles: vec![obstacle],
            },
        }
    }

    #[test]
    fn what_is_pending_reads_from_the_first_to_go_to_what_stands_in_its_way() {
        let text = page(&answer(), MAX_FAMILIES, Paint::Plain);
        assert!(text.lines().all(|line| line.len() <= 80) && !text.contains('\u{1b}'), "{text}");
        assert!(text.contains("\napprove    ocird approve 7\n"), "{text}");
        insta::assert_snapshot!(text, @r#"
        3 families selected; the next acting pass is in 7 min
        1 of them wait for the approval of the plan below.
          MAY GO    DIGEST        TAGS                       RULE
        mgh-docs
          now       03ca341076f6  v1.2.0, 3039b336c4, evil   beyond the newest, while
                                                             past 350 MB
        mgh-website
          in 30 h   03ca341076f6  release-candidate-of-nove  beyond the newest, while
                                  mber-2026                  past 350 MB

        Plan 7 waits for an approval
        why        2 families are more than 1
        refused    2026-11-21 12:00 UTC
        families   2 families: 2 of mgh-docs
          DIGEST        SIZE       TAGS                        RULE
        mgh-docs
          13ca341076f6  34.5 MB    v1.2.0                      rule "old"
          13ca341076f6  unknown    v1.2.0                      rule "old"
        approve    ocird approve 7

        In the way (by the last pass, 4 min ago)
        stops all  too_much: plan 7 waits for an approval: 2 families are more than 1
                   cleared by `ocird approve`, or less being due
        "#);
    }

    #[test]
    fn a_long_list_says_how_much_it_leaves_out_unless_all_is_asked_for() {
        let text = page(&answer(), 1, Paint::Plain);
        assert!(text.contains("\n  and 1 more; --all shows them\n"), "{text}");
        assert!(!text.contains("release-candidate"), "{text}");
    }

    #[test]
    fn nothing_selected_is_said() {
        let empty = PendingAnswer { pending: Vec::new(), refused: None, ..answer() };
        let text = page(&empty, MAX_FAMILIES, Paint::Plain);
        assert!(text.starts_with("Nothing is selected.\n"), "{text}");
    }

    #[test]
    fn a_sum_says_no_size_when_one_is_not_known() {
        let refused = answer().refused.unwrap();
        assert_eq!(sum(&refused), "2 families: 2 of mgh-docs");
        let known = RefusedPlanAnswer { families: refused.families[..1].to_vec(), ..refused };
        assert_eq!(sum(&known), "1 family, 34.5 MB at most: 1 of mgh-docs");
    }
}
