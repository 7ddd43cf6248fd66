//! Image references as containers carry them, folded to this tenancy's repositories.
//!
//! One registry has several host names (`lin.ocir.io`, `eu-milan-1.ocir.io`, `ocir.eu-milan-1.oci.oraclecloud.com`);
//! all of them mean the same repositories. References into other registries or namespaces are not ours to judge.

use std::collections::BTreeSet;

use ocird_model::{Digest, Namespace, Reference, RepositoryName, Tag, Target};
use ocird_oci::Region;

/// Tells which references point into this tenancy's registry.
#[derive(Debug, Clone)]
pub struct Folder {
    hosts: BTreeSet<String>,
    namespace: Namespace,
}

/// What a reference means to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folded {
    /// An image of ours.
    Ours(Reference),
    /// An image of another registry or tenancy.
    Elsewhere,
}

/// Why a reference into our registry cannot be understood. It puts the whole source in doubt (S-4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the reference {text:?} points into this registry but {what} cannot be understood")]
pub struct UnclearReference {
    text: String,
    what: &'static str,
}

/// What follows the host of a reference.
struct Parts<'a> {
    path: &'a str,
    tag: Option<&'a str>,
    pinned: Option<&'a str>,
}

impl Folder {
    /// For the registry that answers under these host names, and this namespace.
    pub fn new(hosts: impl IntoIterator<Item = String>, namespace: Namespace) -> Self {
        Self { hosts: hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect(), namespace }
    }

    /// Takes apart `image` (`host/namespace/repository[:tag][@digest]`); `digest` is what the source knows besides, for
    /// a reference that pins none. One that spells out neither tag nor digest means `latest`, as it does to a container engine.
    pub fn fold(&self, image: &str, digest: Option<&str>) -> Result<Folded, UnclearReference> {
        let unclear = |what| UnclearReference { text: image.chars().take(200).collect(), what };
        let Some(path) = self.path_in_our_registry(image.trim()) else {
            let open = self.open_question(image.trim());
            return open.map_or(Ok(Folded::Elsewhere), |what| Err(unclear(what)));
        };
        let Parts { path, tag, pinned } = Parts::of(path);
        let Some((namespace, repository)) = path.split_once('/') else { return Err(unclear("its path")) };
        if namespace != self.namespace.as_str() {
            return Ok(Folded::Elsewhere);
        }
        let repository: RepositoryName = repository.parse().map_err(|_| unclear("its repository"))?;
        let digest =
            pinned.or(digest).map(str::parse::<Digest>).transpose().map_err(|_| unclear("its digest"))?;
        let tag = tag.map(str::parse::<Tag>).transpose().map_err(|_| unclear("its tag"))?;
        Ok(Folded::Ours(Reference { repository, target: Target { tag, digest } }))
    }

    /// The images of ours that a reference from elsewhere means if its host is a cache of this registry, such as
    /// `harbor.example/ocir/axyz/app:v1`: of whatever follows our namespace in its path, if there is such a repository, which the
    /// caller knows. Hosts of Oracle and of Docker are no such caches.
    pub(super) fn cached(&self, image: &str, digest: Option<&str>) -> Vec<Reference> {
        let image = image.trim();
        let cache = image.split_once('/').filter(|(host, _)| may_be_cache(&host.to_ascii_lowercase()));
        let Some((_, path)) = cache.filter(|_| self.path_in_our_registry(image).is_none()) else {
            return Vec::new();
        };
        let Parts { path, tag, pinned } = Parts::of(path);
        let tag: Option<Tag> = tag.and_then(|tag| tag.parse().ok());
        let digest: Option<Digest> = pinned.or(digest).and_then(|digest| digest.parse().ok());
        if tag.is_none() && digest.is_none() {
            return Vec::new();
        }
        let parts: Vec<&str> = path.split('/').collect();
        let starts = (1..parts.len()).filter(|&start| parts[start - 1] == self.namespace.as_str());
        let repositories = starts.filter_map(|start| parts[start..].join("/").parse::<RepositoryName>().ok());
        repositories
            .map(|repository| Reference { repository, target: Target { tag: tag.clone(), digest } })
            .collect()
    }

