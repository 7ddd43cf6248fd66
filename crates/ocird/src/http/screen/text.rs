//! The screen's grammar: entries with a key, headings, rows of cells, and how instants are said.

use chrono::{DateTime, TimeDelta, Utc};

use crate::plain::{plain, wrapped};

/// The width of a screen, in characters.
pub(super) const WIDTH: usize = 80;

/// The width of an entry's key and of the indent of what follows it.
const KEY: usize = 11;

/// The longest text of one entry, in characters: some ten lines of it.
const MAX_TEXT: usize = 700;

/// A screen under way.
#[derive(Debug)]
pub(super) struct Page(String);

impl Page {
    /// A page with something at either end of its first line.
    pub(super) fn new(left: &str, right: &str) -> Self {
        let left = plain(left, WIDTH - right.len() - 1);
        Self(format!("{left:<0$}{right}\n", WIDTH - right.len()))
    }

    /// A key and its text, wrapped under itself.
    pub(super) fn entry(&mut self, key: &str, text: &str) {
        self.hanging(&format!("{key:<KEY$}"), text);
    }

    /// A point under the entry before.
    pub(super) fn item(&mut self, text: &str) {
        self.hanging(&format!("{:KEY$}- ", ""), text);
    }

    /// Text that hangs from `first`, its further lines indented to where it began.
    fn hanging(&mut self, first: &str, text: &str) {
        let indent = " ".repeat(first.len());
        let mut start = first;
        for line in wrapped(&plain(text, MAX_TEXT), WIDTH - first.len()) {
            self.line(&format!("{start}{line}"));
            start = &indent;
        }
    }

    /// A heading with an empty line before it.
    pub(super) fn heading(&mut self, text: &str) {
        self.0.push('\n');
        self.line(text);
    }

    /// One row; cells are cut to their width.
    pub(super) fn row<const N: usize>(&mut self, columns: &[Column; N], cells: &[String; N]) {
        let cells: Vec<String> = columns.iter().zip(cells).map(|(column, cell)| column.fit(cell)).collect();
        self.line(&cells.join(" "));
    }

    /// The head of a table: a heading made of its columns' names.
    pub(super) fn table<const N: usize>(&mut self, columns: &[Column; N]) {
        self.0.push('\n');
        self.row(columns, &columns.each_ref().map(|column| column.name.to_owned()));
    }

    /// A line as it is; it must be plain already.
    pub(super) fn line(&mut self, line: &str) {
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// A column of a table.
#[derive(Debug)]
pub(super) struct Column {
    name: &'static str,
    width: usize,
    is_number: bool,
}

impl Column {
    /// A column of text.
    pub(super) const fn text(name: &'static str, width: usize) -> Self {
        Self { name, width, is_number: false }
    }

    /// A column whose cells end at its right edge.
    pub(super) const fn number(name: &'static str, width: usize) -> Self {
        Self { name, width, is_number: true }
    }

    fn fit(&self, cell: &str) -> String {
        let cell = plain(cell, self.width);
        if self.is_number { format!("{cell:>0$}", self.width) } else { format!("{cell:<0$}", self.width) }
    }
}

/// An instant to the second.
pub(in crate::http) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// How long ago something was.
pub(in crate::http) fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match span(now.signed_duration_since(at)) {
        Some(span) => format!("{span} ago"),
        None => "now".to_owned(),
    }
}

/// How far away an instant is, on either side of now.
pub(in crate::http) fn within(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match span(at.signed_duration_since(now)) {
        Some(span) => format!("in {span}"),
        None => ago(at, now),
    }
}

/// A positive length of time in its two largest units; `None` for less than a second.
fn span(length: TimeDelta) -> Option<String> {
    let seconds = length.num_seconds();
    if seconds < 1 {
        return None;
    }
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let largest = units.iter().position(|(_, size)| seconds >= *size)?;
    let parts = units[largest..].iter().take(2).scan(seconds, |left, (unit, size)| {
        let n = *left / size;
        *left %= size;
        Some((n, unit))
    });
    let parts = parts.filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}"));
    Some(parts.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_span_is_said_in_its_two_largest_units() {
        let said = |seconds| span(TimeDelta::seconds(seconds)).unwrap_or_default();
        assert_eq!(said(0), "");
        assert_eq!(said(-5), "");
        assert_eq!(said(59), "59s");
        assert_eq!(said(60), "1m");
        assert_eq!(said(3_661), "1h 1m");
        assert_eq!(said(86_400 * 3 + 59), "3d");
    }

    proptest! {
        #[test]
        fn wrapping_loses_no_word_and_keeps_to_the_width(text in "[a-z]{0,30}( [a-z]{1,30}){0,20}") {
            let lines = wrapped(&text, 20);
            prop_assert!(lines.iter().all(|line| line.len() <= 20));
            prop_assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        }
    }
}
