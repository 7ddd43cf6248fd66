//! The layer between the binary and the C library (`shim.c`): it records what the binary does to the files of a state
//! directory, and lets syncs fail. It is compiled here, and knows of nothing but files.

use std::path::{Path, PathBuf};
use std::process::Command as Compiler;

use tempfile::TempDir;
use tokio::process::Command;

/// A shim and what it recorded. It reaches binaries that load the C library; one that does not is noticed when its record
/// is asked for.
#[derive(Debug)]
pub(crate) struct Shim {
    directory: TempDir,
    folder: PathBuf,
}

/// One change of a file, in the order of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// When, in nanoseconds since 1970, by the clock that the binary reads too.
    pub(crate) at_ns: i64,
    /// The file.
    pub(crate) path: PathBuf,
    /// What became of it.
    pub(crate) change: Change,
}

/// What can be done to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Bytes were written at an offset.
    Write { offset: usize, bytes: Vec<u8> },
    /// It has another length.
    Truncate { length: usize },
    /// Everything before is on the disk.
    Sync,
    /// It is gone.
    Remove,
    /// It has the name of the next record.
    Rename,
    /// It is what the record before was.
    Into,
}

impl Shim {
    /// A shim for the files of a state directory.
    pub(crate) fn new(state_dir: &Path) -> Self {
        let directory = tempfile::Builder::new().prefix("ocird-shim-").tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/shim.c");
        let compiled = Compiler::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .arg(directory.path().join("shim.so"))
            .arg(source)
            .status();
        assert!(compiled.expect("there is a C compiler").success(), "the shim does not compile");
        Self { directory, folder: state_dir.canonicalize().unwrap() }
    }

    /// Puts a command under the shim.
    pub(crate) fn watch(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", self.directory.path().join("shim.so"))
            .env("SHIM_FOLDER", format!("{}/", self.folder.display()))
            .env("SHIM_RECORD", self.record())
            .env("SHIM_FAULT", self.fault());
    }

    /// From now on nothing reaches the disk for sure.
    pub(crate) fn fail_syncs(&self) {
        std::fs::write(self.fault(), "").unwrap();
    }

    /// The disk is as good as before.
    pub(crate) fn heal(&self) {
        std::fs::remove_file(self.fault()).unwrap();
    }

    /// Everything so far.
    pub(crate) fn records(&self) -> Vec<Record> {
        let bytes =
            std::fs::read(self.record()).expect("the binary loads the shim: it is not linked statically");
        let mut rest = bytes.as_slice();
        let records: Vec<Record> = std::iter::from_fn(|| take_record(&mut rest)).collect();
        assert!(!records.is_empty() && rest.is_empty(), "the shim saw nothing, or nothing that can be read");
        records
    }

    fn record(&self) -> PathBuf {
        self.directory.path().join("record")
    }

    fn fault(&self) -> PathBuf {
        self.directory.path().join("fault")
    }
}

/// The next record. What a kill left of the last one is not one.
fn take_record(rest: &mut &[u8]) -> Option<Record> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&rest[..end]).unwrap();
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap();
    let (at_ns, what, path) = (word().parse().unwrap(), word(), PathBuf::from(word()));
    let (offset, length): (usize, usize) = (word().parse().unwrap(), word().parse().unwrap());
    *rest = &rest[end + 1..];
    let change = match what {
        "write" => {
            let bytes = rest[..length].to_vec();
            *rest = &rest[length + 1..];
            Change::Write { offset, bytes }
        }
        "truncate" => Change::Truncate { length: offset },
        "sync" => Change::Sync,
        "unlink" => Change::Remove,
        "rename" => Change::Rename,
        "into" => Change::Into,
        other => panic!("the shim says {other}"),
    };
    Some(Record { at_ns, path, change })
}
