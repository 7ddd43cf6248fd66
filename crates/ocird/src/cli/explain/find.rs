//! Which image somebody means who writes `app:v1`, `app@sha256:1234`, a whole reference, or an OCID.

use ocird_model::{Image, Inventory, Reference, Repository, RepositoryName, RepositoryState};

use crate::config::nearest;
use crate::in_use::reference::{Folded, Folder};

/// The OCID of an image begins with this.
const OCID: &str = "ocid1.containerimage.";

/// What the hex digits of a digest may be preceded by.
const ALGORITHM: &str = "sha256:";

/// The fewest digits that are taken for a digest where nothing says that they are one.
const MIN_DIGITS: usize = 7;

/// The most names that an error lists.
const MAX_LISTED: usize = 8;

/// Why nobody knows which image is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FindError {
    /// No repository has this name.
    #[error("there is no repository {name:?}{hint}")]
    Repository {
        /// The name.
        name: String,
        /// What there is instead.
        hint: String,
    },
    /// The repository could not be read whole.
    #[error("nothing is known of {name}: {why}")]
    Unreadable {
        /// The repository.
        name: RepositoryName,
        /// Why.
        why: String,
    },
    /// No image is so.
    #[error("{place} has no image {wanted}{hint}")]
    Image {
        /// A repository, or the registry.
        place: String,
        /// What was asked for.
        wanted: String,
        /// What there is instead.
        hint: String,
    },
    /// Several images are so.
    #[error("{wanted} may be any of {candidates}; give more digits")]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// What it may be.
        candidates: String,
    },
}

/// The one image that `text` means. `folder` knows the registry's own host names.
pub(crate) fn find<'a>(
    text: &str,
    inventory: &'a Inventory,
    folder: Option<&Folder>,
) -> Result<(&'a Repository, &'a Image), FindError> {
    let text = text.trim();
    if text.starts_with(OCID) {
        return anywhere(inventory, text, |image| image.id.as_str() == text);
    }
    if let Some(digits) = bare_digest(text) {
        return anywhere(inventory, text, |image| image.digest.hex().starts_with(&digits));
    }
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    let (name, tag) = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        Some(_) | None => (name, None),
    };
    let repository = repository(name, inventory, folder)?;
    match digest {
        Some(digest) => by_digest(repository, digest),
        None => by_tag(repository, tag.unwrap_or("latest")),
    }
}

fn bare_digest(text: &str) -> Option<String> {
    let digits = text.strip_prefix(ALGORITHM).unwrap_or(text);
    let is_long_enough = text.starts_with(ALGORITHM) || digits.len() >= MIN_DIGITS;
    let is_hex = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    (is_hex && is_long_enough).then(|| digits.to_ascii_lowercase())
}

fn anywhere<'a>(
    inventory: &'a Inventory,
    wanted: &str,
    is_meant: impl Fn(&Image) -> bool,
) -> Result<(&'a Repository, &'a Image), FindError> {
    let all = inventory
        .complete()
        .flat_map(|repository| repository.images.iter().map(move |image| (repository, image)));
    one(&all.filter(|(_, image)| is_meant(image)).collect::<Vec<_>>(), "the registry", wanted, String::new)
}

fn by_digest<'a>(repository: &'a Repository, digest: &str) -> Result<(&'a Repository, &'a Image), FindError> {
    let digits = digest.strip_prefix(ALGORITHM).unwrap_or(digest).to_ascii_lowercase();
    let images = repository.images.iter().map(|image| (repository, image));
    let found = images.filter(|(_, image)| !digits.is_empty() && image.digest.hex().starts_with(&digits));
    one(&found.collect::<Vec<_>>(), repository.name.as_str(), &format!("@{digest}"), || {
        newest_tags(repository)
    })
}

