//! A plan as people read it, grouped by repository and by what was decided, with ages, sizes and totals; and as programs
//! do (`document`).

pub mod document;
mod groups;

use std::fmt::{self, Write as _};

use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Row, Table, presets};
use ocird_model::{Bytes, Decision, Inventory, Pattern, Plan, Repository, RepositoryPlan, Usage};

pub(crate) use self::groups::distinct_size;
use self::groups::{Group, groups};
use crate::paint::Paint;
use crate::plain::wrapped;

/// A plan with what is needed to show it.
#[derive(Debug)]
pub struct PlanTable<'a> {
    plan: &'a Plan,
    inventory: &'a Inventory,
    width: u16,
    only: Option<&'a Pattern>,
    paint: Paint,
}

/// What a plan comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Number of images.
    pub(crate) n_images: usize,
    /// Number of images that may go.
    pub(crate) n_delete: usize,
    /// The account before; `None` while layers are not known.
    pub(crate) before: Option<Bytes>,
    /// What the images that may go hold and no other shares.
    pub(crate) freed: Option<Bytes>,
}

/// The columns of figures.
const COLUMNS: [&str; 4] = ["images", "age", "size", "freed"];

/// The least room for words, however narrow the terminal.
const MIN_ROOM: usize = 30;

/// One row: a repository, or a group of its images.
struct TableRow {
    words: String,
    ink: Option<Color>,
    cells: [String; COLUMNS.len()],
}

impl TableRow {
    fn of_repository(repository: &Repository) -> Self {
        let size = ocird_plan::account(repository).size;
        let cells = [
            repository.images.len().to_string(),
            String::new(),
            size.map_or_else(|| "unknown".to_owned(), |size| size.to_string()),
            String::new(),
        ];
        Self { words: repository.name.to_string(), ink: None, cells }
    }

    fn of_group(group: &Group<'_>, at: DateTime<Utc>) -> Self {
        let freed = group.freed.map_or_else(String::new, |freed| freed.to_string());
        let cells = [group.images.len().to_string(), ages(group, at), group.size().to_string(), freed];
        let ink = group.is_delete.then_some(Color::Red);
        Self { words: format!("  {}", group.words), ink, cells }
    }

    /// The cells, the words broken at blanks and their further lines indented.
    fn cells(&self, room: usize) -> Row {
        let indent = self.words.len() - self.words.trim_start().len();
        let lines = wrapped(self.words.trim_start(), room.saturating_sub(indent + 2));
        let lines = lines.iter().enumerate().map(|(i, line)| {
            let indent = if i == 0 { indent } else { indent + 2 };
            format!("{:indent$}{line}", "")
        });
        let words = Cell::new(lines.collect::<Vec<_>>().join("\n"));
        let words = match self.ink {
            Some(ink) => words.fg(ink),
            None => words,
        };
        Row::from(std::iter::once(words).chain(self.cells.iter().map(Cell::new)))
    }
}

impl<'a> PlanTable<'a> {
    /// A plan and what it was made from, in so many columns and without colours.
    pub const fn new(plan: &'a Plan, inventory: &'a Inventory, width: u16) -> Self {
        Self { plan, inventory, width, only: None, paint: Paint::Plain }
    }

    /// Shows only the repositories whose names match.
    #[must_use]
    pub const fn only(self, only: Option<&'a Pattern>) -> Self {
        Self { only, ..self }
    }

    /// Shows it in colours, or without.
    #[must_use]
    pub const fn painted(self, paint: Paint) -> Self {
        Self { paint, ..self }
    }

    /// Whether the repository of this name is among those to be shown.
    pub(crate) fn shows(&self, name: &str) -> bool {
        self.only.is_none_or(|only| only.matches(name))
    }

    /// Each repository that is shown, with its decisions.
    pub(crate) fn decided(&self) -> impl Iterator<Item = (&'a Repository, &'a [Decision])> {
        let shown = self.inventory.complete().filter(|repository| self.shows(repository.name.as_str()));
        shown.map(|repository| (repository, self.plan.decisions(&repository.name)))
    }

    /// Each repository that is shown and about which nothing was decided, with the reason.
    pub(crate) fn undecided(&self) -> impl Iterator<Item = (&str, String)> {
        self.plan.repositories.iter().filter_map(|(name, state)| match state {
            RepositoryPlan::Undecided { id: _, why } if self.shows(name.as_str()) => {
                Some((name.as_str(), why.to_string()))
            }
            RepositoryPlan::Undecided { id: _, why: _ } | RepositoryPlan::Decided { id: _, decisions: _ } => {
                None
            }
        })
    }

    pub(crate) fn totals(&self) -> Totals {
        let mut totals =
            Totals { n_images: 0, n_delete: 0, before: Some(Bytes::ZERO), freed: Some(Bytes::ZERO) };
        for (repository, decisions) in self.decided() {
            let add = |sum: Option<Bytes>, more: Option<Bytes>| sum.zip(more).map(|(a, b)| a + b);
            totals.before = add(totals.before, ocird_plan::account(repository).size);
            totals.freed = add(totals.freed, ocird_plan::freed(repository, decisions));
            totals.n_images += decisions.len();
            totals.n_delete += decisions.iter().filter(|decision| decision.verdict.is_delete()).count();
        }
        totals
    }

