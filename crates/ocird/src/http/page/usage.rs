//! What is in use, of what budget, where it goes, how it grew and what is to be expected.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use ocird_model::{Bytes, RepositoryName};

use super::curve::{Curve, Line, Outlook};
use super::range::Range;
use super::recall::{Gone, History, NoPast};
use super::spark::{SHADES, bar};
use super::words::{counted, day, money, rate, repository, round, size};
use crate::forecast::{Forecast, Growth, LineForecast, Reach, Savings, Trend};
use crate::status::Status;

/// How much is in use now, in large letters, and where it goes.
pub(super) fn now(status: &Status) -> Markup {
    let whole = Whole::of(status);
    html! {
        section.now aria-labelledby="now" {
            (whole.heading())
            @if !status.repositories.is_empty() { (whole.said(status)) (whole.bar(status)) (whole.legend()) }
        }
    }
}

/// Usage of everything.
struct Whole<'a> {
    usage: Option<Bytes>,
    budget: Option<Bytes>,
    /// Repositories whose size is known, the largest first.
    parts: Vec<(&'a RepositoryName, Bytes)>,
}

impl<'a> Whole<'a> {
    fn of(status: &'a Status) -> Self {
        let repositories = &status.repositories;
        let mut parts: Vec<(&RepositoryName, Bytes)> =
            repositories.iter().filter_map(|(name, one)| Some((name, one.size?))).collect();
        parts.sort_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
        let usage =
            if repositories.is_empty() { None } else { repositories.values().map(|one| one.size).sum() };
        Self { usage, budget: status.bounds.budget, parts }
    }

    fn heading(&self) -> Markup {
        html! {
            h1 #now {
                @match (self.usage, self.budget) {
                    (Some(usage), Some(budget)) => {
                        strong { (usage) } " " span.dim { "of " (round(budget)) " in use" }
                    }
                    (Some(usage), None) => { strong { (usage) } " " span.dim { "in use" } }
                    (None, _) if self.parts.is_empty() => "Nothing has been seen yet",
                    // What is not known is added to what is.
                    (None, _) => { "At least " strong { (self.known()) } " " span.dim { "in use" } }
                }
            }
        }
    }

    /// What is in use of the repositories whose size is known.
    fn known(&self) -> Bytes {
        self.parts.iter().map(|(_, size)| *size).sum()
    }

    fn said(&self, status: &Status) -> Markup {
        let repositories = || status.repositories.values();
        let n_images: u64 = repositories().map(|one| one.n_images).sum();
        let reported: Bytes = repositories().map(|one| one.reported_size).sum();
        let n = status.repositories.len();
        html! {
            p.lead {
                (counted(n_images, "image", "images")) " in "
                (counted(n as u64, "repository", "repositories")) ". "
                @if self.usage.is_none() { "Of some it is not known what they hold. " }
                "The service itself says " (reported) ", which lags."
            }
        }
    }

    /// The bar goes to the budget, or to what is in use where that is more.
    fn bar(&self, status: &Status) -> Markup {
        let sum = self.known();
        let whole = self.budget.unwrap_or(sum).max(sum);
        let mut parts: Vec<Bytes> = self.parts.iter().take(SHADES).map(|(_, size)| *size).collect();
        parts.push(self.parts.iter().skip(SHADES).map(|(_, size)| *size).sum());
        let marks = [(status.bounds.warn_at, "warn"), (self.budget, "bad")];
        let marks: Vec<(Bytes, &'static str)> =
            marks.into_iter().filter_map(|(at, class)| Some((at?, class))).collect();
        let words = match self.budget {
            Some(budget) => format!(
                "{} of the budget of {} by repository; the list below has the figures",
                sum,
                round(budget)
            ),
            None => format!("{sum} by repository; the list below has the figures"),
        };
        html! { (bar(&parts, whole, &marks, &words)) }
    }

    fn legend(&self) -> Markup {
        let others = self.parts.get(SHADES..).unwrap_or_default();
        let rest: Bytes = others.iter().map(|(_, size)| *size).sum();
        let free = self.budget.zip(self.usage).map(|(budget, usage)| budget.saturating_sub(usage));
        html! {
            ul.legend {
                @for (i, (name, size)) in self.parts.iter().take(SHADES).enumerate() {
                    li { span.key.{ "s" (i) } aria-hidden="true" {} (repository(name)) " " span.n { (size) } }
                }
                @if !others.is_empty() {
                    li {
                        span.key.{ "s" (SHADES) } aria-hidden="true" {}
                        (counted(others.len() as u64, "other", "others")) " " span.n { (rest) }
                    }
                }
                @if let Some(free) = free { li { span.key.track aria-hidden="true" {} "free " span.n { (free) } } }
            }
        }
    }
}

