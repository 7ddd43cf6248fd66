//! Which deletions belong together, and in what order they are undone. Pure: what was deleted comes in, and what to bring
//! back goes out, children before the indexes that name them and subjects before what speaks about them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ocird_model::{Content, Digest, RepositoryId, RepositoryName};
use ocird_store::Deletion;

use super::name::Which;

/// Which deletions are to be undone.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// The family of one image. Of several that had the tag, the one that was deleted last.
    Family {
        /// The repository.
        repository: RepositoryName,
        /// The image.
        which: Which,
    },
    /// Everything that was meant to go at or after one instant and before another.
    Span {
        /// From here on.
        from: DateTime<Utc>,
        /// Up to here.
        until: DateTime<Utc>,
    },
    /// These images, with what they name in turn.
    These(BTreeSet<(RepositoryId, Digest)>),
}

/// The deletions that are wanted, each image once by its last deletion, in the order in which they are to be undone.
pub(super) fn chosen(deletions: &[Deletion], wanted: &Wanted) -> Vec<Deletion> {
    let mut latest: BTreeMap<(RepositoryId, Digest), &Deletion> = BTreeMap::new();
    for deletion in deletions {
        latest.insert((deletion.repository.clone(), deletion.digest), deletion);
    }
    let keys: BTreeSet<(RepositoryId, Digest)> = match wanted {
        Wanted::Family { repository, which } => family(&latest, repository, which),
        Wanted::Span { from, until } => {
            let within =
                latest.iter().filter(|(_, deletion)| (*from..*until).contains(&deletion.intended_at));
            within.map(|(key, _)| key.clone()).collect()
        }
        Wanted::These(keys) => with_children(&latest, keys),
    };
    let wanted: Vec<&Deletion> =
        latest.into_iter().filter(|(key, _)| keys.contains(key)).map(|(_, deletion)| deletion).collect();
    in_order(&wanted)
}

fn family(
    latest: &BTreeMap<(RepositoryId, Digest), &Deletion>,
    repository: &RepositoryName,
    which: &Which,
) -> BTreeSet<(RepositoryId, Digest)> {
    let here = || latest.iter().filter(|(_, deletion)| deletion.repository_name == *repository);
    let meant = here().filter(|(_, deletion)| which.is(&deletion.digest, deletion.tags.keys()));
    let Some((_, meant)) = meant.max_by_key(|(_, deletion)| (deletion.deleted_at, deletion.intent)) else {
        return BTreeSet::new();
    };
    let of_it = here().filter(|(_, deletion)| {
        deletion.head == meant.head || deletion.digest == meant.head || deletion.digest == meant.digest
    });
    with_children(latest, &of_it.map(|(key, _)| key.clone()).collect())
}

/// These and everything that they name, directly or through others, as far as it was deleted too.
fn with_children(
    latest: &BTreeMap<(RepositoryId, Digest), &Deletion>,
    keys: &BTreeSet<(RepositoryId, Digest)>,
) -> BTreeSet<(RepositoryId, Digest)> {
    let mut all = BTreeSet::new();
    let mut open: Vec<(RepositoryId, Digest)> = keys.iter().cloned().collect();
    while let Some(key) = open.pop() {
        let Some(deletion) = latest.get(&key) else { continue };
        if all.insert(key.clone()) {
            let children = deletion.content.as_ref().map_or(&[][..], Content::children);
            open.extend(children.iter().map(|child| (key.0.clone(), *child)));
        }
    }
    all
}

/// Children first, then what names them; subjects before what speaks about them. A circle is walked once.
fn in_order(wanted: &[&Deletion]) -> Vec<Deletion> {
    let by_key: BTreeMap<(&RepositoryId, Digest), &Deletion> =
        wanted.iter().map(|deletion| ((&deletion.repository, deletion.digest), *deletion)).collect();
    let mut done: BTreeSet<(&RepositoryId, Digest)> = BTreeSet::new();
    let mut ordered = Vec::with_capacity(wanted.len());
    for deletion in wanted {
        // A walk of its own stack: how deep indexes nest is up to whoever pushes them (S-34).
        let mut open = vec![(*deletion, false)];
        while let Some((deletion, is_ready)) = open.pop() {
            let key = (&deletion.repository, deletion.digest);
            if is_ready {
                ordered.push(deletion.clone());
            } else if done.insert(key) {
                open.push((deletion, true));
                let below = needs(deletion).filter_map(|digest| by_key.get(&(key.0, digest)));
                open.extend(below.map(|below| (*below, false)));
            }
        }
    }
    ordered
}

