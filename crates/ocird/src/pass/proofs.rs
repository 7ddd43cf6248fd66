//! The proofs after the act (S-26): is everything there that is needed? At once after a batch, an hour and a day later, and in
//! passing whenever a pass looks. What ocird took and somebody needs comes back at once, deletion freezes, and people are told.
//!
//! The deadlines stand in the store, so that a proof that was due while nobody ran is made by the next pass. Listings and image
//! reads only: a proof must not look like a pull (S-17).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ocird_model::{
    Clock, Decision, Digest, InUse, Inventory, ProofKind, ProofResult, RESTORE_WINDOW, ReadRegistry,
    Repository, RepositoryId, RepositoryName, RepositoryState, Rule, Tag, WriteRegistry,
};
use ocird_plan::{Gone, Missing};
use ocird_store::{Deletion, Made, Proof as Scheduled, Store, StoreError};

use crate::pass::act::Acted;
use crate::pass::engine::Engine;
use crate::pass::gate::Refusals;
use crate::pass::observe::{self, REREAD_AFTER, Rereads};
use crate::pass::prove::Proof;
use crate::pass::survey::Decided;
use crate::status::{RefusalCode, UndoStatus};
use crate::undo::{self, RestoreOrder, RestoredImage, Undo, Wanted};

/// Who brings back what a proof missed.
const BY: &str = "ocird";

/// The proofs among which the latest to be shown are looked for: those of ten batches.
const SHOWN: u32 = 30;

/// The most that one sentence names.
const MAX_NAMED: usize = 10;

impl<R: ReadRegistry, W: WriteRegistry, C: Clock> Engine<R, W, C> {
    /// Looks in passing, and makes every proof that is due.
    pub(super) async fn prove_what_is_due(
        &mut self,
        decided: &Decided,
        refusals: &mut Refusals,
    ) -> Result<(), StoreError> {
        let Some(store) = self.survey.notebook.writable() else { return Ok(()) };
        let now = self.clock.now();
        undo::settle(&self.survey.reader, store, now).await?;
        if !Rule::S26.in_force() {
            return Ok(());
        }
        if self.survey.config.may_restore()
            && let Some(kind) = store.restore_refused_since(now - RESTORE_WINDOW).await?
        {
            let text = format!(
                "the registry refused ocird's last restore ({kind}): give it the right, and prove it by `ocird restore`, or say \
                 restore = \"not_permitted\" in [armed_for]"
            );
            refusals.add(RefusalCode::NoRestore, text);
        }
        let open = store.open_proofs().await?;
        // What an open proof is about is looked for however long ago it went: nobody may have run for days.
        let since = open.iter().map(|proof| proof.first_at).fold(now - RESTORE_WINDOW, DateTime::min);
        let deletions = store.deletions_since(since).await?;
        let in_use = &decided.gathered.in_use;
        let needed = ocird_plan::missing(&decided.inventory, in_use, &gone(&deletions));
        let needed = self.confirmed(decided, needed, &gone(&deletions)).await;
        let Some(store) = self.survey.notebook.writable() else { return Ok(()) };
        self.bring_back(store, &needed, refusals).await?;
        let due = open.iter().filter(|proof| proof.due_at <= now);
        let keys: BTreeSet<_> = needed.iter().map(|missing| (&missing.repository, missing.digest)).collect();
        let (missed, others): (Vec<&Scheduled>, Vec<&Scheduled>) = due.partition(|proof| {
            about(proof, &deletions).any(|deletion| keys.contains(&(&deletion.repository, deletion.digest)))
        });
        if !needed.is_empty() {
            record_missing(store, &missed, listed(needed.iter().map(ToString::to_string)), now).await?;
        }
        for proof in others {
            let out_of_sight = out_of_sight(decided, in_use, about(proof, &deletions), now);
            if out_of_sight.is_empty() {
                make(store, &[proof], ProofResult::Clean, String::new(), now).await?;
            } else if now - proof.last_at >= RESTORE_WINDOW {
                let names = listed(out_of_sight.into_iter().map(ToString::to_string));
                let why =
                    format!("for two days nobody could see all of, or did not know what runs from: {names}");
                make(store, &[proof], ProofResult::Unknown, why, now).await?;
            }
        }
        self.post_proofs(store).await
    }

    /// Shows what was proved and what is held.
    async fn post_proofs(&self, store: &Store) -> Result<(), StoreError> {
        let (made, open) = (store.latest_proofs(SHOWN).await?, store.open_proofs().await?);
        let shown = UndoStatus::of(&made, &open, &store.holds().await?, self.clock.now());
        self.board.update(|status| status.undo = shown);
        Ok(())
    }

