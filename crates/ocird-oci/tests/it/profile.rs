//! Signing in as the user of a profile, by API key and by session token, and staying signed in.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use md5::{Digest as _, Md5};
use ocird_model::{Clock as _, ErrorChain, ErrorKind, ReadRegistry as _};
use ocird_oci::{Auth, Oci, Profile, ProfileKind, Settings};
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value, json};

use crate::clock::TestClock;
use crate::cloud::{
    CERT, Cloud, FEDERATION, INSTANCE_KEY, OTHER_KEY, REPOSITORIES, Reply, TENANCY, compartment, page,
};
use crate::signature::parameter;

pub(crate) const USER: &str = "ocid1.user.oc1..u";

/// A directory with a profile file in it, and the keys and tokens that it names.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("config")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Result<Profile, ocird_oci::ProfileError> {
        Profile::read(&self.config(), name, Some(self.path()))
    }

    /// The usual API key of the profile `DEFAULT`.
    pub(crate) fn with_api_key() -> Self {
        let home = Self::new();
        home.write("key.pem", &OTHER_KEY.serialize_pem());
        home.write("config", &format!("[DEFAULT]\n{}", api_key_lines(&OTHER_KEY)));
        home
    }

    /// The usual session of the profile `DEFAULT`, with a token of these claims.
    pub(crate) fn with_token(claims: &Value) -> Self {
        let home = Self::new();
        home.write("key.pem", &OTHER_KEY.serialize_pem());
        home.write("token", &format!("{}\n", token(claims)));
        home.write(
            "config",
            &format!(
                "[DEFAULT]\nfingerprint={}\nkey_file=~/key.pem\ntenancy={TENANCY}\nregion=eu-milan-1\n\
                 security_token_file=~/token\n",
                fingerprint(&OTHER_KEY)
            ),
        );
        home
    }
}

pub(crate) fn api_key_lines(key: &KeyPair) -> String {
    let fingerprint = fingerprint(key);
    format!("user={USER}\nfingerprint={fingerprint}\nkey_file=~/key.pem\ntenancy={TENANCY}\nregion=LIN\n")
}

