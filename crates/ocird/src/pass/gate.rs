//! Every reason why nothing goes in a pass, or less than the rules say, collected in one place so that people see
//! all of them at once (S-33). Acting begins only when no reason stands.

use std::io::ErrorKind;
use std::path::Path;

use ocird_model::{Content, Image, Repository, RepositoryState, Rule, TenancyId};

use crate::config::{ArmedFor, Config, Mode};
use crate::pass::estate::Unlisted;
use crate::pass::survey::Decided;
use crate::pause;
use crate::status::{Arming, Refusal, RefusalCode};

/// The name of the kill switch in the state directory: while a file of this name is there, nothing is deleted.
pub const PAUSE_FILE: &str = "pause";

/// The reasons found so far.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Vec<Refusal>);

impl Refusals {
    /// Adds one reason.
    pub(crate) fn add(&mut self, code: RefusalCode, text: impl Into<String>) {
        self.0.push(Refusal { code, text: text.into() });
    }

    /// Adds one reason when there is one.
    pub(crate) fn add_some(&mut self, code: RefusalCode, text: Option<impl Into<String>>) {
        if let Some(text) = text {
            self.add(code, text);
        }
    }

    /// True when a reason stands that stops every deletion of this pass; the others concern single repositories.
    pub(crate) fn stop_everything(&self) -> bool {
        self.0.iter().any(|refusal| refusal.code.stops_everything())
    }

    /// The reasons, for the record.
    pub(crate) fn into_list(self) -> Vec<Refusal> {
        self.0
    }

    /// The reasons so far.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Refusal> {
        self.0.iter()
    }
}

/// The reasons that lie in what was seen: what runs is not known, a repository could not be read, cannot be judged, or is
/// only observed.
pub(crate) fn of_survey(decided: &Decided, refusals: &mut Refusals) {
    for (repositories, why) in decided.gathered.in_use.doubts() {
        refusals.add(RefusalCode::InUseUnknown, format!("what runs from {repositories} is not known: {why}"));
    }
    for Unlisted { compartment, kind: _, why } in &decided.unlisted {
        let text =
            format!("the repositories of {compartment} cannot be listed, and nothing of them goes: {why}");
        refusals.add(RefusalCode::Unreadable, text);
    }
    for (name, state) in &decided.inventory.repositories {
        match state {
            RepositoryState::Unreadable { id: _, why } => {
                refusals.add(RefusalCode::Unreadable, format!("{name}: {why}"));
            }
            RepositoryState::Complete(repository) => {
                if let Some(Refusal { code, text }) = decided.observe_only.get(&repository.id) {
                    refusals.add(*code, format!("{name}: {text}"));
                }
                refusals.add_some(RefusalCode::Unreadable, opaque(repository));
            }
        }
    }
}

/// Says so when a manifest of a repository cannot be judged, so that nothing of it goes (S-7). Anybody who may push can
/// bring that about, so it must be seen.
fn opaque(repository: &Repository) -> Option<String> {
    let of = |image: &Image| match &image.content {
        Content::Opaque { reason } => Some((image.digest, *reason)),
        Content::Manifest { subject: _, config: _ } | Content::Index { children: _, subject: _ } => None,
    };
    let (digest, reason) = repository.images.iter().find_map(of)?;
    let (name, digest, reason) = (&repository.name, digest.short(), reason.as_str());
    Some(format!("{name}: the manifest {digest} cannot be judged ({reason}), and it may refer to anything"))
}

/// Why the kill switch stops deletion, if it does: the file is there, or nobody can tell (S-24).
pub(crate) fn paused(state_dir: &Path) -> Option<String> {
    if !Rule::S24.in_force() {
        return None;
    }
    let path = state_dir.join(PAUSE_FILE);
    match std::fs::symlink_metadata(&path) {
        Ok(_) => Some(match pause::said(state_dir) {
            Some(said) if !said.is_empty() => format!("{said} (the file {})", path.display()),
            Some(_) | None => format!("paused by {}; remove the file to go on", path.display()),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            Some(format!("cannot tell whether {} is there ({error}), which counts as paused", path.display()))
        }
    }
}

/// Whether the daemon is armed, and if not, why not.
pub(crate) fn arming(config: &Config, identity: Option<&(TenancyId, String)>) -> (Arming, Option<Refusal>) {
    let refuse = |arming, code, text: &str| (arming, Some(Refusal { code, text: text.to_owned() }));
    if let Some((arming, code, text)) = off(config, identity).filter(|_| Rule::S15.in_force()) {
        return refuse(arming, code, &text);
    }
    if let Some(text) = config.shared_identity() {
        return refuse(Arming::Disarmed, RefusalCode::SharedIdentity, text);
    }
    if let Some(text) = config.unsaid_own_image() {
        return refuse(Arming::Disarmed, RefusalCode::OwnImage, &text);
    }
    if let Some(text) = config.unsaid_restore() {
        return refuse(Arming::Disarmed, RefusalCode::NoRestore, text);
    }
    (Arming::Armed, None)
}

/// Why the two switches do not arm it, if they do not: both are set, and agree with what the credentials report (S-15).
fn off(config: &Config, identity: Option<&(TenancyId, String)>) -> Option<(Arming, RefusalCode, String)> {
    let (Mode::Enforce, Some(armed)) = (config.mode, &config.armed_for) else {
        let text = "mode = \"report\": it looks and says, and deletes nothing";
        return Some((Arming::Report, RefusalCode::ReportMode, text.to_owned()));
    };
    let text = match identity {
        None => "not signed in, so that nobody can tell whether armed_for names the right tenancy".to_owned(),
        Some((tenancy, region)) if armed.tenancy != *tenancy || armed.region != *region => {
            let ArmedFor { tenancy: of, region: at, .. } = armed;
            format!("armed_for names {of} in {at}, the credentials are of {tenancy} in {region}")
        }
        Some(_) if armed.compartments != config.oci.compartments.iter().cloned().collect() => {
            "the compartments of armed_for are not those of [oci]".to_owned()
        }
        Some(_) => return None,
    };
    Some((Arming::Disarmed, RefusalCode::Disarmed, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kill_switch_is_off_only_when_the_file_is_surely_absent() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(paused(directory.path()), None);
        std::fs::write(directory.path().join(PAUSE_FILE), "").unwrap();
        assert!(paused(directory.path()).unwrap().contains("remove the file"));
        let not_a_directory = directory.path().join(PAUSE_FILE);
        assert!(paused(&not_a_directory).unwrap().contains("counts as paused"));
    }

    #[test]
    fn causes_of_one_repository_do_not_stop_the_others() {
        let mut refusals = Refusals::default();
        refusals.add(RefusalCode::Unreadable, "one repository");
        assert!(!refusals.stop_everything());
        refusals.add(RefusalCode::Paused, "all");
        assert!(refusals.stop_everything());
    }
}
