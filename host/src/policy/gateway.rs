//! Gateway API: which listeners there are, which routes attach to them and to services of the mesh,
//! and what each rule becomes.
//!
//! Everything follows the text of Gateway API 1.6. Gateways share the mesh's registry and its
//! filters; this module knows nothing of VirtualServices, and nothing here opens a socket.

mod attach;
mod backends;
mod check;
mod filters;
mod grpc;
mod hosts;
mod http;
mod listeners;
mod mesh;
mod reference;
mod rules;
pub(crate) mod shape;
pub mod status;
mod validate;

pub(crate) use check::check;
pub(crate) use hosts::{Edge, hosts};
use listeners::EdgeListener;
pub(crate) use mesh::{report_hidden, routes_of_service};
pub(crate) use validate::validate;

use super::kind::Kind;
use super::resource::{Catalog, Resource};
use crate::plan::cluster::Workload;
use listeners::Listeners;
use reference::Reference;
use std::collections::{BTreeMap, BTreeSet};

/// What is looked up many times, found once.
pub(crate) struct Index<'a> {
    /// Of every Gateway and of the ListenerSets it allows.
    listeners: Listeners<'a>,
    /// HTTPRoutes and GRPCRoutes, oldest first, then by `namespace/name`.
    routes: Vec<&'a Resource>,
    /// Routes with a Service as parent, by its namespace and name; in the order of `routes`.
    mesh: BTreeMap<(String, String), Vec<&'a Resource>>,
    /// `namespace/name` of WasmPlugins that rules run.
    rule_plugins: BTreeSet<String>,
}

impl<'a> Index<'a> {
    pub(crate) fn of(catalog: &'a Catalog) -> Self {
        let http = catalog.of(Kind::HttpRoute).iter();
        let mut routes: Vec<&Resource> = http.chain(catalog.of(Kind::GrpcRoute)).collect();
        routes.sort_by_cached_key(|route| (route.created().to_owned(), route.qualified()));
        let mut mesh = BTreeMap::<_, Vec<&Resource>>::new();
        let mut rule_plugins = BTreeSet::new();
        for route in &routes {
            let mut parents = BTreeSet::new();
            for node in route.spec.list("parentRefs") {
                let parent = Reference::to_parent(node, &route.namespace);
                if parent.is_service() {
                    parents.insert((parent.namespace.to_owned(), parent.name.to_owned()));
                }
            }
            for parent in parents {
                mesh.entry(parent).or_default().push(route);
            }
            let rules = route.spec.list("rules").iter();
            for filter in rules.flat_map(filters::of_rule) {
                if let Some(plugin) = filters::plugin(filter, &route.namespace) {
                    rule_plugins.insert(format!("{}/{}", plugin.namespace, plugin.name));
                }
            }
        }
        Self { listeners: listeners::read_all(catalog), routes, mesh, rule_plugins }
    }

    /// HTTP listeners on a port of the Gateways that this workload serves.
    pub(crate) fn listeners(&self, workload: &Workload, port: u16) -> Vec<&EdgeListener<'a>> {
        let served = self.listeners.all.iter().filter(|listener| listener.is_served_by(workload));
        served.filter(|listener| listener.is_plain() && listener.port == port).collect()
    }

    /// Ports, of any protocol, of the Gateways that this workload serves.
    pub(crate) fn declared_ports(&self, workload: &Workload) -> Vec<u16> {
        let served = self.listeners.all.iter().filter(|listener| listener.is_served_by(workload));
        served.map(|listener| listener.port).collect()
    }

    /// Whether a rule runs this WasmPlugin: then it does not run for the whole namespace too.
    pub(crate) fn is_rule_plugin(&self, plugin: &Resource) -> bool {
        self.rule_plugins.contains(&plugin.qualified())
    }
}
