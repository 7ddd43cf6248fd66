//! `ocird usage` for people: a curve, a few sentences, and one row for each repository, within 80 columns.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use ocird_model::Bytes;
use ocird_store::{Totals, UsageStep};

use super::document::{Document, RepositoryUsage};
use crate::cli::plot;
use crate::cli::sheet::Sheet;
use crate::forecast::{Forecast, Growth, LineForecast, Reach, Savings, Trend};
use crate::paint::{Ink, Paint};
use crate::plain::plain;

/// Columns of the curve of one repository.
const SMALL: usize = 30;

/// The longest name that is shown whole beside its figures.
const NAME: usize = 26;

pub(super) fn page(document: &Document, paint: Paint) -> String {
    let mut text = heading(document, paint);
    if !document.points.is_empty() {
        text.push_str(&curve(&document.points, &document.forecast));
    }
    let mut sheet = Sheet::new(paint);
    outlook(&mut sheet, &document.forecast);
    past(&mut sheet, &document.deleted, document.savings.as_ref());
    text.push('\n');
    text.push_str(&sheet.finish());
    if !document.repositories.is_empty() {
        text.push('\n');
        text.push_str(&repositories(&document.repositories, paint));
    }
    text
}

fn heading(document: &Document, paint: Paint) -> String {
    let mut sheet = Sheet::new(paint);
    let whose = document.repository.as_ref().map_or("Everything", |name| name.as_str());
    let Some(UsageStep { size, n_images, n_tags, .. }) = document.latest else {
        sheet.heading(&format!("{whose}: nothing is on record in this time"));
        return sheet.finish();
    };
    let size = size.map_or_else(|| "of unknown size".to_owned(), |size| size.to_string());
    sheet.heading(&format!("{whose}: {size}, {n_images} images, {n_tags} tags"));
    sheet.finish()
}

/// The curve with the day that it begins and the day that it ends.
fn curve(points: &[UsageStep], forecast: &Forecast) -> String {
    let sizes: Vec<Option<Bytes>> = points.iter().map(|point| point.size).collect();
    let columns = plot::columns(&sizes, plot::WIDTH);
    let lines: Vec<Bytes> = forecast.lines.iter().map(|line| line.line).collect();
    let mut text = plot::plot(&columns, &lines);
    if let [first, .., last] = points {
        let (first, last) = (first.at.format("%F").to_string(), last.at.format("%F").to_string());
        let gap = columns.len().saturating_sub(first.len() + last.len()).max(1);
        writeln!(text, "{:>11}{first}{:gap$}{last}", "", "").expect("a string takes everything");
    }
    text
}

fn outlook(sheet: &mut Sheet, forecast: &Forecast) {
    let Forecast { usage: _, pushes, net, plan_frees, lines } = forecast;
    match pushes {
        Trend::NotEnough { n_days, needed } => sheet
            .entry("growth", &format!("not enough history: {n_days} of the {needed} days that a rate takes")),
        Trend::Known(growth) => {
            sheet.entry("pushed", &in_words(growth));
            if let Trend::Known(net) = net {
                sheet.entry("net", &format!("{}, deletions included", in_words(net)));
            }
        }
    }
    for LineForecast { line, if_nothing_goes, after_the_plan, as_it_goes } in lines {
        let mut said = vec![format!("if nothing goes: {}", reach(*if_nothing_goes))];
        if let Some(after) = after_the_plan.filter(|after| after != if_nothing_goes) {
            said.push(format!("after the present plan: {}", reach(after)));
        }
        if as_it_goes != if_nothing_goes {
            said.push(format!("as it has gone: {}", reach(*as_it_goes)));
        }
        match if_nothing_goes {
            Reach::Reached => sheet.inked(Ink::Red, &line.to_string(), &said.join("; ")),
            Reach::Ahead { .. } | Reach::Unknown => sheet.entry(&line.to_string(), &said.join("; ")),
        }
    }
    if let Some(frees) = plan_frees {
        sheet.entry("plan", &format!("would free {frees}"));
    }
}

