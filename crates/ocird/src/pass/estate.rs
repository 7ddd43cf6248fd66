//! The list of repositories: every configured compartment, each to its last page or not at all (S-1). A compartment that
//! cannot be listed holds its own repositories and no others; none of them has vanished by that (S-2).
//!
//! Deliberately not here: what the repositories hold.

use std::collections::BTreeMap;

use ocird_model::{
    CompartmentId, ErrorChain, ErrorKind, Inventory, Lifecycle, ReadRegistry, RepositoryId, RepositoryName,
    RepositoryRow, RepositoryState, Rule, Unreadable,
};
use ocird_oci::Region;

use crate::pass::survey::SurveyError;

/// What the lists of repositories showed.
#[derive(Debug, Default)]
pub(crate) struct Estate {
    /// Every repository that was listed, except those on their way out.
    pub(crate) rows: Vec<RepositoryRow>,
    /// Number of repositories in each compartment that was listed.
    pub(crate) n_repositories: BTreeMap<CompartmentId, u64>,
    /// The compartments that could not be listed.
    pub(crate) unlisted: Vec<Unlisted>,
}

/// A compartment whose repositories could not be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlisted {
    /// The compartment.
    pub compartment: CompartmentId,
    /// What kind of failure.
    pub kind: ErrorKind,
    /// What happened, for people.
    pub why: String,
}

/// Lists the repositories of these compartments. `region` is the one that the credentials are for.
///
/// # Errors
/// Not one of the compartments could be listed.
pub(crate) async fn list<R: ReadRegistry>(
    reader: &R,
    compartments: &[CompartmentId],
    region: &str,
) -> Result<Estate, SurveyError> {
    let mut estate = Estate::default();
    let mut failure = None;
    for compartment in compartments {
        match reader.repositories(compartment).await {
            Ok(rows) => estate.take(rows, compartment, region),
            Err(_) if !Rule::S2.in_force() => estate.take(Vec::new(), compartment, region),
            Err(source) => {
                let (kind, why) = (source.kind(), ErrorChain(&source).to_string());
                tracing::error!(%compartment, kind = kind.as_str(), error = %why, "a compartment cannot be listed");
                estate.unlisted.push(Unlisted { compartment: compartment.clone(), kind, why });
                let compartment = compartment.clone();
                failure.get_or_insert(SurveyError::ListRepositories { compartment, source });
            }
        }
    }
    match failure {
        Some(failure) if estate.n_repositories.is_empty() => Err(failure),
        Some(_) | None => {
            estate.rows = one_of_each_name(estate.rows);
            Ok(estate)
        }
    }
}

impl Estate {
    fn take(&mut self, rows: Vec<RepositoryRow>, compartment: &CompartmentId, region: &str) {
        let before = self.rows.len();
        self.rows.extend(rows.into_iter().map(|row| inside(row, compartment, region)).filter(|row| {
            match row.lifecycle {
                Lifecycle::Available | Lifecycle::Unknown => true,
                Lifecycle::Deleting | Lifecycle::Deleted => false,
            }
        }));
        self.n_repositories.insert(compartment.clone(), (self.rows.len() - before) as u64);
    }
}

/// Puts repositories that were there before, and whose compartment cannot be listed now, into the inventory as what they
/// are: not read. One that was listed meanwhile has moved and is left as it was read; one whose name another has by now
/// makes that other unreadable too, as nobody can tell what runs from which.
pub(crate) fn hold(
    inventory: &mut Inventory,
    known: Vec<(RepositoryId, RepositoryName)>,
    unlisted: &Unlisted,
) {
    let why = Unreadable::Compartment { kind: unlisted.kind };
    for (id, name) in known {
        let is_listed = inventory.repositories.values().any(|state| match state {
            RepositoryState::Complete(repository) => repository.id == id,
            RepositoryState::Unreadable { id: other, why: _ } => *other == id,
        });
        if !is_listed {
            inventory.repositories.insert(name, RepositoryState::Unreadable { id, why: why.clone() });
        }
    }
}

/// A row that lies in the compartment and region that were asked about; one that claims another is of no known kind (S-10).
/// An endpoint may lead to another region than the one that is armed, whatever the configuration calls it.
fn inside(row: RepositoryRow, compartment: &CompartmentId, region: &str) -> RepositoryRow {
    let is_inside = row.compartment == *compartment && !is_elsewhere(row.id.as_str(), region);
    let lifecycle = if is_inside || !Rule::S10.in_force() { row.lifecycle } else { Lifecycle::Unknown };
    RepositoryRow { lifecycle, ..row }
}