    /// What of a reference must be known before it is certain that it is not ours, where its host is none of ours.
    fn open_question(&self, image: &str) -> Option<&'static str> {
        let lower = image.to_ascii_lowercase();
        if self.hosts.iter().any(|host| lower.contains(host.as_str())) {
            return Some("where its host begins");
        }
        let (host, _) = lower.split_once('/')?;
        let (_, path) = image.split_once('/')?;
        let (namespace, _) = path.split_once('/')?;
        // A region that is newer than the table: the host may be another name of our own, which nobody could tell us.
        let is_unknown = oracle_region(host).is_some_and(|region| Region::find(region).is_none());
        (is_unknown && namespace == self.namespace.as_str()).then_some("the region of its host")
    }

    /// What follows the host, when the host is one of ours. A first part without dot or colon is no host at all but
    /// a path on the engine's default registry.
    fn path_in_our_registry<'a>(&self, image: &'a str) -> Option<&'a str> {
        let (host, path) = image.split_once('/')?;
        let host = host.to_ascii_lowercase();
        let bare = host.strip_suffix(":443").unwrap_or(&host);
        (self.hosts.contains(&host) || self.hosts.contains(bare)).then_some(path)
    }
}

impl<'a> Parts<'a> {
    fn of(path: &'a str) -> Self {
        let (path, pinned) = match path.split_once('@') {
            Some((path, digest)) => (path, Some(digest)),
            None => (path, None),
        };
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (path, None),
        };
        // Whoever writes neither means `latest` at the next pull, whatever runs now.
        let tag = match (tag, pinned) {
            (None, None) => Some("latest"),
            (tag, _) => tag,
        };
        Self { path, tag, pinned }
    }
}

/// Whether a text can be the name or the id of an image. What a variable left blank is seen here, and the `<none>` that engines
/// say of what has no name.
pub(super) fn is_image(text: &str) -> bool {
    !text.is_empty()
        && !text.ends_with([':', '@', '/'])
        && !text.starts_with([':', '@', '/'])
        && text.chars().all(|letter| letter.is_ascii_graphic() && !matches!(letter, '<' | '>'))
        && !text.contains(":@")
}

/// Whether a host, in lower case, may hold copies of this registry's images. A first part without dot or colon is no host.
fn may_be_cache(host: &str) -> bool {
    let is_docker = host == "docker.io" || host.ends_with(".docker.io");
    host.contains(['.', ':']) && !is_docker && oracle_region(host).is_none()
}

