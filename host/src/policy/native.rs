//! Kind `Proxy` of `weir.dev/v1`: where to listen, for whom, and explicit chains.
//!
//! Everything here is what no other project's kinds can say. Its fields are fixed; users and
//! benchmarks depend on them.

mod routes;

pub(crate) use routes::{lower, resolve_path};

use super::diagnostic::{Diagnostics, codes};
use super::document::{Node, Span};
use super::resource::Resource;
use super::shape::{ANY, FILLED, Field, Keys, PORT, Shape, Size, TEXT, TEXT_MAP};
use crate::plan::cluster::Workload;
use crate::plan::listener::Role;
use crate::policy::Options;
use std::net::SocketAddr;

pub(crate) static SHAPE: Shape = Shape::Object(
    &[
        Field::new("workload", &WORKLOAD),
        Field::new("listeners", &Shape::List(&LISTENER, Size(1, usize::MAX))).required(),
    ],
    &[],
);

static WORKLOAD: Shape =
    Shape::Object(&[Field::new("serviceAccount", &FILLED), Field::new("labels", &TEXT_MAP)], &[]);

static LISTENER: Shape = Shape::Object(
    &[
        Field::new("name", &FILLED).required(),
        Field::new("bind", &TEXT),
        Field::new("role", &Shape::Choice(&["routes", "outbound", "inbound", "gateway"])),
        Field::new("routes", &Shape::List(&ROUTE, Size::ANY)),
        Field::new("port", &PORT),
        Field::new("app", &TEXT),
        Field::new("ports", &Shape::Map(&TEXT, Keys::PortNumbers)),
    ],
    &[&["routes", "app", "ports"], &["bind", "ports"]],
);

static ROUTE: Shape = Shape::Object(
    &[
        Field::new("match", &MATCH),
        Field::new("plugins", &Shape::List(&PLUGIN, Size::ANY)),
        Field::new("cluster", &ANY),
    ],
    &[],
);

static MATCH: Shape = Shape::Object(
    &[
        Field::new("path", &STRING_MATCH),
        Field::new("method", &FILLED),
        Field::new("headers", &Shape::Map(&STRING_MATCH, Keys::Any)),
    ],
    &[],
);

static STRING_MATCH: Shape = Shape::Object(
    &[Field::new("exact", &TEXT), Field::new("prefix", &FILLED), Field::new("regex", &FILLED)],
    &[&["exact", "prefix", "regex"]],
);

static PLUGIN: Shape = Shape::Object(
    &[
        Field::new("name", &FILLED),
        Field::new("plugin", &FILLED).required(),
        Field::new("config", &ANY).nullable(),
        Field::new("onFailure", &Shape::Choice(&["closed", "open"])),
    ],
    &[],
);

static CLUSTER: Shape = Shape::Object(
    &[Field::new("endpoints", &Shape::List(&TEXT, Size(1, usize::MAX))).required()],
    &[],
);

/// A listener as written, its addresses read.
pub(crate) struct ListenerSpec<'a> {
    pub(crate) node: &'a Node,
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) role: Role,
    /// Of every role but `gateway`.
    pub(crate) bind: Option<SocketAddr>,
    /// Inbound: the workload's port.
    pub(crate) port: Option<u16>,
    /// Inbound: the application, `HOST:PORT`.
    pub(crate) app: Option<(String, u16)>,
    /// Gateway: declared port and where it is bound.
    pub(crate) ports: Vec<(u16, SocketAddr)>,
}

/// The listeners that can be read; what is wrong with the others was reported by [`validate`].
pub(crate) fn listeners(proxy: &Resource) -> Vec<ListenerSpec<'_>> {
    proxy.spec.list("listeners").iter().filter_map(listener).collect()
}

fn listener(node: &Node) -> Option<ListenerSpec<'_>> {
    let name = node.get("name")?;
    let ports = node.get("ports").map_or(&[][..], Node::entries).iter();
    let ports =
        ports.filter_map(|entry| Some((entry.key.parse().ok()?, entry.node.text()?.parse().ok()?)));
    Some(ListenerSpec {
        node,
        name: name.text()?.to_owned(),
        span: name.span,
        role: match node.text_at("role") {
            None | Some("routes") => Role::Routes,
            Some("outbound") => Role::Outbound,
            Some("inbound") => Role::Inbound,
            Some("gateway") => Role::Gateway,
            Some(_) => return None,
        },
        bind: node.text_at("bind").and_then(|bind| bind.parse().ok()),
        port: node.get("port").and_then(Node::port),
        app: node.text_at("app").and_then(host_port),
        ports: ports.collect(),
    })
}

pub(crate) fn workload(proxy: &Resource, options: &Options<'_>) -> Workload {
    let workload = proxy.spec.get("workload");
    let account = workload.and_then(|workload| workload.text_at("serviceAccount"));
    let labels = workload.into_iter().flat_map(|workload| workload.pairs("labels"));
    Workload {
        name: proxy.name.clone(),
        namespace: proxy.namespace.clone(),
        service_account: account.map(str::to_owned),
        trust_domain: options.trust_domain.clone(),
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}

/// `HOST:PORT`, with an IPv6 address in brackets.
pub(crate) fn host_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = bracketed.unwrap_or(host);
    if host.is_empty() || (bracketed.is_none() && host.contains(':')) {
        return None;
    }
    Some((host.to_owned(), port))
}

/// Conditions that tie several fields of a Proxy together.
pub(crate) fn validate(proxy: &Resource, diagnostics: &mut Diagnostics) {
    for node in proxy.spec.list("listeners") {
        let role = node.text_at("role").unwrap_or("routes");
        let needed: &[&str] = match role {
            "gateway" => &["ports"],
            "inbound" => &["bind", "port", "app"],
            "outbound" => &["bind"],
            _ => &["bind", "routes"],
        };
        for name in needed.iter().filter(|name| node.entry(name).is_none()) {
            let message = format!("a listener of role {role} needs `{name}`");
            diagnostics.report(codes::MISSING_FIELD, node.span, message);
        }
        const FOR_ONE_ROLE: [(&str, &str); 4] =
            [("routes", "routes"), ("app", "inbound"), ("port", "inbound"), ("ports", "gateway")];
        for (field, owner) in FOR_ONE_ROLE.iter().filter(|(_, owner)| *owner != role) {
            if let Some(entry) = node.entry(field) {
                let message = format!("`{field}` belongs to role {owner}, this listener is {role}");
                diagnostics.report(codes::EXCLUSIVE_FIELDS, entry.key_span, message);
            }
        }
        check_socket(node.get("bind"), diagnostics);
        for entry in node.get("ports").map_or(&[][..], Node::entries) {
            check_socket(Some(&entry.node), diagnostics);
        }
        if let Some(app) = node.get("app")
            && app.text().is_some_and(|text| host_port(text).is_none())
        {
            let message = "`app` must be HOST:PORT";
            diagnostics.report(codes::INVALID_VALUE, app.span, message);
        }
        routes::validate(node.list("routes"), diagnostics);
    }
}

fn check_socket(node: Option<&Node>, diagnostics: &mut Diagnostics) {
    let Some(node) = node else { return };
    let Some(text) = node.text() else { return };
    if text.parse::<SocketAddr>().is_err() {
        let message = format!("`{text}` is not an address to bind to");
        let help = "write an IP address and a port, e.g. 127.0.0.1:8080 or [::]:8080";
        diagnostics.report(codes::INVALID_VALUE, node.span, message).help(help);
    }
}
