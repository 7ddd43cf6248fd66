//! ocird beside what people run today, on the same simulated tenancy with the same answer time, judged by the tenancy's own
//! ground truth.
//!
//! What is compared is one night's work: look at everything, decide, delete what is beyond the newest of each repository.
//! The scripts do it in one go. ocird deletes nothing that it has not selected for a day, in three passes at least, and its
//! first two batches are small; so its store has looked for two days before and its ramp is behind it, and two passes of
//! the real binary are told: one that only looks, and the one that deletes.

mod contestant;
mod scene;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;

use self::contestant::{Contestant, Taken, Tools};
use self::scene::Scene;
use crate::world::Size;
use crate::{Measured, aligned, mib};

/// What stands under the table: what the figures do not say by themselves.
const LEGEND: &str = "\
peak: of the largest process. wrong: deleted, and by the ground truth something runs it, may be rolled back to it, or starts
from a tag that points at it. The scripts ask nobody what runs, as such scripts do not; they list, and delete what they
find. ocird is told what runs by a file as `ocird collect` writes it; it lists again, reads each image again and writes an
intent to the disk before it deletes it, and proves afterwards that everything needed is there. Its store has looked for
two days before these two passes, as nothing goes before a day of looking, and its first two batches, which are small, lie
behind it. Limits of a pass and a day are raised to what is due here; everything else is the default.
";

#[derive(Debug, clap::Args)]
pub(crate) struct Compare {
    #[command(flatten)]
    measured: Measured,
    #[command(flatten)]
    size: Size,
    /// Of each repository so many of the newest images stay. At least half of them: more than that at once ocird refuses.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(3..))]
    keep: u32,
    /// How long every answer takes, in milliseconds.
    #[arg(long, default_value_t = 50, value_name = "MS")]
    answer: u64,
    /// Seed of every identifier; the same seed makes the same tenancy.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave the shell script out: each of its calls starts `oci` anew, which is one to two seconds of CPU.
    #[arg(long)]
    skip_shell: bool,
    /// A virtual environment with Oracle's `oci` and `oci-cli`.
    #[arg(long, default_value = "target/clients-venv", value_name = "DIR")]
    venv: PathBuf,
    /// The scripts.
    #[arg(long, default_value = "crates/ocird-sim/compare", value_name = "DIR")]
    scripts: PathBuf,
}

/// One line of the table.
#[derive(Debug)]
struct Line {
    who: &'static str,
    taken: Taken,
    /// What it printed, for whoever asks why it did not do its work.
    said: String,
    n_requests: u64,
    n_deleted: usize,
    n_wrong: usize,
}

impl Compare {
    /// # Errors
    /// A contestant does not end well, a script leaves something that is to go, or ocird deletes anything else than what
    /// may go and nobody needs.
    pub(crate) async fn run(&self) -> anyhow::Result<String> {
        let Self { size, keep, answer, .. } = self;
        ensure!(size.images > *keep, "of {} images {keep} stay: there is nothing to delete", size.images);
        ensure!(
            size.images <= 2 * keep,
            "--keep at least half of --images: ocird refuses more than half at once"
        );
        let tools = Tools::new(self.measured.binary()?, &self.venv, &self.scripts)?;
        let mut lines = Vec::new();
        for contestant in Contestant::ALL {
            if contestant != Contestant::Shell || !self.skip_shell {
                let scene = Scene::furnish(*size, *keep, self.seed)?;
                lines.extend(contestant.perform(scene, &tools, Duration::from_millis(*answer)).await?);
            }
        }
        let Size { repositories, images } = size;
        let world = format!(
            "{repositories} repositories with {images} images each, of which the newest {keep} stay; {answer} ms an answer, seed {}\n",
            self.seed
        );
        Ok(format!("{world}\n{}\n{LEGEND}", table(&lines)))
    }
}

fn table(lines: &[Line]) -> String {
    let heads = ["", "wall", "CPU", "peak", "requests", "deleted", "wrong"];
    let row = |line: &Line| {
        let Line { who, taken, said: _, n_requests, n_deleted, n_wrong } = line;
        vec![
            (*who).to_owned(),
            format!("{:.2} s", taken.wall_s),
            format!("{:.2} s", taken.cpu_s),
            mib(taken.peak_bytes),
            n_requests.to_string(),
            n_deleted.to_string(),
            n_wrong.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> =
        std::iter::once(heads.map(str::to_owned).to_vec()).chain(lines.iter().map(row)).collect();
    aligned(&rows)
}