    /// The immediate proof of a batch: every repository of which something went is looked at once more, and everything that
    /// was to stay is still there.
    pub(super) async fn prove_batch(
        &mut self,
        decided: &Decided,
        acted: &Acted,
        in_use: &InUse,
        refusals: &mut Refusals,
    ) -> Result<Proof, StoreError> {
        let mut proof = Proof::default();
        if acted.touched.is_empty() || !Rule::S26.in_force() {
            return Ok(proof);
        }
        let seen = self.look_again(decided, &acted.touched, &mut proof.unproved).await;
        let now = self.clock.now();
        for after in seen.complete() {
            let before = decided.inventory.repositories.get(&after.name).and_then(RepositoryState::complete);
            let decisions = decided.checked.plan().decisions(&after.name);
            proof.missing.extend(before.into_iter().flat_map(|before| lost_images(before, decisions, after)));
        }
        let tags = self.tags_lost_for_good(decided, &seen).await;
        let Some(store) = self.survey.notebook.writable() else { return Ok(proof) };
        if !tags.is_empty() {
            // Its image is there, so that it went with one that is not: a tag may have moved there a moment before.
            let what = listed(tags.iter().cloned());
            let text = format!(
                "tags that were to stay are on no image any more: {what}; one of the images that just went may have had them, \
                 and `ocird restore --run last` brings those back"
            );
            store.freeze(&text, now).await?;
            proof.missing.extend(tags);
        }
        let deletions = store.deletions_since(now - RESTORE_WINDOW).await?;
        let needed = ocird_plan::missing(&seen, in_use, &gone(&deletions));
        self.bring_back(store, &needed, refusals).await?;
        proof.missing.extend(needed.iter().map(ToString::to_string));
        let open = store.open_proofs().await?;
        // Of this batch: one that could not be proved at once waits for a pass that sees all of it.
        let is_of_this = |proof: &&Scheduled| {
            proof.kind == ProofKind::AtOnce && proof.first_at >= decided.inventory.taken_at
        };
        let due: Vec<&Scheduled> = open.iter().filter(is_of_this).collect();
        if !proof.missing.is_empty() {
            let what = listed(proof.missing.iter().cloned());
            tracing::error!(code = RefusalCode::ProofFailed.as_str(), reason = what, "the proof has failed");
            record_missing(store, &due, what, now).await?;
        } else if proof.unproved.is_empty() {
            make(store, &due, ProofResult::Clean, String::new(), now).await?;
        }
        self.post_proofs(store).await?;
        Ok(proof)
    }

    /// What is needed by a list that is newer than the word of what runs, too: a tag that ocird took and somebody has pushed anew
    /// and deployed since the list was read is not missing. Where it cannot be read, the earlier one stands.
    async fn confirmed(
        &mut self,
        decided: &Decided,
        needed: Vec<Missing>,
        gone: &BTreeMap<(RepositoryId, Digest), Gone>,
    ) -> Vec<Missing> {
        if needed.is_empty() {
            return needed;
        }
        let where_to = needed.iter().map(|missing| missing.repository.clone()).collect();
        let mut unread = BTreeSet::new();
        let seen = self.look_again(decided, &where_to, &mut unread).await;
        let again = ocird_plan::missing(&seen, &decided.gathered.in_use, gone);
        let not_confirmed = needed.into_iter().filter(|missing| unread.contains(&missing.name));
        again.into_iter().chain(not_confirmed).collect()
    }

    /// The tags of images that stayed, which no image bears by two lists in a row: of one that is moved while its pages are read,
    /// a list may show neither the old bearer nor the new one. Where there is no second list, the first one stands.
    async fn tags_lost_for_good(&mut self, decided: &Decided, seen: &Inventory) -> Vec<String> {
        let mut lost = lost_tags(decided, seen);
        let where_to = lost.iter().map(|(repository, _)| (*repository).clone()).collect::<BTreeSet<_>>();
        if !where_to.is_empty() {
            let again = self.look_again(decided, &where_to, &mut BTreeSet::new()).await;
            let still = lost_tags(decided, &again);
            let is_unread =
                |(id, _): &(&RepositoryId, _)| again.complete().all(|repository| repository.id != **id);
            lost.retain(|tag| still.contains(tag) || is_unread(tag));
        }
        lost.into_iter().map(|(_, tag)| tag).collect()
    }