fn past(sheet: &mut Sheet, totals: &Totals, savings: Option<&Savings>) {
    let Totals { n_deleted, n_restored, freed, n_unknown, first_at, last_at: _ } = totals;
    let Some(first_at) = first_at else {
        return sheet.entry("deleted", "nothing so far");
    };
    let mut said = format!("{n_deleted} images since {}, {freed} freed", first_at.format("%F"));
    if *n_restored > 0 {
        write!(said, "; {n_restored} of them brought back").expect("a string takes everything");
    }
    if *n_unknown > 0 {
        write!(said, "; of {n_unknown} it is not known how much they freed")
            .expect("a string takes everything");
    }
    sheet.entry("deleted", &said);
    if let Some(Savings { costs_by_month, saves_by_month, saved, currency }) = savings {
        let by_month = |amount: &Option<f64>| amount.map_or_else(|| "?".to_owned(), money);
        let (costs, less, so_far) = (by_month(costs_by_month), by_month(saves_by_month), money(*saved));
        let said =
            format!("{costs} {currency} a month, {less} less than without deletions; {so_far} saved so far");
        sheet.entry("money", &said);
    }
}

/// An amount of money; a small one with as many digits as say something.
fn money(amount: f64) -> String {
    if amount < 1.0 { format!("{amount:.4}") } else { format!("{amount:.2}") }
}

/// `5.1 MB a day (1.2 MB to 8.0 MB, over 60 days)`.
fn in_words(Growth { per_day, low, high, n_days }: &Growth) -> String {
    format!("{} a day ({} to {}, over {n_days} days)", signed(*per_day), signed(*low), signed(*high))
}

/// A rate as a size, which may be below zero.
fn signed(rate: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a figure for people; it saturates"
    )]
    let size = Bytes(rate.abs() as u64);
    if rate < 0.0 && size > Bytes::ZERO { format!("-{size}") } else { size.to_string() }
}

fn reach(reach: Reach) -> String {
    let day = |at: DateTime<Utc>| at.format("%F").to_string();
    match reach {
        Reach::Reached => "reached".to_owned(),
        Reach::Unknown => "nobody knows yet".to_owned(),
        Reach::Ahead { likely: None, earliest: None, .. } => "not within ten years".to_owned(),
        Reach::Ahead { likely: None, earliest: Some(earliest), .. } => {
            format!("probably not, {} at the earliest", day(earliest))
        }
        Reach::Ahead { likely: Some(likely), earliest, latest } => {
            let likely = day(likely);
            let earliest = earliest.map_or_else(|| likely.clone(), day);
            let latest = latest.map_or_else(|| "later or never".to_owned(), day);
            if earliest == latest { likely } else { format!("about {likely} ({earliest} to {latest})") }
        }
    }
}

