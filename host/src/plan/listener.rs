//! A bound socket and the virtual hosts behind it.

use super::chain::FilterRef;
use super::cluster::Workload;
use super::route::Route;
use serde::Serialize;
use std::net::SocketAddr;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// `PROXY/LISTENER`, unique in the plan.
    pub name: String,
    pub bind: SocketAddr,
    pub role: Role,
    /// Port the policies speak of: the service port of an inbound or gateway listener, else the
    /// bound one.
    pub port: u16,
    /// Whom this listener acts for.
    pub workload: Workload,
    pub virtual_hosts: Vec<VirtualHost>,
    /// Chain of a request that no virtual host or no route takes; it is then answered with 404 NR.
    pub unmatched: Vec<FilterRef>,
}

/// Which side of a connection this listener is on; decides what may be trusted and reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Explicit routes of the native kind.
    Routes,
    /// Takes the requests of the workload and routes them by Host.
    Outbound,
    /// Takes requests for the workload and hands them to the application.
    Inbound,
    /// Edge: serves Istio and Gateway API gateways.
    Gateway,
}

/// Routes for a set of hosts. The most specific domain of the listener decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualHost {
    pub name: String,
    pub domains: Vec<Domain>,
    /// First match wins.
    pub routes: Vec<Route>,
}

/// A host pattern, lower-case and without a port. A request's port is ignored when comparing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Domain {
    Exact(String),
    /// `*.example.com` is `Suffix(".example.com")`; it does not match `example.com`.
    Suffix(String),
    Any,
}