/// The curve of everything, with what is to be expected.
pub(super) fn growth(
    history: Result<&History, &NoPast>,
    gone: Result<&Gone, &NoPast>,
    status: &Status,
    range: Range,
    now: DateTime<Utc>,
) -> Markup {
    html! {
        section #curve aria-labelledby="growth" {
            div.head { h2 #growth { "Usage over time" } (range.links("/")) }
            @match history {
                Err(NoPast(why)) => p.empty { "There is no past to show: " (super::words::outside(why)) "." },
                Ok(history) => {
                    (curve(history, &the_lines(status), "Usage of everything that is watched", now))
                    dl.figures {
                        (rates(&history.forecast))
                        @for line in &history.forecast.lines { (reaches(line, status)) }
                        @if let Some(frees) = history.forecast.plan_frees {
                            div { dt { "The present plan" } dd { "frees " (frees) } }
                        }
                        @if let Ok(gone) = gone { (freed(gone)) }
                    }
                }
            }
        }
    }
}

/// The curve, or why there is none yet.
pub(super) fn curve(history: &History, lines: &[Line], title: &str, now: DateTime<Utc>) -> Markup {
    let known = history.points.iter().filter(|(_, size)| size.is_some()).count();
    let (Some((from, _)), true) = (history.points.first(), known > 1) else {
        return html! { p.empty { "There is no curve yet: it takes two looks at the registry that saw everything." } };
    };
    let outlook = outlook(&history.forecast);
    let until = if outlook.is_some() { now + (now - *from) / 3 } else { now };
    let description = description(history);
    let curve = Curve {
        points: &history.points,
        gap: history.gap,
        now,
        until,
        lines,
        outlook,
        title,
        description: &description,
    };
    html! {
        figure {
            (curve.draw())
            @if outlook.is_some() {
                figcaption {
                    span { span.stroke.past aria-hidden="true" {} "what was" }
                    span { span.stroke.net aria-hidden="true" {} "if it goes on as it has gone, and its range" }
                    span { span.stroke.pushes aria-hidden="true" {} "if nothing went any more" }
                }
            }
        }
    }
}

/// The lines of the budget.
fn the_lines(status: &Status) -> Vec<Line> {
    let lines = [(status.bounds.warn_at, "warning at", "warn"), (status.bounds.budget, "budget", "bad")];
    let line = |(at, what, class): (Option<Bytes>, &str, &'static str)| {
        let at = at?;
        Some(Line { at, label: format!("{what} {}", round(at)), class })
    };
    lines.into_iter().filter_map(line).collect()
}

fn outlook(forecast: &Forecast) -> Option<Outlook> {
    match (forecast.usage, forecast.net, forecast.pushes) {
        (Some(usage), Trend::Known(net), Trend::Known(pushes)) => Some(Outlook { usage, net, pushes }),
        (_, Trend::Known(_) | Trend::NotEnough { .. }, _) => None,
    }
}

/// What the curve shows, for those who do not see it.
fn description(history: &History) -> String {
    let mut known = history.points.iter().filter_map(|(at, size)| Some((*at, (*size)?)));
    let Some((from, first)) = known.next() else { return String::new() };
    let (to, last) = known.next_back().unwrap_or((from, first));
    let sizes = || history.points.iter().filter_map(|(_, size)| *size);
    let (smallest, largest) = (sizes().min().unwrap_or(first), sizes().max().unwrap_or(first));
    format!(
        "From {first} on {} to {last} on {}; at least {smallest} and at most {largest} between. The figures beside the curve say what \
         is to be expected.",
        from.format("%F"),
        to.format("%F"),
    )
}

/// How fast it grows.
pub(super) fn rates(forecast: &Forecast) -> Markup {
    let entry = |what: &str, growth: &Growth| {
        let Growth { per_day, low, high, n_days } = growth;
        html! { div {
            dt { (what) }
            dd { (rate(*per_day)) " a day" }
            dd.dim { (rate(*low)) " to " (rate(*high)) ", over " (counted(u64::from(*n_days), "day", "days")) }
        } }
    };
    html! {
        @match &forecast.pushes {
            Trend::Known(growth) => (entry("Pushed", growth)),
            Trend::NotEnough { n_days, needed } => div {
                dt { "Growth" }
                dd { "not enough history" }
                dd.dim { (n_days) " of the " (needed) " days that a rate takes" }
            },
        }
        @if let Trend::Known(growth) = &forecast.net { (entry("Net of deletions", growth)) }
    }
}

/// When a line is reached.
fn reaches(line: &LineForecast, status: &Status) -> Markup {
    let LineForecast { line, if_nothing_goes, after_the_plan: _, as_it_goes } = line;
    let name = if status.bounds.budget == Some(*line) { "The budget of" } else { "The warning line of" };
    html! { div {
        dt { (name) " " (round(*line)) }
        dd { (likely(*as_it_goes)) }
        @if let Some(range) = between(*as_it_goes) { dd.dim { (range) } }
        @if as_it_goes != if_nothing_goes { dd.dim { "if nothing went: " (likely(*if_nothing_goes)) } }
    } }
}

