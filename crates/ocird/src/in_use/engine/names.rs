//! By which names a container knows the images that it needs: its own, and those that are mounted into it.
//! <https://docs.docker.com/reference/api/engine/>

use ocird_model::UseKind;
use serde::Deserialize;

use crate::in_use::engine::EngineError;
use crate::in_use::reference::is_image;
use crate::in_use::source::Mention;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Container {
    name: String,
    /// The id of its image.
    pub(super) image: String,
    config: ContainerConfig,
    #[serde(default)]
    host_config: HostConfig,
    /// What is mounted, as Podman tells it.
    #[serde(default)]
    mounts: Option<Vec<Mount>>,
    /// Since version 1.48, where images are kept as containerd keeps them: the manifest of its platform.
    #[serde(default)]
    image_manifest_descriptor: Option<Descriptor>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerConfig {
    /// The image as it was written.
    image: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    mounts: Option<Vec<Mount>>,
}

/// A volume of a container; of type `image` its source is an image, without which the container does not start.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mount {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Descriptor {
    digest: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Image {
    pub(super) id: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    repo_digests: Option<Vec<String>>,
}

impl Container {
    /// Whether nobody can tell which image it needs. Podman's containers of a plain directory need none, and say so by a blank.
    pub(super) fn is_nameless(&self) -> bool {
        let Self { image: id, config: ContainerConfig { image: written }, .. } = self;
        !written.is_empty() && !is_image(written) && !is_image(id)
    }

    /// That nobody can.
    pub(super) fn nameless(&self) -> EngineError {
        let Self { name, config: ContainerConfig { image }, .. } = self;
        EngineError::Nameless { container: name.trim_start_matches('/').to_owned(), image: image.clone() }
    }
}

/// Everything by which one container names its image.
pub(super) fn named(container: &Container, image: Option<&Image>) -> Vec<Mention> {
    let Container { image: id, config, image_manifest_descriptor, .. } = container;
    let mut all = called(container, &config.image, image);
    all.push(mention(container, id, as_digest(id)));
    let descriptors = image_manifest_descriptor.iter();
    all.extend(descriptors.map(|manifest| mention(container, id, Some(&manifest.digest))));
    only_named(all)
}

/// Everything by which one container names an image that is mounted into it.
pub(super) fn named_mount(container: &Container, source: &str, image: Option<&Image>) -> Vec<Mention> {
    let mut all = called(container, source, image);
    all.extend(image.map(|image| mention(container, &image.id, as_digest(&image.id))));
    only_named(all)
}

/// Without what stands where a name or an id would, and is none: engines say `<none>` or nothing of what has no name.
fn only_named(mut mentions: Vec<Mention>) -> Vec<Mention> {
    mentions.retain(|mention| is_image(&mention.image));
    mentions
}

/// The images that are mounted into a container, as they were written. Where they lie on the disk is not meant.
pub(super) fn mounted(container: &Container) -> impl Iterator<Item = &str> {
    let mounts = container.host_config.mounts.iter().chain(&container.mounts).flatten();
    let sources = mounts.filter(|mount| mount.r#type == "image").filter_map(|mount| mount.source.as_deref());
    sources.filter(|source| is_image(source))
}

/// The names of an image: the one that was written, and those that the engine knows it by.
fn called(container: &Container, written: &str, image: Option<&Image>) -> Vec<Mention> {
    let digests = image.and_then(|image| image.repo_digests.as_deref()).unwrap_or_default();
    let own = digests.iter().find_map(|known| digest_of(known, written));
    let mut all = vec![mention(container, written, own)];
    all.extend(digests.iter().map(|known| mention(container, known, None)));
    // What was loaded from an archive has no digest of a registry, and its tags are all that is known of it.
    if !digests.iter().any(|known| is_image(known)) {
        let tags = image.and_then(|image| image.repo_tags.as_deref()).unwrap_or_default();
        all.extend(tags.iter().map(|tag| mention(container, tag, None)));
    }
    all
}

fn mention(container: &Container, image: &str, digest: Option<&str>) -> Mention {
    Mention {
        image: image.to_owned(),
        digest: digest.map(str::to_owned),
        by: format!("container {}", container.name.trim_start_matches('/')),
        kind: UseKind::Running,
    }
}

impl Image {
    /// Whether the engine knows it by this name or id.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let names = self.repo_tags.iter().chain(&self.repo_digests).flatten();
        bare(&self.id) == bare(name) || names.into_iter().any(|known| known == name)
    }
}

/// The digest of `known` (`host/path@sha256:…`) where it is of the repository that `image` names.
fn digest_of<'a>(known: &'a str, image: &str) -> Option<&'a str> {
    let (repository, digest) = known.split_once('@')?;
    let rest = image.strip_prefix(repository)?;
    (rest.is_empty() || rest.starts_with([':', '@'])).then_some(digest)
}

/// An id as a digest. Podman writes ids with and without the algorithm.
fn as_digest(id: &str) -> Option<&str> {
    id.starts_with("sha256:").then_some(id)
}

