//! Small pictures beside figures: the curve of one repository, and the bar that shows where the budget goes.

use std::fmt::Write as _;

use maud::PreEscaped;
use ocird_model::Bytes;
use svg::node::element::path::Data;
use svg::node::element::{Line, Path, Rectangle, SVG};

use super::words::round;

/// Width and height of a small curve, in pixels.
const SPARK: (f64, f64) = (120.0, 26.0);

/// Width of the bar, in units of its own; the style sheet stretches it.
const BAR: f64 = 1000.0;

/// Height of the bar.
const THICKNESS: f64 = 20.0;

/// So many parts of the bar have a shade of their own.
pub(super) const SHADES: usize = 6;

/// A small curve from nothing to the largest size, with the same in words. `None` where fewer than two sizes are known.
pub(super) fn spark(sizes: &[Option<Bytes>], span: &str) -> Option<PreEscaped<String>> {
    let known: Vec<Bytes> = sizes.iter().flatten().copied().collect();
    let [first, .., last] = known[..] else { return None };
    let most = known.iter().copied().max().unwrap_or(last);
    let largest = most.0.max(1) as f64;
    let (width, height) = SPARK;
    let step = (width - 4.0) / (sizes.len() - 1) as f64;
    let tenths = |pixels: f64| (pixels * 10.0).round() / 10.0;
    let place = |(i, size): (usize, Bytes)| {
        (tenths(2.0 + step * i as f64), tenths(height - 2.0 - size.0 as f64 / largest * (height - 4.0)))
    };
    let all: Vec<(usize, Option<Bytes>)> = sizes.iter().copied().enumerate().collect();
    let runs = all.split(|(_, size)| size.is_none()).filter(|run| !run.is_empty());
    let (mut stroke, mut area) = (Data::new(), Data::new());
    for run in runs {
        let places: Vec<(f64, f64)> =
            run.iter().filter_map(|(i, size)| Some(place((*i, (*size)?)))).collect();
        let ([first, ..], [.., last]) = (&places[..], &places[..]) else { continue };
        area = area.move_to((first.0, height));
        for (n, place) in places.iter().enumerate() {
            stroke = if n == 0 { stroke.move_to(*place) } else { stroke.line_to(*place) };
            area = area.line_to(*place);
        }
        area = area.line_to((last.0, height)).close();
    }
    let words = format!("{span}: from {} to {}, {} at most", round(first), round(last), round(most));
    let picture = SVG::new()
        .set("class", "spark")
        .set("viewBox", (0, 0, width, height))
        .set("role", "img")
        .set("aria-label", words)
        .add(Path::new().set("class", "area").set("d", area))
        .add(Path::new().set("class", "stroke").set("d", stroke));
    Some(PreEscaped(picture.to_string()))
}

/// The bar of a whole: its parts one after the other, and marks where lines lie. The words are for those who do not see it.
pub(super) fn bar(
    parts: &[Bytes],
    whole: Bytes,
    marks: &[(Bytes, &'static str)],
    words: &str,
) -> PreEscaped<String> {
    let whole = whole.0.max(1) as f64;
    let place = |size: Bytes| (size.0 as f64 / whole).min(1.0) * BAR;
    let mut picture = SVG::new()
        .set("class", "bar")
        .set("viewBox", (0, 0, BAR, THICKNESS))
        .set("preserveAspectRatio", "none")
        .set("role", "img")
        .set("aria-label", words)
        .add(Rectangle::new().set("class", "track").set("width", BAR).set("height", THICKNESS));
    let mut sum = Bytes::ZERO;
    for (i, part) in parts.iter().enumerate() {
        let (from, to) = (place(sum), place(sum + *part));
        sum += *part;
        let mut class = "part ".to_owned();
        write!(class, "s{}", i.min(SHADES)).expect("a string takes everything");
        let part = Rectangle::new().set("class", class).set("x", from).set("width", (to - from).max(0.0));
        picture = picture.add(part.set("height", THICKNESS));
    }
    for (at, class) in marks.iter().filter(|(at, _)| place(*at) < BAR) {
        let x = place(*at);
        let mark = Line::new().set("class", *class).set("x1", x).set("x2", x).set("y1", 0);
        picture = picture.add(mark.set("y2", THICKNESS).set("vector-effect", "non-scaling-stroke"));
    }
    PreEscaped(picture.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_curve_takes_two_sizes_and_leaves_gaps() {
        assert!(spark(&[], "").is_none() && spark(&[Some(Bytes(1)), None], "").is_none());
        let drawn = spark(&[Some(Bytes(1)), None, Some(Bytes(2))], "30 days").unwrap().into_string();
        assert_eq!(drawn.matches('M').count(), 4, "two stretches, each with its area: {drawn}");
        assert!(drawn.contains("30 days: from 1 B to 2 B, 2 B at most"), "{drawn}");
        let flat = spark(&[Some(Bytes::ZERO); 3], "30 days").unwrap().into_string();
        assert!(!flat.contains("NaN"), "{flat}");
    }

    #[test]
    fn parts_that_are_more_than_the_whole_stay_within_the_bar() {
        let parts = [Bytes(600), Bytes(600)];
        let drawn =
            bar(&parts, Bytes(1000), &[(Bytes(350), "warn"), (Bytes(1000), "bad")], "words").into_string();
        assert!(drawn.contains("width=\"600\"") && drawn.contains("width=\"400\""), "{drawn}");
        assert_eq!(drawn.matches("<line").count(), 1, "a mark at the end would not be seen: {drawn}");
    }
}
