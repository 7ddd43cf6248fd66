//! Columns of fixed widths within 80, each text wrapped under itself, so that nothing is cut off: what is about to be
//! approved must be seen whole. Text from outside comes through [`plain`] (S-34).

use std::fmt::Write as _;

use crate::paint::{Ink, Paint};
use crate::plain::{plain, wrapped};

/// The gap between two columns.
const GAP: &str = "  ";

/// The longest text of one cell, in characters.
const MAX_TEXT: usize = 400;

/// Lines of columns, indented by two.
#[derive(Debug)]
pub(crate) struct Grid<const N: usize> {
    widths: [usize; N],
    paint: Paint,
    text: String,
}

impl<const N: usize> Grid<N> {
    /// An empty grid of columns of these widths, in characters.
    pub(crate) const fn new(widths: [usize; N], paint: Paint) -> Self {
        Self { widths, paint, text: String::new() }
    }

    /// The names of the columns.
    pub(crate) fn head(&mut self, names: [&str; N]) {
        let start = self.text.len();
        self.row(&names.map(str::to_owned));
        let line = self.text.split_off(start);
        self.text.push_str(&self.paint.ink(Ink::Dim, line.trim_end()));
        self.text.push('\n');
    }

    /// A line of its own over the rows that follow, such as the name of their repository; never broken.
    pub(crate) fn heading(&mut self, text: &str) {
        self.text.push_str(&plain(text, MAX_TEXT));
        self.text.push('\n');
    }

    /// One row, of as many lines as its longest cell takes.
    pub(crate) fn row(&mut self, cells: &[String; N]) {
        let mut columns = Vec::with_capacity(N);
        for (cell, width) in cells.iter().zip(self.widths) {
            columns.push(wrapped(&plain(cell, MAX_TEXT), width));
        }
        let n_lines = columns.iter().map(Vec::len).max().unwrap_or_default();
        for number in 0..n_lines {
            let mut line = String::new();
            for (column, width) in columns.iter().zip(self.widths) {
                let cell = column.get(number).map_or("", String::as_str);
                line.push_str(GAP);
                write!(line, "{cell:<width$}").expect("a string takes everything");
            }
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// Every line.
    pub(crate) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_cell_hangs_in_its_column_and_nothing_is_lost() {
        let mut grid = Grid::new([4, 8], Paint::Plain);
        grid.head(["WHEN", "TAGS"]);
        grid.row(&["now".to_owned(), "v1 v2 v3 abcdefghijkl".to_owned()]);
        grid.heading("app");
        grid.row(&["x".to_owned(), "\u{1b}[2Jevil\n".to_owned()]);
        assert_eq!(
            grid.finish(),
            "  WHEN  TAGS\n  now   v1 v2 v3\n        abcdefgh\n        ijkl\napp\n  x     evil\n"
        );
    }
}
