//! The admin endpoints: readiness, metrics, the plan, the plugins. Read-only, for loopback.

pub mod status;

use crate::telemetry::registry::Registry;
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use status::Status;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

const HELP: &str = "/ready    200 once a configuration serves
/metrics  Prometheus text
/plan     the plan that serves, as JSON
/plugins  every plugin: source, generation, hash, and why a newer version does not serve
";

/// Listens on the current thread's runtime until that ends. Returns the bound address.
pub fn serve(
    address: SocketAddr,
    registry: &Arc<Registry>,
    status: &Arc<ArcSwap<Status>>,
) -> io::Result<SocketAddr> {
    let socket = std::net::TcpListener::bind(address)?;
    socket.set_nonblocking(true)?;
    let bound = socket.local_addr()?;
    let listener = TcpListener::from_std(socket)?;
    let (registry, status) = (Arc::clone(registry), Arc::clone(status));
    tokio::task::spawn_local(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let serving = connection(stream, Arc::clone(&registry), Arc::clone(&status));
                    tokio::task::spawn_local(serving);
                }
                Err(error) => {
                    tracing::warn!(%error, "admin: cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    Ok(bound)
}

async fn connection(stream: TcpStream, registry: Arc<Registry>, status: Arc<ArcSwap<Status>>) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(request.method(), request.uri().path(), &registry, &status.load());
        async move { Ok::<_, Infallible>(response) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = serving.await {
        tracing::debug!(%error, "admin: connection ended");
    }
}

fn answer(
    method: &Method,
    path: &str,
    registry: &Registry,
    status: &Status,
) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    match path {
        "/" | "/help" => text(StatusCode::OK, HELP),
        "/ready" if status.ready => text(StatusCode::OK, "LIVE\n"),
        "/ready" => text(StatusCode::SERVICE_UNAVAILABLE, "PRE_INITIALIZING\n"),
        "/metrics" | "/stats/prometheus" => {
            let mut response = text(StatusCode::OK, registry.render());
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        "/plan" => json(&*status.plan),
        "/plugins" => json(status),
        _ => text(StatusCode::NOT_FOUND, HELP),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn json(value: &impl serde::Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_vec_pretty(value) {
        Ok(mut body) => {
            body.push(b'\n');
            let mut response = text(StatusCode::OK, body);
            let kind = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}
