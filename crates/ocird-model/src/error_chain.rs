//! An error with all its causes on one line, for logs and messages. Nobody matches on it.

use std::error::Error;
use std::fmt::{self, Write as _};

/// An error with its whole chain of causes, on one line: `outer: middle: inner`. Control characters in it are
/// escaped, for error texts quote what servers and files say (S-34).
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

/// Escapes control characters on their way through, so that a text from outside can neither end a line nor colour the
/// next (S-34).
#[derive(Debug)]
pub struct OneLine<'a, W>(pub &'a mut W);

impl<W: fmt::Write> fmt::Write for OneLine<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if character.is_control() {
                write!(self.0, "{}", character.escape_default())?;
            } else {
                self.0.write_char(character)?;
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
    #[error("inner\u{1b}[31m\nforged line")]
    struct Inner;

    #[test]
    fn every_cause_stands_on_one_line_and_no_escape_gets_through() {
        let line = ErrorChain(&Outer(Inner)).to_string();
        assert_eq!(line, "outer: inner\\u{1b}[31m\\nforged line");
    }
}