/// The fingerprint of a key by its definition, from what the key's maker says is its public half.
pub(crate) fn fingerprint(key: &KeyPair) -> String {
    let bytes = Md5::digest(key.subject_public_key_info());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

pub(crate) fn token(claims: &Value) -> String {
    format!("canary.{}.signature", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// Claims that end so many minutes after the cloud's clock began.
fn ending(cloud: &Cloud, minutes: i64) -> Value {
    json!({"exp": (cloud.clock.now() + TimeDelta::minutes(minutes)).timestamp(), "tenant": TENANCY})
}

fn settings(cloud: &Cloud, profile: Profile) -> Settings {
    Settings { auth: Auth::Profile(profile), ..cloud.settings() }
}

fn oci(cloud: &Cloud, home: &Home) -> Oci<TestClock> {
    cloud.oci_with(settings(cloud, home.read("DEFAULT").unwrap()))
}

/// A cloud that answers any number of listings with nothing, and knows the tokens of these claims.
async fn cloud_with(claims: &[fn(&Cloud) -> Value]) -> Cloud {
    let cloud = Cloud::start().await;
    cloud.script(REPOSITORIES, (0..20).map(|_| page(&[], None)));
    for claims in claims {
        cloud.admit(&format!("ST${}", token(&claims(&cloud))), &OTHER_KEY);
    }
    cloud
}

fn api_key_id(key: &KeyPair) -> String {
    format!("{TENANCY}/{USER}/{}", fingerprint(key))
}

/// Moves a file's time of change to where no coarse clock hides it.
fn touch(home: &Home, name: &str, seconds: u64) {
    let file = fs::File::options().write(true).open(home.path().join(name)).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

#[tokio::test]
async fn an_api_key_signs_by_tenancy_user_and_fingerprint() {
    let cloud = cloud_with(&[]).await;
    cloud.admit(&api_key_id(&OTHER_KEY), &OTHER_KEY);
    let home = Home::with_api_key();
    let oci = oci(&cloud, &home);
    assert_eq!(oci.repositories(&compartment()).await.unwrap(), []);
    let (tenancy, region) = oci.identity().await.unwrap();
    assert_eq!((tenancy.as_str(), region.as_str()), (TENANCY, "eu-milan-1"));
    let seen = &cloud.seen(REPOSITORIES)[0];
    let authorization = seen.header("authorization");
    assert_eq!(parameter(authorization, "keyId"), api_key_id(&OTHER_KEY));
    assert_eq!(parameter(authorization, "headers"), "date (request-target) host");
    assert_eq!((oci.token_expires_at(), oci.instance_compartment().await.unwrap()), (None, None));
}

#[tokio::test]
async fn a_user_asks_neither_the_metadata_nor_the_federation_service() {
    let cloud = cloud_with(&[]).await;
    cloud.admit(&api_key_id(&OTHER_KEY), &OTHER_KEY);
    let home = Home::with_api_key();
    let oci = oci(&cloud, &home);
    for _ in 0..3 {
        oci.repositories(&compartment()).await.unwrap();
        cloud.clock.advance(Duration::from_hours(24));
    }
    assert_eq!((cloud.n_seen(CERT), cloud.n_seen(FEDERATION)), (0, 0));
    assert_eq!(oci.counts().n_token_refreshes, 1);
}

#[tokio::test]
async fn a_rotated_api_key_is_found_after_a_rejection() {
    let cloud = cloud_with(&[]).await;
    cloud.admit(&api_key_id(&OTHER_KEY), &OTHER_KEY);
    let home = Home::with_api_key();
    let oci = oci(&cloud, &home);
    oci.repositories(&compartment()).await.unwrap();
    home.write("key.pem", &INSTANCE_KEY.serialize_pem());
    home.write("config", &format!("[DEFAULT]\n{}", api_key_lines(&INSTANCE_KEY)));
    cloud.dismiss(&api_key_id(&OTHER_KEY));
    cloud.admit(&api_key_id(&INSTANCE_KEY), &INSTANCE_KEY);
    oci.repositories(&compartment()).await.unwrap();
    assert_eq!(cloud.n_seen(REPOSITORIES), 3);
}

#[tokio::test]
async fn an_api_key_that_the_cloud_does_not_know_is_tried_twice_and_no_more() {
    let cloud = cloud_with(&[]).await;
    let error = oci(&cloud, &Home::with_api_key()).repositories(&compartment()).await.unwrap_err();
    assert_eq!((error.kind(), cloud.n_seen(REPOSITORIES)), (ErrorKind::Unauthenticated, 2));
}

#[tokio::test]
async fn a_profile_that_moves_to_another_tenancy_is_not_followed() {
    let cloud = cloud_with(&[]).await;
    let home = Home::with_api_key();
    let oci = oci(&cloud, &home);
    let moved = fs::read_to_string(home.config()).unwrap().replace(TENANCY, "ocid1.tenancy.oc1..other");
    home.write("config", &moved);
    let error = oci.repositories(&compartment()).await.unwrap_err();
    let text = ErrorChain(&error).to_string();
    assert!(text.contains("are of tenancy ocid1.tenancy.oc1..other"), "{text}");
    assert_eq!(cloud.n_seen(REPOSITORIES), 0);
}

#[tokio::test]
async fn a_session_token_signs_by_itself_and_ends_when_it_says() {
    let cloud = cloud_with(&[|cloud| ending(cloud, 60)]).await;
    let home = Home::with_token(&ending(&cloud, 60));
    let oci = oci(&cloud, &home);
    oci.repositories(&compartment()).await.unwrap();
    assert_eq!(oci.token_expires_at(), Some(cloud.clock.now() + TimeDelta::hours(1)));
    let seen = &cloud.seen(REPOSITORIES)[0];
    assert!(parameter(seen.header("authorization"), "keyId").starts_with("ST$canary."));
    assert_eq!(*home.read("DEFAULT").unwrap().kind(), ProfileKind::SessionToken);
}

#[tokio::test]
async fn a_token_that_was_prolonged_is_read_again_before_the_old_one_ends() {
    let cloud = cloud_with(&[|cloud| ending(cloud, 60), |cloud| ending(cloud, 115)]).await;
    let home = Home::with_token(&ending(&cloud, 60));
    let oci = oci(&cloud, &home);
    oci.repositories(&compartment()).await.unwrap();
    let old = oci.token_expires_at();
    // As `oci session refresh` does it; the file is then older than it was, which is a change too.
    home.write("token", &token(&ending(&cloud, 115)));
    touch(&home, "token", 1_000_000_000);
    oci.repositories(&compartment()).await.unwrap();
    assert_eq!(oci.token_expires_at(), old.map(|at| at + TimeDelta::minutes(55)));
    assert_eq!(cloud.n_seen(REPOSITORIES), 2);
}

#[tokio::test]
async fn a_token_is_looked_for_after_a_rejection_even_if_its_file_looks_the_same() {
    let cloud = cloud_with(&[|cloud| ending(cloud, 61)]).await;
    let home = Home::with_token(&ending(&cloud, 60));
    touch(&home, "token", 1_000_000_000);
    let oci = oci(&cloud, &home);
    oci.identity().await.unwrap();
    // The same length and the same time of change.
    home.write("token", &format!("{}\n", token(&ending(&cloud, 61))));
    touch(&home, "token", 1_000_000_000);
    oci.repositories(&compartment()).await.unwrap();
    assert_eq!(cloud.n_seen(REPOSITORIES), 2);
}

#[tokio::test]
async fn an_expired_token_names_the_commands_that_renew_it() {
    let cloud = cloud_with(&[|cloud| ending(cloud, 60)]).await;
    let home = Home::with_token(&ending(&cloud, 60));
    let oci = oci(&cloud, &home);
    oci.repositories(&compartment()).await.unwrap();
    cloud.clock.advance(Duration::from_mins(59));
    oci.repositories(&compartment()).await.unwrap();
    cloud.clock.advance(Duration::from_mins(1));
    let error = oci.repositories(&compartment()).await.unwrap_err();
    let text = ErrorChain(&error).to_string();
    assert_eq!((error.kind(), cloud.n_seen(REPOSITORIES)), (ErrorKind::SignIn, 2));
    assert!(text.contains("`oci session authenticate`") && text.contains("`oci session refresh`"), "{text}");
    assert!(text.contains("expired at") && !text.contains("canary"), "{text}");
}

#[tokio::test]
async fn a_token_file_that_is_spoilt_does_not_end_a_good_session() {
    let cloud = cloud_with(&[|cloud| ending(cloud, 60)]).await;
    let home = Home::with_token(&ending(&cloud, 60));
    let oci = oci(&cloud, &home);
    oci.repositories(&compartment()).await.unwrap();
    home.write("token", "half a tok");
    oci.repositories(&compartment()).await.unwrap();
    oci.repositories(&compartment()).await.unwrap();
    assert_eq!(oci.counts().n_token_refresh_failures, 1);
    fs::remove_file(home.path().join("token")).unwrap();
    cloud.clock.advance(Duration::from_secs(31));
    oci.repositories(&compartment()).await.unwrap();
    assert_eq!(oci.counts().n_token_refresh_failures, 1);
}

#[tokio::test]
async fn the_auth_tokens_of_a_user_are_told_without_the_tokens() {
    let cloud = Cloud::start().await;
    let route = format!("GET /20160918/users/{USER}/authTokens");
    let tokens = json!([
        {"id": "ocid1.credential.oc1..a", "token": "canary", "userId": USER, "description": "the\u{1b}[31m server",
         "timeCreated": "2026-01-02T03:04:05.678Z", "timeExpires": null, "lifecycleState": "ACTIVE"},
        {"id": "ocid1.credential.oc1..b", "userId": USER, "description": "", "inactiveStatus": 1,
         "timeCreated": "2026-02-02T00:00:00Z", "timeExpires": "2026-05-02T00:00:00Z", "lifecycleState": "INACTIVE"},
    ]);
    cloud.script(&route, [Reply::json(200, &tokens), Reply::error(404, "NotAuthorizedOrNotFound")]);
    let oci = cloud.oci();
    let user = USER.parse().unwrap();
    let found = oci.auth_tokens(&user).await.unwrap();
    let created_at = found[0].created_at.map(|at| at.to_rfc3339());
    assert_eq!(created_at.as_deref(), Some("2026-01-02T03:04:05.678+00:00"));
    assert_eq!((found[0].description.as_str(), found[0].expires_at), ("the [31m server", None));
    assert_eq!((found[1].id.as_str(), found[1].state.as_str()), ("ocid1.credential.oc1..b", "INACTIVE"));
    assert!(found[1].expires_at > found[1].created_at && !format!("{found:?}").contains("canary"));
    let error = oci.auth_tokens(&user).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::NotFound, "ListAuthTokens"));
}

/// Claims that describe `key` as the tokens of the real service do.
pub(crate) fn bound_to(key: &KeyPair) -> Value {
    // The public key in DER is the modulus of 2048 bits, and after it five bytes of exponent.
    let der = key.der_bytes();
    let n = URL_SAFE_NO_PAD.encode(&der[der.len() - 5 - 256..der.len() - 5]);
    let jwk = json!({"kty": "RSA", "kid": "x", "alg": "RS256", "use": "sig", "n": n, "e": "AQAB"});
    json!({"exp": 4_000_000_000_i64, "tenant": TENANCY, "jwk": jwk.to_string()})
}

#[test]
fn a_profile_shows_neither_key_nor_token() {
    let profile = Home::with_token(&bound_to(&OTHER_KEY)).read("DEFAULT").unwrap();
    let shown = format!("{:?}", Settings { auth: Auth::Profile(profile), ..Settings::default() });
    assert!(shown.contains(TENANCY) && !shown.contains("canary") && !shown.contains("BEGIN"), "{shown}");
}
