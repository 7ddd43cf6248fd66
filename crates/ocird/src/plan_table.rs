//! A plan as people read it: grouped by repository and verdict, with ages, sizes and totals.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use ocird_model::{Bytes, Decision, Image, Inventory, Plan, Repository, RepositoryPlan, Verdict};
use serde::Serialize;

/// A plan with what is needed to show it.
#[derive(Debug)]
pub struct PlanTable<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What it was made from.
    pub inventory: &'a Inventory,
    /// The width of the table in columns.
    pub width: u16,
}

/// One row: an image, or the sum of images that share repository and verdict.
#[derive(Debug, Serialize)]
pub struct PlanRow {
    /// The repository.
    pub repository: String,
    /// The digest.
    pub digest: String,
    /// The tags.
    pub tags: Vec<String>,
    /// `keep` or `delete`.
    pub verdict: &'static str,
    /// A word of a fixed list.
    pub code: &'static str,
    /// The reason in words.
    pub reason: String,
    /// The newest of its times.
    pub newest_time: Option<DateTime<Utc>>,
    /// The sum of its layers and manifest, whoever shares them.
    pub size: Bytes,
}

impl PlanTable<'_> {
    /// One row for each image, by repository and digest.
    pub fn rows(&self) -> Vec<PlanRow> {
        self.decided().flat_map(|(repository, decisions)| rows_of(repository, decisions)).collect()
    }

    fn decided(&self) -> impl Iterator<Item = (&Repository, &[Decision])> {
        self.inventory.complete().map(|repository| (repository, self.plan.decisions(&repository.name)))
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(self.width);
        table.set_header(["repository", "verdict", "images", "newest", "oldest", "size"]);
        for column in table.column_iter_mut() {
            column.set_padding((0, 1));
        }
        for column in [2, 3, 4, 5] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for (repository, decisions) in self.decided() {
            let mut name = repository.name.to_string();
            for (verdict, group) in groups(repository, decisions) {
                let size = distinct_size(&group);
                let times = || group.iter().filter_map(|image| image.newest_time());
                table.add_row([
                    std::mem::take(&mut name),
                    verdict,
                    group.len().to_string(),
                    times().max().map_or_else(String::new, |time| age(self.plan.at - time)),
                    times().min().map_or_else(String::new, |time| age(self.plan.at - time)),
                    size.to_string(),
                ]);
            }
        }
        table
    }
}

impl fmt::Display for PlanTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.table())?;
        for (name, repository) in &self.plan.repositories {
            if let RepositoryPlan::Undecided { id: _, why } = repository {
                writeln!(f, "{name}: nothing decided, because {why}")?;
            }
        }
        writeln!(f, "{}", self.totals())
    }
}

impl PlanTable<'_> {
    fn totals(&self) -> String {
        let mut before = Some(Bytes::ZERO);
        let mut freed = Some(Bytes::ZERO);
        let (mut n_images, mut n_delete) = (0, 0);
        for (repository, decisions) in self.decided() {
            before = before.zip(ocird_plan::account(repository).size).map(|(a, b)| a + b);
            freed = freed.zip(ocird_plan::freed(repository, decisions)).map(|(a, b)| a + b);
            n_images += decisions.len();
            n_delete += decisions.iter().filter(|decision| decision.verdict.is_delete()).count();
        }
        let mut text = format!("{n_delete} of {n_images} images may go");
        if let (Some(before), Some(freed)) = (before, freed) {
            let after = before.saturating_sub(freed);
            write!(text, "; {before} now, {after} without them ({freed} freed)")
                .expect("a string takes everything");
        }
        text
    }
}

fn rows_of(repository: &Repository, decisions: &[Decision]) -> Vec<PlanRow> {
    let row = |decision: &Decision| {
        let image = repository.image(&decision.digest)?;
        let (verdict, reason) = match &decision.verdict {
            Verdict::Keep(reason) => ("keep", reason.to_string()),
            Verdict::Delete(reason) => ("delete", reason.to_string()),
        };
        Some(PlanRow {
            repository: repository.name.to_string(),
            digest: image.digest.to_string(),
            tags: image.tags.keys().map(ToString::to_string).collect(),
            verdict,
            code: decision.verdict.as_str(),
            reason,
            newest_time: image.newest_time(),
            size: size(image),
        })
    };
    decisions.iter().filter_map(row).collect()
}

/// The images of a repository by what was decided, in words. A family is told with its head's rule, and reasons that
/// name another image (the index that holds a child) are one group: the list of every image is in the JSON.
fn groups<'a>(repository: &'a Repository, decisions: &[Decision]) -> BTreeMap<String, Vec<&'a Image>> {
    let mut groups: BTreeMap<String, Vec<&Image>> = BTreeMap::new();
    for decision in decisions {
        let words = match &decision.verdict {
            Verdict::Keep(ocird_model::KeepReason::ChildOf { .. }) => {
                "keep: named by an index that stays".to_owned()
            }
            Verdict::Keep(ocird_model::KeepReason::ReferrerOf { .. }) => {
                "keep: speaks about an image that stays".to_owned()
            }
            Verdict::Keep(ocird_model::KeepReason::InUse { .. }) => "keep: in use".to_owned(),
            Verdict::Delete(ocird_model::DeleteReason::WithHead { rule }) => {
                format!("delete: rule \"{rule}\"")
            }
            verdict @ (Verdict::Keep(_) | Verdict::Delete(_)) => verdict.to_string(),
        };
        groups.entry(words).or_default().extend(repository.image(&decision.digest));
    }
    groups
}

/// What these images weigh together: a layer that several of them share counts once.
fn distinct_size(images: &[&Image]) -> Bytes {
    let layers = images.iter().flat_map(|image| image.layers.iter()).flat_map(|layers| layers.iter());
    let layers: BTreeMap<_, _> = layers.map(|layer| (layer.digest, layer.size)).collect();
    layers.into_values().chain(images.iter().map(|image| image.manifest_size)).sum()
}

fn size(image: &Image) -> Bytes {
    let layers = image.layers.iter().flat_map(|layers| layers.iter()).map(|layer| layer.size).sum::<Bytes>();
    layers + image.manifest_size
}

/// An age in the largest unit that leaves at least two of it: `3 d`, `36 h`, `5 min`.
fn age(age: TimeDelta) -> String {
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
    fn an_age_is_told_in_a_unit_that_fits() {
        let cases =
            [(TimeDelta::days(40), "40 d"), (TimeDelta::hours(36), "36 h"), (TimeDelta::minutes(5), "5 min")];
        for (delta, words) in cases {
            assert_eq!(age(delta), words);
        }
        assert_eq!(age(TimeDelta::minutes(-5)), "0 min");
    }
}
