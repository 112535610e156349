//! A cluster that can be called: endpoints with their live state, and who is next.

use crate::plan;
use crate::plan::cluster::{Address, Service, Workload};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use weir_abi::extension::workload as key;
use weir_abi::pairs;

/// Shared by all workers.
#[derive(Debug)]
pub struct Cluster {
    pub name: Arc<str>,
    pub endpoints: Vec<Endpoint>,
    pub connect_timeout: Duration,
    weight_total: u64,
    /// Pairs of the service alone, until an endpoint is chosen.
    pub destination: Bytes,
}

#[derive(Debug)]
pub struct Endpoint {
    pub address: Address,
    weight: u32,
    /// Requests in flight, over all workers.
    active: AtomicUsize,
    /// Pairs of the service and of this endpoint's workload, `weir.destination`.
    pub destination: Bytes,
}

/// One request in flight on an endpoint; ends when dropped.
#[derive(Debug)]
pub struct ActiveRequest {
    cluster: Arc<Cluster>,
    index: usize,
}

impl ActiveRequest {
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.cluster.endpoints.get(self.index)
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        if let Some(endpoint) = self.endpoint() {
            endpoint.active.fetch_sub(1, Relaxed);
        }
    }
}

impl Cluster {
    pub fn new(cluster: &plan::cluster::Cluster) -> Self {
        let service = cluster.service.as_ref();
        let endpoints: Vec<_> = cluster
            .endpoints
            .iter()
            .map(|endpoint| Endpoint {
                address: endpoint.address.clone(),
                weight: endpoint.weight.max(1),
                active: AtomicUsize::new(0),
                destination: destination(service, Some(&endpoint.workload)),
            })
            .collect();
        Self {
            name: cluster.name.as_str().into(),
            weight_total: endpoints.iter().map(|endpoint| u64::from(endpoint.weight)).sum(),
            endpoints,
            connect_timeout: cluster.connect_timeout,
            destination: destination(service, None),
        }
    }

    /// The less busy of two endpoints drawn by weight: Istio's default, LEAST_REQUEST.
    ///
    /// `sample` gives a number below its argument. `None` when there is no endpoint.
    pub fn pick(self: &Arc<Self>, mut sample: impl FnMut(u64) -> u64) -> Option<ActiveRequest> {
        let mut draw = || match self.endpoints.len() {
            0 => None,
            1 => Some(0),
            _ => {
                let mut left = sample(self.weight_total);
                self.endpoints.iter().position(|endpoint| {
                    let weight = u64::from(endpoint.weight);
                    let chosen = left < weight;
                    left = left.saturating_sub(weight);
                    chosen
                })
            }
        };
        let (first, second) = (draw()?, draw()?);
        let active = |index: usize| {
            self.endpoints.get(index).map_or(usize::MAX, |it| it.active.load(Relaxed))
        };
        let index = if active(second) < active(first) { second } else { first };
        self.endpoints.get(index)?.active.fetch_add(1, Relaxed);
        Some(ActiveRequest { cluster: Arc::clone(self), index })
    }
}

/// What telemetry calls the other side, as pairs under the keys of `weir_abi::extension::workload`.
fn destination(service: Option<&Service>, workload: Option<&Workload>) -> Bytes {
    let mut lines: Vec<(&str, String)> = Vec::new();
    if let Some(service) = service {
        lines.push((key::SERVICE, service.host.clone()));
        lines.push((key::SERVICE_NAME, service.name.clone()));
        lines.push((key::SERVICE_NAMESPACE, service.namespace.clone()));
    }
    if let Some(workload) = workload {
        lines.extend(workload_lines(workload));
    }
    encode(&lines)
}

/// The workload as pairs, `weir.source`.
pub fn workload_pairs(workload: &Workload) -> Bytes {
    encode(&workload_lines(workload))
}

fn encode(lines: &[(&str, String)]) -> Bytes {
    let mut out = Vec::new();
    pairs::encode(lines.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())), &mut out);
    out.into()
}

/// Canonical names as Istio derives them from the usual labels.
fn workload_lines(workload: &Workload) -> Vec<(&'static str, String)> {
    let label = |names: &[&str]| {
        names.iter().find_map(|name| workload.labels.get(*name)).cloned().unwrap_or_default()
    };
    let canonical = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"];
    let revision = ["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"];
    let canonical_service = Some(label(&canonical)).filter(|name| !name.is_empty());
    let canonical_revision = Some(label(&revision)).filter(|name| !name.is_empty());
    let principal = workload.principal().map(|name| format!("spiffe://{name}"));
    let lines = [
        (key::WORKLOAD, workload.name.clone()),
        (key::NAMESPACE, workload.namespace.clone()),
        (key::PRINCIPAL, principal.unwrap_or_default()),
        (key::APP, label(&["app"])),
        (key::VERSION, label(&["version"])),
        (key::CANONICAL_SERVICE, canonical_service.unwrap_or_else(|| workload.name.clone())),
        (key::CANONICAL_REVISION, canonical_revision.unwrap_or_else(|| "latest".into())),
    ];
    lines.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}
