//! The text of one file, and where in it something is wrong.

use std::fs::{self, File};
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::problem::{Place, Problem};

/// The largest file in bytes that is read: ten thousand rules fit, and a mistaken path to a log does not.
const MAX_BYTES: u64 = 1024 * 1024;

/// One file, read whole.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Everything that was found wrong or odd so far, over all files.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

/// Takes down what is wrong with one file.
#[derive(Debug)]
pub(super) struct Check<'a> {
    pub(super) source: &'a Source,
    /// Something of the file was left out because its form is wrong. What is missing may be what was meant there, so
    /// nothing is called missing any more.
    pub(super) has_holes: bool,
    pub(super) findings: &'a mut Findings,
}

impl Source {
    /// Reads a file of UTF-8 text.
    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        let problem = |text: String| Problem::whole(path, text);
        let cannot_read = |error| problem(format!("cannot be read: {error}"));
        // Asked before opening: to open a named pipe is to wait for its writer.
        if !fs::metadata(path).map_err(cannot_read)?.is_file() {
            return Err(problem("is not a file".to_owned()));
        }
        let mut bytes = Vec::new();
        File::open(path)
            .map_err(cannot_read)?
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(cannot_read)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
            return Err(problem(format!("is larger than {MAX_BYTES} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|_| problem("is not UTF-8 text".to_owned()))?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// The directory from which relative paths count.
    pub(super) fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        }
    }

    /// Where a span of bytes lies. A span outside the text is moved to its nearest end.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        let start = self.text.floor_char_boundary(span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |end| end + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        let column = self.text[line_start..start].chars().count();
        let end = self.text.floor_char_boundary(span.end.max(start));
        let on_line = (line.chars().count()).saturating_sub(column);
        Place {
            line: self.text[..line_start].matches('\n').count() + 1,
            column: column + 1,
            width: self.text[start..end].chars().count().min(on_line).max(1),
            source: line.chars().map(shown).collect(),
        }
    }

    fn problem(&self, span: &Range<usize>, text: &str) -> Problem {
        Problem { file: self.path.clone(), place: Some(self.place(span)), text: printable(text) }
    }
}

impl Problem {
    /// A problem of a file or directory as a whole.
    pub(super) fn whole(file: &Path, text: impl AsRef<str>) -> Self {
        Self { file: file.to_owned(), place: None, text: printable(text.as_ref()) }
    }
}

impl Check<'_> {
    /// Something stands there that must not.
    pub(super) fn problem(&mut self, span: &Range<usize>, text: impl AsRef<str>) {
        self.findings.problems.push(self.source.problem(span, text.as_ref()));
    }

    /// Something is not there. `span` is what it belongs to; `None` is the file as a whole.
    pub(super) fn missing(&mut self, span: Option<&Range<usize>>, text: impl AsRef<str>) {
        if self.has_holes {
            return;
        }
        let problem = match span {
            Some(span) => self.source.problem(span, text.as_ref()),
            None => Problem::whole(&self.source.path, text),
        };
        self.findings.problems.push(problem);
    }

    /// Something is allowed but probably not meant.
    pub(super) fn warn(&mut self, span: &Range<usize>, text: impl AsRef<str>) {
        self.findings.warnings.push(self.source.problem(span, text.as_ref()));
    }
}

/// A file may hold escape sequences, and problems are shown on terminals (S-34). Every character keeps its column.
fn shown(character: char) -> char {
    match character {
        '\t' => ' ',
        character if character.is_control() => char::REPLACEMENT_CHARACTER,
        character => character,
    }
}

fn printable(text: &str) -> String {
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, span: Range<usize>) -> (usize, usize, usize, String) {
        let source = Source { path: "x".into(), text: text.to_owned() };
        let Place { line, column, width, source } = source.place(&span);
        (line, column, width, source)
    }

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        assert_eq!(place("a = 1\nb = 2", 6..7), (2, 1, 1, "b = 2".to_owned()));
        assert_eq!(place("é = 'ü' x\r\n", 5..9), (1, 5, 3, "é = 'ü' x".to_owned()));
    }

    #[test]
    fn a_span_over_several_lines_is_underlined_to_the_end_of_the_first() {
        assert_eq!(place("a = [\n1,\n2]\n", 4..11), (1, 5, 1, "a = [".to_owned()));
    }

    #[test]
    fn a_span_outside_the_text_is_moved_to_its_end() {
        assert_eq!(place("", 3..9), (1, 1, 1, String::new()));
        assert_eq!(place("a\n", 9..10), (2, 1, 1, String::new()));
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        let (_, _, _, line) = place("a\t= '\u{1b}[31m'", 0..1);
        assert_eq!(line, "a = '\u{fffd}[31m'");
    }
}
