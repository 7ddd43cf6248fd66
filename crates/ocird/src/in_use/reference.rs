//! Image references as containers carry them, folded to this tenancy's repositories.
//!
//! One registry has several host names (`lin.ocir.io`, `eu-milan-1.ocir.io`, `ocir.eu-milan-1.oci.oraclecloud.com`);
//! all of them mean the same repositories. References into other registries or namespaces are not ours to judge.

use std::collections::BTreeSet;

use ocird_model::{Digest, Namespace, Reference, RepositoryName, Tag, Target};

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
            let lower = image.to_ascii_lowercase();
            let names_us = self.hosts.iter().any(|host| lower.contains(host.as_str()));
            return if names_us { Err(unclear("where its host begins")) } else { Ok(Folded::Elsewhere) };
        };
        let (path, pinned) = match path.split_once('@') {
            Some((path, digest)) => (path, Some(digest)),
            None => (path, None),
        };
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (path, None),
        };
        let Some((namespace, repository)) = path.split_once('/') else { return Err(unclear("its path")) };
        if namespace != self.namespace.as_str() {
            return Ok(Folded::Elsewhere);
        }
        let repository: RepositoryName = repository.parse().map_err(|_| unclear("its repository"))?;
        let digest =
            pinned.or(digest).map(str::parse::<Digest>).transpose().map_err(|_| unclear("its digest"))?;
        // Whoever writes neither means `latest` at the next pull, whatever runs now.
        let tag = match (tag, pinned) {
            (None, None) => Some("latest"),
            (tag, _) => tag,
        };
        let tag = tag.map(str::parse::<Tag>).transpose().map_err(|_| unclear("its tag"))?;
        Ok(Folded::Ours(Reference { repository, target: Target { tag, digest } }))
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
}
