//! What a container engine runs: Docker's API over a Unix socket, which Podman speaks too.
//! <https://docs.docker.com/reference/api/engine/>
//!
//! A container is named by the image it was made from, as it was written then; by every digest under which the registry
//! gave that image to this host; and by the image's id, which is a digest of the registry where the engine keeps images as
//! containerd does, and else that of its configuration. So is what is mounted from an image. Running, paused and stopped containers count alike (S-4): each may be started again.
//!
//! Deliberately no client library: four requests to read are less than what one brings along.

mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use reqwest::{Client, StatusCode};
use serde::Deserialize;

use self::names::{Container, Image, bare, mounted, named, named_mount};
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
    /// What the engine calls the image of a container is neither a name nor an id.
    #[error("container {container} has {image:?} for an image, which is neither a name nor an id")]
    Nameless {
        /// The container.
        container: String,
        /// What stands there.
        image: String,
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
        if let Some(odd) = containers.iter().find(|container| container.is_nameless()) {
            return Err(odd.nameless());
        }
        // Asked last, so that every container that was seen has its image in it. Not with `digests`: Docker gives them anyway,
        // and Podman 4.3 then answers nothing.
        let images: Vec<Image> = self.get("images/json?all=1").await.map_err(failed("for its images"))?;
        let images: BTreeMap<String, Image> =
            images.into_iter().map(|image| (bare(&image.id).to_owned(), image)).collect();
        let mentions: BTreeSet<Mention> = containers
            .iter()
            .flat_map(|container| {
                let mounted = mounted(container).flat_map(|source| {
                    let image = images.values().find(|image| image.is_called(source));
                    named_mount(container, source, image)
                });
                let own = named(container, images.get(bare(&container.image)));
                own.into_iter().chain(mounted).collect::<Vec<_>>()
            })
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
}
