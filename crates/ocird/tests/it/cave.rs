//! A small disk of a process's own: a file system in memory, mounted over a state directory in a mount namespace that only
//! the commands inside see. It needs the right to mount, or to make a user namespace in which to have it; without either
//! there is none, and whoever asks must say so.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use crate::disk::through;
use crate::process::tell;

/// What the process that holds the namespace does: mount, move in, say so, wait for its end.
const HOLD: &str =
    "mount -t tmpfs -o \"size=$1,mode=0700\" ocird \"$2\" && cp -a \"$3/.\" \"$2\" && echo held && exec cat";

/// The file that fills the disk.
const FILLING: &str = "filling";

/// A state directory on a small disk.
#[derive(Debug)]
pub(crate) struct Cave {
    holder: Child,
    path: PathBuf,
    /// The namespaces to enter.
    namespaces: &'static [&'static str],
}

impl Cave {
    /// A disk of this size over a state directory, with its files; none where nothing can be mounted.
    pub(crate) async fn dig(state_dir: &Path, size: &str) -> Option<Self> {
        let alone = ["--mount", "--propagation", "private"];
        let within = ["--user", "--map-root-user", "--mount", "--propagation", "private"];
        for (unshare, namespaces) in [
            (&alone[..], &["--mount"][..]),
            (&within[..], &["--user", "--preserve-credentials", "--mount"][..]),
        ] {
            if let Some(holder) = hold(unshare, state_dir, size).await {
                let cave = Self { holder, path: state_dir.to_owned(), namespaces };
                cave.keep_the_lock();
                return Some(cave);
            }
        }
        None
    }

    /// The command inside.
    pub(crate) fn enter(&self, command: &Command) -> Command {
        let target = self.id();
        let mut words = vec!["nsenter", "--target", &target];
        words.extend(self.namespaces);
        words.push("--");
        let mut inside = through(command, &words);
        // The environment is empty otherwise, and `nsenter` is looked for.
        inside.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        inside
    }

    /// Its files, as seen from outside.
    pub(crate) fn seen_from_outside(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.id()));
        root.join(self.path.strip_prefix("/").expect("a state directory is an absolute path"))
    }

    /// A state directory that was copied is known by its lock, which names its own inode, and loses its marks (S-29). This
    /// one was moved.
    fn keep_the_lock(&self) {
        let path = self.seen_from_outside().join("ocird.lock");
        let line = std::fs::read_to_string(&path).unwrap();
        let (rest, _inode) = line.trim_end().rsplit_once(' ').unwrap();
        let inode = std::fs::metadata(&path).unwrap().ino();
        std::fs::write(&path, format!("{rest} {inode:020}\n")).unwrap();
    }

    /// Writes until there is no room for another byte.
    pub(crate) fn fill(&self) {
        let mut filling = std::fs::File::create(self.seen_from_outside().join(FILLING)).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while filling.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Makes room again.
    pub(crate) fn empty(&self) {
        std::fs::remove_file(self.seen_from_outside().join(FILLING)).unwrap();
    }

    /// Mounts it anew, `ro` or `rw`.
    pub(crate) fn mount(&self, mode: &str) {
        let mut command = Command::new("mount");
        command.args(["-o", &format!("remount,{mode}")]).arg(&self.path);
        let mounted = self.enter(&command).as_std_mut().status();
        assert!(mounted.unwrap().success(), "it cannot be mounted {mode}");
    }

    /// Puts its files over those of the folder that it hides from the commands inside.
    pub(crate) fn bring_back(&self, state_dir: &Path) {
        crate::world::empty_but(state_dir, &[]);
        crate::world::copy_files(&self.seen_from_outside(), state_dir);
    }

    fn id(&self) -> String {
        self.holder.id().expect("it is held until it is dropped").to_string()
    }
}

async fn hold(unshare: &[&str], state_dir: &Path, size: &str) -> Option<Child> {
    let mut command = Command::new("unshare");
    command.args(unshare).args(["/bin/sh", "-c", HOLD, "sh", size]).arg(state_dir);
    // A name for what the mount hides.
    let before = tempfile::tempdir().unwrap();
    crate::world::copy_files(state_dir, before.path());
    command.arg(before.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut holder = command.kill_on_drop(true).spawn().ok()?;
    let mut said = [0; 5];
    holder.stdout.as_mut()?.read_exact(&mut said).await.ok()?;
    Some(holder)
}

/// What stands for the real thing in a test, for whoever reads its output: nothing is left out silently.
pub(crate) fn say_what_is_used(what: &str) {
    tell(&format!("disk: {what}"));
}
