//! What is known about a stream besides its bytes: who called, which route, what happened.

use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use weir_abi::flags::ResponseFlags;

/// `listener_direction`, `xds.listener_direction`: numbers of Envoy's `TrafficDirection`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Unspecified = 0,
    Inbound = 1,
    Outbound = 2,
}

/// The downstream connection and the listener that accepted it; shared by its streams.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Unique in the process.
    pub id: u64,
    pub peer: SocketAddr,
    pub local: SocketAddr,
    /// Port of the workload that the listener stands for, as policies name it.
    pub port: u16,
    /// SPIFFE URI of the caller, when it is proven.
    pub peer_identity: Option<Arc<str>>,
    /// SPIFFE URI of the workload this listener stands for.
    pub local_identity: Option<Arc<str>>,
    pub mtls: bool,
    pub listener: Arc<str>,
    pub direction: Direction,
    /// Pairs of the caller's workload, `weir.source`.
    pub source: Option<Bytes>,
    /// `xds.node.id` and the labels of the workload this listener stands for, as pairs.
    pub node_id: Arc<str>,
    pub node_metadata: Bytes,
}

/// The upstream side, filled in as the request goes out.
#[derive(Debug, Clone, Default)]
pub struct Upstream {
    pub cluster: Option<Arc<str>>,
    pub address: Option<SocketAddr>,
    pub local: Option<SocketAddr>,
    pub attempts: u64,
    pub endpoints: u64,
    /// `%UPSTREAM_TRANSPORT_FAILURE_REASON%`.
    pub failure_reason: Option<Arc<str>>,
    /// Pairs of the called service and chosen endpoint, `weir.destination`.
    pub destination: Option<Bytes>,
}

/// Names and values that the filters of one stream may store.
const CUSTOM_BYTES_MAX: usize = 256 << 10;
const CUSTOM_NAMES_MAX: usize = 128;

#[derive(Debug)]
pub struct Attributes {
    pub connection: Rc<Connection>,
    /// The client as far as it can be known: the connection's peer, or whom a trusted hop names.
    pub remote: SocketAddr,
    pub route_name: Arc<str>,
    pub virtual_host: Arc<str>,
    pub upstream: Upstream,
    /// A cluster chosen by a filter, `weir.cluster`; it wins over the route's.
    pub chosen_cluster: Option<Arc<str>>,
    /// Wall clock at the first byte of the request; for logs and `request.time` only.
    pub start: SystemTime,
    pub protocol: &'static str,
    /// Body bytes seen so far.
    pub request_bytes: u64,
    pub response_bytes: u64,
    /// Bytes of the response head, set when it is sent.
    pub response_headers_bytes: u64,
    /// Set when the stream is complete.
    pub duration: Option<Duration>,
    /// From the first byte sent upstream to the first byte back.
    pub backend_latency: Option<Duration>,
    pub details: Option<Cow<'static, str>>,
    pub termination_details: Option<Cow<'static, str>>,
    pub flags: ResponseFlags,
    /// What filters stored with `proxy_set_property`, under the joined path.
    pub custom: FxHashMap<Vec<u8>, Bytes>,
}

impl Attributes {
    pub fn new(connection: Rc<Connection>, start: SystemTime, protocol: &'static str) -> Self {
        Self {
            remote: connection.peer,
            connection,
            route_name: empty(),
            virtual_host: empty(),
            upstream: Upstream::default(),
            chosen_cluster: None,
            start,
            protocol,
            request_bytes: 0,
            response_bytes: 0,
            response_headers_bytes: 0,
            duration: None,
            backend_latency: None,
            details: None,
            termination_details: None,
            flags: ResponseFlags::default(),
            custom: FxHashMap::default(),
        }
    }

    /// Keeps a property of a filter; `false` when the stream's filters have stored too much.
    pub fn store(&mut self, path: &[u8], value: &[u8]) -> bool {
        let others = self.custom.iter().filter(|(name, _)| name.as_slice() != path);
        let bytes: usize = others.map(|(name, value)| name.len() + value.len()).sum();
        if bytes + path.len() + value.len() > CUSTOM_BYTES_MAX
            || self.custom.len() >= CUSTOM_NAMES_MAX && !self.custom.contains_key(path)
        {
            return false;
        }
        self.custom.insert(path.to_vec(), Bytes::copy_from_slice(value));
        true
    }
}

/// One shared empty string, so that a stream without a route name allocates nothing.
fn empty() -> Arc<str> {
    thread_local! { static EMPTY: Arc<str> = Arc::from(""); }
    EMPTY.with(Arc::clone)
}
