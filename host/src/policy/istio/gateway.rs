//! Gateway: which hosts an edge proxy serves on a port.

use super::scope;
use crate::plan::cluster::Workload;
use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::Node;
use crate::policy::kind::Kind;
use crate::policy::registry::{Protocol, protocol};
use crate::policy::resource::{Catalog, Resource};
use crate::policy::shape::is_dns_name;
use std::collections::BTreeSet;

/// One server of a Gateway.
pub(crate) struct Server<'a> {
    pub(crate) gateway: &'a Resource,
    /// As written, `namespace/pattern` or a pattern.
    pub(crate) hosts: Vec<&'a str>,
    pub(crate) https_redirect: bool,
}

/// Ports of the servers, of any protocol, of the Gateways that select the workload.
pub(crate) fn declared_ports(catalog: &Catalog, workload: &Workload) -> Vec<u16> {
    let gateways = catalog.of(Kind::Gateway).iter();
    let selecting =
        gateways.filter(|gateway| scope::has_labels(gateway.spec.get("selector"), workload));
    let servers = selecting.flat_map(|gateway| gateway.spec.list("servers"));
    servers.filter_map(port_of).collect()
}

fn port_of(server: &Node) -> Option<u16> {
    server.at(&["port", "number"]).and_then(Node::port)
}

/// Plain HTTP servers on a port of every Gateway that selects the workload.
pub(crate) fn servers<'a>(catalog: &'a Catalog, workload: &Workload, port: u16) -> Vec<Server<'a>> {
    let gateways = catalog.of(Kind::Gateway).iter();
    let selecting =
        gateways.filter(|gateway| scope::has_labels(gateway.spec.get("selector"), workload));
    let of_port = selecting.flat_map(|gateway| {
        let servers = gateway.spec.list("servers").iter();
        servers.filter(|server| is_plain(server)).map(move |server| (gateway, server))
    });
    of_port
        .filter(|(_, server)| port_of(server) == Some(port))
        .map(|(gateway, server)| Server {
            gateway,
            hosts: server.texts("hosts"),
            https_redirect: server
                .at(&["tls", "httpsRedirect"])
                .and_then(Node::boolean)
                .unwrap_or(false),
        })
        .collect()
}

fn is_plain(server: &Node) -> bool {
    let name = server.at(&["port", "protocol"]).and_then(Node::text).unwrap_or_default();
    protocol(name) == Protocol::Http
}

/// `(namespace, pattern)` of a server host; the namespace is `*` unless given.
pub(crate) fn server_host<'a>(host: &'a str, own_namespace: &'a str) -> (&'a str, &'a str) {
    match host.split_once('/') {
        Some((".", pattern)) => (own_namespace, pattern),
        Some((namespace, pattern)) => (namespace, pattern),
        None => ("*", host),
    }
}

const PROTOCOLS: [&str; 9] =
    ["HTTP", "HTTPS", "GRPC", "GRPC-WEB", "HTTP2", "MONGO", "TCP", "TLS", "MYSQL"];

pub(crate) fn validate(gateway: &Resource, diagnostics: &mut Diagnostics) {
    let servers = gateway.spec.list("servers");
    if servers.is_empty() {
        let message = "a Gateway needs at least one server";
        diagnostics.report(codes::MISSING_FIELD, gateway.spec.span, message);
    }
    let mut names = BTreeSet::new();
    for server in servers {
        if let Some(name) = server.at(&["port", "name"])
            && !names.insert(name.scalar_text())
        {
            let message = "two servers have this port name";
            diagnostics.report(codes::INVALID_VALUE, name.span, message);
        }
        self::server(server, diagnostics);
    }
}

fn server(server: &Node, diagnostics: &mut Diagnostics) {
    if let Some(entry) = server.entry("hosts")
        && entry.node.items().is_empty()
    {
        diagnostics.report(
            codes::INVALID_VALUE,
            entry.key_span,
            "a server needs at least one host",
        );
    }
    for node in server.list("hosts") {
        let Some(text) = node.text() else { continue };
        let (_, pattern) = server_host(text, "");
        let bare = pattern.strip_prefix("*.").unwrap_or(pattern);
        if pattern != "*" && !is_dns_name(bare) && bare.parse::<std::net::IpAddr>().is_err() {
            let message = format!("`{text}` is not a host");
            let help = "write a name, *.example.com or namespace/name";
            diagnostics.report(codes::INVALID_VALUE, node.span, message).help(help);
        }
    }
    if let Some(port) = server.at(&["port", "number"])
        && port.integer().is_some()
        && port.port().is_none()
    {
        diagnostics.report(codes::INVALID_VALUE, port.span, "a port is a number from 1 to 65535");
    }
    let Some(node) = server.at(&["port", "protocol"]) else { return };
    let name = node.text().unwrap_or_default();
    let upper = name.to_ascii_uppercase();
    if !PROTOCOLS.contains(&upper.as_str()) && upper != "HTTP_PROXY" && upper != "HBONE" {
        let message = format!("`{name}` is no protocol of a Gateway");
        let help = format!("allowed: {}", PROTOCOLS.join(", "));
        diagnostics.report(codes::INVALID_VALUE, node.span, message).help(help);
    } else if !is_plain(server) {
        let message = format!("{name} servers are not served yet; the port stays closed");
        diagnostics.report(codes::NOT_ENFORCED_PROTOCOL, node.span, message);
    }
    tls(server, &upper, diagnostics);
}

fn tls(server: &Node, protocol: &str, diagnostics: &mut Diagnostics) {
    let tls = server.entry("tls");
    let secure = ["HTTPS", "TLS"].contains(&protocol);
    match tls {
        None if secure => {
            let message = format!("a server of protocol {protocol} needs `tls`");
            diagnostics.report(codes::MISSING_FIELD, server.span, message);
        }
        Some(entry) if !secure => {
            let other = entry.node.entries().iter().find(|field| field.key != "httpsRedirect");
            if let Some(other) = other {
                let message =
                    format!("a server of protocol {protocol} may set `tls.httpsRedirect` only");
                let help = "for TLS write `protocol: HTTPS`";
                diagnostics.report(codes::INVALID_VALUE, other.key_span, message).help(help);
            }
        }
        None | Some(_) => {}
    }
    let Some(tls) = tls.map(|entry| &entry.node) else { return };
    let mode = tls.text_at("mode").unwrap_or("PASSTHROUGH");
    let sources = ["credentialName", "credentialNames", "tlsCertificates", "serverCertificate"];
    if ["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"].contains(&mode)
        && !sources.iter().any(|source| tls.has(source))
    {
        let message = format!("tls mode {mode} needs a certificate");
        let help = format!("give one of {}", sources.join(", "));
        diagnostics.report(codes::MISSING_FIELD, tls.span, message).help(help);
    }
}
