//! How a Kubernetes API is reached: from inside the cluster, or by a kubeconfig. Tokens, token files and client certificates;
//! programs that a kubeconfig wants run are refused, and so is whatever would weaken the connection.
//! <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Identity};

use crate::client::{self, ClientError};
use crate::config::{KubernetesAccess, compose_variable};
use crate::yaml::{Fault, Node};

/// Where every pod finds its service account.
/// <https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/>
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What a kubeconfig may not ask of us, and why.
const REFUSED: [(&str, &str); 8] = [
    ("exec", "ocird runs no program of a kubeconfig; give it a token or a client certificate"),
    ("auth-provider", "auth providers are gone from Kubernetes; give it a token or a client certificate"),
    ("username", "Kubernetes takes no passwords any more; give it a token or a client certificate"),
    ("as", "ocird asks as itself; give it a role of its own"),
    ("insecure-skip-tls-verify", "whoever stands in between could say that nothing runs"),
    ("tls-server-name", "the server must be called by the name in its certificate"),
    ("proxy-url", "the server is asked without a proxy"),
    ("disable-compression", "this key is not understood"),
];

/// Why a cluster cannot be reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    /// Not inside a cluster.
    #[error("this is no pod of a cluster: KUBERNETES_SERVICE_HOST is not set; give a kubeconfig")]
    NoCluster,
    /// The kubeconfig is wrong.
    #[error(transparent)]
    Kubeconfig(Fault),
    /// The client cannot be made.
    #[error("the client cannot be made")]
    Client(#[from] ClientError),
}

/// A cluster that can be asked.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) client: Client,
    /// The base URL.
    pub(crate) server: String,
}

/// Makes ready to ask a cluster. Read anew for every question: the token of a pod lives an hour.
pub(crate) async fn reach(access: &KubernetesAccess) -> Result<Cluster, AccessError> {
    match access {
        KubernetesAccess::InCluster => inside(Path::new(SERVICE_ACCOUNT)).await,
        KubernetesAccess::Kubeconfig { path, context } => by_kubeconfig(path, context.as_deref()).await,
    }
}

async fn inside(account: &Path) -> Result<Cluster, AccessError> {
    let variable = |name| compose_variable(name).filter(|value| !value.is_empty());
    let host = variable("KUBERNETES_SERVICE_HOST").ok_or(AccessError::NoCluster)?;
    let port = variable("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".to_owned());
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let server = format!("https://{host}:{port}");
    let (token, ca) = (account.join("token"), account.join("ca.crt"));
    let client = client::to_server(&server, Some(&token), Some(&ca)).await?;
    Ok(Cluster { client, server })
}

async fn by_kubeconfig(path: &Path, context: Option<&str>) -> Result<Cluster, AccessError> {
    let file = Kubeconfig::read(path).map_err(AccessError::Kubeconfig)?;
    let Chosen { server, cluster, user } = file.choose(context).map_err(AccessError::Kubeconfig)?;
    let mut builder = client::builder();
    if let Some(pem) = file.bytes(&cluster, "certificate-authority").await? {
        builder = builder.tls_certs_only(client::authorities(&pem)?);
    } else if server.starts_with("http://") {
        builder = builder.tls_certs_only([]);
    }
    if let Some(mut pem) = file.bytes(&user, "client-certificate").await? {
        pem.push(b'\n');
        pem.extend(file.bytes(&user, "client-key").await?.unwrap_or_default());
        let identity = Identity::from_pem(&pem);
        let unusable = |error: reqwest::Error| ClientError::unusable("the client certificate")(error.into());
        builder = builder.identity(identity.map_err(unusable)?);
    }
    if let Some(token) = file.token(&user).await? {
        builder = builder.default_headers(client::bearer(&token)?);
    }
    let client = builder.build().map_err(ClientError::Build)?;
    Ok(Cluster { client, server })
}

/// A kubeconfig.
struct Kubeconfig {
    path: PathBuf,
    root: std::sync::Arc<Node>,
}

/// What one context names.
struct Chosen {
    server: String,
    cluster: std::sync::Arc<Node>,
    user: std::sync::Arc<Node>,
}

impl Kubeconfig {
    fn read(path: &Path) -> Result<Self, Fault> {
        Ok(Self { path: path.to_owned(), root: Node::read(path)? })
    }

    fn fault(&self, node: &Node, what: impl Into<String>) -> Fault {
        Fault { file: self.path.clone(), line: node.line, what: what.into() }
    }

    /// Cluster and user of a context, the current one if none is named.
    fn choose(&self, context: Option<&str>) -> Result<Chosen, Fault> {
        let current = self.root.get("current-context");
        let current = current.as_ref().and_then(|node| node.text());
        let name = context.or(current).ok_or_else(|| self.fault(&self.root, "it has no current-context"))?;
        let context = self.named("contexts", name, "context")?;
        let of_context = |key: &str| {
            let node = context.get(key);
            let found = node.as_ref().and_then(|node| node.text()).map(str::to_owned);
            found.ok_or_else(|| self.fault(&context, format!("context {name:?} names no {key}")))
        };
        let cluster = self.named("clusters", &of_context("cluster")?, "cluster")?;
        let user = self.named("users", &of_context("user")?, "user")?;
        for node in [&cluster, &user] {
            self.refuse(node)?;
        }
        let server = cluster.get("server").and_then(|node| node.text().map(str::to_owned));
        let server = server.ok_or_else(|| self.fault(&cluster, "the cluster has no server"))?;
        let server = server.trim_end_matches('/').to_owned();
        let is_loopback = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
        if !server.starts_with("https://") && !is_loopback.iter().any(|start| server.starts_with(start)) {
            return Err(
                self.fault(&cluster, "the server must be https; plain http is for loopback addresses")
            );
        }
        Ok(Chosen { server, cluster, user })
    }