/// Whether an OCID names another region than this one: `ocid1.<type>.<realm>.<region or its key>...`. What is in no table
/// says nothing.
pub(crate) fn is_elsewhere(ocid: &str, region: &str) -> bool {
    let named = ocid.split('.').nth(3).and_then(Region::find);
    named.is_some_and(|named| named.identifier() != region)
}

/// Two repositories of one name (moved or made anew while the list was read) cannot be told apart by what runs from
/// them: neither is read.
fn one_of_each_name(mut rows: Vec<RepositoryRow>) -> Vec<RepositoryRow> {
    let mut n_rows: BTreeMap<RepositoryName, u32> = BTreeMap::new();
    for row in &rows {
        *n_rows.entry(row.name.clone()).or_default() += 1;
    }
    for row in rows.iter_mut().filter(|row| n_rows[&row.name] > 1) {
        row.lifecycle = Lifecycle::Unknown;
    }
    rows
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;
    use ocird_model::Bytes;

    use super::*;

    fn compartment(text: &str) -> CompartmentId {
        format!("ocid1.compartment.oc1..{text}").parse().unwrap()
    }

    fn id(text: &str) -> RepositoryId {
        format!("ocid1.containerrepo.oc1.x.{text}").parse().unwrap()
    }

    fn row(name: &str, number: &str, lies_in: &str) -> RepositoryRow {
        RepositoryRow {
            id: id(number),
            name: name.parse().unwrap(),
            compartment: compartment(lies_in),
            namespace: "ns".parse().unwrap(),
            n_images: 0,
            layers_size: Bytes::ZERO,
            is_public: false,
            lifecycle: Lifecycle::Available,
        }
    }

    #[test]
    fn a_row_of_another_compartment_is_of_no_known_kind() {
        let state = |lies_in| inside(row("a", "1", lies_in), &compartment("ours"), "eu-milan-1").lifecycle;
        assert_eq!((state("ours"), state("theirs")), (Lifecycle::Available, Lifecycle::Unknown));
    }

    #[test]
    fn a_row_of_another_region_is_of_no_known_kind() {
        let state = |region: &str| {
            let id = format!("ocid1.containerrepo.oc1.{region}.0.ns.a").parse().unwrap();
            let row = RepositoryRow { id, ..row("a", "1", "ours") };
            inside(row, &compartment("ours"), "eu-milan-1").lifecycle
        };
        for (region, expected) in [
            ("eu-milan-1", Lifecycle::Available),
            ("lin", Lifecycle::Available),
            ("eu-nowhere-1", Lifecycle::Available),
            ("eu-frankfurt-1", Lifecycle::Unknown),
            ("fra", Lifecycle::Unknown),
        ] {
            assert_eq!(state(region), expected, "{region}");
        }
    }

    #[test]
    fn of_two_repositories_of_one_name_neither_is_read() {
        let rows = one_of_each_name(vec![row("a", "1", "x"), row("b", "2", "x"), row("a", "3", "y")]);
        let states: Vec<Lifecycle> = rows.iter().map(|row| row.lifecycle).collect();
        assert_eq!(states, [Lifecycle::Unknown, Lifecycle::Available, Lifecycle::Unknown]);
    }

    #[test]
    fn what_was_in_a_compartment_that_cannot_be_listed_is_unreadable_and_not_gone() {
        let unread = |number| RepositoryState::Unreadable { id: id(number), why: Unreadable::UnknownState };
        let listed = ("moved".parse().unwrap(), unread("1"));
        let repositories = BTreeMap::from([listed]);
        let mut inventory = Inventory { taken_at: DateTime::UNIX_EPOCH, repositories, n_unlisted: 1 };
        let known = [("1", "old-name"), ("2", "held"), ("3", "moved")];
        let known = known.map(|(number, name)| (id(number), name.parse().unwrap()));
        let kind = ErrorKind::NotFound;
        let unlisted = Unlisted { compartment: compartment("c"), kind, why: String::new() };
        hold(&mut inventory, known.into(), &unlisted);
        let held =
            |number| RepositoryState::Unreadable { id: id(number), why: Unreadable::Compartment { kind } };
        let expected = [("held", held("2")), ("moved", held("3"))];
        let expected = expected.map(|(name, state)| (name.parse().unwrap(), state));
        assert_eq!(inventory.repositories, BTreeMap::from(expected));
    }
}
