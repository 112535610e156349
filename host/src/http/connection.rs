//! One downstream connection: requests in turn, until either side has enough.

use super::request::{Accepted, handle};
use super::worker::Worker;
use crate::exchange::attributes::{Connection, Direction};
use crate::plan::listener::Role;
use crate::snapshot::router::Listener;
use crate::upstream::body::BodyError;
use http::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Request head bytes at most, and the size of hyper's read buffer.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// A head must be complete, and an idle connection used again, within this. Longer than our own
/// pool keeps connections, so that two Weirs never race to close one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// While draining, a client is told with its next response; one that sends none in this time is idle.
/// Closing at once would meet requests that are on their way.
const DRAIN_NOTICE: Duration = Duration::from_millis(500);

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Serving of connections of one listener, before it is known which.
pub(super) struct Serving {
    worker: Rc<Worker>,
    listener: Arc<Listener>,
    drain: watch::Receiver<bool>,
}

pub(super) fn serve(
    worker: Rc<Worker>,
    listener: Arc<Listener>,
    drain: watch::Receiver<bool>,
) -> Serving {
    Serving { worker, listener, drain }
}

impl Serving {
    /// Serves one connection to its end.
    pub(super) async fn with(mut self, stream: TcpStream, peer: SocketAddr) {
        let _active = self.worker.connection_opened();
        let Ok(local) = stream.local_addr() else { return };
        // Without it small responses wait for the peer's delayed acknowledgement.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        // The socket may be older than the configuration that serves.
        let snapshot = self.worker.snapshot();
        let listener = snapshot.shared.listener(&self.listener.name).unwrap_or(&self.listener);
        let accepted = Rc::new(Accepted {
            connection: Rc::new(describe(&self.worker, listener, peer, local)),
            listener: Arc::clone(listener),
            worker: self.worker,
        });
        drop(snapshot);
        let draining = Rc::new(Cell::new(false));
        let told = Rc::clone(&draining);
        let service = service_fn(move |request| {
            let (accepted, draining) = (Rc::clone(&accepted), Rc::clone(&told));
            async move {
                let mut response = handle(&accepted, request).await?;
                if draining.get() {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, BodyError>(response)
            }
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut serving = pin!(serving);
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            _ = self.drain.wait_for(|drain| *drain) => {
                draining.set(true);
                match tokio::time::timeout(DRAIN_NOTICE, serving.as_mut()).await {
                    Ok(ended) => ended,
                    Err(_) => {
                        serving.as_mut().graceful_shutdown();
                        serving.await
                    }
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "connection ended");
        }
    }
}

fn describe(
    worker: &Worker,
    listener: &Listener,
    peer: SocketAddr,
    local: SocketAddr,
) -> Connection {
    let caller = match listener.role {
        Role::Inbound => worker.peers.caller(peer),
        Role::Routes | Role::Outbound | Role::Gateway => None,
    };
    let (peer_identity, source) = match caller {
        Some(identity) => (identity.principal.clone(), Some(identity.workload.clone())),
        None => (None, None),
    };
    Connection {
        id: NEXT_ID.fetch_add(1, Relaxed),
        peer,
        local,
        port: listener.port,
        peer_identity,
        local_identity: listener.identity.as_ref().and_then(|it| it.principal.clone()),
        mtls: false,
        listener: Arc::clone(&listener.name),
        direction: match listener.role {
            Role::Inbound => Direction::Inbound,
            Role::Outbound | Role::Gateway => Direction::Outbound,
            Role::Routes => Direction::Unspecified,
        },
        source,
        node_id: Arc::clone(&listener.node_id),
        node_metadata: listener.node_metadata.clone(),
    }
}
