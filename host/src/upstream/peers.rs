//! Who is behind a connection between two listeners of this same process.
//!
//! One Weir may stand for a caller and for the service it calls. A connection it opens to a
//! listener of its own comes from a socket address that the kernel gives to nobody else, so the
//! listener knows the caller's workload without a certificate. Connections from elsewhere are never
//! in this table.

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

/// The workload an outbound listener acts for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// SPIFFE URI.
    pub principal: Option<Arc<str>>,
    /// Pairs of the workload, `weir.source`.
    pub workload: Bytes,
}

#[derive(Default)]
struct Table {
    /// Where this process listens for the workloads it stands for.
    inbound: BTreeSet<SocketAddr>,
    /// Local addresses of connections this process opened to those.
    callers: BTreeMap<SocketAddr, Arc<Identity>>,
}

/// One per process. Taken when a connection opens or closes, never per request.
#[derive(Clone, Default)]
pub struct Peers {
    #[expect(
        clippy::disallowed_types,
        reason = "per connection, and both ends may be on different workers"
    )]
    table: Arc<std::sync::Mutex<Table>>,
}

/// Removes the caller when the connection is gone.
pub struct Registered {
    peers: Peers,
    local: SocketAddr,
    identity: Arc<Identity>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.peers.with(|table| {
            // The kernel may have given the address to a later connection of ours, which keeps it.
            let present = table.callers.get(&self.local);
            if present.is_some_and(|present| Arc::ptr_eq(present, &self.identity)) {
                table.callers.remove(&self.local);
            }
        });
    }
}

impl Peers {
    /// Replaces the set of inbound listeners.
    pub fn set_inbound(&self, inbound: impl Iterator<Item = SocketAddr>) {
        self.with(|table| table.inbound = inbound.collect());
    }

    /// Whether a connection to `address` ends at an inbound listener of this process.
    pub fn is_inbound(&self, address: SocketAddr) -> bool {
        self.with(|table| table.inbound.contains(&address))
    }

    /// Says who will call from `local`; before connecting, so that the other end finds it.
    pub fn register(&self, local: SocketAddr, identity: Identity) -> Registered {
        let identity = Arc::new(identity);
        self.with(|table| table.callers.insert(local, Arc::clone(&identity)));
        Registered { peers: self.clone(), local, identity }
    }

    /// Who calls from `peer`, when it is this process.
    pub fn caller(&self, peer: SocketAddr) -> Option<Arc<Identity>> {
        self.with(|table| table.callers.get(&peer).cloned())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Table) -> T) -> T {
        act(&mut self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
