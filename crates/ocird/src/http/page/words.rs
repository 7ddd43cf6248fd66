//! How the page says instants, sizes, rates and reasons. Text from outside goes through [`outside`] before it is shown: a
//! browser is no terminal, but a line of printable ASCII of bounded length cannot turn the direction of a sentence, look like
//! another name or fill a screen there either (S-34). Tags of HTML are none of its affair: `maud` escapes whatever it is given.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use ocird_model::{Bytes, RepositoryName, Severity};
use ocird_store::StoredVerdict;

use super::super::screen::instant;
use crate::plain::plain;

/// The longest sentence from outside, in characters.
const SENTENCE: usize = 600;

/// The longest word from outside, in characters: a tag has at most 128.
const WORD: usize = 128;

/// A sentence from outside.
pub(super) fn outside(text: &str) -> String {
    plain(text, SENTENCE)
}

/// A name from outside.
pub(super) fn name(text: &str) -> String {
    plain(text, WORD)
}

/// A size, or that nobody knows it.
pub(super) fn size(size: Option<Bytes>) -> String {
    size.map_or_else(|| "unknown".to_owned(), |size| size.to_string())
}

/// A size without the digit that says nothing: `350 MB`.
pub(super) fn round(size: Bytes) -> String {
    size.to_string().replace(".0 ", " ")
}

/// Bytes a day, which may be below zero.
pub(super) fn rate(per_day: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a figure for people; it saturates"
    )]
    let size = Bytes(per_day.abs() as u64);
    let sign = if per_day < 0.0 && size > Bytes::ZERO { "\u{2212}" } else { "" };
    format!("{sign}{size}")
}

/// An amount of money; a small one with as many digits as say something.
pub(super) fn money(amount: f64, currency: &str) -> String {
    let digits = if amount.abs() < 1.0 { 4 } else { 2 };
    // A sum of nothing is a zero below zero.
    format!("{:.digits$} {currency}", amount + 0.0)
}

/// `1 image`, `2 images`.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// How far away an instant is, on either side of now, in the one unit that says most.
fn within(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let span = at - now;
    match span.num_minutes() {
        0 => "now".to_owned(),
        ..0 => format!("{} ago", in_one_unit(-span)),
        1.. => format!("in {}", in_one_unit(span)),
    }
}

fn in_one_unit(span: TimeDelta) -> String {
    match (span.num_minutes(), span.num_hours(), span.num_days()) {
        (minutes @ ..120, _, _) => format!("{minutes}\u{a0}min"),
        (_, hours @ ..48, _) => format!("{hours}\u{a0}h"),
        (_, _, days) => format!("{days}\u{a0}d"),
    }
}

/// An instant by its distance, with its date beside it.
pub(super) fn moment(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! {
        time datetime=(at.to_rfc3339()) title=(instant(at)) {
            (within(at, now)) " " span.dim.nowrap { (at.format("%F %H:%M")) }
        }
    }
}

/// An instant by its distance alone.
pub(super) fn distance(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! { time.nowrap datetime=(at.to_rfc3339()) title=(instant(at)) { (within(at, now)) } }
}

/// A day.
pub(super) fn day(at: DateTime<Utc>) -> Markup {
    html! { time.nowrap datetime=(at.format("%F").to_string()) { (at.format("%F")) } }
}

/// What people see where there is nothing to see.
pub(super) fn nothing() -> Markup {
    html! { span.dim { "\u{2013}" } }
}

/// The page of a repository. A name holds letters, digits and `._-/` alone, all of which may stand in a path.
pub(super) fn repository_path(name: &RepositoryName) -> String {
    format!("/repositories/{name}")
}

/// A repository, as a link to its page.
pub(super) fn repository(name: &RepositoryName) -> Markup {
    html! { a href=(repository_path(name)) { (name) } }
}

/// Of how many repositories the rows of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Of the one whose page it is.
    One,
    /// Of several, so that each row says which.
    Several,
}

impl Of {
    /// An image, with a link to its repository where that is not clear.
    pub(super) fn image<T: AsRef<str>>(self, of: &RepositoryName, tags: &[T], digest: &str) -> Markup {
        html! { @if self == Self::Several { (repository(of)) " " } (image(tags, digest)) }
    }
}

/// An image by its tags and the beginning of its digest.
pub(super) fn image<T: AsRef<str>>(tags: &[T], digest: &str) -> Markup {
    html! {
        span.tags {
            @for tag in tags.iter().take(MAX_TAGS) { code.tag { (name(tag.as_ref())) } " " }
            @if tags.len() > MAX_TAGS { span.dim { "and " (tags.len() - MAX_TAGS) " more tags" } }
            @if tags.is_empty() { span.dim { "untagged" } }
        }
        " " code.digest { (name(digest)) }
    }
}

/// So many tags of one image are shown: a pusher may give it any number (S-34).
const MAX_TAGS: usize = 12;