    fn refuse(&self, node: &Node) -> Result<(), Fault> {
        for (key, why) in REFUSED {
            let is_off = |value: &Node| value.text().is_none_or(|text| ["false", ""].contains(&text));
            match node.get(key) {
                Some(value) if key == "exec" || !is_off(&value) || !value.entries().is_empty() => {
                    return Err(self.fault(&value, format!("{key}: {why}")));
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// The entry of a list by its name, as `clusters` has `{name, cluster}`.
    fn named(&self, list: &str, name: &str, key: &str) -> Result<std::sync::Arc<Node>, Fault> {
        let items = self.root.get(list).map(|list| list.items()).unwrap_or_default();
        let is_it =
            |item: &std::sync::Arc<Node>| item.get("name").is_some_and(|node| node.text() == Some(name));
        let item = items.into_iter().find(is_it);
        let found = item.and_then(|item| item.get(key));
        found.ok_or_else(|| self.fault(&self.root, format!("it has no {key} named {name:?}")))
    }

    /// What a key holds in itself as `KEY-data`, or in a file; a path counts from the directory of the kubeconfig.
    async fn bytes(&self, node: &Node, key: &str) -> Result<Option<Vec<u8>>, AccessError> {
        let data = node.get(&format!("{key}-data"));
        if let Some(data) = data.as_ref().and_then(|data| data.text()) {
            let unusable = |error: base64::DecodeError| ClientError::unusable("a -data key")(error.into());
            return Ok(Some(STANDARD.decode(data.trim()).map_err(unusable)?));
        }
        match node.get(key).as_ref().and_then(|path| path.text()) {
            Some(path) => Ok(Some(client::read(&self.directory().join(path)).await?)),
            None => Ok(None),
        }
    }

    async fn token(&self, user: &Node) -> Result<Option<String>, AccessError> {
        let file = user.get("tokenFile");
        if let Some(path) = file.as_ref().and_then(|path| path.text()) {
            let token = client::read(&self.directory().join(path)).await?;
            return Ok(Some(String::from_utf8_lossy(&token).into_owned()));
        }
        Ok(user.get("token").and_then(|token| token.text().map(str::to_owned)))
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- {{name: c, context: {{cluster: k, user: u}}}}\n\
             clusters:\n- {{name: k, cluster: {{{cluster}}}}}\nusers:\n- {{name: u, user: {{{user}}}}}\n"
        )
    }

    async fn reached(text: &str, context: Option<&str>) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config");
        std::fs::write(&path, text).unwrap();
        std::fs::write(directory.path().join("token"), "secret\n").unwrap();
        let reached = by_kubeconfig(&path, context).await;
        let root = format!("{}/", directory.path().display());
        reached
            .map(|cluster| cluster.server)
            .map_err(|error| ocird_model::ErrorChain(&error).to_string().replace(&root, ""))
    }

    #[tokio::test]
    async fn tokens_and_token_files_are_taken() {
        for user in ["token: secret", "tokenFile: token"] {
            let server = "server: \"http://127.0.0.1:1/\"";
            assert_eq!(reached(&config(server, user), None).await.as_deref(), Ok("http://127.0.0.1:1"));
        }
    }

    #[tokio::test]
    async fn what_would_run_a_program_or_weaken_the_connection_is_refused() {
        let good = "server: \"http://127.0.0.1:1\"";
        let cases = [
            (good, "exec: {command: aws}", "exec: ocird runs no program"),
            (good, "exec:", "exec: ocird runs no program"),
            (good, "username: a, password: b", "username: "),
            (good, "auth-provider: {name: gcp}", "auth-provider: "),
            (
                "server: \"https://k\", insecure-skip-tls-verify: true",
                "token: x",
                "insecure-skip-tls-verify: ",
            ),
            ("server: \"http://k\"", "token: x", "must be https"),
            ("server: \"https://k\", certificate-authority: gone.pem", "token: x", "cannot read gone.pem"),
            (
                "server: \"https://k\", certificate-authority-data: \"!\"",
                "token: x",
                "a -data key is not usable",
            ),
            ("namespace: x", "token: x", "the cluster has no server"),
        ];
        for (cluster, user, expected) in cases {
            let error = reached(&config(cluster, user), None).await.unwrap_err();
            assert!(error.contains(expected), "{cluster} {user}: {error}");
        }
        let error = reached(&config(good, "token: x"), Some("other")).await.unwrap_err();
        assert!(error.contains("no context named \"other\""), "{error}");
    }
}