/// What must be there before this image is.
fn needs(deletion: &Deletion) -> impl Iterator<Item = Digest> {
    let content = deletion.content.as_ref();
    let children = content.map_or(&[][..], Content::children).iter().copied();
    children.chain(content.and_then(Content::subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> Digest {
        Digest::from_bytes([n; 32])
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(minutes * 60, 0).unwrap()
    }

    fn index(children: &[u8]) -> Content {
        Content::Index { children: children.iter().copied().map(digest).collect(), subject: None }
    }

    /// The journal of a store in which these were deleted, one a minute: number, head, and what the manifest names.
    async fn deletions(deleted: &[(u8, u8, Content)]) -> Vec<Deletion> {
        use ocird_model::{Etag, FetchedManifest, Intent, Outcome, OutcomeKind};
        use ocird_store::{Fresh, Store};
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), at(0)).await.unwrap();
        let repository: RepositoryId = "ocid1.containerrepo.oc1..r".parse().unwrap();
        let name: RepositoryName = "app".parse().unwrap();
        for (minute, (n, head, content)) in (1..).zip(deleted) {
            let manifest =
                FetchedManifest { media_type: "index".to_owned(), bytes: [*n].into(), too_large: false };
            let fresh =
                Fresh { details: Vec::new(), manifests: vec![(digest(*n), manifest, content.clone())] };
            store.remember(&repository, &name, &fresh, at(minute)).await.unwrap();
            let intent = Intent {
                image: format!("ocid1.containerimage.oc1..{n}").parse().unwrap(),
                digest: digest(*n),
                repository: repository.clone(),
                repository_name: name.clone(),
                tags: BTreeMap::from([("v1".parse().unwrap(), None)]),
                media_type: "index".to_owned(),
                manifest: [*n].into(),
                etag: Etag("1".to_owned()),
                head: digest(*head),
                members: Vec::new(),
                rule: "old".to_owned(),
                evidence: String::new(),
                frees: None,
            };
            let id = store.intend(&intent, at(minute)).await.unwrap();
            let outcome = Outcome { kind: OutcomeKind::Deleted, at: at(minute), detail: String::new() };
            store.conclude(id, &outcome).await.unwrap();
        }
        let deletions = store.deletions_since(at(0)).await.unwrap();
        store.close().await;
        deletions
    }

    fn numbers(chosen: &[Deletion]) -> Vec<u8> {
        chosen.iter().map(|deletion| deletion.digest.as_bytes()[0]).collect()
    }

    fn by_tag(tag: &str) -> Wanted {
        Wanted::Family { repository: "app".parse().unwrap(), which: Which::Tag(tag.parse().unwrap()) }
    }

    fn alone() -> Content {
        Content::Manifest { subject: None, config: None }
    }

    #[tokio::test]
    async fn children_come_before_indexes_and_subjects_before_what_speaks_about_them() {
        let signature = Content::Manifest { subject: Some(digest(9)), config: None };
        let head = (9, 9, index(&[3, 2]));
        let members = [(1, 9, signature), (3, 9, index(&[4])), (2, 9, alone()), (4, 9, alone())];
        let deleted: Vec<_> = [head].into_iter().chain(members).collect();
        let chosen = chosen(&deletions(&deleted).await, &by_tag("v1"));
        let place = |n: u8| numbers(&chosen).iter().position(|other| *other == n).unwrap();
        assert_eq!(chosen.len(), 5);
        assert!(place(4) < place(3) && place(3) < place(9) && place(2) < place(9) && place(9) < place(1));
    }

    #[tokio::test]
    async fn a_circle_comes_back_once() {
        let deleted = deletions(&[(1, 1, index(&[2])), (2, 1, index(&[1]))]).await;
        assert_eq!(chosen(&deleted, &by_tag("v1")).len(), 2);
    }

    #[tokio::test]
    async fn of_two_families_that_had_the_tag_the_later_is_meant_and_of_two_deletions_the_last() {
        let deleted = deletions(&[(1, 1, alone()), (2, 2, alone()), (2, 2, alone())]).await;
        let chosen = chosen(&deleted, &by_tag("v1"));
        assert_eq!((numbers(&chosen), chosen[0].deleted_at), (vec![2], at(3)));
    }

    #[tokio::test]
    async fn a_span_takes_what_was_meant_in_it_and_what_is_needed_brings_what_it_names() {
        let deleted = deletions(&[(1, 1, index(&[3])), (2, 2, alone()), (3, 1, alone())]).await;
        let span = Wanted::Span { from: at(2), until: at(3) };
        assert_eq!(numbers(&chosen(&deleted, &span)), [2]);
        let needed = BTreeSet::from([(deleted[0].repository.clone(), digest(1))]);
        assert_eq!(numbers(&chosen(&deleted, &Wanted::These(needed))), [3, 1]);
        assert!(chosen(&deleted, &by_tag("v9")).is_empty());
    }
}
