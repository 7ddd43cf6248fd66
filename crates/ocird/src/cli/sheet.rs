//! A sheet of 80 columns: a key at the left, its text beside it and wrapped under itself. Text from outside comes through
//! [`plain`], so that no tag or host can move a cursor (S-34); colours are put in afterwards.

use crate::paint::{Ink, Paint};
use crate::plain::{plain, wrapped};

/// The width, in characters.
const WIDTH: usize = 80;

/// The width of a key and the gap after it.
const KEY: usize = 11;

/// The longest text of one entry.
const MAX_TEXT: usize = 700;

/// A sheet under way.
#[derive(Debug)]
pub(crate) struct Sheet {
    text: String,
    paint: Paint,
}

impl Sheet {
    /// An empty sheet.
    pub(crate) const fn new(paint: Paint) -> Self {
        Self { text: String::new(), paint }
    }

    /// A heading; every one but the first has an empty line before it.
    pub(crate) fn heading(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        for line in wrapped(&plain(text, MAX_TEXT), WIDTH) {
            self.line(&self.paint.ink(Ink::Bold, &line));
        }
    }

    /// A key and its text.
    pub(crate) fn entry(&mut self, key: &str, text: &str) {
        self.hanging(&format!("{key:<KEY$}"), None, text);
    }

    /// A key in this ink and its text.
    pub(crate) fn inked(&mut self, ink: Ink, key: &str, text: &str) {
        self.hanging(&format!("{key:<KEY$}"), Some(ink), text);
    }

    /// A name to be copied: never broken, though a long one is wider than the sheet.
    pub(crate) fn verbatim(&mut self, name: &str) {
        self.line(&plain(name, MAX_TEXT));
    }

    /// Text as wide as the sheet.
    pub(crate) fn paragraph(&mut self, text: &str) {
        self.hanging("", None, text);
    }

    fn hanging(&mut self, first: &str, ink: Option<Ink>, text: &str) {
        let indent = " ".repeat(first.len());
        let inked = ink.map_or_else(|| first.to_owned(), |ink| self.paint.ink(ink, first));
        for (i, line) in wrapped(&plain(text, MAX_TEXT), WIDTH - first.len()).iter().enumerate() {
            let start = if i == 0 { &inked } else { &indent };
            self.line(&format!("{start}{line}"));
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// The whole sheet.
    pub(crate) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_hangs_from_its_key_and_is_never_too_wide() {
        let mut sheet = Sheet::new(Paint::Plain);
        sheet.heading("app@1234");
        sheet.entry("tags", &"v1 ".repeat(40));
        sheet.entry("long", &"x".repeat(100));
        sheet.entry("evil", "a\u{1b}[2Jb\nc");
        let text = sheet.finish();
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.contains("tags       v1 v1") && text.contains("\n           v1"), "{text}");
        assert!(text.ends_with("evil       ab c\n"), "{text}");
    }

    proptest! {
        #[test]
        fn whatever_an_entry_holds_it_begins_no_line_of_its_own(
            text in "(\\PC|[\\x00-\\x1f\\x7f-\\u{9f}\\u{202a}-\\u{202e}]|\\x1b\\[[0-9;]{0,4}[mJHK])*"
        ) {
            let mut sheet = Sheet::new(Paint::Plain);
            sheet.entry("first", &text);
            sheet.entry("last", "word");
            let sheet = sheet.finish();
            prop_assert!(sheet.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)), "{:?}", sheet);
            let at_the_edge = sheet.lines().filter(|line| !line.starts_with(' ')).count();
            prop_assert_eq!(at_the_edge, 2, "{}", sheet);
        }
    }

    #[test]
    fn an_ink_colours_the_key_only() {
        let mut sheet = Sheet::new(Paint::Colours);
        sheet.inked(Ink::Red, "delete", "rule");
        assert_eq!(sheet.finish(), "\u{1b}[31mdelete     \u{1b}[0mrule\n");
    }
}
