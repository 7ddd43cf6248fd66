//! From text to the raw shape, with every mistake of form named at once.
//!
//! serde stops at the first mistake. So what it stopped at is taken down, cut out of the document, and the rest is read
//! again, until nothing is left to complain of. serde's own shape stays the one description of the format.

use std::mem;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::source::{Check, Findings, Source};

/// The most mistakes of form that are named for one file. Each costs another reading of it.
const MAX_MISTAKES: usize = 50;

/// Reads a file into its raw shape. Mistakes of form are taken down, and what is returned has holes where they were.
pub(super) fn read<'a, T: DeserializeOwned + Default>(
    source: &'a Source,
    findings: &'a mut Findings,
) -> (T, Check<'a>) {
    let mut check = Check { source, has_holes: false, findings };
    let (mut document, errors) = DeTable::parse_recoverable(&source.text);
    for error in errors {
        take_down(&error, &mut check);
    }
    for _ in 0..MAX_MISTAKES {
        match T::deserialize(Deserializer::from(document.clone())) {
            Ok(raw) => return (raw, check),
            Err(error) => {
                take_down(&error, &mut check);
                let was_cut = error.span().is_some_and(|span| cut_from_table(document.get_mut(), &span));
                if !was_cut {
                    break;
                }
            }
        }
    }
    (T::default(), check)
}

fn take_down(error: &toml::de::Error, check: &mut Check<'_>) {
    check.has_holes = true;
    let span = error.span().unwrap_or_default();
    check.problem(&span, in_our_words(error.message()));
}

/// Cuts out the smallest entry that holds the span; false when none does.
fn cut_from_table(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    if table.iter_mut().any(|(_, value)| cut_from_value(value, span)) {
        return true;
    }
    let doomed = table
        .iter()
        .find(|(key, value)| holds(&key.span(), span) || holds(&value.span(), span))
        .map(|(key, _)| key.clone());
    doomed.is_some_and(|key| table.remove(&key).is_some())
}

fn cut_from_value(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => cut_from_table(table, span),
        DeValue::Array(array) => {
            if array.iter_mut().any(|item| cut_from_value(item, span)) {
                return true;
            }
            let doomed = array.iter().position(|item| holds(&item.span(), span));
            if let Some(doomed) = doomed {
                let items = mem::replace(array, DeArray::new()).into_iter().enumerate();
                *array = items.filter(|(i, _)| *i != doomed).map(|(_, item)| item).collect();
            }
            doomed.is_some()
        }
        _ => false,
    }
}

fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// serde's message, said to somebody who writes TOML and not Rust: with the key that was probably meant.
fn in_our_words(message: &str) -> String {
    let unknown = [("unknown field `", "key"), ("unknown variant `", "value")];
    for (start, kind) in unknown {
        let Some((word, known)) =
            message.strip_prefix(start).and_then(|rest| rest.split_once("`, expected "))
        else {
            continue;
        };
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        return match nearest(word, &known) {
            Some(meant) => format!("unknown {kind} `{word}`; did you mean `{meant}`?"),
            None => format!("unknown {kind} `{word}`; known here: {}", known.join(", ")),
        };
    }
    match message.rsplit_once(", expected ") {
        Some((found, wanted)) => format!("{found}, expected {}", in_toml_words(wanted)),
        None => message.to_owned(),
    }
}

/// What serde calls by the name of a Rust type, as the format calls it.
fn in_toml_words(wanted: &str) -> &str {
    match wanted {
        "i64" => "a whole number without quotes",
        "a string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list in brackets",
        wanted if wanted.starts_with("struct ") => "a table of keys",
        wanted => wanted,
    }
}

/// The word that differs least, when it differs in at most a third of its letters.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|known| (distance(word, known), *known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min()
        .map(|(_, known)| known)
}

/// The number of letters to add, drop or change to make one word of the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.chars().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_only_when_it_is_near() {
        let known = ["older_than", "tagged", "tags", "name"];
        assert_eq!(nearest("older_then", &known), Some("older_than"));
        assert_eq!(nearest("tag", &known), Some("tags"));
        assert_eq!(nearest("pulled_within", &known), None);
        assert_eq!(nearest("x", &[]), None);
    }

    #[test]
    fn a_distance_counts_single_letters() {
        for (from, to, expected) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)] {
            assert_eq!(distance(from, to), expected, "{from} to {to}");
            assert_eq!(distance(to, from), expected, "{to} to {from}");
        }
    }

    #[test]
    fn a_message_without_a_known_form_is_passed_on() {
        assert_eq!(in_our_words("duplicate key"), "duplicate key");
        assert_eq!(in_our_words("unknown field `a`"), "unknown field `a`");
    }
}
