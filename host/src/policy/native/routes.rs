//! Explicit routes: exactly the chain that is written, nothing added.

use super::{CLUSTER, ListenerSpec, host_port};
use crate::plan::chain::{FilterRef, OnFailure};
use crate::plan::cluster::{Cluster, Endpoint, Workload};
use crate::plan::listener::{Domain, VirtualHost};
use crate::plan::matcher::{HeaderMatch, PathMatch, RouteMatch, StringMatch};
use crate::plan::plugin::PluginSource;
use crate::plan::route::{MISSING_CLUSTER_STATUS, Route};
use crate::policy::Mode;
use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::{Node, Value};
use crate::policy::host;
use crate::policy::istio::regex_problem;
use crate::policy::listener::{CONNECT_TIMEOUT, Compiler};
use crate::policy::registry;
use crate::policy::resource::Resource;
use crate::policy::shape::{self, Strictness, nearest};
use std::path::{Component, Path, PathBuf};

pub(super) fn validate(routes: &[Node], diagnostics: &mut Diagnostics) {
    for route in routes {
        let headers = route.at(&["match", "headers"]).map_or(&[][..], Node::entries);
        let matches = headers.iter().map(|entry| &entry.node).chain(route.at(&["match", "path"]));
        for regex in matches.filter_map(|node| node.get("regex")) {
            if let Some(problem) = regex.text().and_then(regex_problem) {
                diagnostics.report(codes::INVALID_REGEX, regex.span, problem);
            }
        }
        if route.get("cluster").is_none() && route.list("plugins").is_empty() {
            let message = "a route needs `cluster` or plugins that answer";
            diagnostics.report(codes::MISSING_FIELD, route.span, message);
        }
    }
}

/// The one virtual host of a listener with explicit routes.
pub(crate) fn lower(
    compiler: &mut Compiler<'_>,
    proxy: &Resource,
    listener: &ListenerSpec<'_>,
) -> Vec<VirtualHost> {
    let routes = listener.node.list("routes").iter();
    let routes = routes.map(|route| lower_route(compiler, proxy, route)).collect();
    vec![VirtualHost { name: listener.name.clone(), domains: vec![Domain::Any], routes }]
}

fn lower_route(compiler: &mut Compiler<'_>, proxy: &Resource, route: &Node) -> Route {
    let plugins = route.list("plugins").iter();
    let chain = plugins.filter_map(|plugin| filter(compiler, plugin)).collect();
    Route {
        name: String::new(),
        matches: route.get("match").map(route_match).into_iter().collect(),
        chain,
        cluster: route.get("cluster").and_then(|node| cluster(compiler, proxy, node)),
        missing_cluster_status: MISSING_CLUSTER_STATUS,
        timeout: None,
        place: Some(compiler.place(route.span)),
    }
}

fn route_match(node: &Node) -> RouteMatch {
    let headers = node.get("headers").map_or(&[][..], Node::entries).iter();
    let headers = headers.map(|entry| HeaderMatch {
        name: entry.key.to_ascii_lowercase(),
        value: string_match(&entry.node),
        invert: false,
    });
    let path = node.get("path").and_then(|path| {
        Some(match string_match(path) {
            StringMatch::Exact(value) => PathMatch::Exact { value, ignore_case: false },
            StringMatch::Prefix(value) => PathMatch::Prefix { value, ignore_case: false },
            StringMatch::Regex(regex) => PathMatch::Regex(regex),
            StringMatch::Present => return None,
        })
    });
    RouteMatch {
        path,
        method: node.text_at("method").map(|method| StringMatch::Exact(method.to_owned())),
        headers: headers.collect(),
        ..RouteMatch::default()
    }
}

fn string_match(node: &Node) -> StringMatch {
    let text = |key: &str| node.text_at(key).map(str::to_owned);
    text("exact")
        .map(StringMatch::Exact)
        .or_else(|| text("prefix").map(StringMatch::Prefix))
        .or_else(|| text("regex").map(StringMatch::Regex))
        .unwrap_or(StringMatch::Present)
}

