//! Lists and ages in sentences, each bounded: how many there are must not decide how long a finding is.

use std::fmt::Display;

use chrono::TimeDelta;

/// The most items that a list names.
const MAX_ITEMS: usize = 3;

/// The longest text from outside in a sentence, in characters.
const MAX_TEXT: usize = 200;

/// `a, b, c and 4 more`.
pub(super) fn listed<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut items = items.into_iter();
    let text = items.by_ref().take(MAX_ITEMS).map(|item| item.to_string()).collect::<Vec<_>>().join(", ");
    match items.count() {
        0 => text,
        n_more => format!("{text} and {n_more} more"),
    }
}

/// The beginning of a text that may be of any length.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// `1 image`, `3 images`.
pub(super) fn counted(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// An age or span in whole days, or in hours under two days.
pub(super) fn days(span: TimeDelta) -> String {
    if span < TimeDelta::days(2) {
        format!("{} h", span.num_hours())
    } else {
        format!("{} d", span.num_days())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_three_and_counts_the_rest() {
        assert_eq!(listed(["a", "b"]), "a, b");
        assert_eq!(listed(1..=3), "1, 2, 3");
        assert_eq!(listed(1..=7), "1, 2, 3 and 4 more");
    }

    #[test]
    fn spans_are_said_in_days_and_short_ones_in_hours() {
        assert_eq!(days(TimeDelta::hours(47)), "47 h");
        assert_eq!(days(TimeDelta::hours(73)), "3 d");
        assert_eq!((counted(1, "image"), counted(2, "image")), ("1 image".to_owned(), "2 images".to_owned()));
    }
}
