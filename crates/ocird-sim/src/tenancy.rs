//! The tenancy itself: a handle on one state machine with its own clock, shared by every face, host and test.
//!
//! The methods are spread over the modules by what they are about: [`crate::artifacts`] answers the Artifacts API,
//! [`crate::registry`] the registry, [`crate::push`] the pushers, [`crate::workload`] the hosts, [`crate::truth`]
//! says what is needed. This file makes the handle and changes its circumstances.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use ocird_model::{Clock as _, CompartmentId, Digest, ImageId, RepositoryId, RepositoryName};

use crate::clock::SimClock;
use crate::digest::sha256;
use crate::error::ApiError;
use crate::fault::{Fault, Operation, When};
use crate::iam::Iam;
use crate::repository::Repository;
use crate::settings::{Settings, parsed};
use crate::state::{Deletion, State};
use crate::view::{AuthTokenView, Mutability, RepositoryKind, Visibility};

/// A simulated tenancy. Clones are handles on the same one.
#[derive(Clone)]
pub struct Tenancy {
    state: Arc<Mutex<State>>,
    clock: SimClock,
}

impl fmt::Debug for Tenancy {
    /// Without its state, which may be months of life.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenancy").finish_non_exhaustive()
    }
}

/// A repository to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRepository {
    /// Its name, unique in the tenancy.
    pub name: RepositoryName,
    /// Where it goes.
    pub compartment: CompartmentId,
    /// Whether anybody may pull.
    pub visibility: Visibility,
    /// Whether tags may be overwritten.
    pub mutability: Mutability,
    /// Which sort of repository it is.
    pub kind: RepositoryKind,
}

impl NewRepository {
    /// A private, mutable, plain repository.
    pub const fn private(name: RepositoryName, compartment: CompartmentId) -> Self {
        Self {
            name,
            compartment,
            visibility: Visibility::Private,
            mutability: Mutability::Mutable,
            kind: RepositoryKind::Plain,
        }
    }
}

impl Tenancy {
    /// An empty tenancy whose clock stands at `settings.start`.
    pub fn new(settings: Settings) -> Self {
        Self { clock: SimClock::new(settings.start), state: Arc::new(Mutex::new(State::new(settings))) }
    }

    /// The tenancy's clock, which keeps true time.
    pub const fn clock(&self) -> &SimClock {
        &self.clock
    }

    /// True time, as in the `Date` header of every answer.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Names and behaviour, as they are now.
    pub fn settings(&self) -> Settings {
        self.lock().0.settings.clone()
    }

