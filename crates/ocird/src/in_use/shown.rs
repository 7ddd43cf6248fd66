//! Which image is used by what, where and since when, for people; and whether the registry still has it.

use std::collections::BTreeMap;

use ocird_model::{Digest, InUse, Inventory, Repository, RepositoryName, RepositoryState, Tag, Use, UseKind};

use crate::status::UseStatus;

/// The most uses that are shown: a fleet has more containers than anybody reads.
const MAX_SHOWN: usize = 1000;

/// What the registry has of what a use points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolves {
    /// All of it.
    Yes,
    /// What really runs is gone; its tag means another image by now.
    OnlyItsTag,
    /// Nothing: whoever must pull it anew cannot.
    No,
    /// The repository could not be read, so nobody knows (S-2).
    Unknown,
}

/// Tells what a use points at. Made once for many questions.
pub(crate) struct Index<'a> {
    inventory: &'a Inventory,
    tags: BTreeMap<&'a RepositoryName, BTreeMap<&'a Tag, Digest>>,
}

impl<'a> Index<'a> {
    pub(crate) fn of(inventory: &'a Inventory) -> Self {
        let of_repository = |repository: &'a Repository| {
            let images = repository.images.iter();
            let tags = images.flat_map(|image| image.tags.keys().map(|tag| (tag, image.digest)));
            (&repository.name, tags.collect())
        };
        Self { inventory, tags: inventory.complete().map(of_repository).collect() }
    }

    /// What the registry has of what a use points at.
    pub(crate) fn resolves(&self, name: &RepositoryName, used: &Use) -> Resolves {
        let repository = match self.inventory.repositories.get(name) {
            Some(RepositoryState::Complete(repository)) => repository,
            Some(RepositoryState::Unreadable { .. }) => return Resolves::Unknown,
            None => return Resolves::No,
        };
        let has_tag = |tag: &Tag| self.tags.get(name).is_some_and(|tags| tags.contains_key(tag));
        let by_tag = used.target.tag.as_ref().map(has_tag);
        let by_digest = used.target.digest.map(|digest| repository.image(&digest).is_some());
        match (by_digest, by_tag) {
            (Some(true), _) | (None, Some(true)) => Resolves::Yes,
            (Some(false), Some(true)) => Resolves::OnlyItsTag,
            (Some(false) | None, Some(false) | None) => Resolves::No,
        }
    }
}

/// How many uses there are, and the first of them, by repository: what runs before what may be rolled back to.
pub(crate) fn shown(in_use: &InUse, inventory: &Inventory) -> (u64, Vec<UseStatus>) {
    let index = Index::of(inventory);
    let all = in_use.all().flat_map(|(repository, uses)| uses.iter().map(move |used| (repository, used)));
    let n_uses = in_use.all().map(|(_, uses)| uses.len() as u64).sum();
    let row = |(repository, used): (&RepositoryName, &Use)| {
        let Use { target, by, kind, since } = used;
        UseStatus {
            repository: repository.clone(),
            tag: target.tag.as_ref().map(Tag::to_string),
            digest: target.digest.map(|digest| digest.to_string()),
            by: by.to_string(),
            kind: *kind,
            since: *since,
            is_missing: match index.resolves(repository, used) {
                Resolves::No | Resolves::OnlyItsTag => Some(true),
                Resolves::Yes => Some(false),
                Resolves::Unknown => None,
            },
        }
    };
    (n_uses, all.take(MAX_SHOWN).map(row).collect())
}

/// A use on one line: `mgh-docs:v1 (03ca341076f6) container docs on milan-1, since 2026-11-20 07:00 UTC`.
pub(crate) fn line(repository: &RepositoryName, used: &Use) -> String {
    let Use { target, by, kind, since } = used;
    let tag = target.tag.as_ref().map_or_else(String::new, |tag| format!(":{tag}"));
    let digest = target.digest.map_or_else(String::new, |digest| format!(" ({})", digest.short()));
    let since = since.map_or_else(String::new, |since| format!(", since {}", since.format("%F %H:%M UTC")));
    let way = match kind {
        UseKind::Running => "",
        UseKind::Previous => "for a rollback: ",
    };
    format!("{repository}{tag}{digest} {way}{by}{since}")
}

#[cfg(test)]
mod tests {
    use ocird_model::Target;

    use super::*;
    use crate::in_use::tests::world::{app, digest, hours, inventory_of};

    fn used(tag: Option<&str>, n: Option<u8>) -> Use {
        Use::running(Target { tag: tag.map(|tag| tag.parse().unwrap()), digest: n.map(digest) }, "web")
    }

    #[test]
    fn what_the_registry_has_lost_is_told_from_what_merely_moved() {
        let inventory = inventory_of(2);
        let cases = [
            (used(Some("v1"), Some(1)), Resolves::Yes),
            (used(Some("gone"), Some(1)), Resolves::Yes),
            (used(Some("v1"), None), Resolves::Yes),
            (used(Some("v1"), Some(9)), Resolves::OnlyItsTag),
            (used(None, Some(9)), Resolves::No),
            (used(Some("gone"), Some(9)), Resolves::No),
            (used(Some("gone"), None), Resolves::No),
        ];
        for (used, expected) in cases {
            assert_eq!(Index::of(&inventory).resolves(&app(), &used), expected, "{used:?}");
        }
        let lost = "lost".parse().unwrap();
        assert_eq!(Index::of(&inventory).resolves(&lost, &used(Some("v1"), None)), Resolves::No);
    }

    #[test]
    fn people_are_told_what_where_and_since_when() {
        let mut used = used(Some("v1"), Some(1));
        used.since = Some(hours(0));
        assert_eq!(line(&app(), &used), "app:v1 (010101010101) web, since 2026-11-21 12:00 UTC");
        used.kind = UseKind::Previous;
        assert_eq!(
            line(&app(), &used),
            "app:v1 (010101010101) for a rollback: web, since 2026-11-21 12:00 UTC"
        );
    }
}