/// One row for each repository. A name is text from outside, the curve is ours.
fn repositories(all: &[RepositoryUsage], paint: Paint) -> String {
    let head = format!("{:<NAME$} {:>9} {:>6}  {}", "REPOSITORY", "SIZE", "IMAGES", "LAST 30 DAYS");
    let mut text = format!("{}\n", paint.ink(Ink::Dim, &head));
    for RepositoryUsage { name, size, n_images, n_tags: _, days } in all {
        let name = plain(name.as_str(), NAME);
        let size = size.map_or_else(|| "unknown".to_owned(), |size| size.to_string());
        let curve = plot::small(&plot::columns(days, SMALL));
        writeln!(text, "{name:<NAME$} {size:>9} {n_images:>6}  {curve}").expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::forecast::{Basis, Day, Price, forecast, savings};

    const MB: u64 = 1_000_000;

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    /// Forty days at five megabytes a day, with eighty deleted every twentieth.
    fn points() -> Vec<UsageStep> {
        let midnight: DateTime<Utc> = "2026-11-21T00:00:00Z".parse().unwrap();
        let mut size = 180 * MB;
        let point = |i: i64| {
            let freed = if i % 20 == 19 { 80 * MB } else { 0 };
            size = size + 5 * MB - freed;
            UsageStep {
                at: midnight - TimeDelta::days(39 - i),
                size: Some(Bytes(size)),
                peak: Some(Bytes(size + freed)),
                grown: Bytes(5 * MB),
                freed: Bytes(freed),
                reported_size: None,
                n_images: 60,
                n_tags: 70,
            }
        };
        (0..40).map(point).collect()
    }

    fn document() -> Document {
        let points = points();
        let days: Vec<Day> = points.iter().map(crate::outlook::day).collect();
        let latest = points.last().copied();
        let basis = Basis {
            days: &days,
            now: now(),
            usage: latest.and_then(|latest| latest.size),
            plan_frees: Some(Bytes(30 * MB)),
        };
        let price = Price { per_gb_month: 0.026, currency: "USD".to_owned(), free: Bytes(100 * MB) };
        let freed = [(days[19].at, Bytes(80 * MB)), (days[39].at, Bytes(80 * MB))];
        let repository = |name: &str, factor: u64| RepositoryUsage {
            name: name.parse().unwrap(),
            size: latest.and_then(|latest| latest.size).map(|Bytes(n)| Bytes(n / factor)),
            n_images: 30 / factor,
            n_tags: 30,
            days: points[10..].iter().map(|point| point.size).collect(),
        };
        Document {
            schema: super::super::document::SCHEMA,
            at: now(),
            repository: None,
            latest,
            forecast: forecast(&basis, &[Bytes(350 * MB), Bytes(500 * MB)]),
            deleted: Totals {
                n_deleted: 12,
                n_restored: 1,
                freed: Bytes(160 * MB),
                n_unknown: 0,
                first_at: Some(days[19].at),
                last_at: Some(days[39].at),
            },
            savings: Some(savings(&price, &days, &freed, now())),
            repositories: vec![repository("mgh-website", 2), repository("mgh-admin-frontend-of-another", 3)],
            points,
        }
    }

    #[test]
    fn usage_reads_within_eighty_columns_from_the_curve_to_the_repositories() {
        let text = page(&document(), Paint::Plain);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text, @r"
        Everything: 220.0 MB, 60 images, 70 tags
         500.0 MB |----------------------------------------
                  |
         350.0 MB |----------------------------------------
                  |               ▁▁▂▃            ▁▁▂▃▃▄▅▅
                  |   ▁▂▂▃▄▄▅▆▆▇██████▁▂▂▃▄▄▅▆▆▇██████████▄
                  |▇███████████████████████████████████████
                  |████████████████████████████████████████
                  |████████████████████████████████████████
              0 B +----------------------------------------
                   2026-10-13                    2026-11-21

        pushed     5.0 MB a day (5.0 MB to 5.0 MB, over 38 days)
        net        2.4 MB a day (-2.3 MB to 5.0 MB, over 38 days), deletions included
        350.0 MB   if nothing goes: 2026-12-17; after the present plan: 2026-12-23; as
                   it has gone: about 2027-01-14 (2026-12-17 to later or never)
        500.0 MB   if nothing goes: 2027-01-16; after the present plan: 2027-01-22; as
                   it has gone: about 2027-03-17 (2027-01-16 to later or never)
        plan       would free 30.0 MB
        deleted    12 images since 2026-11-01, 160.0 MB freed; 1 of them brought back
        money      0.0031 USD a month, 0.0042 less than without deletions; 0.0013 saved
                   so far

        REPOSITORY                      SIZE IMAGES  LAST 30 DAYS
        mgh-website                 110.0 MB     15  ▆▆▆▆▆▇▇▇▇▅▅▅▅▅▆▆▆▆▆▆▆▇▇▇▇▇▇▇█▅
        mgh-admin-frontend-of-an..   73.3 MB     10  ▆▆▆▆▆▇▇▇▇▅▅▅▅▅▆▆▆▆▆▆▆▇▇▇▇▇▇▇█▅
        ");
    }

    #[test]
    fn without_history_it_says_so_and_guesses_nothing() {
        let basis = Basis { days: &[], now: now(), usage: None, plan_frees: None };
        let nothing = Document {
            latest: None,
            forecast: forecast(&basis, &[Bytes(350 * MB)]),
            deleted: Totals {
                n_deleted: 0,
                n_restored: 0,
                freed: Bytes::ZERO,
                n_unknown: 0,
                first_at: None,
                last_at: None,
            },
            savings: None,
            repositories: Vec::new(),
            points: Vec::new(),
            ..document()
        };
        let text = page(&nothing, Paint::Plain);
        insta::assert_snapshot!(text, @r"
        Everything: nothing is on record in this time

        growth     not enough history: 0 of the 7 days that a rate takes
        350.0 MB   if nothing goes: nobody knows yet
        deleted    nothing so far
        ");
    }
}