/// When a line is most likely reached.
fn likely(reach: Reach) -> Markup {
    html! {
        @match reach {
            Reach::Reached => "passed",
            Reach::Unknown => "nobody knows yet",
            Reach::Ahead { likely: None, earliest: None, .. } => "not within ten years",
            Reach::Ahead { likely: None, .. } => "probably not reached",
            Reach::Ahead { likely: Some(likely), .. } => { "about " (day(likely)) }
        }
    }
}

/// Between which days, where the range says more than the middle.
fn between(reach: Reach) -> Option<Markup> {
    let Reach::Ahead { earliest: Some(earliest), likely, latest } = reach else { return None };
    let is_wide = latest
        .zip(likely)
        .is_none_or(|(latest, likely)| earliest.date_naive() != likely.date_naive() || latest > likely);
    is_wide.then(|| {
        html! {
            @match latest {
                Some(latest) => { "between " (day(earliest)) " and " (day(latest)) }
                None => { (day(earliest)) " at the earliest; it may never come" }
            }
        }
    })
}

/// What deletions have freed and saved.
fn freed(Gone { totals, savings, latest: _ }: &Gone) -> Markup {
    html! {
        div {
            dt { "Freed so far" }
            @match totals.first_at {
                None => dd { "nothing yet" },
                Some(first) => {
                    dd { (totals.freed) }
                    dd.dim { (counted(totals.n_deleted, "image", "images")) " since " (day(first)) }
                }
            }
        }
        @if let Some(Savings { costs_by_month, saves_by_month, saved, currency }) = savings {
            div {
                dt { "Storage costs" }
                dd { @match costs_by_month { Some(costs) => { (money(*costs, currency)) " a month" }, None => "unknown" } }
                @if totals.first_at.is_some() { dd.dim {
                    @if let Some(less) = saves_by_month { (money(*less, currency)) " less than without deletions; " }
                    (money(*saved, currency)) " saved so far"
                } }
            }
        }
    }
}

/// A figure with its name.
pub(super) fn figure(what: &str, value: &Markup) -> Markup {
    html! { div { dt { (what) } dd { (value) } } }
}

/// A size as a figure, with its name.
pub(super) fn sized(what: &str, bytes: Option<Bytes>) -> Markup {
    figure(what, &html! { (size(bytes)) })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::http::worlds::{now, report_mode};

    fn ahead(earliest: Option<i64>, likely: Option<i64>, latest: Option<i64>) -> Reach {
        let [earliest, likely, latest] =
            [earliest, likely, latest].map(|days| days.map(|days| now() + TimeDelta::days(days)));
        Reach::Ahead { earliest, likely, latest }
    }

    /// What is said, without its elements.
    fn said(markup: Markup) -> String {
        let html = markup.into_string();
        html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect()
    }

    #[test]
    fn a_line_is_told_with_its_range_where_that_says_more() {
        let day = |reach| (said(likely(reach)), between(reach).map(said));
        assert_eq!(day(Reach::Reached), ("passed".to_owned(), None));
        assert_eq!(day(Reach::Unknown), ("nobody knows yet".to_owned(), None));
        assert_eq!(day(ahead(None, None, None)), ("not within ten years".to_owned(), None));
        assert_eq!(day(ahead(Some(3), Some(3), Some(3))), ("about 2026-03-04".to_owned(), None));
        let wide = ("about 2026-03-11".to_owned(), Some("between 2026-03-06 and 2026-03-21".to_owned()));
        assert_eq!(day(ahead(Some(5), Some(10), Some(20))), wide);
        let open = "2026-03-06 at the earliest; it may never come".to_owned();
        assert_eq!(day(ahead(Some(5), Some(10), None)), ("about 2026-03-11".to_owned(), Some(open.clone())));
        assert_eq!(day(ahead(Some(5), None, None)), ("probably not reached".to_owned(), Some(open)));
    }

    #[test]
    fn usage_past_its_budget_fills_the_bar_and_leaves_nothing_free() {
        let mut status = report_mode();
        status.bounds.budget = Some(Bytes(300_000_000));
        let said = now_said(&status);
        assert!(said.contains("361.4 MB of 300 MB in use") && said.contains("free 0 B"), "{said}");
    }

    #[test]
    fn without_a_budget_nothing_is_said_to_be_free() {
        let mut status = report_mode();
        (status.bounds.budget, status.bounds.warn_at) = (None, None);
        let said = now_said(&status);
        assert!(said.contains("361.4 MB in use") && !said.contains("free"), "{said}");
    }

    #[test]
    fn what_is_not_known_makes_the_sum_a_least() {
        let mut status = report_mode();
        status.repositories.values_mut().next().unwrap().size = None;
        let said = now_said(&status);
        assert!(said.contains("At least 241.1 MB in use") && !said.contains("free"), "{said}");
    }

    fn now_said(status: &Status) -> String {
        said(super::now(status))
    }
}