/// A text of ours in which words between backticks are code.
pub(super) fn with_code(text: &str) -> Markup {
    html! {
        @for (i, part) in text.split('`').enumerate() {
            @if i % 2 == 0 { (part) } @else { code { (part) } }
        }
    }
}

/// How much a finding matters, as a badge.
pub(super) fn severity(severity: Severity) -> Markup {
    let (class, word) = match severity {
        Severity::Info => ("", "info"),
        Severity::Warning => ("warn", "warning"),
        Severity::Problem => ("bad", "problem"),
    };
    html! { span.badge.(class) { (word) } }
}

/// What was decided about an image.
pub(super) fn decision(verdict: &StoredVerdict) -> Markup {
    let (class, word) = if verdict.decision == "delete" { ("warn", "may go") } else { ("calm", "stays") };
    html! { span.badge.(class) { (word) } " " (reason(&verdict.reason, verdict.detail.as_deref())) }
}

/// Why, in words. A word of another version is shown as it is.
pub(super) fn reason(word: &str, detail: Option<&str>) -> String {
    let detail = outside(detail.unwrap_or_default());
    match word {
        "opaque" => format!("its manifest cannot be judged ({detail})"),
        "in_use" => format!("in use by {detail}"),
        "rollback_room" => format!("a rollback would pull it: {detail}"),
        "in_use_unknown" => "what runs from this repository is not known".to_owned(),
        "no_policy" => "no policy governs the repository".to_owned(),
        "contested" => "two policies claim the repository".to_owned(),
        "public" => "the repository is public".to_owned(),
        "held" => detail,
        "keep_rule" | "delete_rule" => format!("rule \u{201c}{detail}\u{201d}"),
        "time_implausible" => "a time of it is absent or implausible".to_owned(),
        "floor" => "among the newest that always stay".to_owned(),
        "too_young" => "younger than the guardrail\u{2019}s age".to_owned(),
        "child_of_kept" => format!("named by index {}", short(&detail)),
        "referrer_of_kept" => format!("speaks about {}", short(&detail)),
        "references_unknown" => "something that cannot be judged may refer to it".to_owned(),
        "spared" => format!("rule \u{201c}{detail}\u{201d} could take it, but older ones are enough"),
        "not_selected" => "no delete rule selects it".to_owned(),
        "with_head" => format!("with its head, by rule \u{201c}{detail}\u{201d}"),
        "rest_of_family" => "rest of a family whose head is gone".to_owned(),
        other if detail.is_empty() => name(other).replace('_', " "),
        other => format!("{} ({detail})", name(other).replace('_', " ")),
    }
}

/// The beginning of a digest that is written out.
fn short(digest: &str) -> String {
    digest.trim_start_matches("sha256:").chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use ocird_model::{DeleteReason, KeepReason};

    use super::*;

    #[test]
    fn every_reason_of_a_verdict_is_said_in_words_of_its_own() {
        for word in KeepReason::ALL.into_iter().chain(DeleteReason::ALL) {
            let said = reason(word, Some("DETAIL"));
            assert_ne!(said, format!("{} (DETAIL)", word.replace('_', " ")), "{word}");
        }
        assert_eq!(reason("of_another_version", Some("x")), "of another version (x)");
    }

    #[test]
    fn a_distance_is_said_in_one_unit_on_either_side_of_now() {
        let now = crate::http::worlds::now();
        let said = |seconds| within(now + TimeDelta::seconds(seconds), now).replace('\u{a0}', " ");
        assert_eq!([said(0), said(-59), said(60), said(-7199)], ["now", "now", "in 1 min", "119 min ago"]);
        assert_eq!([said(7200), said(-47 * 3600), said(48 * 3600)], ["in 2 h", "47 h ago", "in 2 d"]);
    }

    #[test]
    fn a_rate_below_zero_has_a_sign_and_one_that_rounds_to_nothing_has_none() {
        assert_eq!(rate(-1_500_000.0), "\u{2212}1.5 MB");
        assert_eq!(rate(-0.4), "0 B");
        assert_eq!(rate(2_000_000.0), "2.0 MB");
    }

    #[test]
    fn a_sum_of_no_money_has_no_sign() {
        let nothing: f64 = std::iter::empty::<f64>().sum();
        assert_eq!(money(nothing, "USD"), "0.0000 USD");
        assert_eq!(money(12.345, "EUR"), "12.35 EUR");
    }

    #[test]
    fn code_stands_between_backticks() {
        let said = with_code("`ocird resume`, or <b>").into_string();
        assert_eq!(said, "<code>ocird resume</code>, or &lt;b&gt;");
    }

    #[test]
    fn an_image_with_very_many_tags_shows_some_and_counts_the_others() {
        let tags: Vec<String> = (0..20).map(|n| format!("v{n}")).collect();
        let said = image(&tags, "0123456789ab").into_string();
        assert_eq!(said.matches("<code class=\"tag\">").count(), MAX_TAGS);
        assert!(said.contains("and 8 more tags"), "{said}");
    }
}
