//! Idle connections of one worker, by endpoint and by the workload they were opened for.

use super::UpstreamError;
use super::cluster::{Cluster, Endpoint};
use super::connect::{Connection, connect};
use super::peers::{Identity, Peers};
use crate::plan::cluster::Address;
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Idle connections kept for one endpoint at most.
const IDLE_MAX: usize = 1024;

/// An idle connection is closed after this; below the keep-alive of our own listeners (30 s) and of
/// common servers (nginx: 75 s).
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Connections made for one workload never carry another's requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    address: Address,
    /// Not the principal alone: workloads without one, or that share one, are told apart too.
    identity: Option<Identity>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

pub struct Pools {
    idle: RefCell<FxHashMap<Key, Vec<Idle>>>,
    peers: Peers,
}

/// A connection on loan for one request. Dropping it closes it; `put_back` keeps it.
pub struct Lease {
    pub connection: Connection,
    /// It carried a request before, so the other end may be closing it right now.
    pub reused: bool,
    key: Key,
    pools: Rc<Pools>,
}

impl Lease {
    /// Returns the connection for the next request, once its response was read to the end.
    pub fn put_back(self, now: Instant) {
        if self.connection.sender.is_closed() {
            return;
        }
        let mut idle = self.pools.idle.borrow_mut();
        let connections = idle.entry(self.key).or_default();
        if connections.len() < IDLE_MAX {
            connections.push(Idle { connection: self.connection, since: now });
        }
    }
}

impl Pools {
    pub fn new(peers: Peers) -> Rc<Self> {
        Rc::new(Self { idle: RefCell::default(), peers })
    }

    /// The most recently used idle connection that still lives, or a new one.
    pub async fn checkout(
        self: &Rc<Self>,
        cluster: &Cluster,
        endpoint: &Endpoint,
        identity: Option<&Identity>,
    ) -> Result<Lease, UpstreamError> {
        let key = Key { address: endpoint.address.clone(), identity: identity.cloned() };
        while let Some(connection) = self.pop(&key) {
            // One that is still taking a request whose answer came early is given up: nobody may
            // wait for another's upload.
            if connection.sender.is_ready() {
                return Ok(Lease { connection, reused: true, key, pools: Rc::clone(self) });
            }
        }
        let timeout = cluster.connect_timeout;
        let connection = connect(&endpoint.address, timeout, &self.peers, identity).await?;
        Ok(Lease { connection, reused: false, key, pools: Rc::clone(self) })
    }

    /// Closes connections that were idle for too long.
    pub fn evict(&self, now: Instant) {
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain(|idle| {
                now.duration_since(idle.since) < IDLE_TIMEOUT && !idle.connection.sender.is_closed()
            });
            !connections.is_empty()
        });
    }

    fn pop(&self, key: &Key) -> Option<Connection> {
        Some(self.idle.borrow_mut().get_mut(key)?.pop()?.connection)
    }
}
