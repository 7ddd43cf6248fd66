//! JSON as one line of ASCII that ends in a newline. Whatever is not printable ASCII inside a string is written as an
//! escape, so that an answer can be shown on a terminal as it is (S-34); to a program it means the same.

use std::io;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// An answer in JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], json_line(&self.0)).into_response()
    }
}

/// `value` as one line.
pub(super) fn json_line(value: &impl Serialize) -> String {
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
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