/// What stands for the region in a host of Oracle's registry, in lower case: `fra.ocir.io`, `ocir.eu-milan-1.oci.oraclecloud.com`.
fn oracle_region(host: &str) -> Option<&str> {
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let long = || host.strip_prefix("ocir.")?.split_once(".oci.").map(|(region, _)| region);
    host.strip_suffix(".ocir.io").or_else(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> Folder {
        let hosts =
            ["lin.ocir.io", "eu-milan-1.ocir.io", "ocir.eu-milan-1.oci.oraclecloud.com", "127.0.0.1:5000"];
        Folder::new(hosts.map(str::to_owned), "axyz".parse().unwrap())
    }

    fn ours(repository: &str, tag: Option<&str>, digest: Option<&str>) -> Folded {
        Folded::Ours(Reference {
            repository: repository.parse().unwrap(),
            target: Target {
                tag: tag.map(|t| t.parse().unwrap()),
                digest: digest.map(|d| d.parse().unwrap()),
            },
        })
    }

    #[test]
    fn every_spelling_of_the_host_means_the_same_image() {
        for host in
            ["lin.ocir.io", "LIN.ocir.io", "eu-milan-1.ocir.io", "ocir.eu-milan-1.oci.oraclecloud.com:443"]
        {
            let folded = folder().fold(&format!("{host}/axyz/mgh-docs:v1"), None).unwrap();
            assert_eq!(folded, ours("mgh-docs", Some("v1"), None), "{host}");
        }
    }

    #[test]
    fn tag_digest_both_or_neither() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let fold = |text: &str, known: Option<&str>| {
            folder().fold(&format!("lin.ocir.io/axyz/{text}"), known).unwrap()
        };
        assert_eq!(fold("team/app", None), ours("team/app", Some("latest"), None));
        assert_eq!(fold("app:v1", Some(&digest)), ours("app", Some("v1"), Some(&digest)));
        assert_eq!(fold("app", Some(&digest)), ours("app", Some("latest"), Some(&digest)));
        assert_eq!(fold(&format!("app@{digest}"), None), ours("app", None, Some(&digest)));
        assert_eq!(fold(&format!("app:v1@{digest}"), None), ours("app", Some("v1"), Some(&digest)));
        assert_eq!(fold("app:v1", Some(&digest)), fold(&format!("app:v1@{digest}"), None));
        let other = format!("sha256:{}", "b".repeat(64));
        assert_eq!(fold(&format!("app@{digest}"), Some(&other)), ours("app", None, Some(&digest)));
        assert_eq!(folder().fold("127.0.0.1:5000/axyz/app:v1", None).unwrap(), ours("app", Some("v1"), None));
    }

    #[test]
    fn other_registries_and_namespaces_are_not_ours() {
        let others = [
            "nginx",
            "library/nginx:1",
            // What looks like our namespace is a path on Docker's own registry, as an engine reads it.
            "axyz/app:v1",
            "docker.io/axyz/app:v1",
            "index.docker.io/axyz/app",
            "localhost/axyz/app",
            "fra.ocir.io/axyz/a:1",
            "lin.ocir.io/other/a:1",
            "lin.ocir.io/axyz-2/a:1",
            "127.0.0.1:5001/axyz/app:v1",
        ];
        for image in others {
            assert_eq!(folder().fold(image, None).unwrap(), Folded::Elsewhere, "{image}");
        }
    }

    #[test]
    fn what_points_here_and_cannot_be_understood_is_an_error() {
        for image in [
            "lin.ocir.io/axyz",
            "lin.ocir.io/axyz/a:b:c",
            "lin.ocir.io/axyz/a@md5:1",
            "lin.ocir.io/axyz/a:.x",
        ] {
            assert!(folder().fold(image, None).is_err(), "{image}");
        }
        for image in [
            "docker-pullable://lin.ocir.io/axyz/a:v1",
            "https://lin.ocir.io/axyz/a",
            "lin.ocir.io.evil/axyz/a",
        ] {
            assert!(folder().fold(image, None).is_err(), "{image}");
        }
        assert!(folder().fold("lin.ocir.io/axyz/a:v1", Some("sha256:short")).is_err());
    }

    #[test]
    fn a_host_of_an_unknown_region_may_be_ours_where_the_namespace_is() {
        for host in ["zzz.ocir.io", "ZZZ.ocir.io:443", "ocir.eu-atlantis-1.oci.oraclecloud.com"] {
            let error = folder().fold(&format!("{host}/axyz/a:1"), None).unwrap_err();
            assert!(error.to_string().contains("the region of its host"), "{error}");
            assert_eq!(folder().fold(&format!("{host}/other/a:1"), None).unwrap(), Folded::Elsewhere);
        }
        for host in ["fra.ocir.io", "FRA.ocir.io:443", "ocir.eu-frankfurt-1.oci.oraclecloud.com"] {
            let folded = folder().fold(&format!("{host}/axyz/a:1"), None).unwrap();
            assert_eq!(folded, Folded::Elsewhere, "{host}");
        }
    }

    #[test]
    fn a_cache_of_this_registry_is_seen_through() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let cached = |image: &str, known: Option<&str>| {
            folder().cached(image, known).into_iter().map(Folded::Ours).collect::<Vec<_>>()
        };
        let v1 = [ours("team/app", Some("v1"), None)];
        for image in ["harbor.example/ocir/axyz/team/app:v1", "Mirror.example:5000/axyz/team/app:v1"] {
            assert_eq!(cached(image, None), v1, "{image}");
            assert_eq!(folder().fold(image, None).unwrap(), Folded::Elsewhere);
        }
        assert_eq!(cached("h.example/axyz/app", Some(&digest)), [ours("app", Some("latest"), Some(&digest))]);
        assert_eq!(
            cached(&format!("harbor.example/ocir/axyz/app@{digest}"), None),
            [ours("app", None, Some(&digest))]
        );
        assert_eq!(
            cached("h.example/axyz/x/axyz/app:v1", None),
            [ours("x/axyz/app", Some("v1"), None), ours("app", Some("v1"), None)]
        );
        for image in [
            "axyz/app:v1",
            "docker.io/axyz/app:v1",
            "index.docker.io/axyz/app:v1",
            "fra.ocir.io/axyz/app:v1",
            "ocir.eu-frankfurt-1.oci.oraclecloud.com/x/axyz/app:v1",
            "127.0.0.1:5000/x/axyz/app:v1",
            "harbor.example/ocir/axyz",
            "harbor.example/ocir/axyz-2/app:v1",
        ] {
            assert!(cached(image, None).is_empty(), "{image}");
        }
    }

    #[test]
    fn what_has_no_name_is_no_image() {
        let id = "a".repeat(64);
        for image in ["app", "lin.ocir.io/axyz/app:v1", "h:5000/app@sha256:ab", id.as_str()] {
            assert!(is_image(image), "{image}");
        }
        for text in ["", " ", "<none>", "<none>:<none>", "h/app@<none>", "sha256:", "h/app:", "/srv", "a b"] {
            assert!(!is_image(text), "{text}");
        }
    }
}