    /// Each repository by its name and its groups beneath, indented.
    fn rows(&self) -> Vec<TableRow> {
        let mut rows = Vec::new();
        for (repository, decisions) in self.decided() {
            rows.push(TableRow::of_repository(repository));
            let groups = groups(repository, decisions);
            rows.extend(groups.iter().map(|group| TableRow::of_group(group, self.plan.at)));
        }
        rows
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        match self.paint {
            Paint::Plain => table.force_no_tty(),
            Paint::Colours => table.enforce_styling(),
        };
        table.set_header(std::iter::once("repository").chain(COLUMNS));
        let rows = self.rows();
        let widths = (0..COLUMNS.len()).map(|column| {
            let cells = rows.iter().map(|row| row.cells[column].len());
            cells.chain([COLUMNS[column].len()]).max().unwrap_or_default() + 1
        });
        let room = usize::from(self.width).saturating_sub(widths.sum()).max(MIN_ROOM);
        for row in &rows {
            table.add_row(row.cells(room));
        }
        for (number, column) in table.column_iter_mut().enumerate() {
            if number == 0 {
                column.set_padding((0, 0));
            } else {
                column.set_padding((1, 0)).set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    fn totals_in_words(&self) -> String {
        let Totals { n_images, n_delete, before, freed } = self.totals();
        let mut text = format!("{n_delete} of {n_images} images may go");
        if let (Some(before), Some(freed)) = (before, freed) {
            let after = before.saturating_sub(freed);
            write!(text, "; {before} now, {after} without them ({freed} freed)")
                .expect("a string takes everything");
        }
        text
    }
}

impl fmt::Display for PlanTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.table().lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        for (name, why) in self.undecided() {
            writeln!(f, "{name}: nothing decided, because {why}")?;
        }
        writeln!(f, "{}", self.totals_in_words())?;
        match usage_in_words(&self.plan.usage) {
            Some(words) => writeln!(f, "{words}"),
            None => Ok(()),
        }
    }
}

/// What the lines of the rules make of the account over everything that is watched; nothing where no rule has a line.
fn usage_in_words(usage: &Usage) -> Option<String> {
    match usage {
        Usage::NotAsked | Usage::Known { now: _, after: _, shortfall: None } => None,
        Usage::Unknown { because } => {
            Some(format!("usage is not known because of {because}, so nothing goes by a usage line"))
        }
        Usage::Known { now: _, after, shortfall: Some(shortfall) } => {
            Some(format!("{after} must stay: {shortfall}"))
        }
    }
}

/// The youngest and the oldest of a group: `3 d`, or `3 d..40 d`.
fn ages(group: &Group<'_>, at: DateTime<Utc>) -> String {
    let times = || group.images.iter().filter_map(|image| image.newest_time());
    let (Some(newest), Some(oldest)) = (times().max(), times().min()) else { return "unknown".to_owned() };
    let (youngest, oldest) = (age(at - newest), age(at - oldest));
    if youngest == oldest { youngest } else { format!("{youngest}..{oldest}") }
}

/// An age in the largest unit that leaves at least two of it: `3 d`, `36 h`, `5 min`.
pub(crate) fn age(age: TimeDelta) -> String {
    if age >= TimeDelta::days(2) {
        format!("{} d", age.num_days())
    } else if age >= TimeDelta::hours(2) {
        format!("{} h", age.num_hours())
    } else {
        format!("{} min", age.num_minutes().max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_stay_above_a_line_is_one_line() {
        let megabytes = |n: u64| Bytes(n * 1_000_000);
        let shortfall = ocird_model::Shortfall {
            lines: [megabytes(500)].into(),
            held: [
                (ocird_model::HeldBy::KeepRules, megabytes(240)),
                (ocird_model::HeldBy::InUse, megabytes(300)),
            ]
            .into(),
        };
        let known = |shortfall| Usage::Known { now: megabytes(600), after: megabytes(540), shortfall };
        assert_eq!(
            usage_in_words(&known(Some(shortfall))).unwrap(),
            "540.0 MB must stay: 300.0 MB in use, 240.0 MB held by keep rules, line 500.0 MB"
        );
        assert_eq!(usage_in_words(&known(None)), None);
        assert_eq!(usage_in_words(&Usage::NotAsked), None);
        let unknown = Usage::Unknown { because: "api".parse().unwrap() };
        assert!(usage_in_words(&unknown).unwrap().contains("because of api"));
    }

    #[test]
    fn an_age_is_told_in_a_unit_that_fits() {
        let cases =
            [(TimeDelta::days(40), "40 d"), (TimeDelta::hours(36), "36 h"), (TimeDelta::minutes(5), "5 min")];
        for (delta, words) in cases {
            assert_eq!(age(delta), words);
        }
        assert_eq!(age(TimeDelta::minutes(-5)), "0 min");
    }
}
