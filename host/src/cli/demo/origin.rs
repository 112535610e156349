//! user-service, the origin of the demo: says which version it is and what reached it.
//!
//! `/status/N` answers N, `/delay/SECONDS` answers after that time, every other path at once; the
//! body is always the request as JSON.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;
use tokio::task::LocalSet;

const BODY_BYTES_MAX: usize = 1 << 20;
const DELAY_MAX: Duration = Duration::from_secs(60);
/// After a failed accept (no file descriptors left), so that the thread does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What reached the origin, in the order it is printed.
#[derive(Serialize)]
struct Echo<'a> {
    service: &'static str,
    version: &'static str,
    method: &'a str,
    path: &'a str,
    headers: BTreeMap<&'a str, String>,
    body: String,
}

/// Serves user-service `version` (`v1`, `v2`) on `address`, on a thread of its own, until the
/// process ends. Returns the bound address: port 0 takes a free one.
pub(crate) fn spawn(version: &'static str, address: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new()
        .name(format!("origin-{version}"))
        .spawn(move || LocalSet::new().block_on(&runtime, serve(version, listener)))?;
    Ok(bound)
}

async fn serve(version: &'static str, listener: TcpListener) -> io::Result<Infallible> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        stream.set_nodelay(true).ok();
        tokio::task::spawn_local(async move {
            let service = service_fn(move |request| respond(version, request));
            // A peer that goes away ends its connection, and nothing else.
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}

async fn respond(
    version: &'static str,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let status = match requested(path) {
        Ok(Answer { status, delay }) => {
            tokio::time::sleep(delay).await;
            status
        }
        Err(status) => status,
    };
    let (status, body) = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => (status, body.to_bytes()),
        Err(_) => (StatusCode::PAYLOAD_TOO_LARGE, Bytes::new()),
    };
    let echo = Echo {
        service: "user-service",
        version,
        method: head.method.as_str(),
        path: head.uri.path_and_query().map_or(path, |path| path.as_str()),
        headers: printable(&head.headers),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let text = serde_json::to_vec(&echo).unwrap_or_default();
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert("x-version", HeaderValue::from_static(version));
    Ok(response)
}

#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) delay: Duration,
}

/// What `path` asks for; 400 when it asks for what cannot be.
pub(super) fn requested(path: &str) -> Result<Answer, StatusCode> {
    let plain = Answer { status: StatusCode::OK, delay: Duration::ZERO };
    if let Some(status) = path.strip_prefix("/status/") {
        let status: u16 = status.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
        // 1xx is not an answer: the client would wait for the final one.
        let status = StatusCode::from_u16(status).ok().filter(|s| !s.is_informational());
        return Ok(Answer { status: status.ok_or(StatusCode::BAD_REQUEST)?, ..plain });
    }
    if let Some(seconds) = path.strip_prefix("/delay/") {
        let seconds: f64 = seconds.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
        let delay = Duration::try_from_secs_f64(seconds).map_err(|_| StatusCode::BAD_REQUEST)?;
        return Ok(Answer { delay: delay.min(DELAY_MAX), ..plain });
    }
    Ok(plain)
}

/// Values of one name are joined, as a reader of HTTP would.
fn printable(headers: &HeaderMap) -> BTreeMap<&str, String> {
    let mut printed: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        printed
            .entry(name.as_str())
            .and_modify(|values| {
                values.push_str(", ");
                values.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    printed
}
