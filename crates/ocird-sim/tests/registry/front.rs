//! What stands before a registry that is not Oracle's: Oracle's hands out its own tokens under the same name, and every
//! service there goes by the same clock.
//!
//! Whatever else is asked is somebody else's to answer: a real registry's, or a liar's.

use std::net::Ipv4Addr;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use ocird_sim::Tenancy;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running front. Stops when dropped.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) url: String,
    server: JoinHandle<()>,
}

impl Front {
    /// Before a real registry, to which everything but the token goes on as it came.
    pub(crate) async fn before(tenancy: &Tenancy, registry: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let registry = registry.to_owned();
        let forward = move |request: Request| forwarded(http.clone(), registry.clone(), request);
        Self::serve(tenancy, Router::new().fallback(forward)).await
    }

    /// Before a registry that says this to everything.
    pub(crate) async fn saying(tenancy: &Tenancy, media_type: &'static str, bytes: Bytes) -> Self {
        let say = async move || ([(header::CONTENT_TYPE, media_type)], bytes).into_response();
        Self::serve(tenancy, Router::new().fallback(say)).await
    }

    async fn serve(tenancy: &Tenancy, registry: Router) -> Self {
        let token = json!({"token": "any", "access_token": "any", "scope": "", "expires_in": 3600});
        let tenancy = tenancy.clone();
        let router = registry
            .route("/20180419/docker/token", get(async move || Json(token)))
            .layer(from_fn(move |request: Request, next: Next| dated(tenancy.clone(), request, next)));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, server }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn forwarded(http: reqwest::Client, registry: String, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let mut headers = parts.headers;
    headers.remove(header::HOST);
    let asked = http.request(parts.method, format!("{registry}{}", parts.uri)).headers(headers).send();
    let Ok(answer) = asked.await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = Response::new(Body::from(answer.bytes().await.unwrap_or_default()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Puts the tenancy's date on an answer: by any other the daemon would have to believe its own clock to be wrong (S-9).
async fn dated(tenancy: Tenancy, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let date = tenancy.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    response.headers_mut().insert(header::DATE, HeaderValue::try_from(date).unwrap());
    response
}
