//! What a profile that cannot be used is told, and what is never told of it.

use std::error::Error as _;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use ocird_model::ErrorChain;
use ocird_oci::{Profile, ProfileError, ProfileKind, ProfileProblem};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::cloud::{INSTANCE_KEY, OTHER_KEY, TENANCY};
use crate::profile::{Home, USER, api_key_lines, bound_to, fingerprint, token};

/// The error of a profile whose lines are the usual ones of an API key, but for one that is replaced or dropped.
fn with(key: &str, line: Option<&str>) -> ProfileError {
    let home = Home::with_api_key();
    let lines = api_key_lines(&OTHER_KEY);
    let others = lines.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n"));
    let changed = line.map(|line| format!("{line}\n"));
    home.write("config", &format!("[DEFAULT]\n{}", others.chain(changed).collect::<String>()));
    home.read("DEFAULT").unwrap_err()
}

fn text(error: &ProfileError) -> String {
    ErrorChain(error).to_string()
}

#[test]
fn a_missing_key_is_named_with_what_belongs_there() {
    for (key, wanted) in [
        ("user", "ocid1.user..."),
        ("fingerprint", "12:34"),
        ("key_file", "private key in PEM"),
        ("tenancy", "ocid1.tenancy..."),
    ] {
        for line in [None, Some(format!("{key} ="))] {
            let told = text(&with(key, line.as_deref()));
            assert!(told.contains(&format!("`{key}` is missing")) && told.contains(wanted), "{told}");
            assert!(told.contains("profile \"DEFAULT\" of /") && told.contains("/config"), "{told}");
        }
    }
}

#[test]
fn a_wrong_value_is_named_with_its_key() {
    for (key, line, wanted) in [
        ("user", "user=ocid1.group.oc1..g", "not the OCID of a user"),
        ("tenancy", "tenancy=mytenancy", "not the OCID of a tenancy"),
        ("key_file", "key_file=/nowhere/key.pem", "`key_file` names /nowhere/key.pem, which cannot be read"),
        ("key_file", "key_file=~/config", "not a private key in PEM"),
        ("fingerprint", "fingerprint=00:11", "`fingerprint` is 00:11, but the key"),
    ] {
        let told = text(&with(key, Some(line)));
        assert!(told.contains(wanted), "{told}");
    }
}

#[test]
fn a_wrong_fingerprint_is_told_with_the_right_one() {
    let other = fingerprint(&INSTANCE_KEY);
    let error = with("fingerprint", Some(&format!("fingerprint={other}")));
    let ProfileProblem::Fingerprint { given, actual } = error.problem else { panic!("{error:?}") };
    assert_eq!((given, actual), (other, fingerprint(&OTHER_KEY)));
}

#[test]
fn a_fingerprint_may_be_in_upper_case() {
    let home = Home::with_api_key();
    let upper = fingerprint(&OTHER_KEY).to_uppercase();
    let lines = api_key_lines(&OTHER_KEY).replace(&fingerprint(&OTHER_KEY), &upper);
    home.write("config", &format!("[DEFAULT]\n{lines}"));
    assert_eq!(home.read("DEFAULT").unwrap().region(), Some("LIN"));
}

