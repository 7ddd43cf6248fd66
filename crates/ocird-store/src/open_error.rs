//! Why a store cannot be opened, in words that say what to do. Told apart by result codes, never by text.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

use crate::error::sqlite_kind;

/// Why the store cannot be opened. Deletion is off until it can; trying again is always safe.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the state directory.
    #[error("another ocird holds {}; stop it, or give this one a state directory of its own", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The state directory or a file in it may not be written.
    #[error("{} cannot be written; make the state directory writable for ocird's user", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// There is no room.
    #[error("there is no room on the disk for {}; make some", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file of the state directory cannot be opened, read or moved; the directory may be missing.
    #[error("{} cannot be used; see that the state directory exists on a sound local disk", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store was corrupt and has been moved away. Opening again makes a new one, which remembers nothing.
    #[error("the store was corrupt and is set aside as {}; a new one begins empty and unmarks everything", moved_to.display())]
    Corrupt {
        /// Where it is now.
        moved_to: PathBuf,
    },
    /// A later ocird wrote the store (S-30).
    #[error(
        "the store has schema {found}, this ocird knows {known}; install the later ocird again, or restore the backup it made"
    )]
    TooNew {
        /// The schema of the file.
        found: i64,
        /// The latest schema this program knows.
        known: i64,
    },
    /// The file belongs to another program.
    #[error("{} is not a store of ocird (application id {application_id:#x}); move it away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The id that its program gave it; zero for none.
        application_id: i64,
    },
    /// The `SQLite` that this program was built with has a bug that corrupts databases.
    #[error("SQLite {found} can corrupt a database in WAL mode; build ocird with 3.51.3 or later")]
    SqliteTooOld {
        /// Its version.
        found: String,
    },
    /// A copy is not a copy: the schema is left as it is, and the copy bears no name.
    #[error("the backup {} is not sound", path.display())]
    Backup {
        /// The copy.
        path: PathBuf,
    },
    /// The schema could not be brought up to date; the file is as it was.
    #[error("the schema of {} could not be brought up to date", path.display())]
    Migrate {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: MigrateError,
    },
    /// `SQLite` refused.
    #[error("{doing} failed")]
    Sqlite {
        /// What was being done.
        doing: &'static str,
        /// What `SQLite` says.
        source: sqlx::Error,
    },
}

impl OpenError {
    /// A failure of the file system.
    pub(crate) fn of_file(path: &Path, source: io::Error) -> Self {
        let kind = source.kind();
        let (path, source) = (path.to_owned(), source.into());
        match kind {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly { path, source }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path, source },
            _ => Self::Io { path, source },
        }
    }

    /// A failure of `SQLite`, by its result code.
    pub(crate) fn of_sqlite(doing: &'static str, path: &Path, source: sqlx::Error) -> Self {
        let path = path.to_owned();
        match sqlite_kind(&source) {
            "read_only" => Self::ReadOnly { path, source: source.into() },
            "full" => Self::DiskFull { path, source: source.into() },
            "io" | "cannot_open" => Self::Io { path, source: source.into() },
            _ => Self::Sqlite { doing, source },
        }
    }

    /// The kind of failure as a metric label and a log field.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Locked { path: _ } => "locked",
            Self::ReadOnly { path: _, source: _ } => "read_only",
            Self::DiskFull { path: _, source: _ } => "full",
            Self::Io { path: _, source: _ } => "io",
            Self::Corrupt { moved_to: _ } => "corrupt",
            Self::TooNew { found: _, known: _ } => "too_new",
            Self::Foreign { path: _, application_id: _ } => "foreign",
            Self::SqliteTooOld { found: _ } => "sqlite_too_old",
            Self::Backup { path: _ } => "backup",
            Self::Migrate { path: _, source: _ } => "migrate",
            Self::Sqlite { doing: _, source: _ } => "sqlite",
        }
    }

    /// Whether `SQLite` says that the file is damaged, or no database at all.
    pub(crate) fn is_corrupt(&self) -> bool {
        matches!(self, Self::Sqlite { doing: _, source } if sqlite_kind(source) == "corrupt")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_the_file_system_say_what_to_do() {
        for (kind, word, advice) in [
            (io::ErrorKind::ReadOnlyFilesystem, "read_only", "make the state directory writable"),
            (io::ErrorKind::PermissionDenied, "read_only", "make the state directory writable"),
            (io::ErrorKind::StorageFull, "full", "make some"),
            (io::ErrorKind::NotFound, "io", "see that the state directory exists"),
        ] {
            let error = OpenError::of_file(Path::new("/var/lib/ocird/ocird.lock"), kind.into());
            assert_eq!(error.kind(), word);
            assert!(error.to_string().contains(advice), "{error}");
        }
    }
}
