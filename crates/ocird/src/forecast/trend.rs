//! A robust slope: the median of the slopes between all pairs of points (Theil 1950, Sen 1968), and how far they spread.
//! <https://doi.org/10.1080/01621459.1968.10480934>

use serde::Serialize;

/// A rate over fewer days than this is a guess.
const MIN_DAYS: u32 = 7;

/// Over these days there must be so many points: two of them a week apart are a guess, too.
const MIN_POINTS: usize = 5;

/// The percentiles that the range is made of.
const RANGE: [f64; 2] = [0.1, 0.9];

/// How something grows with time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Trend {
    /// There is not enough history to say.
    NotEnough {
        /// Over how many days there are points.
        n_days: u32,
        /// How many days it takes at least.
        needed: u32,
    },
    /// By these rates.
    Known(Growth),
}

/// A rate, in bytes a day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Growth {
    /// The median of all slopes.
    pub per_day: f64,
    /// The tenth percentile of them.
    pub low: f64,
    /// The ninetieth percentile of them.
    pub high: f64,
    /// Over how many days it was measured.
    pub n_days: u32,
}

/// The trend of points of (days, bytes) in order of time.
pub(super) fn trend(points: &[(f64, f64)]) -> Trend {
    let n_days = match (points.first(), points.last()) {
        (Some((first, _)), Some((last, _))) => whole_days(last - first),
        (None | Some(_), _) => 0,
    };
    let mut slopes = slopes(points);
    if n_days < MIN_DAYS || points.len() < MIN_POINTS || slopes.is_empty() {
        return Trend::NotEnough { n_days, needed: MIN_DAYS };
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let [low, high] = RANGE.map(|share| quantile(&slopes, share));
    Trend::Known(Growth { per_day: quantile(&slopes, 0.5), low, high, n_days })
}

/// The slopes between all pairs of points at different times: 1,770 for a window of 60 days.
fn slopes(points: &[(f64, f64)]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (i, (x0, y0)) in points.iter().enumerate() {
        for (x1, y1) in &points[i + 1..] {
            if x1 > x0 {
                slopes.push((y1 - y0) / (x1 - x0));
            }
        }
    }
    slopes
}

/// The value under which this share of sorted values lies, between two values by where it falls between them.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among the values")]
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * place.fract()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a span of a window, never negative"
)]
fn whole_days(days: f64) -> u32 {
    // Days end where they end: what a rounding took away from seven is still a week.
    (days + 1e-6).floor() as u32
}
