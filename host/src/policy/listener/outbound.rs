//! The listener that takes the workload's own requests and routes them by Host.
//!
//! Istio has one such listener for each service port and tells them apart by the original
//! destination. A proxy that is called by address has only the request: the port named in Host
//! decides, and without one the service's port 80, else its first.

use super::{Class, Compiler, Surroundings};
use crate::plan::chain::FilterRef;
use crate::plan::cluster::Workload;
use crate::plan::listener::{Domain, Listener, VirtualHost};
use crate::plan::matcher::{HeaderMatch, RouteMatch, StringMatch};
use crate::plan::route::{MISSING_CLUSTER_STATUS, Route};
use crate::policy::diagnostic::codes;
use crate::policy::gateway as gateway_api;
use crate::policy::host;
use crate::policy::istio::virtual_service::{self, Site};
use crate::policy::kind::Kind;
use crate::policy::registry::Service;
use crate::policy::resource::Resource;
use std::collections::BTreeSet;

/// Port of a host that no document gives one.
const PORT_DEFAULT: u16 = 80;

pub(super) fn fill(compiler: &mut Compiler<'_>, listener: &mut Listener) {
    let workload = listener.workload.clone();
    let attached = attached(compiler, &workload);
    let mut taken = BTreeSet::new();
    let registry = compiler.registry;
    for service in registry.iter().filter(|service| service.visible_from(&workload.namespace)) {
        let rule = pick(&attached, &service.host);
        let virtual_host = service_host(compiler, &workload, service, rule, &mut taken);
        listener.virtual_hosts.push(virtual_host);
    }
    let hosts: Vec<(String, &Resource)> = attached
        .iter()
        .flat_map(|attached| attached.hosts.iter().map(|host| (host.clone(), attached.resource)))
        .filter(|(host, _)| compiler.registry.get(host).is_none())
        .collect();
    for (host, resource) in hosts {
        let chain = chain(compiler, &workload, PORT_DEFAULT);
        let domains = free(host::domains(&host, &workload.namespace, compiler.options), &mut taken);
        if domains.is_empty() {
            continue;
        }
        let site = Site { workload: &workload, gateway: None, port: PORT_DEFAULT };
        let routes = virtual_service::routes(compiler, resource, &site, &chain);
        listener.virtual_hosts.push(VirtualHost { name: host, domains, routes });
    }
    listener.unmatched = chain(compiler, &workload, PORT_DEFAULT);
}

fn chain(compiler: &mut Compiler<'_>, workload: &Workload, port: u16) -> Vec<FilterRef> {
    Surroundings { workload, class: Class::Outbound, port }.filters(compiler)
}

/// A VirtualService of the mesh with its hosts, qualified.
struct Attached<'a> {
    resource: &'a Resource,
    hosts: Vec<String>,
}

/// VirtualServices for callers such as `workload`, oldest first; a host that an older one has is
/// left out of the younger.
fn attached<'a>(compiler: &mut Compiler<'a>, workload: &Workload) -> Vec<Attached<'a>> {
    let mut all = Vec::new();
    let mut seen: Vec<(String, &Resource)> = Vec::new();
    for resource in compiler.catalog.of(Kind::VirtualService) {
        let export_to = resource.spec.texts("exportTo");
        if !virtual_service::in_mesh(resource)
            || !host::exported(&export_to, &resource.namespace, &workload.namespace)
        {
            continue;
        }
        let mut hosts = Vec::new();
        for node in resource.spec.list("hosts") {
            let text = node.text().unwrap_or_default();
            let host = host::qualify(text, &resource.namespace, compiler.options);
            if let Some((_, owner)) = seen.iter().find(|(known, _)| *known == host) {
                // Twice in one document is an error of that document.
                if std::ptr::eq(*owner, resource) {
                    continue;
                }
                let owner = owner.qualified();
                let message =
                    format!("{host} belongs to the older VirtualService {owner}; ignored here");
                let help = "hosts of the mesh are not merged: put all rules into one document";
                compiler.diagnostics.report(codes::HOST_TAKEN, node.span, message).help(help);
                continue;
            }
            seen.push((host.clone(), resource));
            hosts.push(host);
        }
        all.push(Attached { resource, hosts });
    }
    all
}

/// The VirtualService of a host: by its name, else by the most specific pattern.
fn pick<'a>(attached: &[Attached<'a>], host: &str) -> Option<&'a Resource> {
    let patterns = attached.iter().flat_map(|attached| {
        attached.hosts.iter().map(move |pattern| (pattern, attached.resource))
    });
    let mut best: Option<(&String, &'a Resource)> = None;
    for (pattern, resource) in patterns.filter(|(pattern, _)| host::covers(pattern, host)) {
        let better =
            best.is_none_or(|(known, _)| host::specificity(pattern) > host::specificity(known));
        if better {
            best = Some((pattern, resource));
        }
    }
    best.map(|(_, resource)| resource)
}

fn free(domains: Vec<Domain>, taken: &mut BTreeSet<Domain>) -> Vec<Domain> {
    domains.into_iter().filter(|domain| taken.insert(domain.clone())).collect()
}

fn service_host(
    compiler: &mut Compiler<'_>,
    workload: &Workload,
    service: &Service,
    rule: Option<&Resource>,
    taken: &mut BTreeSet<Domain>,
) -> VirtualHost {
    let mut domains = host::domains(&service.host, &workload.namespace, compiler.options);
    let addresses = service.addresses.iter().filter(|address| !address.contains('/'));
    domains.extend(addresses.map(|address| Domain::Exact(address.to_ascii_lowercase())));
    let default = service.default_port().unwrap_or(PORT_DEFAULT);
    let others = service.http_ports().into_iter().filter(|port| *port != default);
    let mut routes = Vec::new();
    for port in others {
        let of_port = port_routes(compiler, workload, service, rule, port);
        routes.extend(of_port.into_iter().map(|route| only_port(route, port)));
    }
    routes.extend(port_routes(compiler, workload, service, rule, default));
    VirtualHost { name: service.host.clone(), domains: free(domains, taken), routes }
}

fn port_routes(
    compiler: &mut Compiler<'_>,
    workload: &Workload,
    service: &Service,
    rule: Option<&Resource>,
    port: u16,
) -> Vec<Route> {
    let chain = chain(compiler, workload, port);
    // A VirtualService of TLS or TCP routes alone says nothing about HTTP.
    if let Some(rule) = rule.filter(|rule| rule.spec.get("http").is_some()) {
        gateway_api::report_hidden(compiler, service, rule);
        let site = Site { workload, gateway: None, port };
        return virtual_service::routes(compiler, rule, &site, &chain);
    }
    if let Some(routes) =
        gateway_api::routes_of_service(compiler, workload, service, (port, &chain))
    {
        return routes;
    }
    vec![Route {
        name: "default".to_owned(),
        matches: Vec::new(),
        chain,
        cluster: Some(compiler.service_cluster(port, &service.host)),
        missing_cluster_status: MISSING_CLUSTER_STATUS,
        timeout: None,
        place: Some(compiler.place(service.span)),
    }]
}

/// Restricts a route to requests that name `port` in their Host.
fn only_port(mut route: Route, port: u16) -> Route {
    if route.matches.is_empty() {
        route.matches.push(RouteMatch::default());
    }
    for matching in &mut route.matches {
        matching.headers.push(HeaderMatch {
            name: ":authority".to_owned(),
            value: StringMatch::Regex(format!(".*:{port}")),
            invert: false,
        });
    }
    route
}
