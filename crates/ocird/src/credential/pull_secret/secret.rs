//! A pull secret on paper: a registry token as `kubernetes.io/dockerconfigjson`, with who made it and when it ends. Pure:
//! nothing here signs in, asks a cluster or reads the time.
//! <https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets>

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use ocird_oci::RegistryLogin;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::{NamespaceName, SecretName};

/// The label by which people and tools find what a program keeps.
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/>
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Its value, and the name under which fields are owned in a cluster.
pub(super) const MANAGER: &str = "ocird";
/// The annotation with the program and version that made the secret.
const MADE_BY: &str = "ocird/made-by";
/// The annotation with the time at which its token was asked for.
const MADE_AT: &str = "ocird/made-at";
/// The annotation with the time at which its token ends.
const EXPIRES_AT: &str = "ocird/expires-at";

/// So many characters of a secret in a row are no coincidence.
const TELLING: usize = 12;

/// The pull secret of one token, for any namespace.
#[derive(Debug)]
pub(crate) struct PullSecret {
    name: SecretName,
    /// The password, and what becomes of it beside the user's name: neither may be seen in what others say.
    telling: [SecretString; 2],
    /// The file `config.json` that `docker login` would write, in base64.
    data: SecretString,
    made_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// One secret as the API takes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    r#type: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
    namespace: &'a str,
    labels: BTreeMap<&'static str, &'static str>,
    annotations: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(rename = ".dockerconfigjson")]
    docker_config: &'a str,
}

/// Several of them in one document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<Manifest<'a>>,
}

/// Docker's `config.json`, as far as a pull reads it.
#[derive(Serialize)]
struct DockerConfig<'a> {
    auths: BTreeMap<&'a str, Login<'a>>,
}

#[derive(Serialize)]
struct Login<'a> {
    username: &'static str,
    password: &'a str,
    auth: &'a str,
}

impl PullSecret {
    /// Of a login that was asked for at `made_at`, for a registry of these names.
    pub(crate) fn new(
        name: SecretName,
        hosts: &BTreeSet<String>,
        login: &RegistryLogin,
        made_at: DateTime<Utc>,
    ) -> Self {
        let RegistryLogin { password, expires_at } = login;
        let plain = password.expose_secret();
        let auth = STANDARD.encode(format!("{}:{plain}", RegistryLogin::USER));
        let of_host = |host| (host, Login { username: RegistryLogin::USER, password: plain, auth: &auth });
        let config = DockerConfig { auths: hosts.iter().map(|host| of_host(host.as_str())).collect() };
        let data = STANDARD.encode(serde_json::to_vec(&config).expect("a table of texts is JSON"));
        Self {
            name,
            telling: [password.clone(), auth.into()],
            data: data.into(),
            made_at,
            expires_at: *expires_at,
        }
    }

    /// The name of the secret in each namespace.
    pub(crate) const fn name(&self) -> &SecretName {
        &self.name
    }

    /// When its token was asked for.
    pub(crate) const fn made_at(&self) -> DateTime<Utc> {
        self.made_at
    }

    /// When its token ends.
    pub(crate) const fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// How long its token lives in all.
    pub(crate) fn life(&self) -> TimeDelta {
        self.expires_at - self.made_at
    }

    /// Whether a text repeats a part of the token: what a server says of a request may quote it.
    pub(crate) fn is_repeated_in(&self, text: &str) -> bool {
        let secrets = self.telling.iter().chain([&self.data]);
        let of = |secret: &SecretString| {
            let secret = secret.expose_secret();
            let mut parts =
                text.as_bytes().windows(TELLING).filter_map(|part| std::str::from_utf8(part).ok());
            parts.any(|part| secret.contains(part))
        };
        secrets.into_iter().any(of)
    }

    /// The secret for one namespace, as the body of a request. The token is in it.
    pub(super) fn body(&self, namespace: &NamespaceName) -> Vec<u8> {
        serde_json::to_vec(&self.manifest(namespace)).expect("a table of texts is JSON")
    }

    /// The secrets for these namespaces as one JSON document, for `kubectl apply`. The token is in it.
    pub(crate) fn json(&self, namespaces: &BTreeSet<NamespaceName>) -> String {
        let items = namespaces.iter().map(|namespace| self.manifest(namespace)).collect();
        let list = List { api_version: "v1", kind: "List", items };
        crate::json::document(&list).expect("a table of texts is JSON")
    }

    /// The same as YAML. The token is in it.
    pub(crate) fn yaml(&self, namespaces: &BTreeSet<NamespaceName>) -> String {
        let mut text = "apiVersion: v1\nkind: List\nitems:\n".to_owned();
        for namespace in namespaces {
            self.write_yaml(namespace, &mut text).expect("a string takes everything");
        }
        text
    }

