//! What the pass remembers: the store, or, while the store cannot be written, memory.
//!
//! Without a writable store nothing is deleted (S-28), but looking and serving go on. What was read is then kept in
//! memory, so that a full disk does not make the daemon read every manifest anew each quarter of an hour: a read may
//! count as a pull (S-17). Every pass tries the store again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ocird_model::{Census, CompartmentId, Inventory, RepositoryId, RepositoryName, RepositoryState};
use ocird_store::{Fresh, Glance, Known, KnownImage, OpenError, Past, Store, StoreError, UseHistory};
use tokio::sync::watch;

use ocird_model::ErrorChain;

/// The open store for whoever beside the pass needs it, such as the admin socket: a command works while a pass runs. Clones
/// share it. It is handed out only while the pass would write to it, too.
#[derive(Debug, Clone)]
pub struct SharedStore(watch::Sender<Result<Arc<Store>, String>>);

impl SharedStore {
    /// Hands out a store, or why there is none.
    pub(crate) fn new(store: Result<Arc<Store>, String>) -> Self {
        Self(watch::Sender::new(store))
    }

    /// The open store, or why there is none.
    pub fn get(&self) -> Result<Arc<Store>, String> {
        self.0.borrow().clone()
    }

    /// What the store keeps of the past, for the pages: whoever has this can only read (S-32).
    pub fn past(&self) -> SharedPast {
        SharedPast(self.clone())
    }
}

/// What the open store keeps of the past, and no way to write to it. Clones share it.
#[derive(Debug, Clone)]
pub struct SharedPast(SharedStore);

impl SharedPast {
    /// The past as the open store keeps it, or why there is none.
    pub fn get(&self) -> Result<Past, String> {
        Ok(self.0.get()?.past())
    }
}

/// The store with a stand-in for the time when it fails.
#[derive(Debug)]
pub(crate) struct Notebook {
    state_dir: PathBuf,
    store: Option<Arc<Store>>,
    /// What others are handed.
    shared: SharedStore,
    /// A look at a store that somebody else holds or that cannot be written.
    glance: Option<Glance>,
    /// What is wrong with the store, and what to do.
    fault: Option<String>,
    memory: BTreeMap<RepositoryId, Known>,
}