    /// Changes the behaviour in flight. Names and seed had better stay.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.lock().0.settings);
    }

    /// The compartment that the teams work in: the first below the root.
    pub fn compartment(&self) -> CompartmentId {
        let settings = &self.lock().0.settings;
        let root = || parsed(settings.tenancy.as_str());
        settings.compartments.first().cloned().unwrap_or_else(root)
    }

    /// Gives the daemon these rights and no others.
    pub fn set_iam(&self, iam: Iam) {
        self.lock().0.iam = iam;
    }

    /// The daemon's rights.
    pub fn iam(&self) -> Iam {
        self.lock().0.iam.clone()
    }

    /// Makes calls of an operation (`None`: of any) go wrong.
    pub fn inject(&self, operation: impl Into<Option<Operation>>, when: When, fault: Fault) {
        self.lock().0.faults.inject(operation.into(), when, fault);
    }

    /// Lets every call go right again.
    pub fn clear_faults(&self) {
        self.lock().0.faults.clear();
    }

    /// Counts a call of this operation, and says what goes wrong with it. Every face asks before it does anything.
    pub fn fault_for(&self, operation: Operation) -> Option<Fault> {
        self.lock().0.faults.next(operation)
    }

    /// Creates a repository; a name that is taken is a conflict.
    pub fn create_repository(&self, new: NewRepository) -> Result<RepositoryId, ApiError> {
        let (mut state, now) = self.lock();
        if !state.knows(&new.compartment) {
            return Err(ApiError::NotAuthorizedOrNotFound);
        }
        if state.names.contains_key(&new.name) {
            return Err(ApiError::Conflict { what: format!("the repository {} exists", new.name) });
        }
        let id: RepositoryId = parsed(&state.ocid("containerrepo"));
        state.names.insert(new.name.clone(), id.clone());
        let repository = Repository::new(id.clone(), new, now);
        state.repositories.insert(id.clone(), repository);
        Ok(id)
    }

    /// Moves a repository: a list of its former compartment shows nothing of it any more, without an error.
    pub fn move_repository(&self, name: &RepositoryName, to: CompartmentId) -> Result<(), ApiError> {
        self.alter(name, |repository| repository.compartment = to)
    }

    /// Opens a repository to anybody, or closes it.
    pub fn set_visibility(&self, name: &RepositoryName, visibility: Visibility) -> Result<(), ApiError> {
        self.alter(name, |repository| repository.visibility = visibility)
    }

    fn alter(&self, name: &RepositoryName, change: impl FnOnce(&mut Repository)) -> Result<(), ApiError> {
        let (mut state, _) = self.lock();
        let id = state.repository(name)?.id.clone();
        change(state.repositories.get_mut(&id).expect("it has just been looked up"));
        Ok(())
    }

    /// Gives a user an auth token, made now.
    pub fn add_auth_token(&self, user: &str, description: &str) -> AuthTokenView {
        let (mut state, now) = self.lock();
        let token = AuthTokenView {
            id: state.ocid("credential"),
            user: user.to_owned(),
            description: description.to_owned(),
            created_at: now,
            expires_at: None,
            lifecycle_state: "ACTIVE".to_owned(),
        };
        state.auth_tokens.entry(user.to_owned()).or_default().push(token.clone());
        token
    }

    /// Gives a user exactly these auth tokens; a user with none is known all the same.
    pub fn set_auth_tokens(&self, user: &str, tokens: Vec<AuthTokenView>) {
        self.lock().0.auth_tokens.insert(user.to_owned(), tokens);
    }

    /// Every deletion so far, the daemon's and others'.
    pub fn deletions(&self) -> Vec<Deletion> {
        self.lock().0.deletions.clone()
    }

    /// The available image with this digest, if there is one: for tests, which know what they pushed.
    pub fn find(&self, repository: &RepositoryName, digest: &Digest) -> Option<ImageId> {
        let (state, _) = self.lock();
        let repository = state.repository(repository).ok()?;
        state.available(repository, digest).map(|image| image.id.clone())
    }

    /// A digest over everything that can be observed: two tenancies with the same one are in the same state.
    pub fn fingerprint(&self) -> Digest {
        let (state, now) = self.lock();
        let mut text = format!("{now}\n");
        for image in state.images.values() {
            let name = &state.repositories[&image.repository].name;
            writeln!(
                text,
                "{name} {} {} {:?} {} {:?} {}",
                image.id,
                image.manifest.digest,
                image.life,
                image.n_pulls,
                image.last_pulled_at,
                image.etag()
            )
            .expect("a string takes every line");
            for (tag, stamp) in &image.tags {
                writeln!(text, "  {tag} {} {}", stamp.at, stamp.by).expect("a string takes every line");
            }
        }
        for repository in state.repositories.values() {
            writeln!(text, "{} {}", repository.name, repository.layers_size)
                .expect("a string takes every line");
        }
        writeln!(text, "{:?}\n{:?}", state.hosts, state.violations).expect("a string takes every line");
        sha256(text.as_bytes())
    }

    /// The state, settled to the present, and the present.
    pub(crate) fn lock(&self) -> (MutexGuard<'_, State>, DateTime<Utc>) {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.settle(now);
        (state, now)
    }
}
