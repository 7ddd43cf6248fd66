//! What a container engine runs: Docker's API over a Unix socket, which Podman speaks too.
//! <https://docs.docker.com/reference/api/engine/>
//!
//! A container is named by the image it was made from, as it was written then; by every digest under which the registry
//! gave that image to this host; and by the image's id, which is a digest of the registry where the engine keeps images as
//! containerd does. Running, paused and stopped containers count alike (S-4): each may be started again.
//!
//! Deliberately no client library: four requests to read are less than what one brings along.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ocird_model::UseKind;
use reqwest::{Client, StatusCode};
use serde::Deserialize;

use crate::client::{self, AskError};
use crate::in_use::source::Mention;

/// The newest version of the API that is asked for. What is read of it has been the same since the oldest.
const NEWEST: Version = Version { major: 1, minor: 51 };
/// Docker 1.12 of 2016, the first with `MinAPIVersion`.
const OLDEST: Version = Version { major: 1, minor: 24 };
/// A container may go between the list and the look at it; then the list is taken again, so many times.
const TRIES: u32 = 3;

/// Why it is not known what an engine runs.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There was no answer.
    #[error("the engine does not answer {what}")]
    Ask {
        /// What was asked.
        what: &'static str,
        /// Why.
        source: AskErrorBox,
    },
    /// It speaks no version of the API that is understood.
    #[error("the engine speaks versions {least} to {newest} of the API, this ocird {OLDEST} to {NEWEST}")]
    Version {
        /// The oldest it speaks.
        least: String,
        /// The newest it speaks.
        newest: String,
    },
    /// Containers came and went while they were looked at.
    #[error("containers came and went {TRIES} times while they were looked at")]
    Unsteady,
}

/// What went wrong with a question, without its type.
pub type AskErrorBox = Box<dyn std::error::Error + Send + Sync>;

