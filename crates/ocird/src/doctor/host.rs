//! The steps that look at this host: configuration, what runs, the store, the disk, and the link for container engines.
//! They write nothing, not even to see whether they could.

use std::path::Path;

use bytesize::ByteSize;
use ocird_model::{Bytes, Clock as _, ErrorChain, Inventory, RepositoryRow, RepositoryState, Unreadable};
use ocird_store::{Glance, SettledIntent, UseHistory};
use rustix::fs::{Access, access};

use super::step::{Step, n_of};
use crate::clock::SystemClock;
use crate::config::{self, Config, InUseConfig, Mode, Problems};
use crate::credential::PROGRAM;
use crate::in_use::Inquiry;
use crate::in_use::reference::Folder;
use crate::pass::room_left;

pub(super) const CONFIGURATION: &str = "configuration";
pub(super) const IN_USE: &str = "in use";
pub(super) const STORE: &str = "store";
pub(super) const DISK: &str = "disk";
pub(super) const HELPER: &str = "helper";

/// What was read of the files.
pub(super) fn configuration(path: &Path, config: &Result<Config, Problems>) -> Step {
    let config = match config {
        Ok(config) => config,
        Err(problems) => {
            let first = problems.iter().next().map(|problem| problem.text.clone()).unwrap_or_default();
            let n = problems.iter().count();
            let more = if n > 1 { format!(" (and {} more)", n - 1) } else { String::new() };
            return Step::failed(CONFIGURATION, format!("{}: {first}{more}", path.display()))
                .and_do("Every problem with its place:")
                .and_copy(format!("ocird check --config {}", path.display()));
        }
    };
    let mode = match config.mode {
        Mode::Report => "report",
        Mode::Enforce => "enforce",
    };
    let compartments = n_of(config.oci.compartments.len(), "compartment", "compartments");
    let policies = n_of(config.policies.policies.len(), "policy", "policies");
    let auth = config.oci.auth.as_str();
    let seen = format!("{}: mode {mode}, auth {auth}, {compartments}, {policies}", path.display());
    match config.warnings.as_slice() {
        [] => Step::ok(CONFIGURATION, seen),
        [first, ..] => Step::warning(CONFIGURATION, format!("{seen}; {}", first.text))
            .and_copy(format!("ocird check --config {}", path.display())),
    }
}

/// What runs, by every source, and whether every repository is covered.
pub(super) async fn in_use(
    config: &InUseConfig,
    repositories: &[RepositoryRow],
    hosts: Vec<String>,
    clock: &SystemClock,
) -> Step {
    let Some(first) = repositories.first() else {
        return Step::not_tried(IN_USE, super::cloud::REPOSITORIES);
    };
    let now = clock.now();
    let folder = Folder::new(hosts, first.namespace.clone());
    // The names are what counts: nothing was looked into, and nothing of these states is shown.
    let unread = |row: &RepositoryRow| {
        (row.name.clone(), RepositoryState::Unreadable { id: row.id.clone(), why: Unreadable::UnknownState })
    };
    let repositories = repositories.iter().map(unread).collect();
    let inventory = Inventory { taken_at: now, repositories, n_unlisted: 0 };
    let history = UseHistory::default();
    let gathered =
        Inquiry { config, folder: &folder, inventory: &inventory, history: &history, now }.ask().await;
    let doubts: Vec<String> =
        gathered.in_use.doubts().map(|(patterns, why)| format!("{patterns}: {why}")).collect();
    if let [first, more @ ..] = doubts.as_slice() {
        let more = if more.is_empty() { String::new() } else { format!(" (and {} more)", more.len()) };
        return Step::failed(IN_USE, format!("{first}{more}"))
            .and_do("Nothing goes in repositories of which it is not known what runs from them.");
    }
    let n_references: u64 = gathered.sources.iter().map(|source| source.n_references).sum();
    match gathered.sources.len() {
        0 => Step::ok(IN_USE, "no source is asked: accept_none = true"),
        n => {
            let files = n_of(n, "source", "sources");
            Step::ok(IN_USE, format!("{n_references} in use of this registry's images, by {files}"))
        }
    }
}

/// The store, and the latest entry of its journal.
pub(super) async fn store(state_dir: &Path) -> (Step, Option<SettledIntent>) {
    if !state_dir.is_dir() {
        let step = Step::failed(STORE, format!("{} is not there", state_dir.display()))
            .and_do("It must be there and belong to ocird's user; systemd makes it for the service. By hand:")
            .and_copy(format!("install -d -o ocird -g ocird -m 0750 {}", state_dir.display()));
        return (step, None);
    }
    match look(state_dir).await {
        Ok((seen, latest)) => (Step::ok(STORE, seen), latest),
        Err(error) => (Step::failed(STORE, ErrorChain(&error).to_string()), None),
    }
}

async fn look(state_dir: &Path) -> Result<(String, Option<SettledIntent>), ocird_store::StoreError> {
    let holder = match ocird_store::is_held(state_dir) {
        Ok(true) => "a running ocird holds it",
        Ok(false) => "no ocird holds it",
        Err(_) => "who holds it cannot be seen",
    };
    let Some(glance) = Glance::open(state_dir).await? else {
        return Ok((format!("none yet in {}; the first pass makes it", state_dir.display()), None));
    };
    let (schema, epoch, since) = (glance.schema().await?, glance.epoch().await?, glance.created_at().await?);
    let latest = glance.latest_outcome().await?;
    Ok((format!("schema {schema}, epoch {epoch}, since {}; {holder}", since.format("%F")), latest))
}

/// Room, and the right to write. Under `min_free` nothing is deleted (S-28).
pub(super) fn disk(state_dir: &Path, min_free: Bytes) -> Step {
    let free = match room_left(state_dir) {
        Ok(Bytes(free)) => free,
        Err(error) => return Step::failed(DISK, format!("{}: {error}", state_dir.display())),
    };
    let seen = format!("{} free at {}", ByteSize::b(free).display().si(), state_dir.display());
    if access(state_dir, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Step::failed(DISK, format!("{seen}, which this user may not write"))
            .and_do("ocird's own user must. To see what that one sees:")
            .and_copy("sudo -u ocird ocird doctor");
    }
    if free < min_free.0 {
        return Step::warning(DISK, seen)
            .and_do("Without room nothing is written down, and so nothing deleted.");
    }
    Step::ok(DISK, seen)
}

/// The link by which container engines find the credential helper.
pub(super) fn helper(own: Option<&Path>) -> Step {
    let found = config::search_path()
        .into_iter()
        .map(|directory| directory.join(PROGRAM))
        .find(|path| path.is_file());
    let own = own.and_then(|own| own.canonicalize().ok());
    let link = || {
        let own = own.clone().unwrap_or_else(|| "/usr/local/bin/ocird".into());
        format!("ln -s {} /usr/local/bin/{PROGRAM}", own.display())
    };
    match found {
        None => Step::warning(HELPER, format!("{PROGRAM} is not on this user's PATH"))
            .and_do("Container engines of this host need it to pull without a stored password:")
            .and_copy(link()),
        Some(path) if path.canonicalize().ok() == own => {
            Step::ok(HELPER, format!("{} is this ocird", path.display()))
        }
        Some(path) => Step::warning(HELPER, format!("{} is another program than this one", path.display()))
            .and_do("If it is an older ocird, turn the link to this one."),
    }
}
