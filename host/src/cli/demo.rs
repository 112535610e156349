//! `weir demo`: the quickstart policies and their origins in one process, nothing else installed.
//!
//! This folder holds what surrounds the proxy: a workspace with the policies as files (`prepare`),
//! the origins, the list of what to try (`guide`) and the traffic that proves it (`tour`). Starting
//! the proxy on that workspace is the caller's; nothing here reaches into it, the tour talks to it
//! through sockets and files as a user does.

pub(crate) mod guide;
pub(crate) mod origin;
pub(crate) mod tour;
pub(crate) mod workspace;

use std::net::SocketAddr;
use std::path::PathBuf;

/// The proxy of the demo, once it serves.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    /// Outbound listener of `frontend`.
    pub(crate) data: SocketAddr,
    /// Outbound listener of `stranger`.
    pub(crate) stranger: SocketAddr,
    /// Inbound listener of user-service v1.
    pub(crate) inbound: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Watched: editing a document here takes effect while requests flow.
    pub(crate) policies: PathBuf,
    /// Watched: a file named as a built-in replaces it.
    pub(crate) plugins: PathBuf,
}

#[cfg(test)]
mod tests;
