//! What every exporter says of its own process, read from `/proc/self` so that it holds under `ProcSubset=pid` too,
//! where the usual collector gives a start time of 0.
//! <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>

use std::fs;

use chrono::{DateTime, Utc};

use super::catalogue;
use super::sheet::Sheet;

/// Clock ticks in a second, as `/proc/self/stat` counts: 100 on every Linux that ocird is built for.
/// <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
const TICKS_PER_SECOND: f64 = 100.0;

/// Adds what can be read; what cannot is left out.
pub(super) fn collect(sheet: &mut Sheet, started_at: DateTime<Utc>) {
    sheet.put(catalogue::PROCESS_START, started_at.timestamp_micros() as f64 / 1e6);
    if let Some(seconds) = read("/proc/self/stat").as_deref().and_then(cpu_seconds) {
        sheet.put(catalogue::PROCESS_CPU, seconds);
    }
    if let Some(status) = read("/proc/self/status") {
        if let Some(kib) = field(&status, "VmRSS:") {
            sheet.put(catalogue::PROCESS_MEMORY, kib * 1024.0);
        }
        if let Some(n_threads) = field(&status, "Threads:") {
            sheet.put(catalogue::PROCESS_THREADS, n_threads);
        }
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        // One of them is the directory itself, open while it is counted.
        sheet.put(catalogue::PROCESS_FDS, descriptors.count().saturating_sub(1) as f64);
    }
    if let Some(n) = read("/proc/self/limits").and_then(|limits| field(&limits, "Max open files")) {
        sheet.put(catalogue::PROCESS_MAX_FDS, n);
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// User and system time of `/proc/self/stat`. The second field is the program's name in parentheses and may hold
/// anything, so the count starts after the last of them: `utime` is the 12th from there, `stime` the 13th.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11);
    let user: f64 = times.next()?.parse().ok()?;
    let system: f64 = times.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// The first number after `name` at the start of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_past_a_name_with_parentheses() {
        let stat =
            "7 (a) b (c)) S 1 7 7 0 -1 4194560 900 0 0 0 150 25 0 0 20 0 4 0 100 9 9 18446744073709551615";
        assert_eq!(cpu_seconds(stat), Some(1.75));
        assert_eq!(cpu_seconds("7 (ocird) S 1"), None);
    }

    #[test]
    fn fields_are_read_by_the_name_at_the_start_of_a_line() {
        let status = "Name:\tocird\nVmRSS:\t   2048 kB\nThreads:\t4\n";
        assert_eq!(field(status, "VmRSS:"), Some(2048.0));
        assert_eq!(field(status, "Threads:"), Some(4.0));
        assert_eq!(field("Max open files            unlimited", "Max open files"), None);
    }
}
