//! What the immediate proof of a batch says (S-26). The ramp rests on it (S-20); it is made in `proofs`.

use std::collections::BTreeSet;

use ocird_model::RepositoryName;

/// What a look after the act found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Proof {
    /// What is gone that was to stay, for people.
    pub(crate) missing: Vec<String>,
    /// The repositories of which nobody can tell.
    pub(crate) unproved: BTreeSet<RepositoryName>,
}
