//! What is wrong with a configuration, shown at the very place: file, line, column, the line itself and a caret.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// Everything that is wrong with a configuration, in the order of file, line and column. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// One thing that is wrong, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file or directory it is about.
    pub file: PathBuf,
    /// Where in the file; `None` when it is about the file as a whole.
    pub place: Option<Place>,
    /// What is wrong, and what to write instead.
    pub text: String,
}

/// A place in a file, with enough of it to show.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// Number of characters the caret underlines, at least 1 and never past the line.
    pub width: usize,
    /// The line itself, without its end; control characters are replaced.
    pub source: String,
}

impl Problems {
    /// The problems in order, or `None` when there are none.
    pub(super) fn new(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort();
        problems.dedup();
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// The single problem after which nothing else can be looked at.
    pub(super) fn one(problem: Problem) -> Self {
        Self(vec![problem])
    }

    /// Each problem in order.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl Error for Problems {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        let Some(place) = &self.place else {
            return write!(f, "{file}: {}", self.text);
        };
        let Place { line, column, width, source } = place;
        let margin = " ".repeat(line.to_string().len());
        let (before, carets) = (" ".repeat(column.saturating_sub(1)), "^".repeat(*width));
        writeln!(f, "{file}:{line}:{column}: {}", self.text)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{line} | {source}")?;
        write!(f, "{margin} | {before}{carets}")
    }
}
