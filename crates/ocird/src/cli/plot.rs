//! A small curve of blocks for the terminal: filled columns under a few lines that matter, with their values at the left. What
//! is not known leaves a gap.

use std::fmt::Write as _;

use ocird_model::Bytes;

/// Rows of the plot.
const HEIGHT: usize = 8;

/// Columns of the plot: with the labels at the left it fits 80.
pub(super) const WIDTH: usize = 64;

/// Columns of the labels.
const LABEL: usize = 9;

/// A column that is filled by so many eighths.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws columns against the lines that lie within sight of them: under four times the largest column.
pub(super) fn plot(columns: &[Option<Bytes>], lines: &[Bytes]) -> String {
    let largest = columns.iter().flatten().copied().max().unwrap_or(Bytes::ZERO);
    let lines: Vec<Bytes> = lines.iter().copied().filter(|line| line.0 / 4 < largest.0).collect();
    let top = lines.iter().copied().chain([largest]).max().map_or(1, |top| top.0.max(1));
    let row_of = |value: Bytes| (eighths(value, top).div_ceil(8)).clamp(1, HEIGHT);
    let mut text = String::new();
    for row in (1..=HEIGHT).rev() {
        let line = lines.iter().rev().find(|line| row_of(**line) == row);
        let label = match line {
            Some(line) => line.to_string(),
            None if row == HEIGHT => Bytes(top).to_string(),
            None => String::new(),
        };
        let blank = if line.is_some() { '-' } else { ' ' };
        let cells: String = columns.iter().map(|column| cell(*column, top, row, blank)).collect();
        writeln!(text, "{label:>LABEL$} |{}", cells.trim_end()).expect("a string takes everything");
    }
    writeln!(text, "{:>LABEL$} +{}", Bytes::ZERO.to_string(), "-".repeat(columns.len()))
        .expect("a string takes everything");
    text
}

/// A curve in one line, each point by its share of the largest; a gap where nothing is known.
pub(super) fn small(points: &[Option<Bytes>]) -> String {
    let largest = points.iter().flatten().map(|Bytes(n)| *n).max().unwrap_or(0).max(1);
    let eighth = |value: &Bytes| {
        let share = u128::from(value.0) * 8 / u128::from(largest);
        EIGHTHS[usize::try_from(share).map_or(8, |share| share.clamp(1, 8))]
    };
    points.iter().map(|point| point.as_ref().map_or(' ', eighth)).collect()
}

fn cell(column: Option<Bytes>, top: u64, row: usize, blank: char) -> char {
    let Some(value) = column else { return blank };
    let here = eighths(value, top).saturating_sub((row - 1) * 8).min(8);
    if here == 0 { blank } else { EIGHTHS[here] }
}

/// How many eighths of a row a value fills, of all rows together. What is there at all fills one.
fn eighths(value: Bytes, top: u64) -> usize {
    let whole = (HEIGHT * 8) as u128;
    let filled = (u128::from(value.0) * whole / u128::from(top)).min(whole);
    let filled = usize::try_from(filled).unwrap_or(HEIGHT * 8);
    if value == Bytes::ZERO { 0 } else { filled.max(1) }
}

/// So many points in at most so many columns: of the points that fall into one, the last that is known.
pub(super) fn columns(points: &[Option<Bytes>], width: usize) -> Vec<Option<Bytes>> {
    let size = points.len().div_ceil(width).max(1);
    points.chunks(size).map(|chunk| chunk.iter().rev().copied().flatten().next()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MB: u64 = 1_000_000;

    #[test]
    fn a_curve_rises_through_its_line_and_a_gap_is_a_gap() {
        let mut points: Vec<_> = (0..16).map(|i| Some(Bytes(25 * MB * i))).collect();
        points[5] = None;
        insta::assert_snapshot!(plot(&points, &[Bytes(200 * MB), Bytes(9_000 * MB)]), @r"
        375.0 MB |              ▃█
                 |            ▃▇██
                 |          ▂▆████
        200.0 MB |--------▂▆██████
                 |      ▁▅████████
                 |    ▁ ██████████
                 |   ▄█ ██████████
                 | ▄███ ██████████
             0 B +----------------
        ");
    }

    #[test]
    fn a_small_curve_is_one_line() {
        let points = [Some(Bytes(0)), None, Some(Bytes(4)), Some(Bytes(8))];
        assert_eq!(small(&points), "▁ ▄█");
        assert_eq!(small(&[]), "");
    }

    #[test]
    fn many_points_share_columns_and_few_have_their_own() {
        let points: Vec<_> = (0..130).map(|i| Some(Bytes(i))).collect();
        let shared = columns(&points, 64);
        assert_eq!((shared.len(), shared[0], shared[43]), (44, Some(Bytes(2)), Some(Bytes(129))));
        assert_eq!(columns(&points[..3], 64).len(), 3);
    }

    proptest! {
        #[test]
        fn a_plot_fits_its_frame_whatever_it_shows(points in prop::collection::vec(prop::option::of(any::<u64>()), 0..64), line in any::<u64>()) {
            let points: Vec<_> = points.into_iter().map(|point| point.map(Bytes)).collect();
            let text = plot(&points, &[Bytes(line)]);
            prop_assert_eq!(text.lines().count(), HEIGHT + 1);
            prop_assert!(text.lines().all(|line| line.chars().count() <= LABEL + 2 + WIDTH), "{}", text);
        }
    }
}
