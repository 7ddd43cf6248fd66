//! Reference files as a source: one, or every file of a directory that matches a pattern. What is in a file is `file`'s.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ocird_model::ErrorChain;

use crate::config::{FileSource, Scope};
use crate::in_use::file::{self, ReferenceFile};
use crate::in_use::source::{Answer, Report, Roster, Source};

/// The files of one `[[in_use.files]]`.
#[derive(Debug)]
pub(super) struct Files(FileSource);

impl Files {
    pub(super) const fn new(source: FileSource) -> Self {
        Self(source)
    }

    /// All of them in one turn of a thread that may wait for a disk, and not a turn for each file and each piece of it.
    async fn read(&self) -> Vec<Report> {
        let path = self.0.path.clone();
        let read = tokio::task::spawn_blocking(move || reports(&path))
            .await
            .map_err(|error| ErrorChain(&error).to_string());
        let silent = |why: String| vec![Report { name: self.name(), host: None, answer: Err(why) }];
        read.flatten().unwrap_or_else(silent)
    }
}

/// What each of the files that `path` names says, or why none can be asked.
fn reports(path: &Path) -> Result<Vec<Report>, String> {
    let paths = file::expand(path).map_err(|error| ErrorChain(&error).to_string())?;
    if paths.is_empty() {
        return Err("no file is there yet".to_owned());
    }
    let report = |path: PathBuf| {
        let name = path.display().to_string();
        match file::read(&path) {
            Ok(ReferenceFile { version: _, host, written_at, complete, references }) => Report {
                name,
                host: Some(host),
                answer: Ok(Answer { looked_at: written_at, is_complete: complete, mentions: references }),
            },
            Err(error) => Report { name, host: None, answer: Err(ErrorChain(&error).to_string()) },
        }
    };
    Ok(paths.into_iter().map(report).collect())
}

impl Source for Files {
    fn scope(&self) -> &Scope {
        &self.0.scope
    }

    fn name(&self) -> String {
        self.0.path.display().to_string()
    }

    fn roster(&self) -> Roster<'_> {
        Roster { expect: &self.0.expect, forget: &self.0.forget }
    }

    fn ask(&self, _now: DateTime<Utc>) -> BoxFuture<'_, Vec<Report>> {
        self.read().boxed()
    }
}
