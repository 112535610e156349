//! Listeners at the edge: every Gateway that selects the workload, on one declared port.

use super::{Class, Compiler, Surroundings};
use crate::plan::chain::FilterRef;
use crate::plan::cluster::Workload;
use crate::plan::listener::{Listener, Role, VirtualHost};
use crate::plan::route::{MISSING_CLUSTER_STATUS, Route};
use crate::policy::diagnostic::codes;
use crate::policy::document::Span;
use crate::policy::gateway::{self as gateway_api, Edge};
use crate::policy::host;
use crate::policy::istio::gateway::{self, Server};
use crate::policy::istio::virtual_service::{self, Site};
use crate::policy::kind::Kind;
use crate::policy::resource::Resource;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// `None` when no plain HTTP server of that port selects the workload: an HTTPS port must not
/// answer in plain text.
pub(super) fn lower(
    compiler: &mut Compiler<'_>,
    workload: &Workload,
    name: String,
    port: u16,
    bind: SocketAddr,
) -> Option<Listener> {
    let catalog = compiler.catalog;
    let servers = gateway::servers(catalog, workload, port);
    let listeners = compiler.index.listeners(workload, port);
    if servers.is_empty() && listeners.is_empty() {
        return None;
    }
    let surroundings = Surroundings { workload, class: Class::Gateway, port };
    let chain = surroundings.filters(compiler);
    let mut hosts: BTreeMap<String, Vec<Route>> = BTreeMap::new();
    for server in &servers {
        if server.https_redirect {
            redirect_hosts(compiler, server, &chain, &mut hosts);
            continue;
        }
        let gateway = server.gateway.qualified();
        for resource in catalog.of(Kind::VirtualService) {
            let patterns = served_hosts(server, resource);
            if patterns.is_empty() || !virtual_service::names_gateway(resource, &gateway) {
                continue;
            }
            let site = Site { workload, gateway: Some(&gateway), port };
            let routes = virtual_service::routes(compiler, resource, &site, &chain);
            for pattern in patterns {
                hosts.entry(pattern).or_default().extend(routes.iter().cloned());
            }
        }
    }
    let mut hosts: BTreeMap<String, Vec<Route>> =
        hosts.into_iter().map(|(pattern, routes)| (pattern, catch_all_last(routes))).collect();
    let edge = Edge { listeners, port, chain: &chain };
    for (pattern, mut routes) in gateway_api::hosts(compiler, &edge) {
        // Where both kinds of Gateway have a host, Gateway API's rules come first.
        routes.append(hosts.entry(pattern.clone()).or_default());
        hosts.insert(pattern, routes);
    }
    let virtual_hosts = hosts.into_iter().map(|(pattern, routes)| VirtualHost {
        domains: vec![host::domain(&pattern)],
        name: format!("{pattern}:{port}"),
        routes,
    });
    Some(Listener {
        name,
        bind,
        role: Role::Gateway,
        port,
        workload: workload.clone(),
        virtual_hosts: virtual_hosts.collect(),
        unmatched: chain,
    })
}

/// Says why nothing listens on a port. Ports of protocols that are not served are named at their
/// Gateway already.
pub(super) fn report_closed(
    compiler: &mut Compiler<'_>,
    workload: &Workload,
    (port, bind): (u16, SocketAddr),
    span: Span,
) {
    let mut declared = gateway::declared_ports(compiler.catalog, workload);
    declared.extend(compiler.index.declared_ports(workload));
    declared.sort_unstable();
    declared.dedup();
    if declared.contains(&port) {
        return;
    }
    let message = format!(
        "no HTTP server of a Gateway is on port {port} of this workload; {bind} stays closed"
    );
    let help = if declared.is_empty() {
        "an Istio Gateway selects a proxy by its labels, spec.selector against \
         spec.workload.labels; a Kubernetes Gateway serves any"
            .to_owned()
    } else {
        let declared: Vec<String> = declared.iter().map(u16::to_string).collect();
        format!("its Gateways declare: {}", declared.join(", "))
    };
    compiler.diagnostics.report(codes::MISSING_GATEWAY, span, message).help(help);
}

/// Hosts of a VirtualService within those of a server, each the narrower of the two.
fn served_hosts(server: &Server<'_>, resource: &Resource) -> Vec<String> {
    let export_to = resource.spec.texts("exportTo");
    if !host::exported(&export_to, &resource.namespace, &server.gateway.namespace) {
        return Vec::new();
    }
    let mut served = Vec::new();
    for pattern in resource.spec.texts("hosts") {
        let pattern = pattern.to_ascii_lowercase();
        for server_host in &server.hosts {
            let (namespace, allowed) = gateway::server_host(server_host, &server.gateway.namespace);
            if namespace != "*" && namespace != resource.namespace {
                continue;
            }
            let allowed = allowed.to_ascii_lowercase();
            let common = host::intersection(&allowed, &pattern);
            served.extend(common.map(str::to_owned));
        }
    }
    served.sort();
    served.dedup();
    served
}

/// `httpsRedirect`: every request of these hosts is sent to https.
fn redirect_hosts(
    compiler: &mut Compiler<'_>,
    server: &Server<'_>,
    chain: &[FilterRef],
    hosts: &mut BTreeMap<String, Vec<Route>>,
) {
    let config = json!({"scheme": "https", "status": 301});
    let redirect = compiler.builder.builtin("redirect", &config);
    for server_host in &server.hosts {
        let (_, pattern) = gateway::server_host(server_host, &server.gateway.namespace);
        let route = Route {
            name: "https-redirect".to_owned(),
            matches: Vec::new(),
            chain: chain.iter().cloned().chain([redirect.clone()]).collect(),
            cluster: None,
            missing_cluster_status: MISSING_CLUSTER_STATUS,
            timeout: None,
            place: Some(compiler.place(server.gateway.span)),
        };
        hosts.entry(pattern.to_ascii_lowercase()).or_default().push(route);
    }
}

/// Rules of several documents share a host here; those that take everything go last.
fn catch_all_last(routes: Vec<Route>) -> Vec<Route> {
    let takes_all = |route: &Route| {
        route.matches.is_empty() || route.matches.iter().any(virtual_service::is_catch_all)
    };
    let (last, mut first): (Vec<Route>, Vec<Route>) = routes.into_iter().partition(takes_all);
    first.extend(last);
    first
}
