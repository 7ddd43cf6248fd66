//! Tells the program which revision and target it is, for `ocird version`.

use std::env;
use std::path::Path;
use std::process::Command;

#[expect(clippy::disallowed_methods, reason = "a build script speaks to cargo this way")]
fn main() {
    let revision = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let target = env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=OCIRD_REVISION={revision}");
    println!("cargo::rustc-env=OCIRD_TARGET={target}");
    println!("cargo::rerun-if-changed=build.rs");
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// The answer of git, when there is a git and a repository. A tarball has neither, and builds all the same.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
