//! What is in use, from every configured source; each answers completely and freshly, or puts the repositories it
//! covers in doubt (S-4).
//!
//! - A [`source::Source`] is asked and reports everything or why not; the kinds are `files`, `docker`,
//!   `prometheus` and `kubernetes`.
//! - What it said is heard here: folded to our repositories, held by digest and tag, and believed or doubted. An answer
//!   that is old, incomplete, of the future, backdated, empty or suddenly short (`memory`, S-3) holds what it names, and
//!   puts the rest in doubt. So does a host that spoke before and is silent now.
//! - What ran in the last deployments is held too (`rollback`), and so is the image that ocird itself runs from.
//!
//! Deliberately not here: any decision. A doubt is handed to the planner, which keeps.

pub mod compose;
mod docker;
pub mod engine;
pub mod file;
mod files;
mod hearing;
mod kubernetes;
mod memory;
mod prometheus;
pub mod reference;
mod rollback;
pub(crate) mod shown;
pub mod source;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use ocird_model::{InUse, Inventory};
use ocird_store::UseHistory;

use crate::config::InUseConfig;
use crate::in_use::hearing::Hearing;
pub(crate) use crate::in_use::hearing::TOLERATED_AHEAD;
use crate::in_use::reference::Folder;
use crate::in_use::rollback::Answers;
use crate::status::SourceStatus;

/// What every source said, for the planner and for people.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// For the planner.
    pub in_use: InUse,
    /// For people: one entry per report.
    pub sources: Vec<SourceStatus>,
    /// What is to be remembered of it.
    pub history: UseHistory,
}

/// A question to every source.
#[derive(Debug, Clone, Copy)]
pub struct Inquiry<'a> {
    /// Who is asked, and what is made of the answers.
    pub config: &'a InUseConfig,
    /// Tells which references point into this registry.
    pub folder: &'a Folder,
    /// What the registry was just seen to hold.
    pub inventory: &'a Inventory,
    /// What is remembered of earlier answers.
    pub history: &'a UseHistory,
    /// The moment of asking.
    pub now: DateTime<Utc>,
}

impl Inquiry<'_> {
    /// Asks every configured source about the repositories that were just seen. Failures are answers too: they come back as
    /// doubts, never as an error. No source at all is not "nothing in use" (S-4).
    pub async fn ask(&self) -> Gathered {
        let sources = source::sources(self.config);
        let reports = join_all(sources.iter().map(|source| source.ask(self.now))).await;
        let mut hearing = Hearing::new(self);
        for (source, reports) in sources.iter().zip(reports) {
            hearing.hear(source.as_ref(), reports);
        }
        hearing.hold_own_image();
        let answers = hearing.answers();
        self.remember(hearing.end(), answers)
    }

    /// Brings the history of what ran up to date, and holds what a rollback would pull.
    fn remember(&self, mut gathered: Gathered, answers: Answers) -> Gathered {
        let Self { config, folder: _, inventory, history, now } = *self;
        let runs = rollback::advance(&history.runs, &gathered.in_use, answers, inventory, now);
        rollback::hold_unended(&mut gathered.in_use, &runs, inventory);
        rollback::date(&mut gathered.in_use, &runs, inventory, now);
        for (repository, used) in rollback::previous(&runs, inventory, config.keep_previous as usize) {
            gathered.in_use.add(repository, used);
        }
        gathered.history.runs = runs;
        gathered
    }
}

#[cfg(test)]
mod tests;
