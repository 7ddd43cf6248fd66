//! The registry: the token endpoint and, but for pushes of layers, the distribution API, version 2.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>,
//! <https://docs.oracle.com/en-us/iaas/api/#/en/container-registry/20180419/AccessToken/GetAccessToken>
//!
//! Of pushes only that of a manifest under a tag: images come into the tenancy by its own methods. No anonymous pulls,
//! even from public repositories: ocird never makes one.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use ocird_model::{Digest, Namespace, RepositoryName};
use serde_json::json;

use super::caller::Caller;
use super::cloud::Cloud;
use super::gate::{Proof, gated, pass_as};
use super::refusal::Refusal;
use crate::fault::Operation;
use crate::registry::Reference;
use crate::view::ManifestView;

/// The header that names a manifest by what it is, whatever it was asked for by.
const CONTENT_DIGEST: &str = "docker-content-digest";
/// The media types of an index; whoever does not accept one of them is told that there is no manifest.
const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// The token endpoint and everything below `/v2/`.
pub(super) fn routes(cloud: &Arc<Cloud>) -> Router<Arc<Cloud>> {
    let token = gated(cloud, Operation::DockerToken, Proof::SignatureOrBasic, get(token));
    let v2 = Router::new()
        .route("/v2", get(base))
        .route("/v2/", get(base))
        .route("/v2/{*path}", get(read).put(write).layer(from_fn_with_state(Arc::clone(cloud), gate)))
        .route_layer(from_fn(in_its_own_words));
    Router::new().route("/20180419/docker/token", token).merge(v2)
}

/// `GetAccessToken`: snake case, unlike every other operation of the cloud.
async fn token(State(cloud): State<Arc<Cloud>>, Extension(Caller(holder)): Extension<Caller>) -> Response {
    let lifetime = cloud.options().registry_token_lifetime;
    let token = cloud.issuer().registry(&holder, cloud.now(), lifetime);
    Json(json!({
        "token": token,
        "access_token": token,
        "scope": "",
        "expires_in": lifetime.num_seconds(),
    }))
    .into_response()
}

/// What is asked for below `/v2/`. Names of repositories hold slashes, so that a path is read from its end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    namespace: Namespace,
    repository: RepositoryName,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// A manifest by tag or digest.
    Manifest(Reference),
    /// A layer or a configuration.
    Blob(Digest),
    /// All tags.
    Tags,
}

impl Wanted {
    fn read(path: &str) -> Option<Self> {
        let mut from_end = path.strip_prefix("/v2/")?.rsplitn(3, '/');
        let (last, kind, image) = (from_end.next()?, from_end.next()?, from_end.next()?);
        let what = match (kind, last) {
            ("manifests", reference) => What::Manifest(reference.parse().ok()?),
            ("blobs", digest) => What::Blob(digest.parse().ok()?),
            ("tags", "list") => What::Tags,
            _ => return None,
        };
        let (namespace, repository) = image.split_once('/')?;
        Some(Self { namespace: namespace.parse().ok()?, repository: repository.parse().ok()?, what })
    }

    fn operation(&self, method: &Method) -> Operation {
        match self.what {
            What::Manifest(_) if method == Method::PUT => Operation::PutManifest,
            What::Manifest(_) => Operation::GetManifest,
            What::Blob(_) => Operation::GetBlob,
            What::Tags => Operation::ListTags,
        }
    }
}

/// The gate of whatever operation the path turns out to be.
async fn gate(State(cloud): State<Arc<Cloud>>, mut request: Request, next: Next) -> Response {
    let Some(wanted) = Wanted::read(request.uri().path()) else {
        return Refusal::new(StatusCode::NOT_FOUND, "NAME_INVALID", "There is no such path.").into_response();
    };
    let operation = wanted.operation(request.method());
    request.extensions_mut().insert(wanted);
    pass_as(&cloud, operation, Proof::Bearer, request, next).await
}

/// The root: says by its challenge where tokens are. No operation of the cloud's, so neither counted nor open to faults.
async fn base(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
) -> Result<Json<serde_json::Value>, Refusal> {
    Caller::by_bearer(&cloud, &headers)?;
    Ok(Json(json!({})))
}

