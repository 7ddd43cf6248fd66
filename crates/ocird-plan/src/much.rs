//! Too much at once (S-19): a plan that would take so much that a mistake in a policy, a clock or a list is likelier than a
//! backlog. Such a plan is refused as a whole and never clipped: the first fifty of a wrong plan are wrong, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ocird_model::{Digest, Inventory, Repository, RepositoryName, Rule};

use crate::graph::Graph;
use crate::tag::{Tags, subject_named_by};
use crate::{Due, DueKind};

/// So many tagged families of one repository may go, however few it has.
const FEW: usize = 10;

/// Why a plan takes too much at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TooMuch {
    /// More families are due than any plan may take.
    Families {
        /// How many.
        n_due: usize,
        /// How many a plan may take.
        max: u32,
    },
    /// More than half of the tagged families of a repository are due.
    Repository {
        /// Which repository.
        name: RepositoryName,
        /// How many of them are due.
        n_due: usize,
        /// How many there are.
        n_tagged: usize,
    },
}

/// Everything for which what is due is too much at once; empty when it is not. Counted in families, over all that are due
/// and not over what one pass may take of them; the rests of families were counted with their heads. `inventory` is the one
/// that `due` was made from.
pub fn too_much(due: &[Due], inventory: &Inventory, max_plan: u32) -> Vec<TooMuch> {
    if !Rule::S19.in_force() {
        return Vec::new();
    }
    let heads = || due.iter().filter(|due| due.kind() == DueKind::Head);
    let n_due = heads().count();
    let max = usize::try_from(max_plan).unwrap_or(usize::MAX);
    let mut reasons = Vec::new();
    if n_due > max {
        reasons.push(TooMuch::Families { n_due, max: max_plan });
    }
    let mut by_repository = BTreeMap::<&RepositoryName, BTreeSet<Digest>>::new();
    for due in heads() {
        by_repository.entry(due.repository_name()).or_default().insert(due.image().digest);
    }
    for (name, due) in by_repository.into_iter().filter(|(_, due)| due.len() > FEW) {
        let Some(repository) = inventory.repositories.get(name).and_then(|state| state.complete()) else {
            continue;
        };
        let tagged = tagged_heads(repository);
        let n_due = tagged.intersection(&due).count();
        if n_due > FEW && n_due * 2 > tagged.len() {
            reasons.push(TooMuch::Repository { name: name.clone(), n_due, n_tagged: tagged.len() });
        }
    }
    reasons
}

/// The heads of families that bear a tag which somebody gave them, or carry something that does. What is left of a family
/// was counted before.
fn tagged_heads(repository: &Repository) -> BTreeSet<Digest> {
    let graph = Graph::of(repository, &Tags::of_all(repository));
    let is_plain = |place: usize| {
        repository.images[place].tags.keys().any(|tag| subject_named_by(tag.as_str()).is_none())
    };
    let mut is_tagged: Vec<bool> = (0..repository.images.len()).map(is_plain).collect();
    graph.hand_up(&mut is_tagged, |holder, carried| holder || carried);
    let heads = repository.images.iter().enumerate().filter(|(place, image)| {
        graph.is_head(*place) && is_tagged[*place] && !repository.rests.contains_key(&image.digest)
    });
    heads.map(|(_, image)| image.digest).collect()
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Families { n_due, max } => write!(f, "{n_due} families are due, and max_plan is {max}"),
            Self::Repository { name, n_due, n_tagged } => {
                write!(
                    f,
                    "{n_due} of the {n_tagged} tagged families of {name} are due, which is more than half"
                )
            }
        }
    }
}
