//! Comma-separated values (RFC 4180) that a spreadsheet shows and does not run: a tag, a user or an error text may begin like
//! a formula, and whoever pushes chooses it (S-34). <https://owasp.org/www-community/attacks/CSV_Injection>

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use ocird_model::{Bytes, is_inert};

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Text, wherever it came from.
    Text(String),
    /// A number of ours.
    Number(u64),
    /// Nothing.
    Empty,
}

impl Cell {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// What is there, or nothing.
    pub fn optional<T: Into<Self>>(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Bytes> for Cell {
    fn from(Bytes(n): Bytes) -> Self {
        Self::Number(n)
    }
}

impl From<DateTime<Utc>> for Cell {
    fn from(at: DateTime<Utc>) -> Self {
        Self::Text(at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A table: the names of its columns, and its rows.
pub fn table<const N: usize>(names: [&str; N], rows: impl IntoIterator<Item = [Cell; N]>) -> String {
    let mut csv = String::new();
    line(&mut csv, &names.map(|name| Cell::Text(name.to_owned())));
    for row in rows {
        line(&mut csv, &row);
    }
    csv
}

fn line(csv: &mut String, cells: &[Cell]) {
    for (i, cell) in cells.iter().enumerate() {
        if i > 0 {
            csv.push(',');
        }
        match cell {
            Cell::Text(text) => push_text(csv, text),
            Cell::Number(number) => write!(csv, "{number}").expect("a string takes everything"),
            Cell::Empty => {}
        }
    }
    csv.push('\n');
}

/// A text in quotes where it needs them, behind an apostrophe where a spreadsheet would take it for a formula. What could do
/// something to a terminal or a line becomes a blank.
fn push_text(csv: &mut String, text: &str) {
    let shown: String = text.chars().map(|c| if is_inert(c) { c } else { ' ' }).collect();
    // Blanks and full-width forms before the sign do not make it harmless everywhere.
    let first = shown.trim_start().chars().next();
    let is_formula = first.is_some_and(|c| {
        matches!(c, '=' | '+' | '-' | '@' | '|' | '%' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
    });
    let apostrophe = if is_formula { "'" } else { "" };
    if shown.contains(['"', ',', ';', '\'']) || shown != shown.trim() {
        write!(csv, "\"{apostrophe}{}\"", shown.replace('"', "\"\"")).expect("a string takes everything");
    } else {
        csv.push_str(apostrophe);
        csv.push_str(&shown);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_begins_like_a_formula_is_text_to_a_spreadsheet() {
        let row = ["=1+1", "@SUM(A1)", "-v1", "+1", " =1", "v1"].map(Cell::text);
        assert_eq!(
            table(["a", "b", "c", "d", "e", "f"], [row]),
            "a,b,c,d,e,f\n'=1+1,'@SUM(A1),'-v1,'+1,\"' =1\",v1\n"
        );
    }

    #[test]
    fn quotes_commas_and_line_breaks_stay_inside_their_cell() {
        let row = [Cell::text("a,\"b\""), Cell::text("a\r\nb\u{1b}[2J"), Cell::Number(7), Cell::Empty];
        assert_eq!(table(["w", "x", "y", "z"], [row]), "w,x,y,z\n\"a,\"\"b\"\"\",a  b [2J,7,\n");
    }

    /// The cells of a line, as a reader by RFC 4180 takes it apart.
    fn cells(line: &str) -> Vec<String> {
        let (mut cells, mut is_quoted) = (vec![String::new()], false);
        let mut rest = line.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                '"' if is_quoted && rest.next_if_eq(&'"').is_some() => cells.last_mut().unwrap().push('"'),
                '"' => is_quoted = !is_quoted,
                ',' if !is_quoted => cells.push(String::new()),
                other => cells.last_mut().unwrap().push(other),
            }
        }
        cells
    }

    proptest! {
        #[test]
        fn a_row_is_one_line_and_no_cell_begins_like_a_formula(texts in prop::array::uniform3("(\\PC|[\\x00-\\x1f=+@,\"-])*")) {
            let csv = table(["a", "b", "c"], [texts.map(Cell::Text)]);
            prop_assert_eq!(csv.lines().count(), 2);
            let cells = cells(csv.lines().nth(1).unwrap());
            prop_assert_eq!(cells.len(), 3, "{}", csv);
            prop_assert!(cells.iter().all(|cell| !cell.trim_start().starts_with(['=', '+', '-', '@'])), "{}", csv);
        }
    }
}
