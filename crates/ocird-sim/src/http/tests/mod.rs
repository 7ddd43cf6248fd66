//! The HTTP face from outside: a small client of its own signs in, asks, and is refused where it must be.
//!
//! The client shares neither the server's code nor that of `ocird-oci`, so that no mistake can cancel itself out.

mod client;
mod faults;
mod forgeries;
mod images;
mod lists;
mod refusals;
mod registry;
mod sign_in;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{ImageId, RepositoryName, Tag};

use self::client::{Answer, Key, Letter, content_sha256};
use super::signature::HTTP_DATE;
use super::{Options, Server};
use crate::{Build, NewRepository, Settings, Tenancy};

/// A tenancy with one repository, served.
struct World {
    tenancy: Tenancy,
    server: Server,
    repository: RepositoryName,
}

/// What a sign-in leaves with the client.
struct Session {
    token: String,
    key: Key,
}

impl World {
    fn new() -> Self {
        Self::with(Settings::default(), Options::default())
    }

    fn with(settings: Settings, options: Options) -> Self {
        let tenancy = Tenancy::new(settings);
        let repository: RepositoryName = "team/mgh-website".parse().unwrap();
        tenancy.create_repository(NewRepository::private(repository.clone(), tenancy.compartment())).unwrap();
        let server = Server::start(tenancy.clone(), options).unwrap();
        Self { tenancy, server, repository }
    }

    /// Pushes a single image with these tags.
    fn push(&self, revision: &str, tags: &[&str]) -> ImageId {
        let tags: Vec<Tag> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        let build = Build::small(revision).single();
        self.tenancy.push(&self.repository, &build, &tags, "ci").unwrap().image
    }

    fn date(&self) -> String {
        self.date_in(TimeDelta::zero())
    }

    fn date_in(&self, ahead: TimeDelta) -> String {
        let at: DateTime<Utc> = self.tenancy.now() + ahead;
        at.format(HTTP_DATE).to_string()
    }

    fn host(&self) -> String {
        self.server.base_url().replace("http://", "")
    }

    async fn metadata(&self, path: &str) -> String {
        let letter = Letter::new("GET", &format!("/opc/v2/{path}")).header("authorization", "Bearer Oracle");
        self.send(letter).await.text
    }

    async fn send(&self, letter: Letter) -> Answer {
        letter.send(&self.server.base_url()).await
    }

    async fn sign_in(&self) -> Session {
        let sign_in = sign_in::SignIn::of(self).await;
        let token = self.send(sign_in.letter(self)).await.body["token"].as_str().unwrap().to_owned();
        Session { token, key: sign_in.session_key }
    }

    /// A letter with the headers that every signed one has, not signed yet.
    fn letter(&self, method: &str, target: &str) -> Letter {
        Letter::new(method, target).header("date", &self.date()).header("host", &self.host())
    }

    /// Asks with a good signature.
    async fn ask(&self, session: &Session, method: &str, target: &str) -> Answer {
        self.send(session.sign(self.letter(method, target))).await
    }

    /// Asks with a good signature and a body.
    async fn ask_with(&self, session: &Session, target: &str, body: &str) -> Answer {
        self.send(session.sign(self.letter("POST", target).json(body))).await
    }

    /// The image list of the repository's compartment, with further parameters.
    fn list(&self, parameters: &str) -> String {
        let compartment = self.tenancy.compartment();
        format!("/20160918/container/images?compartmentId={compartment}{parameters}")
    }
}

impl Session {
    fn key_id(&self) -> String {
        format!("ST${}", self.token)
    }

    fn sign(&self, letter: Letter) -> Letter {
        letter.sign(&self.key_id(), &self.key)
    }
}