/// A version of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u32,
    minor: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versions {
    api_version: String,
    #[serde(rename = "MinAPIVersion", default)]
    min_api_version: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    name: String,
    /// The id of its image.
    image: String,
    config: ContainerConfig,
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

#[derive(Debug, Deserialize)]
struct Descriptor {
    digest: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    id: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    repo_digests: Option<Vec<String>>,
}

/// Everything that an engine runs, or could start again.
pub async fn mentions(socket: &Path) -> Result<Vec<Mention>, EngineError> {
    let client = client::on_socket(socket)
        .map_err(|source| EngineError::Ask { what: "at all", source: Box::new(AskError::Send(source)) })?;
    let engine = Engine { version: negotiate(&client).await?, client };
    for _ in 0..TRIES {
        if let Some(mentions) = engine.look().await? {
            return Ok(mentions);
        }
    }
    Err(EngineError::Unsteady)
}

struct Engine {
    client: Client,
    version: Version,
}

impl Engine {
    /// One look at everything; `None` when a container went meanwhile.
    async fn look(&self) -> Result<Option<Vec<Mention>>, EngineError> {
        let listed: Vec<Listed> =
            self.get("containers/json?all=1").await.map_err(failed("for its containers"))?;
        let mut containers = Vec::with_capacity(listed.len());
        for Listed { id } in listed {
            match self.get::<Container>(&format!("containers/{id}/json")).await {
                Ok(container) => containers.push(container),
                Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => return Ok(None),
                Err(error) => return Err(failed("for a container")(error)),
            }
        }
        // Asked last, so that every container that was seen has its image in it. Not with `digests`: Docker gives them anyway,
        // and Podman 4.3 then answers nothing.
        let images: Vec<Image> = self.get("images/json?all=1").await.map_err(failed("for its images"))?;
        let images: BTreeMap<String, Image> =
            images.into_iter().map(|image| (bare(&image.id).to_owned(), image)).collect();
        let mentions: BTreeSet<Mention> = containers
            .iter()
            .flat_map(|container| named(container, images.get(bare(&container.image))))
            .collect();
        Ok(Some(mentions.into_iter().collect()))
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, AskError> {
        let url = format!("http://engine/v{}/{path}", self.version);
        client::ask(self.client.get(url), path).await
    }
}

fn failed(what: &'static str) -> impl Fn(AskError) -> EngineError {
    move |error| EngineError::Ask { what, source: Box::new(error) }
}

/// The newest version that both sides speak.
async fn negotiate(client: &Client) -> Result<Version, EngineError> {
    let versions: Versions = client::ask(client.get("http://engine/version"), "version")
        .await
        .map_err(failed("for its version"))?;
    choose(&versions).ok_or_else(|| EngineError::Version {
        least: versions.min_api_version.clone().unwrap_or_default(),
        newest: versions.api_version.clone(),
    })
}

fn choose(Versions { api_version, min_api_version }: &Versions) -> Option<Version> {
    let newest = parse(api_version)?;
    let least = min_api_version.as_deref().map_or(Some(OLDEST), parse)?;
    let chosen = newest.min(NEWEST);
    (chosen >= least && chosen >= OLDEST).then_some(chosen)
}

fn parse(text: &str) -> Option<Version> {
    let (major, minor) = text.split_once('.')?;
    Some(Version { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

/// Everything by which one container names its image.
fn named(container: &Container, image: Option<&Image>) -> Vec<Mention> {
    let Container { name, image: id, config, image_manifest_descriptor } = container;
    let by = format!("container {}", name.trim_start_matches('/'));
    let mention = |image: &str, digest: Option<&str>| Mention {
        image: image.to_owned(),
        digest: digest.map(str::to_owned),
        by: by.clone(),
        kind: UseKind::Running,
    };
    let digests = image.and_then(|image| image.repo_digests.as_deref()).unwrap_or_default();
    let own = digests.iter().find_map(|known| digest_of(known, &config.image));
    let mut all = vec![mention(&config.image, own), mention(id, as_digest(id))];
    all.extend(digests.iter().map(|known| mention(known, None)));
    all.extend(image_manifest_descriptor.iter().map(|manifest| mention(id, Some(&manifest.digest))));
    // What was loaded from an archive has no digest of a registry, and its tags are all that is known of it.
    if digests.is_empty() {
        let tags = image.and_then(|image| image.repo_tags.as_deref()).unwrap_or_default();
        all.extend(tags.iter().map(|tag| mention(tag, None)));
    }
    all
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

fn bare(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(newest: &str, least: Option<&str>) -> Option<String> {
        let versions = Versions { api_version: newest.to_owned(), min_api_version: least.map(str::to_owned) };
        choose(&versions).map(|version| version.to_string())
    }

    #[test]
    fn the_newest_version_of_both_is_spoken() {
        assert_eq!(versions("1.41", Some("1.12")).as_deref(), Some("1.41"));
        assert_eq!(versions("1.99", Some("1.44")).as_deref(), Some("1.51"));
        assert_eq!(versions("1.24", None).as_deref(), Some("1.24"));
        assert_eq!(versions("1.9", None), None, "it is older than 1.24, although not as a text");
        assert_eq!(versions("1.99", Some("1.52")), None);
        assert_eq!(versions("latest", None), None);
    }

    fn container(name: &str, written: &str, id: &str) -> Container {
        Container {
            name: name.to_owned(),
            image: id.to_owned(),
            config: ContainerConfig { image: written.to_owned() },
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
                "container web: sha256:1d sha256:1d",
                "container web: mirror/app@sha256:a -",
                "container web: lin.ocir.io/ns/app@sha256:b -",
            ]
        );
    }

    #[test]
    fn an_image_without_digest_is_named_by_its_tags() {
        let web = container("/web", "1d", "sha256:1d");
        let known = image(&["lin.ocir.io/ns/app:v2"], &[]);
        let all = shown(&web, Some(&known));
        assert_eq!(all.last().unwrap(), "container web: lin.ocir.io/ns/app:v2 -");
        assert_eq!(
            shown(&web, None).len(),
            2,
            "an image that was forced away leaves what the container knows"
        );
    }

    #[test]
    fn the_digest_of_another_repository_is_not_taken() {
        assert_eq!(digest_of("h/app@sha256:a", "h/app:v1"), Some("sha256:a"));
        assert_eq!(digest_of("h/app@sha256:a", "h/app"), Some("sha256:a"));
        assert_eq!(digest_of("h/app@sha256:a", "h/app-2:v1"), None);
        assert_eq!(digest_of("h/app", "h/app"), None);
    }
}
