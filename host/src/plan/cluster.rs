//! Where requests go: a named set of endpoints, and who runs them.

use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Istio's spelling for services, `outbound|PORT|SUBSET|HOST`.
    pub name: String,
    /// What the telemetry calls the destination; `None` for bare endpoints.
    pub service: Option<Service>,
    pub endpoints: Vec<Endpoint>,
    pub connect_timeout: Duration,
}

/// A service of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Fully qualified, e.g. `reviews.default.svc.cluster.local`.
    pub host: String,
    /// Short name, e.g. `reviews`.
    pub name: String,
    pub namespace: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    pub address: Address,
    /// Relative, at least 1.
    pub weight: u32,
    pub workload: Workload,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Address {
    Socket(SocketAddr),
    /// Resolved by the operating system when a connection is opened.
    Name {
        host: String,
        port: u16,
    },
}

impl Address {
    /// The socket address, when it is known without asking.
    pub fn socket(&self) -> Option<SocketAddr> {
        match self {
            Self::Socket(address) => Some(*address),
            Self::Name { .. } => None,
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// A running program as policies and telemetry see it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    pub name: String,
    pub namespace: String,
    pub service_account: Option<String>,
    pub trust_domain: String,
    pub labels: BTreeMap<String, String>,
}

impl Workload {
    /// SPIFFE identity without its scheme, `TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT`.
    pub fn principal(&self) -> Option<String> {
        let account = self.service_account.as_ref()?;
        Some(format!("{}/ns/{}/sa/{account}", self.trust_domain, self.namespace))
    }
}
