//! A real registry: Debian's `docker-registry` on a free port, with nothing in it, and a pusher that speaks the writing
//! half of the distribution API to it.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push>
//!
//! Nobody has to log in: it takes no notice of the bearer token that the daemon's client sends.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ocird_model::{Namespace, RepositoryName};
use ocird_sim::manifest::{Blob, Manifest};
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value;

/// The registry. Stops when dropped.
#[derive(Debug)]
pub(crate) struct DockerRegistry {
    pub(crate) url: String,
    namespace: Namespace,
    http: Client,
    process: Child,
}

/// How it says no.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) code: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {} {}", self.status, self.code)
    }
}

impl DockerRegistry {
    /// Starts an empty one with its files in this folder, for repositories below this namespace.
    pub(crate) fn start(folder: &Path, namespace: Namespace) -> Self {
        let config = folder.join("docker-registry.yml");
        let storage = folder.join("docker-registry");
        let text = format!(
            "version: 0.1\nlog: {{ level: info, accesslog: {{ disabled: true }} }}\n\
             storage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: \"127.0.0.1:0\" }}\n\
             compatibility: {{ schema1: {{ enabled: true }} }}\n\
             validation: {{ manifests: {{ urls: {{ allow: [\"^https://layers[.]invalid/\"] }} }} }}\n",
            storage.display(),
        );
        std::fs::write(&config, text).unwrap();
        let mut process = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry is on the PATH; see .ci/registry");
        let address = listens_at(&mut process);
        let http = Client::builder().no_proxy().build().unwrap();
        Self { url: format!("http://{address}"), namespace, http, process }
    }

    /// Uploads blobs, each in one piece.
    pub(crate) async fn upload(&self, repository: &RepositoryName, blobs: &[Blob]) {
        for blob in blobs {
            let bytes = blob.bytes.as_ref().expect("whatever is pushed here has bytes");
            let opened = self.http.post(self.path(repository, "blobs/uploads/")).send().await.unwrap();
            assert_eq!(opened.status(), StatusCode::ACCEPTED);
            let mut place = Url::parse(opened.headers()["location"].to_str().unwrap()).unwrap();
            place.query_pairs_mut().append_pair("digest", &blob.digest.to_string());
            let put = self.http.put(place).header("content-type", "application/octet-stream");
            let stored = put.body(bytes.to_vec()).send().await.unwrap();
            assert_eq!(stored.status(), StatusCode::CREATED);
        }
    }

    /// Puts a manifest, by tag or by its digest.
    pub(crate) async fn put(
        &self,
        repository: &RepositoryName,
        manifest: &Manifest,
        reference: &str,
    ) -> Result<(), Refused> {
        let put = self.http.put(self.path(repository, &format!("manifests/{reference}")));
        let put = put.header("content-type", &*manifest.media_type).body(manifest.bytes.to_vec());
        let answer = put.send().await.unwrap();
        if answer.status() != StatusCode::CREATED {
            return Err(Refused::of(answer).await);
        }
        let stored = answer.headers()["docker-content-digest"].to_str().unwrap();
        assert_eq!(stored, manifest.digest.to_string(), "it stores what it was given");
        Ok(())
    }

    /// Gets a manifest, by tag or by its digest, as it comes.
    pub(crate) async fn get(&self, repository: &RepositoryName, reference: &str) -> Response {
        self.http.get(self.path(repository, &format!("manifests/{reference}"))).send().await.unwrap()
    }

    fn path(&self, repository: &RepositoryName, rest: &str) -> String {
        format!("{}/v2/{}/{repository}/{rest}", self.url, self.namespace)
    }
}

impl Refused {
    async fn of(answer: Response) -> Self {
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        Self { status, code: body["errors"][0]["code"].as_str().unwrap().to_owned() }
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        // It may have died by itself, which the test that used it has told already.
        if self.process.kill().is_ok() {
            self.process.wait().expect("a child that was killed can be waited for");
        }
    }
}

/// Reads its log until it says where it listens. The rest of the log is read and thrown away, as a full pipe would
/// stop it.
fn listens_at(process: &mut Child) -> String {
    const SAYS: &str = "listening on ";
    let mut log = BufReader::new(process.stderr.take().unwrap());
    let mut said = String::new();
    loop {
        let from = said.len();
        assert_ne!(log.read_line(&mut said).unwrap(), 0, "docker-registry ended: {said}");
        if let Some((_, at)) = said[from..].split_once(SAYS) {
            let address = at.split('"').next().unwrap().trim().to_owned();
            std::thread::spawn(move || std::io::copy(&mut log.by_ref(), &mut std::io::sink()));
            return address;
        }
    }
}
