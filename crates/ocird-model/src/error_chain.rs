//! An error with all its causes on one line, for logs and messages. Nobody matches on it.

use std::error::Error;
use std::fmt::{self, Write as _};

use crate::Rule;

/// An error with its whole chain of causes, on one line: `outer: middle: inner`. What could move a cursor or mislead an eye
/// is escaped, for error texts quote what servers and files say (S-34).
#[derive(Debug, Clone, Copy)]
pub struct ErrorChain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = OneLine(f);
        write!(line, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(line, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Whether a character only stands where it is: no control character, and none of those that Unicode has for turning the
/// direction of a line, ending one or hiding inside one. A text from outside may hold any (S-34).
/// <https://www.unicode.org/reports/tr36/>
pub fn is_inert(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Escapes what is not inert on its way through, so that a text from outside can neither end a line nor colour the next
/// nor turn it around (S-34).
#[derive(Debug)]
pub struct OneLine<'a, W>(pub &'a mut W);

impl<W: fmt::Write> fmt::Write for OneLine<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if is_inert(character) || !Rule::S34.in_force() {
                self.0.write_char(character)?;
            } else {
                write!(self.0, "{}", character.escape_default())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("inner\u{1b}[31m\nforged line\u{202e}")]
    struct Inner;

    #[test]
    fn every_cause_stands_on_one_line_and_no_escape_gets_through() {
        let line = ErrorChain(&Outer(Inner)).to_string();
        assert_eq!(line, "outer: inner\\u{1b}[31m\\nforged line\\u{202e}");
    }
}