/// An id without its algorithm.
pub(super) fn bare(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, written: &str, id: &str) -> Container {
        Container {
            name: name.to_owned(),
            image: id.to_owned(),
            config: ContainerConfig { image: written.to_owned() },
            host_config: HostConfig::default(),
            mounts: None,
            image_manifest_descriptor: None,
        }
    }

    fn shown(container: &Container, image: Option<&Image>) -> Vec<String> {
        let shown = |Mention { image, digest, by, kind: _ }: Mention| {
            format!("{by}: {image} {}", digest.unwrap_or_else(|| "-".to_owned()))
        };
        named(container, image).into_iter().map(shown).collect()
    }

    fn image(tags: &[&str], digests: &[&str]) -> Image {
        let list = |texts: &[&str]| Some(texts.iter().map(|&text| text.to_owned()).collect());
        Image { id: "sha256:1d".to_owned(), repo_tags: list(tags), repo_digests: list(digests) }
    }

    #[test]
    fn a_container_names_its_image_as_written_by_digest_and_by_id() {
        let web = container("/web", "lin.ocir.io/ns/app:v1", "sha256:1d");
        let known =
            image(&["lin.ocir.io/ns/app:v2"], &["mirror/app@sha256:a", "lin.ocir.io/ns/app@sha256:b"]);
        assert_eq!(
            shown(&web, Some(&known)),
            [
                "container web: lin.ocir.io/ns/app:v1 sha256:b",
                "container web: mirror/app@sha256:a -",
                "container web: lin.ocir.io/ns/app@sha256:b -",
                "container web: sha256:1d sha256:1d",
            ]
        );
    }

    #[test]
    fn an_image_without_digest_is_named_by_its_tags() {
        let web = container("/web", "1d", "sha256:1d");
        let known = image(&["lin.ocir.io/ns/app:v2"], &[]);
        let all = shown(&web, Some(&known));
        assert!(all.contains(&"container web: lin.ocir.io/ns/app:v2 -".to_owned()), "{all:?}");
        assert_eq!(
            shown(&web, None).len(),
            2,
            "an image that was forced away leaves what the container knows"
        );
    }

    #[test]
    fn an_image_that_is_mounted_is_needed_like_the_own_one() {
        let text = r#"{"Name": "/web", "Image": "sha256:1e", "Config": {"Image": "h/app:v1"}, "HostConfig": {"Mounts": [
            {"Type": "image", "Source": "lin.ocir.io/ns/model:v7", "Target": "/m"},
            {"Type": "volume", "Source": "data", "Target": "/d"}, {"Type": "tmpfs", "Target": "/t"}]},
            "Mounts": [{"Type": "image", "Source": "lin.ocir.io/ns/rules:v1"}, {"Type": "bind", "Source": "/srv"}]}"#;
        let container: Container = serde_json::from_str(text).unwrap();
        assert_eq!(
            mounted(&container).collect::<Vec<_>>(),
            ["lin.ocir.io/ns/model:v7", "lin.ocir.io/ns/rules:v1"]
        );
        let known = image(&["lin.ocir.io/ns/model:v7"], &["lin.ocir.io/ns/model@sha256:c"]);
        assert!(
            known.is_called("lin.ocir.io/ns/model:v7") && known.is_called("1d") && !known.is_called("data")
        );
        let all = named_mount(&container, "lin.ocir.io/ns/model:v7", Some(&known)).into_iter();
        assert_eq!(
            all.map(|mention| (mention.image, mention.digest)).collect::<Vec<_>>(),
            [
                ("lin.ocir.io/ns/model:v7".to_owned(), Some("sha256:c".to_owned())),
                ("lin.ocir.io/ns/model@sha256:c".to_owned(), None),
                ("sha256:1d".to_owned(), Some("sha256:1d".to_owned())),
            ]
        );
        let plain = r#"{"Name": "/web", "Image": "sha256:1e", "Config": {"Image": "h/app:v1"}, "HostConfig": {"Mounts": null}}"#;
        assert_eq!(mounted(&serde_json::from_str(plain).unwrap()).count(), 0);
    }

    #[test]
    fn what_engines_write_for_no_name_is_no_image() {
        let nameless = image(&["<none>:<none>"], &["<none>@<none>"]);
        let by_id = ["container web: sha256:1d sha256:1d"];
        for written in ["", "<none>", "<none>:<none>"] {
            let web = container("/web", written, "sha256:1d");
            assert_eq!(shown(&web, Some(&nameless)), by_id, "{written}");
            assert!(!web.is_nameless());
        }
        let of_a_directory = container("/web", "", "");
        assert!(shown(&of_a_directory, None).is_empty() && !of_a_directory.is_nameless());
        let unknown = container("/web", "<none>", "");
        assert!(unknown.is_nameless());
        assert_eq!(
            unknown.nameless().to_string(),
            "container web has \"<none>\" for an image, which is neither a name nor an id"
        );
        assert!(!container("/web", "lin.ocir.io/ns/app:v1", "").is_nameless());
    }

    #[test]
    fn where_a_mounted_image_lies_on_the_disk_is_no_name_of_it() {
        let text = r#"{"Name": "/web", "Image": "sha256:1e", "Config": {"Image": "h/app:v1"},
            "HostConfig": {"Mounts": [{"Type": "image", "Source": "lin.ocir.io/ns/model:v7"}]},
            "Mounts": [{"Type": "image", "Source": "/var/lib/docker/x"}, {"Type": "image", "Source": ""}]}"#;
        let container: Container = serde_json::from_str(text).unwrap();
        assert_eq!(mounted(&container).collect::<Vec<_>>(), ["lin.ocir.io/ns/model:v7"]);
    }

    #[test]
    fn the_digest_of_another_repository_is_not_taken() {
        assert_eq!(digest_of("h/app@sha256:a", "h/app:v1"), Some("sha256:a"));
        assert_eq!(digest_of("h/app@sha256:a", "h/app"), Some("sha256:a"));
        assert_eq!(digest_of("h/app@sha256:a", "h/app-2:v1"), None);
        assert_eq!(digest_of("h/app", "h/app"), None);
    }
}
