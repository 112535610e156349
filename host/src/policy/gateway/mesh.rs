//! GAMMA: routes whose parent is a Service take the place of its default route at the caller.

use super::rules::{self, Ranked, Site};
use crate::plan::chain::FilterRef;
use crate::plan::cluster::Workload;
use crate::plan::route::Route;
use crate::policy::diagnostic::codes;
use crate::policy::document::Node;
use crate::policy::listener::Compiler;
use crate::policy::registry::Service;
use crate::policy::resource::Resource;
use std::cmp::Reverse;

/// Routes of a service port as callers like `workload` see them; `None` when no document has any.
///
/// Routes of the service's own namespace are for every caller. Those of another namespace are for
/// callers there, and hide the former from them.
pub(crate) fn routes_of_service(
    compiler: &mut Compiler<'_>,
    workload: &Workload,
    service: &Service,
    (port, chain): (u16, &[FilterRef]),
) -> Option<Vec<Route>> {
    let index = compiler.index;
    let key = (service.namespace.clone(), service.name.clone());
    let routes = index.mesh.get(&key)?.iter().copied();
    let routes: Vec<&Resource> = routes.filter(|route| is_parent(route, service, port)).collect();
    let of_namespace = |namespace: &str| -> Vec<&Resource> {
        routes.iter().copied().filter(|route| route.namespace == namespace).collect()
    };
    let consumer = of_namespace(&workload.namespace);
    let chosen = if consumer.is_empty() { of_namespace(&service.namespace) } else { consumer };
    if chosen.is_empty() {
        return None;
    }
    let site = Site { port, chain, grants: false };
    let mut ranked: Vec<Ranked> = Vec::new();
    for route in chosen {
        ranked.extend(rules::of_document(compiler, route, &site));
    }
    ranked.sort_by_key(|ranked| Reverse(ranked.rank));
    Some(ranked.into_iter().map(|ranked| ranked.route).collect())
}

/// Says which routes of a service have no effect because a VirtualService has its host.
pub(crate) fn report_hidden(compiler: &mut Compiler<'_>, service: &Service, rule: &Resource) {
    let index = compiler.index;
    let key = (service.namespace.clone(), service.name.clone());
    for route in index.mesh.get(&key).into_iter().flatten() {
        let message = format!(
            "{} is routed by VirtualService {}; this {} is ignored there",
            service.host,
            rule.qualified(),
            route.kind_name
        );
        let help = "keep the rules of a service in one kind of document";
        compiler.diagnostics.report(codes::HOST_TAKEN, route.span, message).help(help);
    }
}

/// Whether one of the parents of a route is this port of a service.
fn is_parent(route: &Resource, service: &Service, port: u16) -> bool {
    route.spec.list("parentRefs").iter().any(|node| {
        let parent = super::Reference::to_parent(node, &route.namespace);
        let given = node.get("port").and_then(Node::port);
        parent.is_service()
            && parent.namespace == service.namespace
            && parent.name == service.name
            && given.is_none_or(|given| given == port)
    })
}
