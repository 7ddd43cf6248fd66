//! The server: one listener on loopback with every path of every service, which is how the official clients' own
//! options can point all of them at it.
//!
//! Plain http: what TLS would add is not ours to test.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cloud::{Cloud, Options};
use super::gate::{CloseInstead, Proof, envelope, gated};
use super::refusal::Refusal;
use super::requests::Requests;
use super::{artifacts, federation, metadata, record, registry};
use crate::Tenancy;
use crate::fault::Operation;

/// A running HTTP face of a tenancy. Stops when dropped.
#[derive(Debug)]
pub struct Server {
    pub(super) cloud: Arc<Cloud>,
    stop: CancellationToken,
    connections: TaskTracker,
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed by a fault")]
struct ClosedByFault;

impl Server {
    /// Starts to serve the tenancy on a free port of 127.0.0.1. Makes four RSA keys, which takes a moment. Must be
    /// called within a tokio runtime.
    pub fn start(tenancy: Tenancy, options: Options) -> io::Result<Self> {
        Self::start_at(tenancy, options, (Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Starts to serve the tenancy on an address of one's own choosing.
    pub fn start_at(tenancy: Tenancy, options: Options, address: SocketAddr) -> io::Result<Self> {
        let listener = StdListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?.to_string();
        let server = Self {
            cloud: Arc::new(Cloud::new(tenancy, options, address)),
            stop: CancellationToken::new(),
            connections: TaskTracker::new(),
        };
        let router = router(&server.cloud);
        let listener = TcpListener::from_std(listener)?;
        server.connections.spawn(accept(listener, router, server.connections.clone(), server.stop.clone()));
        Ok(server)
    }

    /// `http://127.0.0.1:<port>`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.cloud.address())
    }

    /// The base of the metadata service, `/opc/v2` included, as `OCI_METADATA_BASE_URL` wants it.
    pub fn metadata_base(&self) -> String {
        format!("{}/opc/v2", self.base_url())
    }

    /// The sign-in, `/v1/x509` included.
    pub fn federation_url(&self) -> String {
        format!("{}/v1/x509", self.base_url())
    }

    /// The endpoint of the Artifacts API and of the identity service; clients add `/20160918`.
    pub fn artifacts_url(&self) -> String {
        self.base_url()
    }

    /// The registry; clients add `/v2/` and `/20180419/docker/token`.
    pub fn registry_url(&self) -> String {
        self.base_url()
    }

    /// What was asked and how it was answered.
    pub fn requests(&self) -> &Requests {
        self.cloud.requests()
    }

    /// Gives the instance a new certificate and key, as the cloud does several times a day. The old one is still
    /// believed.
    pub fn rotate_certificate(&self) {
        self.cloud.rotate_certificate();
    }

    /// Lets the instance's certificate be one that has just expired: what a rotation that came too late leaves.
    pub fn expire_certificate(&self) {
        self.cloud.expire_certificate();
    }

    /// What the official SDK and command line need to be pointed here, as lines for a shell.
    pub fn environment(&self) -> String {
        format!(
            "export OCI_METADATA_BASE_URL={}      # SDK and CLI\n\
             export OCI_CLI_FEDERATION_ENDPOINT={} # CLI; in Python: federation_endpoint=\n\
             export OCI_CLI_ENDPOINT={}            # CLI; in Python: service_endpoint=\n\
             export OCI_CLI_AUTH=instance_principal\n",
            self.metadata_base(),
            self.federation_url(),
            self.artifacts_url(),
        )
    }

    /// Takes no more connections, lets the answers under way finish, and returns when all is quiet.
    pub async fn stop(self) {
        self.stop.cancel();
        self.connections.close();
        self.connections.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn router(cloud: &Arc<Cloud>) -> Router {
    let open = |operation, route| gated(cloud, operation, Proof::Own, route);
    let metadata = Router::new()
        .route("/opc/v2/identity/{file}", open(Operation::Metadata, get(metadata::identity)))
        .route("/opc/v2/instance", open(Operation::Metadata, get(metadata::instance)))
        .route("/opc/v2/instance/", open(Operation::Metadata, get(metadata::instance)))
        .route("/opc/v2/instance/{*field}", open(Operation::Metadata, get(metadata::field)))
        .route_layer(from_fn(metadata::fence));
    Router::new()
        .merge(metadata)
        .route("/v1/x509", open(Operation::Federation, post(federation::sign_in)))
        .merge(artifacts::routes(cloud))
        .merge(registry::routes(cloud))
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "NotFound", "There is no such path."))
        .layer(from_fn_with_state(Arc::clone(cloud), envelope))
        .layer(from_fn_with_state(Arc::clone(cloud), record::recorded))
        .with_state(Arc::clone(cloud))
}

async fn accept(listener: TcpListener, router: Router, connections: TaskTracker, stop: CancellationToken) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, router.clone(), stop.clone()));
            }
            Err(error) => tracing::warn!(%error, "a connection was not accepted"),
        }
    }
}

/// Serves one connection to its end. That clients hang up, and that faults close connections, is no news.
async fn serve(stream: TcpStream, router: Router, stop: CancellationToken) {
    let service = service_fn(|request| answer(router.clone(), request));
    let mut connection =
        std::pin::pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<Response<Body>, ClosedByFault> {
    let answered: Result<_, Infallible> =
        hyper::service::Service::call(&TowerToHyperService::new(router), request).await;
    let Ok(response) = answered;
    match response.extensions().get::<CloseInstead>() {
        Some(CloseInstead) => Err(ClosedByFault),
        None => Ok(response),
    }
}