    /// One item. Every text is written as JSON writes it, which is YAML with nothing left to guess.
    fn write_yaml(&self, namespace: &NamespaceName, text: &mut String) -> std::fmt::Result {
        let Manifest { api_version, kind, metadata, r#type, data } = self.manifest(namespace);
        let Metadata { name, namespace, labels, annotations } = metadata;
        let quoted = |text: &str| serde_json::to_string(text).expect("a text is JSON");
        writeln!(text, "- apiVersion: {api_version}\n  kind: {kind}\n  type: {type}\n  metadata:")?;
        writeln!(text, "    name: {}\n    namespace: {}\n    labels:", quoted(name), quoted(namespace))?;
        for (key, value) in labels {
            writeln!(text, "      {key}: {}", quoted(value))?;
        }
        writeln!(text, "    annotations:")?;
        for (key, value) in annotations {
            writeln!(text, "      {key}: {}", quoted(&value))?;
        }
        writeln!(text, "  data:\n    .dockerconfigjson: {}", quoted(data.docker_config))
    }

    fn manifest<'a>(&'a self, namespace: &'a NamespaceName) -> Manifest<'a> {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let annotations = BTreeMap::from([
            (MADE_BY, format!("{MANAGER} {}", env!("CARGO_PKG_VERSION"))),
            (MADE_AT, time(self.made_at)),
            (EXPIRES_AT, time(self.expires_at)),
        ]);
        Manifest {
            api_version: "v1",
            kind: "Secret",
            metadata: Metadata {
                name: self.name.as_str(),
                namespace: namespace.as_str(),
                labels: BTreeMap::from([(MANAGED_BY, MANAGER)]),
                annotations,
            },
            r#type: "kubernetes.io/dockerconfigjson",
            data: Data { docker_config: self.data.expose_secret() },
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::yaml::Node;

    pub(crate) const TOKEN: &str = "canary-of-a-registry-token";

    pub(crate) fn namespaces(names: &[&str]) -> BTreeSet<NamespaceName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    /// A secret of an hour that was made so many minutes after noon.
    pub(crate) fn made(minutes: i64) -> PullSecret {
        let made_at = "2026-11-21T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes);
        let login =
            RegistryLogin { password: TOKEN.to_owned().into(), expires_at: made_at + TimeDelta::hours(1) };
        let hosts = ["fra.ocir.io", "ocir.eu-frankfurt-1.oci.oraclecloud.com"].map(str::to_owned);
        PullSecret::new("ocir".parse().unwrap(), &hosts.into(), &login, made_at)
    }

    fn docker_config(secret: &Value) -> Value {
        let data = STANDARD.decode(secret["data"][".dockerconfigjson"].as_str().unwrap()).unwrap();
        serde_json::from_slice(&data).unwrap()
    }

    #[test]
    fn a_secret_says_what_it_is_who_made_it_and_when_it_ends() {
        let body: Value = serde_json::from_slice(&made(0).body(&"prod".parse().unwrap())).unwrap();
        let login = json!({"username": "BEARER_TOKEN", "password": TOKEN, "auth": STANDARD.encode(format!("BEARER_TOKEN:{TOKEN}"))});
        assert_eq!(
            docker_config(&body),
            json!({"auths": {"fra.ocir.io": login, "ocir.eu-frankfurt-1.oci.oraclecloud.com": login}})
        );
        let mut rest = body;
        rest["data"] = json!(null);
        assert_eq!(
            rest,
            json!({
                "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "data": null,
                "metadata": {
                    "name": "ocir", "namespace": "prod", "labels": {"app.kubernetes.io/managed-by": "ocird"},
                    "annotations": {
                        "ocird/made-by": format!("ocird {}", env!("CARGO_PKG_VERSION")),
                        "ocird/made-at": "2026-11-21T12:00:00Z", "ocird/expires-at": "2026-11-21T13:00:00Z"
                    }
                }
            })
        );
    }

    #[test]
    fn json_and_yaml_say_the_same_of_every_namespace() {
        let (secret, namespaces) = (made(0), namespaces(&["prod", "dev"]));
        let json: Value = serde_json::from_str(&secret.json(&namespaces)).unwrap();
        let yaml = Node::parse(&secret.yaml(&namespaces)).unwrap();
        assert_eq!((json["kind"].as_str(), yaml.get("kind").unwrap().text()), (Some("List"), Some("List")));
        let items = yaml.get("items").unwrap().items();
        let named: Vec<&str> = json["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["metadata"]["namespace"].as_str().unwrap())
            .collect();
        assert_eq!((named.as_slice(), items.len()), (&["dev", "prod"][..], 2));
        for (yaml, json) in items.iter().zip(json["items"].as_array().unwrap()) {
            same(yaml, json);
        }
    }

    /// Every value of the JSON stands in the YAML at the same place.
    fn same(yaml: &Node, json: &Value) {
        match json {
            Value::Object(fields) => {
                assert_eq!(yaml.entries().len(), fields.len(), "{json}");
                fields.iter().for_each(|(key, value)| same(&yaml.get(key).unwrap(), value));
            }
            other => assert_eq!(yaml.text(), other.as_str()),
        }
    }

    #[test]
    fn a_token_shows_in_no_debug_and_is_known_in_what_others_say() {
        let secret = made(0);
        assert!(!format!("{secret:?}").contains("canary"));
        let body = String::from_utf8(secret.body(&"prod".parse().unwrap())).unwrap();
        for text in [TOKEN, &format!("Invalid value: {}", &TOKEN[3..17]), &body[body.len() - 40..]] {
            assert!(secret.is_repeated_in(text), "{text}");
        }
        for text in
            ["", "short", "secrets \"ocir\" is forbidden: User \"x\" cannot patch resource \"secrets\""]
        {
            assert!(!secret.is_repeated_in(text), "{text}");
        }
    }
}