    /// The repositories of which something went, as they are now.
    async fn look_again(
        &mut self,
        decided: &Decided,
        touched: &BTreeSet<RepositoryId>,
        unproved: &mut BTreeSet<RepositoryName>,
    ) -> Inventory {
        let now = self.clock.now();
        let mut seen = Inventory { taken_at: now, repositories: BTreeMap::new(), n_unlisted: 0 };
        for row in decided.rows.iter().filter(|row| touched.contains(&row.id)) {
            let known = self.survey.notebook.known(&row.id).await;
            let rereads = Rereads { about_to_go: BTreeSet::new(), after: REREAD_AFTER };
            let sight = observe::repository(&self.survey.reader, row, known, &rereads, now).await;
            // Manifests that were pushed since are read here, once in their digest's life.
            self.survey.notebook.remember(&row.id, &row.name, sight.fresh, now).await;
            let mut state = sight.state;
            match &mut state {
                RepositoryState::Complete(after) => {
                    let before = decided.inventory.repositories.get(&row.name);
                    let before = before.and_then(RepositoryState::complete);
                    after.holds = before.map(|before| before.holds.clone()).unwrap_or_default();
                }
                RepositoryState::Unreadable { id: _, why } => {
                    tracing::warn!(repository = %row.name, reason = %why, "the proof waits for the next pass");
                    unproved.insert(row.name.clone());
                }
            }
            seen.repositories.insert(row.name.clone(), state);
        }
        seen
    }

    /// Freezes deletion, brings back what is needed and tells people. The freeze comes first: whatever ends this process in
    /// between, the image may be back by then, and then nothing else would tell that it had gone.
    async fn bring_back(
        &self,
        store: &Store,
        needed: &[Missing],
        refusals: &mut Refusals,
    ) -> Result<(), StoreError> {
        if needed.is_empty() {
            return Ok(());
        }
        let what = listed(needed.iter().map(ToString::to_string));
        tracing::error!(
            code = RefusalCode::ProofFailed.as_str(),
            reason = what,
            "ocird deleted what is needed"
        );
        let at_first = format!("ocird deleted what is needed: {what}; it is being brought back");
        store.freeze(&at_first, self.clock.now()).await?;
        let came = self.restore(store, needed, &what).await?;
        let text = format!("ocird deleted what is needed: {what}; {came}");
        store.freeze_says(&at_first, &text, self.clock.now()).await?;
        refusals.add(RefusalCode::ProofFailed, text);
        Ok(())
    }

    /// What came of bringing it back, in words.
    async fn restore(&self, store: &Store, needed: &[Missing], what: &str) -> Result<String, StoreError> {
        let by_hand = "what is not back must be restored by hand within 48 h of its deletion \
             (`oci artifacts container image restore`)";
        let Some(restorer) = self.restorer.as_deref().filter(|_| self.survey.config.may_restore()) else {
            return Ok(format!("ocird may not restore, so {by_hand}"));
        };
        let undo = Undo { reader: &self.survey.reader, restorer, store, clock: &self.clock };
        let keys = needed.iter().map(|missing| (missing.repository.clone(), missing.digest));
        let wanted = Wanted::These(keys.collect());
        let came = undo::bring_back(&undo, &wanted, BY, what, Some(RestoreOrder::HOLD_FOR)).await?;
        let was_tried = |missing: &&Missing| {
            let is_it =
                |image: &RestoredImage| image.repository == missing.name && image.digest == missing.digest;
            came.images.iter().any(is_it)
        };
        let too_late = needed.iter().filter(|missing| !was_tried(missing));
        let too_late: BTreeSet<_> = too_late.map(|missing| (&missing.name, missing.digest)).collect();
        let mut text =
            format!("{} of {} images are back", came.n_there(), came.images.len() + too_late.len());
        if !came.is_whole() {
            let how = listed(came.lines().into_iter());
            text = format!("{text}, and not all is as it was ({how}); {by_hand}");
        } else if too_late.is_empty() {
            text += ", with all their tags";
        }
        if !too_late.is_empty() {
            let names = listed(too_late.iter().map(|(name, digest)| format!("{name}@{}", digest.short())));
            text = format!("{text}; what went more than 48 h ago must be built and pushed anew: {names}");
        }
        Ok(text)
    }
}

