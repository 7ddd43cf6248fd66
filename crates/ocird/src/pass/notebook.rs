//! What the pass remembers: the store, or, while the store cannot be written, memory.
//!
//! Without a writable store nothing is deleted (S-28), but looking and serving go on. What was read is then kept in
//! memory, so that a full disk does not make the daemon read every manifest anew each quarter of an hour: a read may
//! count as a pull (S-17). Every pass tries the store again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use ocird_model::{RepositoryId, RepositoryName};
use ocird_store::{Fresh, Glance, Known, KnownImage, OpenError, Store, StoreError};

use ocird_model::ErrorChain;

/// The store with a stand-in for the time when it fails.
#[derive(Debug)]
pub(crate) struct Notebook {
    state_dir: PathBuf,
    store: Option<Store>,
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
        self.store = Some(Store::open(&self.state_dir, now).await?);
        self.glance = None;
        Ok(())
    }

    /// The store, when it can be written. Acting needs it (S-28).
    pub(crate) fn writable(&self) -> Option<&Store> {
        self.store.as_ref().filter(|_| self.fault.is_none())
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
            let first_seen_at = known.images.get(&details.id).map_or(now, |image| image.first_seen_at);
            let row_tags: BTreeSet<_> = row_tags;
            known
                .images
                .insert(details.id.clone(), KnownImage { details, read_at: now, row_tags, first_seen_at });
        }
        known.contents.extend(fresh.manifests.into_iter().map(|(digest, _, content)| (digest, content)));
        self.memory.insert(repository.clone(), known);
    }

    /// Takes note that the store failed in the middle of a pass: from here on nothing is written to it.
    pub(crate) fn fail(&mut self, error: &StoreError) {
        let why = ErrorChain(error).to_string();
        tracing::error!(code = "no_store", kind = error.kind(), error = %why, "the store failed");
        self.fault = Some(why);
    }

    /// Closes the store, so that its lock is free and its log is folded in.
    pub(crate) async fn close(self) {
        if let Some(store) = self.store {
            store.close().await;
        }
    }
}
