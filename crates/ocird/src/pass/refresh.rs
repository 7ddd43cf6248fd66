//! Looks anew at what is about to go when the first look took long (S-17): a plan serves ten minutes, and a tenancy of five
//! hundred repositories at a cloud that throttles takes longer to look at than that. What was read stays known, so this
//! is one list for each repository concerned and a read of each image that is about to go.
//!
//! Deliberately not here: more to delete. What goes was in the batch before, and is due by the new plan, too.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Census, Clock, EffectivePolicy, Image, Inventory, Policies, ReadRegistry, Repository, RepositoryName,
    RepositoryRow, RepositoryState,
};
use ocird_plan::{Due, Violations};

use crate::pass::observe::{self, REREAD_AFTER, Rereads, Sight, at_once};
use crate::pass::signed;
use crate::pass::survey::{Decided, REPOSITORIES_AT_ONCE, Survey};
use crate::status::{Refusal, RefusalCode};

/// A look that is older than this is taken again before anything is done by it: half of what a plan serves, so that there is
/// time left to act in.
pub(crate) const LOOK_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(5);

impl<R: ReadRegistry> Survey<R> {
    /// What was decided, decided again on a fresh look at the repositories that the batch takes from; at all repositories
    /// when a usage line bears on the batch, or what another repository may hold by now. Only what is still due of
    /// the batch is due.
    pub(crate) async fn refreshed(
        &mut self,
        decided: &Decided,
        batch: &[&Due],
        clock: &impl Clock,
    ) -> Result<Decided, Violations> {
        let now = clock.now();
        let names = self.concerned(decided, batch);
        let mut seen = Inventory { taken_at: now, repositories: BTreeMap::new(), n_unlisted: 0 };
        let mut shrunk = BTreeMap::new();
        let rows: Vec<_> = decided.rows.iter().filter(|row| names.contains(&row.name)).collect();
        for chunk in rows.chunks(REPOSITORIES_AT_ONCE) {
            let mut looks = Vec::with_capacity(chunk.len());
            for row in chunk {
                let known = self.notebook.known(&row.id).await;
                let going = batch.iter().filter(|due| *due.repository_id() == row.id);
                let heads: BTreeSet<_> = going.map(|due| due.image().digest).collect();
                let rereads =
                    Rereads { about_to_go: observe::families(&known, Some(&heads)), after: REREAD_AFTER };
                looks.push((*row, known, rereads));
            }
            let reader = &self.reader;
            let looks: Vec<_> = looks
                .into_iter()
                .map(|(row, known, rereads)| async move {
                    (row, observe::repository(reader, row, known, &rereads, now).await)
                })
                .collect();
            for (row, sight) in at_once(REPOSITORIES_AT_ONCE, looks).await {
                shrunk.extend(fallen(decided, row, &sight, now).map(|why| (row.id.clone(), why)));
                self.notebook.remember(&row.id, &row.name, sight.fresh, now).await;
                seen.repositories.insert(row.name.clone(), sight.state);
            }
        }
        let mut inventory = decided.inventory.clone();
        inventory.repositories.extend(seen.repositories);
        inventory.taken_at = now;
        // The holds by hand replace all others.
        self.notebook.hold(&mut inventory).await;
        let mut observe_only = decided.observe_only.clone();
        observe_only.extend(signed::hold(&self.reader, &self.policies, &mut inventory).await);
        observe_only.extend(shrunk);
        let history = self.notebook.use_history().await;
        let gathered = self.gather(decided.folder.as_ref(), &inventory, &history, clock.now()).await;
        let plan = ocird_plan::plan(&inventory, &self.policies, &gathered.in_use, now);
        let checked = ocird_plan::check(plan, &inventory, &self.policies, &gathered.in_use, now)?;
        let only = observe_only.keys().cloned().collect();
        let mut due = ocird_plan::due(&checked, &inventory, &decided.marks, &self.policies, now, &only);
        let keys: BTreeSet<_> = batch.iter().map(|due| (due.repository_id(), due.image().digest)).collect();
        due.retain(|due| keys.contains(&(due.repository_id(), due.image().digest)));
        Ok(Decided {
            identity: decided.identity.clone(),
            rows: decided.rows.clone(),
            unlisted: Vec::new(),
            folder: decided.folder.clone(),
            gathered,
            inventory,
            checked,
            marks: decided.marks.clone(),
            observe_only,
            certain: decided.certain.clone(),
            due,
        })
    }

    /// The repositories that bear on whether the batch goes.
    fn concerned(&self, decided: &Decided, batch: &[&Due]) -> BTreeSet<RepositoryName> {
        let asks_for_all =
            |due: &&Due| asks_for_the_account(&self.policies, due) || speaks_abroad(&decided.inventory, due);
        if batch.iter().any(asks_for_all) {
            return decided.rows.iter().map(|row| row.name.clone()).collect();
        }
        batch.iter().map(|due| due.repository_name().clone()).collect()
    }
}

/// Why nothing of a repository goes, by how many images there are since it was looked at first in this pass (S-3).
fn fallen(decided: &Decided, row: &RepositoryRow, sight: &Sight, now: DateTime<Utc>) -> Option<Refusal> {
    let before = decided.inventory.repositories.get(&row.name)?.complete()?;
    let after = sight.state.complete()?;
    let census = Census::first(before.images.len() as u64);
    let fall = census.next(after.images.len() as u64, sight.n_missing, now).fall?;
    let text = format!("between two looks of one pass, the number of its images {fall}");
    Some(Refusal { code: RefusalCode::Shrunk, text })
}

/// Whether the account over all repositories may have had a word in this: the policy draws a line.
pub(crate) fn asks_for_the_account(policies: &Policies, due: &Due) -> bool {
    match policies.governing(due.repository_name()) {
        EffectivePolicy::One(policy) => policy.lines().next().is_some(),
        EffectivePolicy::None | EffectivePolicy::Contested(_, _) => false,
    }
}

/// Whether a due image, or a member of its family, speaks about a subject that its own repository does not hold: another one may
/// hold it by now, and a signature of it is needed then (S-6).
fn speaks_abroad(inventory: &Inventory, due: &Due) -> bool {
    let repository = inventory.repositories.get(due.repository_name()).and_then(RepositoryState::complete);
    let Some(repository) = repository else { return false };
    let members = due.members().iter().filter_map(|member| repository.image(member));
    members.chain([due.image()]).any(|image| has_subject_elsewhere(repository, image))
}

fn has_subject_elsewhere(repository: &Repository, image: &Image) -> bool {
    let by_tag = image.tags.keys().filter_map(observe::subject_by_tag);
    by_tag.chain(image.content.subject()).any(|subject| repository.image(&subject).is_none())
}

#[cfg(test)]
mod tests {
    use ocird_model::Content;

    use super::*;
    use crate::pass::fleet::{self, digest};

    #[test]
    fn a_subject_of_no_image_here_is_elsewhere_by_manifest_and_by_tag() {
        let mut fleet = fleet::fleet(1);
        let repository = fleet.repository();
        let plain = &repository.images[0];
        assert!(!has_subject_elsewhere(repository, plain));
        for (subject, is_elsewhere) in [(repository.images[1].digest, false), (digest(99), true)] {
            let content = Content::Manifest { subject: Some(subject), config: None };
            assert_eq!(has_subject_elsewhere(repository, &Image { content, ..plain.clone() }), is_elsewhere);
            let mut image = plain.clone();
            image.tags.insert(format!("sha256-{}.sig", subject.hex()).parse().unwrap(), None);
            assert_eq!(has_subject_elsewhere(repository, &image), is_elsewhere);
        }
    }
}
