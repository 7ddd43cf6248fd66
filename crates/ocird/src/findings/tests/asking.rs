//! What is asked beside the registry, and how often.

use std::sync::Mutex;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ocird_model::{ErrorKind, RegistryError, RepositoryId, UserId};
use ocird_oci::AuthToken;

use super::*;
use crate::config::WatchedUser;

/// A cloud that counts who is asked about, and refuses while it is told to.
#[derive(Default)]
struct Cloud {
    asked: Mutex<Vec<String>>,
    refuses: Mutex<bool>,
}

impl Cloud {
    fn answer<'a, T: Send + 'a>(&'a self, about: &str, answer: T) -> BoxFuture<'a, Result<T, RegistryError>> {
        self.asked.lock().unwrap().push(about.to_owned());
        let refused = RegistryError::new("ListAuthTokens", ErrorKind::NotFound, "not allowed");
        let answer = if *self.refuses.lock().unwrap() { Err(refused) } else { Ok(answer) };
        async move { answer }.boxed()
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn refuse(&self, refuses: bool) {
        *self.refuses.lock().unwrap() = refuses;
    }
}

impl Audit for Cloud {
    fn auth_tokens<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Vec<AuthToken>, RegistryError>> {
        self.answer(user.as_str(), Vec::new())
    }

    fn is_immutable<'a>(&'a self, id: &'a RepositoryId) -> BoxFuture<'a, Result<bool, RegistryError>> {
        self.answer(id.as_str(), true)
    }
}

const CI: &str = "ocid1.user.oc1..ci";
const DOCS: &str = "ocid1.containerrepo.oc1.x.mgh-docs";

/// A cloud, who asks it, and a world with one user and one repository to ask about.
fn setting() -> (Arc<Cloud>, Auditor, World) {
    let cloud = Arc::new(Cloud::default());
    let auditor = Auditor::new(Arc::<Cloud>::clone(&cloud));
    let mut world = World::new();
    let rotate_after = TimeDelta::days(90);
    world.config.auth_tokens =
        vec![WatchedUser { user: CI.parse().unwrap(), name: "ci".to_owned(), rotate_after }];
    world.config.immutable = Some(patterns("*-docs"));
    (cloud, auditor, world)
}

async fn ask(auditor: &mut Auditor, world: &World, hours: i64) {
    auditor.ask(&world.config, &world.rows, world.at + TimeDelta::hours(hours)).await;
}

#[tokio::test]
async fn each_thing_is_asked_at_the_start_and_once_a_day() {
    let (cloud, mut auditor, world) = setting();
    for hours in 0..24 {
        ask(&mut auditor, &world, hours).await;
    }
    assert_eq!(cloud.asked(), [CI, DOCS]);
    ask(&mut auditor, &world, 24).await;
    assert_eq!(cloud.asked(), [CI, DOCS]);
    assert_eq!(auditor.answers().is_immutable.values().collect::<Vec<_>>(), [&true]);
    ask(&mut auditor, &world, 3).await;
    assert_eq!(cloud.asked(), [CI, DOCS], "a clock that went back puts nothing off");
}

#[tokio::test]
async fn a_refusal_about_tokens_is_an_answer_and_about_a_repository_it_is_none() {
    let (cloud, mut auditor, world) = setting();
    ask(&mut auditor, &world, 0).await;
    cloud.refuse(true);
    ask(&mut auditor, &world, 24).await;
    let tokens = &auditor.answers().tokens[&CI.parse().unwrap()];
    assert!(matches!(tokens, Tokens::Unreadable { why } if why.contains("not allowed")), "{tokens:?}");
    assert!(auditor.answers().is_immutable[&DOCS.parse().unwrap()], "as it was known before");
    cloud.refuse(false);
    ask(&mut auditor, &world, 48).await;
    assert_eq!(auditor.answers().tokens[&CI.parse().unwrap()], Tokens::Listed(Vec::new()));
}

#[tokio::test]
async fn nobody_is_asked_about_what_nobody_wants_to_know() {
    let (cloud, mut auditor, mut world) = setting();
    world.config = FindingsConfig::default();
    ask(&mut auditor, &world, 0).await;
    assert_eq!(cloud.asked(), [""; 0]);
    let mut deaf = Auditor::default();
    ask(&mut deaf, &setting().2, 0).await;
    assert!(deaf.answers().tokens.is_empty());
}