fn filter(compiler: &mut Compiler<'_>, node: &Node) -> Option<FilterRef> {
    let plugin = node.get("plugin")?;
    let text = plugin.text()?;
    let source = plugin_source(compiler, plugin, text)?;
    let config = match node.get("config") {
        None => String::new(),
        Some(config) => match config.text() {
            Some(text) => text.to_owned(),
            None => config.to_json().to_string(),
        },
    };
    let on_failure = match node.text_at("onFailure") {
        Some("open") => OnFailure::Open,
        _ => OnFailure::Closed,
    };
    let name = node.text_at("name").unwrap_or(text);
    Some(compiler.builder.filter(name, source, config, on_failure))
}

fn plugin_source(compiler: &mut Compiler<'_>, node: &Node, text: &str) -> Option<PluginSource> {
    if let Some(name) = text.strip_prefix("builtin:") {
        let builtins = compiler.options.builtins;
        if builtins.contains(&name) || builtins.is_empty() {
            return Some(PluginSource::Builtin(name.to_owned()));
        }
        let message = format!("there is no built-in plugin `{name}`");
        let near = nearest(name, builtins.iter().copied());
        let help = near.map_or_else(
            || format!("built-in plugins: {}", builtins.join(", ")),
            |near| format!("did you mean `builtin:{near}`?"),
        );
        compiler.diagnostics.report(codes::UNKNOWN_PLUGIN, node.span, message).help(help);
        return None;
    }
    if let Some(path) = text.strip_prefix("file:").filter(|path| !path.is_empty()) {
        let path = path.strip_prefix("//").unwrap_or(path);
        return Some(PluginSource::File(compiler.file(node.span, path)));
    }
    let message = format!("`{text}` does not say where the plugin is");
    let help = "write `builtin:NAME` or `file:PATH`";
    compiler.diagnostics.report(codes::UNKNOWN_PLUGIN, node.span, message).help(help);
    None
}

/// A path relative to the document's folder, without `.` and `..` where that is possible.
pub(crate) fn resolve_path(base: &Path, path: &str) -> PathBuf {
    let mut resolved = PathBuf::new();
    for component in base.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(resolved.components().next_back(), Some(Component::Normal(_))) =>
            {
                resolved.pop();
            }
            other => resolved.push(other),
        }
    }
    resolved
}

/// `{endpoints: […]}` becomes a cluster of its own, named after its content so that equal ones
/// share connections; text names a port of a service.
fn cluster(compiler: &mut Compiler<'_>, proxy: &Resource, node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar(_) => service_cluster(compiler, proxy, node),
        Value::Map(_) | Value::List(_) => {
            let strictness = Strictness { mode: Mode::Strict, security: false };
            let errors = compiler.diagnostics.errors();
            shape::check(node, &CLUSTER, "cluster", strictness, compiler.diagnostics);
            if compiler.diagnostics.errors() > errors {
                return None;
            }
            Some(endpoints_cluster(compiler, node))
        }
    }
}

fn endpoints_cluster(compiler: &mut Compiler<'_>, node: &Node) -> String {
    let mut endpoints = Vec::new();
    for endpoint in node.list("endpoints") {
        let text = endpoint.text().unwrap_or_default();
        let Some((host, port)) = host_port(text) else {
            let message = format!("`{text}` is not an endpoint");
            let help = "write HOST:PORT, e.g. 127.0.0.1:9000";
            compiler.diagnostics.report(codes::INVALID_VALUE, endpoint.span, message).help(help);
            continue;
        };
        let address = registry::address(&host, port);
        endpoints.push(Endpoint { address, weight: 1, workload: Workload::default() });
    }
    let addresses: Vec<_> = endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect();
    let name = format!("endpoints|{}", addresses.join(","));
    let connect_timeout = CONNECT_TIMEOUT;
    compiler.builder.cluster(Cluster { name, service: None, endpoints, connect_timeout })
}

fn service_cluster(compiler: &mut Compiler<'_>, proxy: &Resource, node: &Node) -> Option<String> {
    let text = node.scalar_text().unwrap_or_default();
    let Some((name, port)) = host_port(text) else {
        let message = format!("`{text}` does not name a cluster");
        let help = "write HOST:PORT of a service, or {endpoints: [\"127.0.0.1:9000\"]}";
        compiler.diagnostics.report(codes::INVALID_VALUE, node.span, message).help(help);
        return None;
    };
    let host = host::qualify(&name, &proxy.namespace, compiler.options);
    Some(compiler.destination(&host, port, None, node.span))
}