fn by_tag<'a>(repository: &'a Repository, tag: &str) -> Result<(&'a Repository, &'a Image), FindError> {
    let images = repository.images.iter().map(|image| (repository, image));
    let found = images.filter(|(_, image)| image.tags.keys().any(|known| known.as_str() == tag));
    one(&found.collect::<Vec<_>>(), repository.name.as_str(), &format!(":{tag}"), || {
        let tags = repository.images.iter().flat_map(|image| image.tags.keys());
        let tags: Vec<&str> = tags.map(ocird_model::Tag::as_str).collect();
        nearest(tag, &tags).map_or_else(|| newest_tags(repository), |near| format!("; did you mean :{near}?"))
    })
}

fn one<'a>(
    found: &[(&'a Repository, &'a Image)],
    place: &str,
    wanted: &str,
    hint: impl FnOnce() -> String,
) -> Result<(&'a Repository, &'a Image), FindError> {
    match *found {
        [one] => Ok(one),
        [] => Err(FindError::Image { place: place.to_owned(), wanted: wanted.to_owned(), hint: hint() }),
        _ => {
            let shown = |(repository, image): &(&Repository, &Image)| {
                format!("{}@{}", repository.name, image.digest.short())
            };
            let candidates = listed(found.iter().map(shown).collect());
            Err(FindError::Ambiguous { wanted: wanted.to_owned(), candidates })
        }
    }
}

/// The tags of the newest images, as a hint.
fn newest_tags(repository: &Repository) -> String {
    let mut images: Vec<&Image> = repository.images.iter().filter(|image| !image.tags.is_empty()).collect();
    images.sort_by_key(|image| std::cmp::Reverse(image.newest_time()));
    let tags = images.iter().flat_map(|image| image.tags.keys()).map(|tag| format!(":{tag}")).collect();
    if images.is_empty() {
        "; nothing there is tagged".to_owned()
    } else {
        format!("; it has {}", listed(tags))
    }
}

