//! JSON in ASCII that ends in a newline. Whatever is not printable ASCII inside a string is written as an escape, so that
//! a document can be shown on a terminal as it is (S-34); to a program it means the same.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// `value` as a document of many lines, for people and programs.
///
/// # Errors
/// A map has keys that are no texts.
pub(crate) fn document(value: &impl Serialize) -> serde_json::Result<String> {
    let mut document = ascii(&serde_json::to_string_pretty(value)?);
    document.push('\n');
    Ok(document)
}

/// Well-formed JSON with every character escaped that is not printable ASCII. Beside the line breaks between them, such
/// characters stand inside strings only.
pub(crate) fn ascii(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, ' '..='~' | '\n') {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(escaped, "\\u{unit:04x}").expect("a string takes everything");
            }
        }
    }
    escaped
}

/// `value` as one line.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    let mut line = Vec::new();
    value
        .serialize(&mut Serializer::with_formatter(&mut line, Ascii))
        .expect("our own answers have string keys, and a vector takes every write");
    line.push(b'\n');
    String::from_utf8(line).expect("the formatter writes ASCII only")
}

struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, foreign)) = rest.char_indices().find(|(_, c)| !(' '..='~').contains(c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in foreign.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + foreign.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_reads_back_from_one_line_of_ascii(text in "(\\PC|[\\x00-\\x1f\\x7f-\\u{9f}\"\\\\])*") {
            let line = json_line(&text);
            prop_assert!(line.trim_end_matches('\n').bytes().all(|b| (b' '..=b'~').contains(&b)), "{}", line);
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), &text[..]);
            let document = document(&[&text]).unwrap();
            prop_assert!(document.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)), "{}", document);
            prop_assert_eq!(serde_json::from_str::<[String; 1]>(&document).unwrap(), [text]);
        }
    }
}