async fn read(
    State(cloud): State<Arc<Cloud>>,
    Extension(wanted): Extension<Wanted>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let tenancy = cloud.tenancy();
    let Wanted { namespace, repository, what } = &wanted;
    if !tenancy.iam().permits(wanted.operation(&method), Some(repository)) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "DENIED", "denied: no permission to read"));
    }
    if *namespace != tenancy.settings().namespace {
        return Err(Refusal::not_authorized_or_not_found());
    }
    match what {
        What::Manifest(reference) => {
            // Looked at first as a HEAD does: what is not sent must not count as a pull.
            let seen = tenancy.manifest_head(repository, reference)?;
            check_accepted(&seen, &headers)?;
            Ok(manifest(&if method == Method::HEAD {
                seen
            } else {
                tenancy.manifest(repository, reference)?
            }))
        }
        What::Blob(digest) => {
            let bytes = tenancy.blob(repository, digest)?;
            let headers = [
                (header::CONTENT_TYPE.as_str(), "application/octet-stream".to_owned()),
                (CONTENT_DIGEST, digest.to_string()),
            ];
            Ok((headers, bytes.to_vec()).into_response())
        }
        What::Tags => {
            let tags = tenancy.list_tags(repository)?;
            Ok(Json(json!({ "name": format!("{namespace}/{repository}"), "tags": tags })).into_response())
        }
    }
}

/// The push of a manifest by tag. Layers cannot be pushed: whatever the manifest names is there already.
async fn write(
    State(cloud): State<Arc<Cloud>>,
    Extension(wanted): Extension<Wanted>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let tenancy = cloud.tenancy();
    let Wanted { namespace, repository, what } = &wanted;
    if !tenancy.iam().permits(Operation::PutManifest, Some(repository)) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "DENIED", "denied: no permission to push"));
    }
    let What::Manifest(Reference::Tag(tag)) = what else {
        return Err(Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "UNSUPPORTED",
            "Only tags are pushed here.",
        ));
    };
    if *namespace != tenancy.settings().namespace {
        return Err(Refusal::not_authorized_or_not_found());
    }
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let digest = tenancy.put_tag(repository, tag, media_type.unwrap_or_default(), &body)?;
    let headers = [
        (header::LOCATION.as_str(), format!("/v2/{namespace}/{repository}/manifests/{digest}")),
        (CONTENT_DIGEST, digest.to_string()),
    ];
    Ok((StatusCode::CREATED, headers).into_response())
}

fn check_accepted(view: &ManifestView, headers: &HeaderMap) -> Result<(), Refusal> {
    if INDEX_TYPES.contains(&&*view.media_type) && !accepts(headers, &view.media_type) {
        let message = format!("The manifest is a {} and was not accepted as one.", view.media_type);
        return Err(Refusal::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message));
    }
    Ok(())
}

fn manifest(view: &ManifestView) -> Response {
    let headers = [
        (header::CONTENT_TYPE.as_str(), view.media_type.to_string()),
        (CONTENT_DIGEST, view.digest.to_string()),
    ];
    (headers, view.bytes.to_vec()).into_response()
}

/// True when one of the `Accept` headers names the media type itself or anything at all.
fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| matches!(range.trim(), "*/*" | "application/*") || range.trim() == media_type)
}

/// Puts refusals into the registry's own shape, and the challenge beside a 401. The host is the one that was called.
async fn in_its_own_words(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.unwrap_or_default().to_owned();
    let response = next.run(request).await;
    let Some(refusal) = response.extensions().get::<Refusal>() else {
        return response;
    };
    let mut answer = refusal.as_registry_error();
    if answer.status() == StatusCode::UNAUTHORIZED {
        let challenge =
            format!(r#"Bearer realm="http://{host}/20180419/docker/token",service="{host}",scope="""#);
        let challenge =
            HeaderValue::try_from(challenge).expect("a host that came in a header can go out in one");
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_from_its_end() {
        let wanted = Wanted::read("/v2/ns/team/app/manifests/manifests").unwrap();
        assert_eq!(wanted.repository.as_str(), "team/app");
        assert_eq!(wanted.what, What::Manifest("manifests".parse().unwrap()));
        let tags = Wanted::read("/v2/ns/blobs/tags/list").unwrap();
        assert_eq!((tags.repository.as_str(), tags.what), ("blobs", What::Tags));
        for path in ["/v2/ns/manifests/v1", "/v2/ns/app/uploads/x", "/v2/ns/app/tags/all", "/v2/_catalog"] {
            assert_eq!(Wanted::read(path), None, "{path}");
        }
    }

    #[test]
    fn an_index_is_accepted_by_its_name_or_by_anything() {
        let index = INDEX_TYPES[0];
        let with = |accept: &str| HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
        assert!(accepts(&with(&format!("application/json, {index};q=0.5")), index));
        assert!(accepts(&with("*/*"), index));
        assert!(!accepts(&with("application/vnd.oci.image.manifest.v1+json"), index));
        assert!(!accepts(&HeaderMap::new(), index));
    }
}
