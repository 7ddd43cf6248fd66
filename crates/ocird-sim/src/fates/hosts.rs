//! The hosts of one fate and what they write down of what they run, well or badly.

use std::io;
use std::path::PathBuf;

use chrono::TimeDelta;

use super::kinds::Misfortune;
use super::scene::{ANCHOR, LITTER, Scene};
use crate::manifest::Platform;
use crate::push::Build;
use crate::registry::Reference;
use crate::settings::parsed;
use crate::workload::PullPolicy;

/// A host.
#[derive(Debug, Clone, Copy)]
pub(super) struct HostPlan {
    pub(super) name: &'static str,
    pub(super) platform: Platform,
    policy: PullPolicy,
}

/// One that pulls at every start, and one that keeps what it has.
pub(super) const HOSTS: [HostPlan; 2] = [
    HostPlan { name: "milan-1", platform: Platform::Arm64, policy: PullPolicy::Always },
    HostPlan { name: "node-1", platform: Platform::Amd64, policy: PullPolicy::IfNotPresent },
];

/// What is wrong with what a host writes, until it is put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// All is well.
    Well,
    /// It has stopped writing.
    Stopped,
    /// Its file is gone.
    Gone,
    /// It writes that nothing runs.
    Empty,
    /// It writes half of a file.
    Half,
    /// It writes that it could not ask for everything.
    Incomplete,
    /// Its clock is this much ahead.
    Ahead(TimeDelta),
}

impl Scene {
    /// Adds the hosts, each with a workload that always runs.
    pub(super) fn add_hosts(&mut self) {
        let litter = parsed(LITTER);
        let anchor = Build::small("anchor");
        let pushed = self.tenancy.push(&litter, &anchor, &[parsed(ANCHOR)], "ci");
        pushed.expect("the repository is there");
        for host in HOSTS {
            self.tenancy.add_host(host.name, host.platform, host.policy);
            let running = self.tenancy.deploy(host.name, ANCHOR, &litter, Reference::Tag(parsed(ANCHOR)));
            running.expect("the anchor was pushed");
        }
    }

    /// Every host that writes at all writes what it runs.
    pub(super) fn collect(&mut self) -> io::Result<()> {
        for place in 0..HOSTS.len() {
            self.write(place)?;
        }
        Ok(())
    }

    fn write(&mut self, place: usize) -> io::Result<()> {
        let host = HOSTS[place].name;
        let path = self.file_of(host);
        let mut text = self.tenancy.in_use(host);
        match self.writing[place] {
            Writing::Well => {}
            Writing::Stopped => return Ok(()),
            Writing::Gone => {
                return match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    Ok(()) | Err(_) => Ok(()),
                };
            }
            Writing::Empty => text["references"] = serde_json::json!([]),
            Writing::Incomplete => text["complete"] = serde_json::json!(false),
            Writing::Ahead(ahead) => {
                text["written_at"] = serde_json::json!((self.tenancy.now() + ahead).to_rfc3339());
            }
            Writing::Half => {
                let text = text.to_string();
                return std::fs::write(path, &text[..text.len() / 2]);
            }
        }
        let text = text.to_string();
        if self.writing[place] == Writing::Well {
            self.older_answers[place] = self.answers[place].replace(text.clone());
        }
        std::fs::write(path, text)
    }

    /// Something goes wrong with what a host writes, or is put right again.
    pub(super) fn disturb_hosts(&mut self) -> io::Result<()> {
        for (place, host) in HOSTS.iter().enumerate() {
            if self.writing[place] != Writing::Well {
                if self.dice.chance(4_000) {
                    self.writing[place] = Writing::Well;
                }
                continue;
            }
            if !self.dice.chance(self.rates.hosts) {
                continue;
            }
            let ahead = TimeDelta::seconds(self.dice.within(30, 280));
            let (kind, writing) = match self.dice.between(0, 7) {
                0 => (Misfortune::InUseStale, Writing::Stopped),
                1 => (Misfortune::InUseEmpty, Writing::Empty),
                2 => (Misfortune::InUseHalf, Writing::Half),
                3 => (Misfortune::InUseMissing, Writing::Gone),
                4 => (Misfortune::InUseIncomplete, Writing::Incomplete),
                5 => (Misfortune::InUseAhead, Writing::Ahead(ahead)),
                _ => (Misfortune::InUseBackdated, Writing::Stopped),
            };
            if self.deal(kind) {
                self.writing[place] = writing;
                if kind == Misfortune::InUseBackdated
                    && let Some(older) = &self.older_answers[place]
                {
                    std::fs::write(self.file_of(host.name), older)?;
                }
            }
        }
        Ok(())
    }

    fn file_of(&self, host: &str) -> PathBuf {
        self.directory.join("in-use").join(format!("{host}.json"))
    }
}