impl Notebook {
    /// A notebook on this state directory; nothing is opened yet.
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            store: None,
            shared: SharedStore::new(Err("the store is not open yet".to_owned())),
            glance: None,
            fault: None,
            memory: BTreeMap::new(),
        }
    }

    /// Only looks at the store, which may be held by a running daemon. Answers whether there is one.
    pub(crate) async fn glance(&mut self) -> Result<bool, StoreError> {
        self.glance = Glance::open(&self.state_dir).await?;
        Ok(self.glance.is_some())
    }

    /// Opens the store, or makes sure that it can still be written. Called at the start of every pass: whatever was
    /// wrong may have been mended.
    pub(crate) async fn prepare(&mut self, now: DateTime<Utc>) {
        let fault = self.make_writable(now).await.err();
        match (&fault, &self.fault) {
            (Some(why), None) => {
                tracing::error!(code = "no_store", error = %why, "the store cannot be written");
            }
            (None, Some(_)) => {
                tracing::info!("the store can be written again");
                self.memory.clear();
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        self.fault = fault;
        self.share();
    }

    /// What others are handed from here on.
    pub(crate) fn shared(&self) -> SharedStore {
        self.shared.clone()
    }

    fn share(&self) {
        let store = match (&self.store, &self.fault) {
            (Some(store), None) => Ok(Arc::clone(store)),
            (_, Some(fault)) => Err(fault.clone()),
            (None, None) => Err("the store is not open".to_owned()),
        };
        self.shared.0.send_modify(|shown| *shown = store);
    }

    /// A store that nothing but opening can mend (a failed sync, a file that was replaced) is closed and opened again.
    async fn make_writable(&mut self, now: DateTime<Utc>) -> Result<(), String> {
        if let Some(store) = &self.store {
            match store.check_writable().await {
                Ok(()) => return Ok(()),
                Err(error) if !error.needs_reopening() => return Err(ErrorChain(&error).to_string()),
                Err(error) => tracing::warn!(error = %ErrorChain(&error), "the store is opened again"),
            }
        }
        if let Some(store) = self.store.take() {
            self.share();
            store.close().await;
        }
        let opened = self.open(now).await;
        if opened.is_err() && self.glance.is_none() {
            // Another process may hold it, or it may not be written: what it knows need not be read anew.
            self.glance = Glance::open(&self.state_dir).await.ok().flatten();
        }
        opened.map_err(|error| ErrorChain(&error).to_string())
    }

    /// A corrupt store is set aside by the failed open; the next pass starts a fresh one, which unmarks everything
    /// and only observes for a grace (S-29).
    async fn open(&mut self, now: DateTime<Utc>) -> Result<(), OpenError> {
        let store = Store::open(&self.state_dir, now).await?;
        if store.is_put_back() {
            tracing::warn!(
                "the store in {} is older than the one that was open last, or from elsewhere: every grace begins anew, and holds, \
                 freezes and approvals since it was copied are not in it: give the holds again before that grace is over",
                self.state_dir.display()
            );
        }
        self.store = Some(Arc::new(store));
        self.glance = None;
        Ok(())
    }

    /// The store, when it can be written. Acting needs it (S-28).
    pub(crate) fn writable(&self) -> Option<&Store> {
        self.store.as_deref().filter(|_| self.fault.is_none())
    }

    /// What is wrong with the store.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// What is known of a repository.
    pub(crate) async fn known(&mut self, repository: &RepositoryId) -> Known {
        if let Some(known) = self.memory.get(repository) {
            return known.clone();
        }
        let known = match (&self.store, &self.glance) {
            (Some(store), _) => store.known(repository).await,
            (None, Some(glance)) => glance.known(repository).await,
            (None, None) => return Known::default(),
        };
        match known {
            Ok(known) => known,
            Err(error) => {
                self.fail(&error);
                Known::default()
            }
        }
    }

    /// Puts every hold beside the images that it is on (S-27). A store that cannot say which there are is at fault, so that
    /// nothing goes.
    pub(crate) async fn hold(&mut self, inventory: &mut Inventory) {
        let read = match (&self.store, &self.glance) {
            (Some(store), _) => store.holds_ever().await,
            (None, Some(glance)) => glance.holds_ever().await,
            (None, None) => return,
        };
        let mut holds = read.unwrap_or_else(|error| {
            self.fail(&error);
            BTreeMap::new()
        });
        for (name, state) in &mut inventory.repositories {
            if let RepositoryState::Complete(repository) = state {
                repository.holds = holds.remove(name).unwrap_or_default();
            }
        }
    }

    /// How many there were in each scope, and when the schema of the store last changed.
    pub(crate) async fn beliefs(&mut self) -> (BTreeMap<String, Census>, Option<DateTime<Utc>>) {
        let read = match (&self.store, &self.glance) {
            (Some(store), _) => async { Ok((store.census().await?, store.migrated_at().await?)) }.await,
            (None, Some(glance)) => glance.census().await.map(|census| (census, None)),
            (None, None) => return (BTreeMap::new(), None),
        };
        read.unwrap_or_else(|error| {
            self.fail(&error);
            (BTreeMap::new(), None)
        })
    }

    /// What was in a compartment when it was last looked at.
    pub(crate) async fn repositories_in(
        &mut self,
        compartment: &CompartmentId,
    ) -> Vec<(RepositoryId, RepositoryName)> {
        let read = match (&self.store, &self.glance) {
            (Some(store), _) => store.repositories_in(compartment).await,
            (None, Some(glance)) => glance.repositories_in(compartment).await,
            (None, None) => return Vec::new(),
        };
        read.unwrap_or_else(|error| {
            self.fail(&error);
            Vec::new()
        })
    }

    /// Keeps what a pass that began at `now` has learnt, if anything.
    pub(crate) async fn believe(&mut self, census: &BTreeMap<String, Census>, now: DateTime<Utc>) {
        let Some(store) = self.writable().filter(|_| !census.is_empty()) else { return };
        if let Err(error) = store.believe(census, now).await {
            self.fail(&error);
        }
    }

    /// Remembers what was read.
    pub(crate) async fn remember(
        &mut self,
        repository: &RepositoryId,
        name: &RepositoryName,
        fresh: Fresh,
        now: DateTime<Utc>,
    ) {
        if fresh.details.is_empty() && fresh.manifests.is_empty() {
            return;
        }
        if let Some(store) = self.writable() {
            match store.remember(repository, name, &fresh, now).await {
                Ok(()) => return,
                Err(error) => self.fail(&error),
            }
        }
        let mut known = self.known(repository).await;
        for (details, row_tags) in fresh.details {
            let before = known.images.get(&details.id);
            let first_seen_at = before.map_or(now, |image| image.first_seen_at);
            let rose = before.filter(|image| details.n_pulls > image.details.n_pulls).map(|_| now);
            let pulls_rose_at = rose.or_else(|| before?.pulls_rose_at);
            let id = details.id.clone();
            let image = KnownImage { details, read_at: now, row_tags, first_seen_at, pulls_rose_at };
            known.images.insert(id, image);
        }
        known.contents.extend(fresh.manifests.into_iter().map(|(digest, _, content)| (digest, content)));
        self.memory.insert(repository.clone(), known);
    }

    /// What is remembered of what was in use; nothing where there is no store.
    pub(crate) async fn use_history(&mut self) -> UseHistory {
        let history = match (&self.store, &self.glance) {
            (Some(store), _) => store.use_history().await,
            (None, Some(glance)) => glance.use_history().await,
            (None, None) => return UseHistory::default(),
        };
        history.unwrap_or_else(|error| {
            self.fail(&error);
            UseHistory::default()
        })
    }

    /// Remembers what was in use, where there is a store to write to.
    pub(crate) async fn remember_uses(
        &mut self,
        before: &UseHistory,
        after: &UseHistory,
        now: DateTime<Utc>,
    ) {
        let Some(store) = self.writable() else { return };
        if let Err(error) = store.change_use_history(before, after, now).await {
            self.fail(&error);
        }
    }

    /// Takes note that the store failed in the middle of a pass: from here on nothing is written to it.
    pub(crate) fn fail(&mut self, error: &StoreError) {
        let why = ErrorChain(error).to_string();
        tracing::error!(code = "no_store", kind = error.kind(), error = %why, "the store failed");
        self.fault = Some(why);
        self.share();
    }

    /// Closes the store, so that its lock is free and its log is folded in.
    pub(crate) async fn close(mut self) {
        if let Some(store) = self.store.take() {
            self.share();
            store.close().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn others_are_handed_the_store_while_the_pass_would_write_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut notebook = Notebook::new(directory.path());
        let shared = notebook.shared();
        assert_eq!(shared.get().unwrap_err(), "the store is not open yet");
        notebook.prepare(DateTime::UNIX_EPOCH).await;
        let store = shared.get().unwrap();
        store.check_writable().await.unwrap();
        assert_eq!(shared.past().get().unwrap().totals().await.unwrap().n_deleted, 0);
        notebook.fail(&StoreError::Broken);
        assert!(shared.get().unwrap_err().contains("did not reach the disk"));
        notebook.prepare(DateTime::UNIX_EPOCH).await;
        assert!(shared.get().is_ok());
        notebook.close().await;
        assert!(shared.get().is_err());
        assert_eq!(store.check_writable().await.unwrap_err().kind(), "closed", "whoever still has it");
    }

    #[tokio::test]
    async fn a_closed_store_can_be_opened_again_while_somebody_still_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = Notebook::new(directory.path());
        first.prepare(DateTime::UNIX_EPOCH).await;
        let _held = first.shared().get().unwrap();
        first.close().await;
        let mut second = Notebook::new(directory.path());
        second.prepare(DateTime::UNIX_EPOCH).await;
        assert_eq!(second.fault(), None);
        second.close().await;
    }
}
