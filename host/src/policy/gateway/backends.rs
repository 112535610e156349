//! `backendRefs`: where the requests of a rule go, and which share of them nobody can take.

use super::filters;
use super::reference::{Reference, permitted};
use super::rules::Site;
use crate::policy::Options;
use crate::policy::document::{Node, Span};
use crate::policy::listener::Compiler;
use crate::policy::registry::Registry;
use crate::policy::resource::{Catalog, Resource};
use serde_json::{Value as Json, json};

/// Gateway API's answer for a share of traffic whose backend cannot be used. Envoy and Istio
/// answer 503 to routes of their own.
pub(super) const MISSING_STATUS: u16 = 500;

/// A name that no cluster has: requests sent there are answered with [`MISSING_STATUS`].
const NOWHERE: &str = "unusable-backend";

/// Why a backend cannot be used; Gateway API's reasons of `ResolvedRefs: False`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unusable {
    InvalidKind,
    RefNotPermitted,
    /// No document defines the service; its host.
    BackendNotFound(String),
    /// The service has other ports than the one given.
    PortNotFound(Vec<u16>),
}

/// Host and port of a backend that can be used.
pub(super) fn resolve(
    (catalog, registry): (&Catalog, &Registry),
    route: &Resource,
    backend: &Node,
    grants: bool,
    options: &Options<'_>,
) -> Result<(String, u16), Unusable> {
    let reference = Reference::to_backend(backend, &route.namespace);
    if !reference.is_service() {
        return Err(Unusable::InvalidKind);
    }
    if grants && !permitted(catalog, route.kind_name, &route.namespace, &reference) {
        return Err(Unusable::RefNotPermitted);
    }
    let Reference { name, namespace, .. } = reference;
    let host = format!("{name}.{namespace}.svc.{}", options.cluster_domain);
    let Some(service) = registry.get(&host) else { return Err(Unusable::BackendNotFound(host)) };
    let port = backend.get("port").and_then(Node::port).filter(|port| service.has_port(*port));
    match port {
        Some(port) => Ok((host, port)),
        None => {
            let ports = service.ports.iter().map(|port| port.number).collect();
            Err(Unusable::PortNotFound(ports))
        }
    }
}

/// Where the requests of a rule go.
pub(super) struct Backends<'r> {
    /// The only one; a name without a cluster when it cannot be used.
    pub(super) cluster: Option<String>,
    /// Several: the configuration of `split`.
    pub(super) split: Option<Json>,
    /// Filters of the only one.
    pub(super) filters: &'r [Node],
}

impl<'r> Backends<'r> {
    pub(super) fn of(
        compiler: &Compiler<'_>,
        route: &Resource,
        rule: &'r Node,
        site: &Site<'_>,
    ) -> Self {
        let weight = |backend: &Node| backend.get("weight").and_then(Node::integer).unwrap_or(1);
        let backends = rule.list("backendRefs").iter();
        let backends: Vec<&Node> = backends.filter(|backend| weight(backend) > 0).collect();
        let cluster = |backend: &Node| {
            let known = (compiler.catalog, compiler.registry);
            let resolved = resolve(known, route, backend, site.grants, compiler.options);
            resolved.map_or_else(
                |_| NOWHERE.to_owned(),
                |(host, port)| compiler.service_cluster(port, &host),
            )
        };
        match backends.as_slice() {
            [] => Self { cluster: None, split: None, filters: &[] },
            [only] => {
                Self { cluster: Some(cluster(only)), split: None, filters: only.list("filters") }
            }
            several => {
                let clusters = several.iter().map(|backend| {
                    let mut entry = json!({"name": cluster(backend), "weight": weight(backend)});
                    let headers = filters::header_operations(backend.list("filters").iter());
                    if let (Some(headers), Some(entry)) = (headers, entry.as_object_mut()) {
                        entry.insert("headers".to_owned(), headers);
                    }
                    entry
                });
                let clusters: Vec<Json> = clusters.collect();
                let split = Some(json!({"clusters": clusters}));
                Self { cluster: None, split, filters: &[] }
            }
        }
    }
}

/// Where a reference to an unusable backend is underlined.
pub(super) fn span(backend: &Node, unusable: &Unusable) -> Span {
    let field = match unusable {
        Unusable::InvalidKind => backend.get("kind").or_else(|| backend.get("group")),
        Unusable::RefNotPermitted => backend.get("namespace"),
        Unusable::PortNotFound(_) => backend.get("port"),
        Unusable::BackendNotFound(_) => None,
    };
    field.or_else(|| backend.get("name")).map_or(backend.span, |field| field.span)
}
