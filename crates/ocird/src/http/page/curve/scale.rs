//! Where an instant and a size lie on the canvas, and where its axes bear labels. Numbers and dates alone: it draws nothing.

use std::ops::Range;

use chrono::{DateTime, Datelike as _, Months, NaiveDate, TimeDelta, Utc};
use ocird_model::Bytes;

/// Room for the labels of the sizes, in pixels.
pub(super) const LEFT: f64 = 66.0;

/// Room for the labels of the times, in pixels.
const BOTTOM: f64 = 30.0;

/// Room above and at the right, in pixels.
pub(super) const EDGE: f64 = 10.0;

/// The curve stays under the top by this share.
const HEADROOM: f64 = 1.1;

/// From instants and sizes to pixels, rounded to tenths: more digits nobody sees.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    width: f64,
    height: f64,
    times: Range<DateTime<Utc>>,
    /// The size at the top, in bytes; at least one.
    top: f64,
}

impl Scale {
    /// The scale of a canvas on which sizes up to `largest` have room.
    pub(super) fn new((width, height): (f64, f64), times: Range<DateTime<Utc>>, largest: Bytes) -> Self {
        Self { width, height, times, top: (largest.0 as f64 * HEADROOM).max(1.0) }
    }

    pub(super) fn right(&self) -> f64 {
        self.width - EDGE
    }

    pub(super) fn bottom(&self) -> f64 {
        self.height - BOTTOM
    }

    /// The size at the top.
    pub(super) fn largest(&self) -> f64 {
        self.top
    }

    /// From when to when.
    pub(super) fn times(&self) -> &Range<DateTime<Utc>> {
        &self.times
    }

    pub(super) fn x(&self, at: DateTime<Utc>) -> f64 {
        let whole = (self.times.end - self.times.start).num_seconds() as f64;
        let share = (at - self.times.start).num_seconds() as f64 / whole;
        tenths(LEFT + share.clamp(0.0, 1.0) * (self.right() - LEFT))
    }

    pub(super) fn y(&self, size: f64) -> f64 {
        let share = (size / self.top).clamp(0.0, 1.0);
        tenths(self.bottom() - share * (self.bottom() - EDGE))
    }

    pub(super) fn place(&self, at: DateTime<Utc>, size: f64) -> (f64, f64) {
        (self.x(at), self.y(size))
    }

    /// The way of a rate in bytes a day from a size at an instant on, for so many days: to the edge of the canvas, and no
    /// further than to where nothing is left.
    pub(super) fn ray(&self, at: DateTime<Utc>, size: f64, rate: f64, days: f64) -> Vec<(f64, f64)> {
        let edge = if rate > 0.0 { self.top } else { 0.0 };
        let bend = if rate == 0.0 { days } else { ((edge - size) / rate).clamp(0.0, days) };
        let after = |days: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "seconds within the canvas")]
            let span = TimeDelta::seconds((days * 86_400.0) as i64);
            self.place(at + span, size + rate * days)
        };
        vec![after(0.0), after(bend)]
    }
}

fn tenths(pixels: f64) -> f64 {
    (pixels * 10.0).round() / 10.0
}

/// Round sizes from nothing to the top, four or so.
pub(super) fn bytes_ticks(top: f64) -> Vec<Bytes> {
    let power = 10_f64.powf((top / 5.0).max(1.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|step| top / step <= 5.0);
    let step = step.unwrap_or(10.0 * power);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let tick = |n: u32| Bytes((step * f64::from(n)) as u64);
    (0..=5).map(tick).filter(|tick| tick.0 as f64 <= top).collect()
}

/// Instants within the range that are round to people, with their labels; at most so many.
pub(super) fn time_ticks(times: &Range<DateTime<Utc>>, most: usize) -> Vec<(DateTime<Utc>, String)> {
    const HOURS: [i64; 13] = [1, 2, 3, 6, 12, 24, 48, 96, 7 * 24, 14 * 24, 28 * 24, 56 * 24, 84 * 24];
    let span = times.end - times.start;
    let most = i32::try_from(most).unwrap_or(i32::MAX).max(1);
    if span > TimeDelta::hours(84 * 24) * most / 3 {
        return month_ticks(times, most);
    }
    let step = HOURS.into_iter().map(TimeDelta::hours).find(|step| span / most <= *step);
    let step = step.unwrap_or(TimeDelta::days(84));
    let format = if step < TimeDelta::days(1) { "%H:%M" } else { "%-d %b" };
    let into = times.start.timestamp().rem_euclid(step.num_seconds());
    let first = times.start + (step - TimeDelta::seconds(into));
    std::iter::successors(Some(first), |at| Some(*at + step))
        .take_while(|at| *at < times.end)
        .map(|at| (at, at.format(format).to_string()))
        .collect()
}

/// The first days of months.
fn month_ticks(times: &Range<DateTime<Utc>>, most: i32) -> Vec<(DateTime<Utc>, String)> {
    let n_months = (times.end - times.start).num_days() / 30;
    let steps = [1_u32, 2, 3, 6, 12, 24, 48];
    let step = steps.into_iter().find(|step| n_months / i64::from(*step) <= i64::from(most)).unwrap_or(48);
    let day = times.start.date_naive();
    let month = day.month0() / step.min(12) * step.min(12) + 1;
    let Some(first) = NaiveDate::from_ymd_opt(day.year(), month, 1) else { return Vec::new() };
    std::iter::successors(Some(first), |day| day.checked_add_months(Months::new(step)))
        .map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc())
        .take_while(|at| *at < times.end)
        .filter(|at| *at > times.start)
        .map(|at| (at, at.format(if step < 12 { "%b %Y" } else { "%Y" }).to_string()))
        .collect()
}
