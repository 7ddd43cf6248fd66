//! The curve of usage: what was, what is to be expected, and the lines that matter, as SVG. Its geometry is ours, its elements
//! are the `svg` crate's; its colours are the style sheet's, so that both schemes have theirs. It says the same in words, for
//! those who do not see it, and guesses nothing: where no size was known, there is a gap.

mod scale;

use chrono::{DateTime, TimeDelta, Utc};
use maud::PreEscaped;
use ocird_model::Bytes;
use svg::node::element::path::Data;
use svg::node::element::{Circle, Description, Group, Line as Stroke, Path, SVG, Text, Title};

use self::scale::{EDGE, LEFT, Scale, bytes_ticks, time_ticks};
use super::words::round;
use crate::forecast::Growth;

/// What is drawn.
#[derive(Debug)]
pub(super) struct Curve<'a> {
    /// Sizes, the oldest first.
    pub(super) points: &'a [Point],
    /// Between two points that are further apart nothing is drawn.
    pub(super) gap: TimeDelta,
    /// Where the past ends.
    pub(super) now: DateTime<Utc>,
    /// Where the curve ends.
    pub(super) until: DateTime<Utc>,
    /// The lines that matter.
    pub(super) lines: &'a [Line],
    /// What is to be expected, if anything is.
    pub(super) outlook: Option<Outlook>,
    /// In one line, what it is.
    pub(super) title: &'a str,
    /// In a few sentences, what it shows.
    pub(super) description: &'a str,
}

/// A size at an instant; `None` where nobody knew it.
pub(super) type Point = (DateTime<Utc>, Option<Bytes>);

/// A line across the curve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) at: Bytes,
    pub(super) label: String,
    pub(super) class: &'static str,
}

/// What is to be expected from now on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outlook {
    /// Usage now.
    pub(super) usage: Bytes,
    /// What usage does, deletions included.
    pub(super) net: Growth,
    /// What is pushed.
    pub(super) pushes: Growth,
}

/// How large a curve is drawn. A page holds both, and the style sheet shows the one that fits: letters that shrink with a
/// picture cannot be read on a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Canvas {
    /// For a desk.
    Wide,
    /// For a phone.
    Narrow,
}

impl Canvas {
    const fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }

    /// Width and height in CSS pixels.
    const fn size(self) -> (f64, f64) {
        match self {
            Self::Wide => (960.0, 300.0),
            Self::Narrow => (340.0, 240.0),
        }
    }

    /// The most labels of the axis of time.
    const fn n_ticks(self) -> usize {
        match self {
            Self::Wide => 8,
            Self::Narrow => 5,
        }
    }
}

impl Curve<'_> {
    /// Both pictures.
    pub(super) fn draw(&self) -> PreEscaped<String> {
        PreEscaped(format!("{}{}", self.on(Canvas::Wide), self.on(Canvas::Narrow)))
    }

    fn on(&self, canvas: Canvas) -> SVG {
        let (width, height) = canvas.size();
        let scale = self.scale(canvas);
        let [title, description] =
            ["title", "description"].map(|part| format!("curve-{part}-{}", canvas.class()));
        let mut picture = SVG::new()
            .set("class", format!("curve {}", canvas.class()))
            .set("viewBox", (0, 0, width, height))
            .set("role", "img")
            .set("aria-labelledby", format!("{title} {description}"))
            .add(Title::new(self.title).set("id", title))
            .add(Description::new().set("id", description).add(svg::node::Text::new(self.description)))
            .add(axes(&scale, canvas));
        if let Some(outlook) = self.outlook {
            picture = picture.add(ahead(&scale, outlook, self.now, self.until));
        }
        picture.add(self.past(&scale)).add(lines(&scale, self.lines, canvas))
    }

    fn scale(&self, canvas: Canvas) -> Scale {
        let from = self.points.first().map_or(self.now, |(at, _)| *at);
        let sizes = self.points.iter().filter_map(|(_, size)| *size);
        let known = sizes.chain(self.lines.iter().map(|line| line.at)).max().unwrap_or(Bytes::ZERO);
        let largest =
            self.outlook.map_or(known, |outlook| known.max(self.expected(outlook).min(most_of(known))));
        Scale::new(canvas.size(), from..self.until.max(from + TimeDelta::minutes(1)), largest)
    }

    /// Usage at the end of the curve, as it goes.
    fn expected(&self, Outlook { usage, net, pushes: _ }: Outlook) -> Bytes {
        let days = (self.until - self.now).num_seconds() as f64 / 86_400.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it saturates, at nothing too"
        )]
        let size = (usage.0 as f64 + net.per_day * days) as u64;
        Bytes(size)
    }

    /// The curve of what was, with the area under it and a dot where it ends.
    fn past(&self, scale: &Scale) -> Group {
        let mut group = Group::new().set("class", "past");
        let runs = runs(self.points, self.gap);
        for run in &runs {
            let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else { continue };
            let along = along(run.iter().map(|(at, size)| scale.place(*at, size.0 as f64)));
            let area = along.clone();
            let area =
                area.line_to((scale.x(*last), scale.bottom())).line_to((scale.x(*first), scale.bottom()));
            group = group
                .add(Path::new().set("class", "area").set("d", area.close()))
                .add(Path::new().set("class", "stroke").set("d", along));
        }
        let last = runs.last().and_then(|run| run.last());
        match last {
            Some((at, size)) => {
                let (x, y) = scale.place(*at, size.0 as f64);
                group.add(Circle::new().set("cx", x).set("cy", y).set("r", 3.5))
            }
            None => group,
        }
    }
}

