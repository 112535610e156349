//! What the host itself counts and ships: metrics of the proxy and of its plugins, access logs.
//!
//! Knows nothing of requests, plugins or sockets; callers bring names, numbers and lines.

pub mod access_log;
pub mod metric;
pub mod registry;
