//! Measures the released daemon as a whole process: the real binary, over HTTP with real signatures, against a simulated
//! tenancy whose every answer takes a set time. `cargo measure` prints one table; it needs the release build.
//!
//! No figure is judged: they are for the README, and a slow machine fails no test. What fails a comparison is a contestant
//! that does not end well, and a deletion of ocird's that somebody needed.

mod compare;
mod daemon;
mod exponent;
mod growth;
mod scrapes;
mod sight;
mod start;
mod steady;
mod world;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::ensure;
use clap::{Parser, Subcommand};

use self::compare::Compare;
use self::growth::Growth;
use self::start::Start;
use self::steady::Steady;

/// Measures the released daemon against a simulated tenancy over HTTP.
#[derive(Debug, Parser)]
#[command(name = "ocird-measure", max_term_width = 100, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    steady: Steady,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What first sync and steady passes take as the tenancy grows to twice, four and eight times its size, with the
    /// exponent of each figure: 0 is what does not grow, 1 what grows as the tenancy does.
    Growth(Growth),
    /// ocird beside what people run today: a nightly shell script over `oci`, and one in Python over the official SDK, each
    /// once on the same simulated tenancy. `crates/ocird-sim/compare/run` installs what they need.
    Compare(Compare),
    /// How long the daemon takes to start on the store of a long life, which it lives first, in virtual time.
    Start(Start),
}

/// The binary to measure; every measurement takes it.
#[derive(Debug, clap::Args)]
struct Measured {
    /// The binary to measure.
    #[arg(long, default_value = "target/release/ocird")]
    binary: PathBuf,
}

impl Measured {
    fn binary(&self) -> anyhow::Result<&PathBuf> {
        let Self { binary } = self;
        ensure!(binary.exists(), "{} is not there: cargo build --release --package ocird", binary.display());
        Ok(binary)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Args { command, steady } = Args::parse();
    let measured = match command {
        None => steady.run().await,
        Some(Command::Growth(growth)) => growth.run().await,
        Some(Command::Compare(compare)) => compare.run().await,
        Some(Command::Start(start)) => start.run().await,
    };
    match measured.and_then(|text| Ok(io::stdout().lock().write_all(text.as_bytes())?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed standard error leaves nobody to tell.
            drop(writeln!(io::stderr(), "ocird-measure: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Seconds in milliseconds, for people.
fn ms(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1e3)
}

/// Bytes in MiB, for people.
fn mib(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / 1_048_576.0)
}

/// A line for each figure, after what it is of.
fn listed<T: AsRef<str>>(rows: &[(T, String)]) -> String {
    rows.iter().fold(String::new(), |mut text, (what, figure)| {
        writeln!(text, "{:<56} {figure}", what.as_ref()).expect("a string takes every line");
        text
    })
}

/// A line for each row, its columns aligned; the first to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width_of = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..n_columns).map(width_of).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("  {cell:>width$}"),
        });
        format!("{}\n", cells.collect::<String>())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let table = aligned(&[row(["", "wall", "calls"]), row(["4 x 20", "114.2 ms", "5"])]);
        assert_eq!(table, "            wall  calls\n4 x 20  114.2 ms      5\n");
    }
}