#[test]
fn a_file_and_a_profile_that_are_not_there_are_told_apart() {
    let home = Home::new();
    let missing = home.read("DEFAULT").unwrap_err();
    assert!(text(&missing).contains("`oci setup config` makes one"), "{}", text(&missing));
    home.write("config", "[a]\n[b]\n");
    let told = text(&home.read("prod").unwrap_err());
    assert!(told.contains(r#"profile "prod""#) && told.contains(r#"the file has "a", "b""#), "{told}");
}

#[test]
fn a_profile_inherits_what_it_does_not_have_itself() {
    let home = Home::with_api_key();
    let default = fs::read_to_string(home.config()).unwrap();
    home.write("config", &format!("[prod]\nregion=fra\n{default}"));
    let profile = home.read("prod").unwrap();
    assert_eq!((profile.name(), profile.region()), ("prod", Some("fra")));
    assert_eq!(*profile.kind(), ProfileKind::ApiKey { user: USER.parse().unwrap() });
}

#[test]
fn an_inherited_token_does_not_make_a_session_of_a_profile_with_its_own_user() {
    let home = Home::with_token(&bound_to(&OTHER_KEY));
    let default = fs::read_to_string(home.config()).unwrap();
    home.write("config", &format!("{default}[user]\nuser={USER}\n[inherits]\nregion=fra\n"));
    assert_eq!(*home.read("user").unwrap().kind(), ProfileKind::ApiKey { user: USER.parse().unwrap() });
    assert_eq!(*home.read("inherits").unwrap().kind(), ProfileKind::SessionToken);
}

#[test]
fn the_home_directory_is_the_callers_to_say() {
    let home = Home::with_api_key();
    let error = Profile::read(&home.config(), "DEFAULT", None).unwrap_err();
    assert!(matches!(error.problem, ProfileProblem::NoHome { key: "key_file" }));
    let whole = fs::read_to_string(home.config()).unwrap().replace('~', home.path().to_str().unwrap());
    home.write("config", &whole);
    assert!(Profile::read(&home.config(), "DEFAULT", None).is_ok());
}

#[test]
fn a_longer_key_is_as_good() {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072).unwrap();
    let home = Home::new();
    home.write("key.pem", &key.serialize_pem());
    home.write("config", &format!("[DEFAULT]\n{}", api_key_lines(&key)));
    assert_eq!(home.read("DEFAULT").unwrap().tenancy().as_str(), TENANCY);
}

#[test]
fn an_encrypted_key_needs_its_pass_phrase_and_shows_none() {
    let home = Home::with_api_key();
    let sealed = include_str!("../../src/key/samples/pbkdf2_sha256_aes256.txt");
    let label = "ENCRYPTED PRIVATE KEY";
    home.write("key.pem", &format!("-----BEGIN {label}-----\n{sealed}-----END {label}-----\n"));
    let lines = api_key_lines(&OTHER_KEY);
    let lines = lines.replace(&fingerprint(&OTHER_KEY), "5d:f1:58:8a:c9:6f:b2:3e:93:bc:5f:f9:56:25:d8:ae");
    for (phrase, wanted) in [("", "umask 077"), ("canary-other", "the pass phrase does not open it")] {
        home.write("config", &format!("[DEFAULT]\n{lines}pass_phrase={phrase}\n"));
        let error = home.read("DEFAULT").unwrap_err();
        assert!(text(&error).contains(wanted), "{}", text(&error));
        assert!(!format!("{error:?} {}", text(&error)).contains("canary"), "{error:?}");
    }
    home.write("config", &format!("[DEFAULT]\n{lines}pass_phrase=canary-phrase\n"));
    let profile = home.read("DEFAULT").unwrap();
    assert!(!format!("{profile:?}").contains("canary"));
}

#[test]
fn a_token_has_to_fit_its_profile() {
    let other_tenancy = json!({"exp": 4_000_000_000_i64, "tenant": "ocid1.tenancy.oc1..other"});
    for (written, wanted) in [
        (token(&bound_to(&INSTANCE_KEY)), "belongs to another key"),
        (token(&other_tenancy), "the session token is of ocid1.tenancy.oc1..other"),
        (token(&json!({})), "no sound `exp`"),
        ("canary".to_owned(), "holds no token"),
        (String::new(), "`oci session authenticate`"),
    ] {
        let home = Home::with_token(&bound_to(&OTHER_KEY));
        assert!(home.read("DEFAULT").is_ok());
        home.write("token", &written);
        let error = home.read("DEFAULT").unwrap_err();
        assert!(text(&error).contains(wanted), "{}", text(&error));
        assert!(!format!("{error:?} {}", text(&error)).contains("canary"), "{error:?}");
    }
}

#[test]
fn a_token_file_that_is_not_there_is_named() {
    let home = Home::with_token(&bound_to(&OTHER_KEY));
    fs::remove_file(home.path().join("token")).unwrap();
    let error = home.read("DEFAULT").unwrap_err();
    assert!(text(&error).contains("`security_token_file` names /"), "{}", text(&error));
    assert!(error.source().and_then(|problem| problem.source()).is_some());
}

#[test]
fn a_key_that_others_may_read_is_warned_of() {
    for (mode, n_warnings) in [(0o600, 0), (0o400, 0), (0o640, 1), (0o644, 1)] {
        let home = Home::with_api_key();
        let key = home.path().join("key.pem");
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let warnings = Warnings::default();
        tracing::subscriber::with_default(warnings.clone(), || home.read("DEFAULT").unwrap());
        let told = warnings.0.lock().unwrap();
        assert_eq!(told.len(), n_warnings, "{mode:o} {told:?}");
        assert!(told.iter().all(|text| text.contains("key.pem") && text.contains("chmod 600")), "{told:?}");
    }
}

/// Keeps what is logged as a warning.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
