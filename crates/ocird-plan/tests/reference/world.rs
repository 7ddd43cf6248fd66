//! A world: everything that a plan is made from, as plain data that can be taken apart.

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, InUse, Inventory, Patterns, Policies, Policy, RepositoryName, Target, Use};

/// The instant every world is planned for.
pub(crate) fn now() -> DateTime<Utc> {
    const SECONDS: i64 = 1_780_272_000;
    DateTime::from_timestamp(SECONDS, 0).expect("the first of June 2026 is an instant")
}

/// Everything that a plan is made from.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) inventory: Inventory,
    pub(crate) policies: Policies,
    /// What runs.
    pub(crate) uses: Vec<(RepositoryName, Target)>,
    /// Repositories of which it is not known what runs.
    pub(crate) doubts: Vec<Patterns>,
    /// Until when what is known of uses may be believed.
    pub(crate) fresh_until: Option<DateTime<Utc>>,
}

impl World {
    /// What the sources say of what runs.
    pub(crate) fn in_use(&self) -> InUse {
        let mut in_use = InUse::nothing();
        for (repository, target) in &self.uses {
            in_use.add(repository.clone(), Use::running(target.clone(), "a container"));
        }
        for doubted in &self.doubts {
            in_use.doubt(doubted.clone(), "a source is silent");
        }
        if let Some(until) = self.fresh_until {
            in_use.expires(until);
        }
        in_use
    }

    /// The lines that its rules draw.
    pub(crate) fn lines(&self) -> Vec<Bytes> {
        self.policies.policies.iter().flat_map(Policy::lines).collect()
    }
}
