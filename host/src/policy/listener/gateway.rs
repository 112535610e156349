//! Listeners at the edge: every Gateway that selects the workload, on one declared port.

use super::{Class, Compiler, Surroundings};
use crate::plan::chain::FilterRef;
use crate::plan::cluster::Workload;
use crate::plan::listener::{Listener, Role, VirtualHost};
use crate::plan::route::Route;
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
    if servers.is_empty() {
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
    let virtual_hosts = hosts.into_iter().map(|(pattern, routes)| VirtualHost {
        domains: vec![host::domain(&pattern)],
        name: format!("{pattern}:{port}"),
        routes: catch_all_last(routes),
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
