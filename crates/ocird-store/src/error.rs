//! Why the store could not do what was asked. Told apart by `SQLite`'s result codes, never by text.

use std::error::Error;
use std::path::PathBuf;

use ocird_model::{ImageId, RepositoryId};

use crate::{IntentId, PlanId};

/// A failed use of an open store. Nothing of what was asked has been done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `SQLite` or the way to it failed.
    #[error("{doing} failed")]
    Sqlite {
        /// What was being done.
        doing: &'static str,
        /// What `SQLite` says.
        source: sqlx::Error,
    },
    /// A value in the file is not what ocird would have written.
    #[error("the store holds something unreadable in {what}")]
    Decode {
        /// The table and column.
        what: &'static str,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Another process has opened the store since (S-23).
    #[error("another process has taken over the store (epoch {found}, ours is {ours}); stop one of the two")]
    Fenced {
        /// The epoch of this process.
        ours: u64,
        /// The epoch in the file.
        found: u64,
    },
    /// The file at the store's path is no longer the one that is open: writing into it would be forgotten.
    #[error("{} is no longer the file that was opened; close the store and open it again", path.display())]
    Replaced {
        /// The path of the database.
        path: PathBuf,
    },
    /// An earlier commit failed with an I/O error or on a corrupt file. What the disk holds since is not known, so
    /// that nothing more is written: a failed fsync cannot be repeated.
    #[error("an earlier write did not reach the disk; close the store and open it again")]
    Broken,
    /// A pass recorded an image whose details were never remembered.
    #[error("image {image} is to be recorded but was never remembered")]
    UnknownImage {
        /// The image.
        image: ImageId,
    },
    /// Something was recorded about a repository that was never seen.
    #[error("repository {repository} was never seen")]
    UnknownRepository {
        /// The repository.
        repository: RepositoryId,
    },
    /// There is no such intent.
    #[error("there is no intent {intent}")]
    UnknownIntent {
        /// The intent.
        intent: IntentId,
    },
    /// An intent ends once.
    #[error("intent {intent} already has an outcome")]
    AlreadyConcluded {
        /// The intent.
        intent: IntentId,
    },
    /// A plan was approved that does not wait for it.
    #[error(
        "plan {plan} does not wait for an approval: another has taken its place, or it was approved before"
    )]
    NotWaiting {
        /// The plan.
        plan: PlanId,
    },
}

impl StoreError {
    /// Turns `SQLite`'s error into ours, with what was being done.
    pub(crate) const fn sqlite(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Sqlite { doing, source }
    }

    /// Turns a decoder's error into ours, with the table and column.
    pub(crate) fn decode<E: Into<Box<dyn Error + Send + Sync>>>(
        what: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Decode { what, source: source.into() }
    }

    /// The kind of failure as a metric label and a log field.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite { doing: _, source } => sqlite_kind(source),
            Self::Decode { what: _, source: _ } => "decode",
            Self::Fenced { ours: _, found: _ } => "fenced",
            Self::Replaced { path: _ } => "replaced",
            Self::Broken => "broken",
            Self::UnknownImage { image: _ } => "unknown_image",
            Self::UnknownRepository { repository: _ } => "unknown_repository",
            Self::UnknownIntent { intent: _ } => "unknown_intent",
            Self::AlreadyConcluded { intent: _ } => "already_concluded",
            Self::NotWaiting { plan: _ } => "not_waiting",
        }
    }

    /// True when nothing but closing the store and opening it again can help: opening checks the whole file.
    pub fn needs_reopening(&self) -> bool {
        matches!(self.kind(), "io" | "corrupt" | "closed" | "replaced" | "broken")
    }

    /// Every word that [`StoreError::kind`] can answer, so that counters exist before the first failure.
    pub const KINDS: [&'static str; 18] = [
        "full",
        "io",
        "read_only",
        "cannot_open",
        "corrupt",
        "busy",
        "constraint",
        "closed",
        "sqlite",
        "decode",
        "fenced",
        "replaced",
        "broken",
        "unknown_image",
        "unknown_repository",
        "unknown_intent",
        "already_concluded",
        "not_waiting",
    ];
}

/// The kind of one of `SQLite`'s errors, by its primary result code. <https://www.sqlite.org/rescode.html>
pub(crate) fn sqlite_kind(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Database(database) => match primary_code(database.as_ref()) {
            Some(5 | 6) => "busy",
            Some(8) => "read_only",
            Some(10) => "io",
            Some(11 | 26) => "corrupt",
            Some(13) => "full",
            Some(14) => "cannot_open",
            Some(19) => "constraint",
            _ => "sqlite",
        },
        sqlx::Error::Io(_) => "io",
        sqlx::Error::PoolTimedOut => "busy",
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => "closed",
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound => "decode",
        _ => "sqlite",
    }
}

/// The low byte of the extended result code, which sqlx hands out as decimal text.
fn primary_code(error: &dyn sqlx::error::DatabaseError) -> Option<i32> {
    error.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}
