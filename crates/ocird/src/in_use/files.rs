//! Reference files as a source: one, or every file of a directory that matches a pattern. What is in a file is `file`'s.

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

    async fn read(&self) -> Vec<Report> {
        let silent = |why: String| vec![Report { name: self.name(), host: None, answer: Err(why) }];
        let paths = match file::expand(&self.0.path).await {
            Ok(paths) if paths.is_empty() => return silent("no file is there yet".to_owned()),
            Ok(paths) => paths,
            Err(error) => return silent(ErrorChain(&error).to_string()),
        };
        let mut reports = Vec::with_capacity(paths.len());
        for path in paths {
            let name = path.display().to_string();
            reports.push(match file::read(&path).await {
                Ok(ReferenceFile { version: _, host, written_at, complete, references }) => Report {
                    name,
                    host: Some(host),
                    answer: Ok(Answer { looked_at: written_at, is_complete: complete, mentions: references }),
                },
                Err(error) => Report { name, host: None, answer: Err(ErrorChain(&error).to_string()) },
            });
        }
        reports
    }
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
