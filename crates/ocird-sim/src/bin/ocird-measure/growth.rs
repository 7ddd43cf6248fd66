//! How first sync and steady pass grow with the tenancy: once with more repositories, once with more images in each.

use std::iter::once;
use std::time::Duration;

use crate::exponent::exponent;
use crate::sight::Sight;
use crate::world::Size;
use crate::{Measured, aligned, mib, ms};

#[derive(Debug, clap::Args)]
pub(crate) struct Growth {
    #[command(flatten)]
    measured: Measured,
    /// The tenancy at its smallest.
    #[command(flatten)]
    size: Size,
    /// How long every answer takes, in milliseconds.
    #[arg(long, default_value_t = 50, value_name = "MS")]
    answer: u64,
    /// Steady passes at each size, of which the median is told.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    passes: u32,
    /// Sizes, each twice the one before.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=8))]
    sizes: u32,
}

/// One column: what it is called, its figure, and how a person reads it. A bound stands in a column of its own, to be read
/// beside what it bounds.
type Column = (&'static str, fn(&Sight) -> f64, fn(f64) -> String);

const COLUMNS: [Column; 10] = [
    ("first sync", |sight| sight.first.synced.as_secs_f64(), ms),
    ("CPU", |sight| sight.first.cpu_s, ms),
    ("peak", |sight| sight.first.peak_bytes, mib),
    ("calls", |sight| sight.first.n_calls() as f64, count),
    ("bound", |sight| sight.first_bound() as f64, count),
    ("steady pass", |sight| sight.second.median_s(), ms),
    ("CPU", |sight| sight.second.cpu_s, ms),
    ("peak", |sight| sight.second.peak_bytes, mib),
    ("calls", |sight| sight.second.calls_of_a_pass(), count),
    ("bound", |sight| sight.size.n_pages() as f64, count),
];

/// What a tenancy may have more of.
#[derive(Debug, Clone, Copy)]
enum Axis {
    Repositories,
    Images,
}

impl Growth {
    pub(crate) async fn run(&self) -> anyhow::Result<String> {
        let mut tables = Vec::new();
        for axis in [Axis::Repositories, Axis::Images] {
            let table = aligned(&rows(&self.along(axis).await?));
            tables.push(format!("{}, {} ms an answer\n{table}", axis.in_words(), self.answer));
        }
        Ok(tables.join("\n"))
    }

    async fn along(&self, axis: Axis) -> anyhow::Result<Vec<Sight>> {
        let binary = self.measured.binary()?;
        let answer = Duration::from_millis(self.answer);
        let mut sights = Vec::new();
        for step in 0..self.sizes {
            let size = axis.times(self.size, 1 << step);
            sights.push(Sight::of(binary, size, answer, self.passes, async |_, _| Ok(())).await?);
        }
        Ok(sights)
    }
}

impl Axis {
    const fn times(self, size: Size, factor: u32) -> Size {
        let Size { repositories, images } = size;
        match self {
            Self::Repositories => Size { repositories: repositories * factor, images },
            Self::Images => Size { repositories, images: images * factor },
        }
    }

    const fn in_words(self) -> &'static str {
        match self {
            Self::Repositories => "more repositories",
            Self::Images => "more images in each repository",
        }
    }
}

/// The figures of each size under their names, and the exponent of each.
fn rows(sights: &[Sight]) -> Vec<Vec<String>> {
    let heads = once(String::new()).chain(COLUMNS.map(|(name, ..)| name.to_owned())).collect();
    let row = |sight: &Sight| {
        let size = format!("{} x {}", sight.size.repositories, sight.size.images);
        once(size).chain(COLUMNS.map(|(_, figure, read)| read(figure(sight)))).collect()
    };
    let exponents = COLUMNS.map(|(_, figure, _)| {
        let points: Vec<(f64, f64)> =
            sights.iter().map(|sight| (sight.size.n_images() as f64, figure(sight))).collect();
        exponent(&points).map_or_else(|| "-".to_owned(), |exponent| format!("{exponent:.2}"))
    });
    let last = once("exponent".to_owned()).chain(exponents).collect();
    once(heads).chain(sights.iter().map(row)).chain([last]).collect()
}

fn count(n: f64) -> String {
    format!("{n:.0}")
}