/// What is to be expected makes the canvas higher, and what was flatter, by half at most.
const fn most_of(known: Bytes) -> Bytes {
    Bytes(known.0.saturating_add(known.0 / 2))
}

/// Stretches in which sizes are known and not too far apart.
fn runs(points: &[Point], gap: TimeDelta) -> Vec<Vec<(DateTime<Utc>, Bytes)>> {
    let mut runs: Vec<Vec<(DateTime<Utc>, Bytes)>> = Vec::new();
    let mut is_open = false;
    for (at, size) in points {
        let Some(size) = size else {
            is_open = false;
            continue;
        };
        match runs.last_mut() {
            Some(run) if is_open && run.last().is_some_and(|(last, _)| *at - *last <= gap) => {
                run.push((*at, *size));
            }
            Some(_) | None => runs.push(vec![(*at, *size)]),
        }
        is_open = true;
    }
    runs
}

/// A path along points.
fn along(places: impl Iterator<Item = (f64, f64)>) -> Data {
    places.enumerate().fold(
        Data::new(),
        |data, (i, place)| {
            if i == 0 { data.move_to(place) } else { data.line_to(place) }
        },
    )
}

/// What is to be expected: a band for the range of the net rate, a dashed line for its median, and a dotted one for the case
/// that nothing goes any more.
fn ahead(scale: &Scale, outlook: Outlook, now: DateTime<Utc>, until: DateTime<Utc>) -> Group {
    let Outlook { usage, net, pushes } = outlook;
    let days = (until - now).num_seconds() as f64 / 86_400.0;
    let start = usage.0 as f64;
    let ray = |rate: f64| scale.ray(now, start, rate, days);
    // Where a ray leaves the canvas, the band goes on along the edge.
    let edge = |rate: f64| {
        let mut along = ray(rate);
        along.extend(along.last().map(|(_, y)| (scale.x(until), *y)));
        along
    };
    let mut band = edge(net.high);
    band.extend(edge(net.low).into_iter().rev());
    let (x, _) = scale.place(now, 0.0);
    let today = Stroke::new().set("class", "now").set("x1", x).set("x2", x);
    Group::new()
        .set("class", "ahead")
        .add(today.set("y1", EDGE).set("y2", scale.bottom()))
        .add(Path::new().set("class", "band").set("d", along(band.into_iter()).close()))
        .add(Path::new().set("class", "pushes").set("d", along(ray(pushes.per_day).into_iter())))
        .add(Path::new().set("class", "net").set("d", along(ray(net.per_day).into_iter())))
}

/// The grid with its labels.
fn axes(scale: &Scale, canvas: Canvas) -> Group {
    let mut group = Group::new().set("class", "axes").set("aria-hidden", "true");
    for size in bytes_ticks(scale.largest()) {
        let y = scale.y(size.0 as f64);
        let stroke = Stroke::new().set("x1", LEFT).set("x2", scale.right());
        let label = Text::new(round(size)).set("x", LEFT - 8.0).set("y", y + 4.0);
        group = group.add(stroke.set("y1", y).set("y2", y)).add(label.set("text-anchor", "end"));
    }
    for (at, label) in time_ticks(scale.times(), canvas.n_ticks()) {
        let label = Text::new(label).set("x", scale.x(at)).set("y", scale.bottom() + 20.0);
        group = group.add(label.set("text-anchor", "middle"));
    }
    group
}

/// The lines that matter, each with its name above it.
fn lines(scale: &Scale, lines: &[Line], canvas: Canvas) -> Group {
    let mut group = Group::new().set("class", "lines").set("aria-hidden", "true");
    for Line { at, label, class } in lines {
        let label = match canvas {
            Canvas::Wide => label.clone(),
            // Longer words would hide the curve.
            Canvas::Narrow => round(*at),
        };
        let y = scale.y(at.0 as f64);
        let stroke = Stroke::new().set("class", *class).set("x1", LEFT).set("x2", scale.right());
        let label = Text::new(label).set("class", *class).set("x", LEFT + 6.0);
        group = group.add(stroke.set("y1", y).set("y2", y)).add(label.set("y", y - 6.0));
    }
    group
}

#[cfg(test)]
mod tests;