fn listed(mut names: Vec<String>) -> String {
    let n_more = names.len().saturating_sub(MAX_LISTED);
    names.truncate(MAX_LISTED);
    let more = if n_more > 0 { format!(" and {n_more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// The repository of that name: as it is listed, with the namespace before it, or with a host of this registry.
fn repository<'a>(
    name: &str,
    inventory: &'a Inventory,
    folder: Option<&Folder>,
) -> Result<&'a Repository, FindError> {
    let ours = folder.and_then(|folder| match folder.fold(name, None) {
        Ok(Folded::Ours(Reference { repository, target: _ })) => Some(repository),
        Ok(Folded::Elsewhere) | Err(_) => None,
    });
    let in_namespace = inventory.complete().find_map(|repository| {
        let rest = name.strip_prefix(repository.namespace.as_str())?.strip_prefix('/')?;
        (rest == repository.name.as_str()).then(|| repository.name.clone())
    });
    let listed_as = name.parse().ok().filter(|name| inventory.repositories.contains_key(name));
    let wanted: Option<RepositoryName> = listed_as.or(ours).or(in_namespace);
    let state = wanted.as_ref().and_then(|wanted| inventory.repositories.get_key_value(wanted));
    match state {
        Some((_, RepositoryState::Complete(repository))) => Ok(repository),
        Some((name, RepositoryState::Unreadable { id: _, why })) => {
            Err(FindError::Unreadable { name: name.clone(), why: why.to_string() })
        }
        None => {
            let wanted = wanted.map_or_else(|| name.to_owned(), |wanted| wanted.to_string());
            Err(FindError::Repository { hint: other_repositories(&wanted, inventory), name: wanted })
        }
    }
}

fn other_repositories(wanted: &str, inventory: &Inventory) -> String {
    let names: Vec<&str> = inventory.repositories.keys().map(RepositoryName::as_str).collect();
    match nearest(wanted, &names) {
        Some(near) => format!("; did you mean {near}?"),
        None if names.is_empty() => "; there is none in the compartments of [oci]".to_owned(),
        None => format!("; there are {}", listed(names.iter().map(ToString::to_string).collect())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ocird_model::{Bytes, Content, Digest};

    use super::*;

    fn image(first: u8, tags: &[&str]) -> Image {
        Image {
            id: format!("ocid1.containerimage.oc1.x.{first:02x}").parse().unwrap(),
            digest: Digest::from_bytes([first; 32]),
            tags: tags.iter().map(|tag| (tag.parse().unwrap(), None)).collect(),
            created_at: None,
            first_seen_at: None,
            last_pulled_at: None,
            resource_tags: None,
            read_at: None,
            content: Content::Manifest { subject: None, config: None },
            layers: None,
            manifest_size: Bytes::ZERO,
        }
    }

    fn inventory() -> Inventory {
        let repository = |name: &str, images| Repository {
            id: format!("ocid1.containerrepo.oc1.x.{}", name.len()).parse().unwrap(),
            name: name.parse().unwrap(),
            compartment: "ocid1.compartment.oc1..x".parse().unwrap(),
            namespace: "ns".parse().unwrap(),
            is_public: false,
            images,
            rests: BTreeMap::new(),
            holds: Vec::new(),
        };
        let app = repository("team/app", vec![image(0x11, &["v1"]), image(0x12, &["v2", "latest"])]);
        let web = repository("web", vec![image(0x12, &[]), image(0x31, &["prod"])]);
        let repositories = [app, web].map(|r| (r.name.clone(), RepositoryState::Complete(r))).into();
        Inventory { taken_at: "2026-11-21T12:00:00Z".parse().unwrap(), repositories, n_unlisted: 0 }
    }

    fn found(text: &str) -> Result<String, String> {
        let folder = Folder::new(["lin.ocir.io".to_owned()], "ns".parse().unwrap());
        let inventory = inventory();
        let (repository, image) = find(text, &inventory, Some(&folder)).map_err(|error| error.to_string())?;
        Ok(format!("{} {}", repository.name, &image.digest.hex()[..2]))
    }

    #[test]
    fn an_image_is_named_in_many_ways() {
        let whole = Digest::from_bytes([0x11; 32]);
        for (text, expected) in [
            ("team/app:v1", "team/app 11"),
            ("team/app", "team/app 12"),
            ("ns/team/app:v1", "team/app 11"),
            ("lin.ocir.io/ns/team/app:v1", "team/app 11"),
            ("LIN.ocir.io:443/ns/team/app:v1", "team/app 11"),
            ("team/app@sha256:11", "team/app 11"),
            ("team/app:v9@1111", "team/app 11"),
            (&format!("lin.ocir.io/ns/team/app@{whole}"), "team/app 11"),
            ("web@12", "web 12"),
            ("sha256:31", "web 31"),
            ("31313131", "web 31"),
            ("ocid1.containerimage.oc1.x.31", "web 31"),
        ] {
            assert_eq!(found(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_there_or_not_clear_says_what_there_is() {
        for (text, expected) in [
            ("team/ap:v1", "there is no repository \"team/ap\"; did you mean team/app?"),
            ("nowhere:v1", "there is no repository \"nowhere\"; there are team/app, web"),
            (
                "docker.io/library/nginx",
                "there is no repository \"docker.io/library/nginx\"; there are team/app, web",
            ),
            ("team/app:latst", "team/app has no image :latst; did you mean :latest?"),
            ("web", "web has no image :latest; it has :prod"),
            ("web@99", "web has no image @99; it has :prod"),
            (
                "sha256:12",
                "sha256:12 may be any of team/app@121212121212, web@121212121212; give more digits",
            ),
            ("team/app@1", "@1 may be any of team/app@111111111111, team/app@121212121212; give more digits"),
            ("ocid1.containerimage.oc1.x.99", "the registry has no image ocid1.containerimage.oc1.x.99"),
        ] {
            assert_eq!(found(text), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn of_a_repository_that_could_not_be_read_nothing_is_known() {
        let mut inventory = inventory();
        let id = "ocid1.containerrepo.oc1.x.9".parse().unwrap();
        let state = RepositoryState::Unreadable { id, why: ocird_model::Unreadable::UnknownState };
        inventory.repositories.insert("web".parse().unwrap(), state);
        assert!(matches!(find("web:prod", &inventory, None), Err(FindError::Unreadable { .. })));
    }
}