/// What ocird deleted, by image.
fn gone(deletions: &[Deletion]) -> BTreeMap<(RepositoryId, Digest), Gone> {
    let of = |deletion: &Deletion| {
        let gone = Gone { tags: deletion.tags.keys().cloned().collect(), at: deletion.deleted_at };
        ((deletion.repository.clone(), deletion.digest), gone)
    };
    deletions.iter().map(of).collect()
}

/// The deletions that a proof is about.
fn about<'d>(proof: &Scheduled, deletions: &'d [Deletion]) -> impl Iterator<Item = &'d Deletion> {
    let span = proof.first_at..=proof.last_at;
    deletions.iter().filter(move |deletion| span.contains(&deletion.deleted_at))
}

/// Of what this pass did not see everything that a proof asks about: the repositories that ocird deleted from and that were
/// not read whole, or of which it is not known what runs. One that is no longer listed is among them: its compartment may not
/// have been listed or its list have been short, and it may have moved to where nobody may look.
fn out_of_sight<'d>(
    decided: &Decided,
    in_use: &InUse,
    deletions: impl Iterator<Item = &'d Deletion>,
    now: DateTime<Utc>,
) -> BTreeSet<&'d RepositoryName> {
    let is_known = |repository: &&Repository| in_use.doubt_about(&repository.name).is_none();
    let seen = decided.inventory.complete().filter(|_| in_use.is_fresh(now)).filter(is_known);
    let seen: BTreeSet<&RepositoryId> = seen.map(|repository| &repository.id).collect();
    let unseen = deletions.filter(|deletion| !seen.contains(&deletion.repository));
    unseen.map(|deletion| &deletion.repository_name).collect()
}

/// The images that were to stay and are gone.
fn lost_images(before: &Repository, decisions: &[Decision], after: &Repository) -> Vec<String> {
    let kept = decisions.iter().filter(|decision| !decision.verdict.is_delete());
    let lost = kept.filter(|decision| after.image(&decision.digest).is_none());
    lost.map(|decision| format!("{}@{}", before.name, decision.digest)).collect()
}

/// The tags of images that stayed, which no image bears any more, each with its repository. A tag that moved is there.
fn lost_tags<'d>(decided: &'d Decided, seen: &Inventory) -> Vec<(&'d RepositoryId, String)> {
    let mut lost = Vec::new();
    for after in seen.complete() {
        let before = decided.inventory.repositories.get(&after.name).and_then(RepositoryState::complete);
        let Some(before) = before else { continue };
        let there: BTreeSet<&Tag> = after.images.iter().flat_map(|image| image.tags.keys()).collect();
        let decisions = decided.checked.plan().decisions(&after.name).iter();
        let kept = decisions.filter(|decision| !decision.verdict.is_delete());
        let stayed = kept.filter(|decision| after.image(&decision.digest).is_some());
        let tags =
            stayed.filter_map(|decision| before.image(&decision.digest)).flat_map(|image| image.tags.keys());
        let gone = tags.filter(|tag| !there.contains(tag));
        lost.extend(gone.map(|tag| (&before.id, format!("{}:{tag}", before.name))));
    }
    lost
}

/// Writes down that something is missing: as the result of every proof that is due, and where none is, as found in passing,
/// once for each time that it is found anew.
async fn record_missing(
    store: &Store,
    due: &[&Scheduled],
    detail: String,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if due.is_empty() {
        store.found_in_passing(&Made { at: now, result: ProofResult::Missing, detail }).await
    } else {
        make(store, due, ProofResult::Missing, detail, now).await
    }
}

async fn make(
    store: &Store,
    proofs: &[&Scheduled],
    result: ProofResult,
    detail: String,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if proofs.is_empty() {
        return Ok(());
    }
    for proof in proofs {
        let (kind, result) = (proof.kind.as_str(), result.as_str());
        let n_deleted = proof.n_deleted;
        if result == ProofResult::Unknown.as_str() {
            tracing::warn!(proof = kind, outcome = result, n_deleted, detail, "a proof could not be made");
        } else {
            tracing::info!(proof = kind, outcome = result, n_deleted, detail, "a proof is made");
        }
    }
    let ids: Vec<_> = proofs.iter().map(|proof| proof.id).collect();
    store.make_proofs(&ids, &Made { at: now, result, detail }).await
}

/// The first of these, and how many more there are.
fn listed(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<String> = texts.collect();
    let n_more = texts.len().saturating_sub(MAX_NAMED);
    let named = texts.into_iter().take(MAX_NAMED).collect::<Vec<_>>().join("; ");
    if n_more > 0 { format!("{named}; and {n_more} more") } else { named }
}
