//! Filters of rules and backends as plugins, in Weir's order: plugins of the author, redirect,
//! headers, rewrite, split.

use super::backends::{Backends, MISSING_STATUS};
use crate::plan::chain::FilterRef;
use crate::policy::document::Node;
use crate::policy::istio::wasm_plugin;
use crate::policy::kind::Kind;
use crate::policy::listener::Compiler;
use serde_json::{Map, Value as Json, json};

/// Where the filters of a match are put together.
pub(super) struct At<'a> {
    /// Of the route: references to plugins do not leave it.
    pub(super) namespace: &'a str,
    /// Of the listener: the port of redirects that name neither port nor scheme.
    pub(super) port: u16,
    /// The prefix that the match has matched.
    pub(super) prefix: Option<String>,
}

/// A WasmPlugin named by a filter.
pub(super) struct PluginReference<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

/// Filters of a rule and of its backends.
pub(super) fn of_rule(rule: &Node) -> impl Iterator<Item = &Node> {
    let backends = rule.list("backendRefs").iter();
    rule.list("filters").iter().chain(backends.flat_map(|backend| backend.list("filters")))
}

/// The WasmPlugin that an `ExtensionRef` names.
pub(super) fn plugin<'a>(filter: &'a Node, namespace: &'a str) -> Option<PluginReference<'a>> {
    let reference = filter.get("extensionRef")?;
    let is_plugin = reference.text_at("group") == Some("extensions.istio.io")
        && reference.text_at("kind") == Some("WasmPlugin");
    let name = reference.text_at("name")?;
    is_plugin.then_some(PluginReference { namespace, name })
}

/// The filters of a rule for one of its matches, with those of its only backend after them.
pub(super) fn lower(
    compiler: &mut Compiler<'_>,
    rule: &Node,
    backends: &Backends<'_>,
    at: &At<'_>,
) -> Vec<FilterRef> {
    let all = || rule.list("filters").iter().chain(backends.filters);
    let mut chain = Vec::new();
    for filter in all().filter(|filter| filter.has("extensionRef")) {
        chain.push(extension(compiler, filter, at));
    }
    for redirect in all().filter_map(|filter| filter.get("requestRedirect")) {
        let config = redirect_config(redirect, at);
        chain.push(compiler.builder.builtin("redirect", &config));
    }
    for filters in [rule.list("filters"), backends.filters] {
        if let Some(operations) = header_operations(filters.iter()) {
            chain.push(compiler.builder.builtin("headers", &operations));
        }
    }
    for rewrite in all().filter_map(|filter| filter.get("urlRewrite")) {
        if let Some(config) = rewrite_config(rewrite, at) {
            chain.push(compiler.builder.builtin("rewrite", &config));
        }
    }
    if let Some(split) = &backends.split {
        chain.push(compiler.builder.builtin("split", split));
    }
    chain
}

/// A filter that cannot be resolved must not be skipped: its requests get an error instead.
fn extension(compiler: &mut Compiler<'_>, filter: &Node, at: &At<'_>) -> FilterRef {
    let catalog = compiler.catalog;
    let found = plugin(filter, at.namespace).and_then(|named| {
        let mut plugins = catalog.of(Kind::WasmPlugin).iter();
        plugins.find(|known| known.namespace == named.namespace && known.name == named.name)
    });
    let found = found.and_then(|plugin| wasm_plugin::filter(compiler, plugin));
    found.unwrap_or_else(|| {
        let config = json!({"status": MISSING_STATUS});
        compiler.builder.builtin("respond", &config)
    })
}

/// `headers` configuration of the header modifiers among some filters.
pub(super) fn header_operations<'n>(filters: impl Iterator<Item = &'n Node>) -> Option<Json> {
    let mut config = Map::new();
    for filter in filters {
        let directions =
            [("request", "requestHeaderModifier"), ("response", "responseHeaderModifier")];
        for (direction, field) in directions {
            let operations = filter.get(field).and_then(operations);
            if let Some(operations) = operations {
                config.insert(direction.to_owned(), operations);
            }
        }
    }
    (!config.is_empty()).then_some(Json::Object(config))
}

fn operations(modifier: &Node) -> Option<Json> {
    let mut operations = Map::new();
    for name in ["set", "add"] {
        let mut pairs = Map::new();
        for header in modifier.list(name) {
            let key = header.text_at("name").unwrap_or_default().to_ascii_lowercase();
            // Values are plain text here; the plugin's commands start with a per cent sign.
            let value = header.text_at("value").unwrap_or_default().replace('%', "%%");
            pairs.entry(key).or_insert_with(|| json!(value));
        }
        if !pairs.is_empty() {
            operations.insert(name.to_owned(), Json::Object(pairs));
        }
    }
    let removed: Vec<String> = modifier
        .texts("remove")
        .into_iter()
        .map(str::to_ascii_lowercase)
        .filter(|name| is_removable(name))
        .collect();
    if !removed.is_empty() {
        operations.insert("remove".to_owned(), json!(removed));
    }
    (!operations.is_empty()).then_some(Json::Object(operations))
}

/// No request is without a Host.
pub(super) fn is_removable(name: &str) -> bool {
    !name.starts_with(':') && !name.eq_ignore_ascii_case("host")
}

/// `replaceFullPath` or `replacePrefixMatch`; the latter by segments, with the slashes joined right.
fn path_config(path: &Node, at: &At<'_>) -> Option<Json> {
    if let Some(full) = path.text_at("replaceFullPath") {
        return Some(json!({"full": if full.is_empty() { "/" } else { full }}));
    }
    let to = path.text_at("replacePrefixMatch")?;
    let from = at.prefix.as_deref()?;
    Some(json!({"prefix": {"from": from, "to": to, "ignoreCase": false, "segments": true}}))
}

/// Without a port the location names the scheme's own when a scheme is given, else the listener's.
fn redirect_config(redirect: &Node, at: &At<'_>) -> Json {
    let mut config = Map::new();
    if let Some(path) = redirect.get("path").and_then(|path| path_config(path, at)) {
        config.insert("path".to_owned(), path);
    }
    if let Some(hostname) = redirect.text_at("hostname") {
        config.insert("authority".to_owned(), json!(hostname));
    }
    let scheme = redirect.text_at("scheme");
    if let Some(scheme) = scheme {
        config.insert("scheme".to_owned(), json!(scheme));
    }
    let port = match (redirect.get("port").and_then(Node::port), scheme) {
        (Some(port), _) => json!({"number": port}),
        (None, Some(_)) => json!("protocolDefault"),
        (None, None) => json!({"number": at.port}),
    };
    config.insert("port".to_owned(), port);
    let status = redirect.get("statusCode").and_then(Node::integer).unwrap_or(302);
    config.insert("status".to_owned(), json!(status));
    Json::Object(config)
}

fn rewrite_config(rewrite: &Node, at: &At<'_>) -> Option<Json> {
    let mut config = Map::new();
    if let Some(path) = rewrite.get("path").and_then(|path| path_config(path, at)) {
        config.insert("path".to_owned(), path);
    }
    if let Some(hostname) = rewrite.text_at("hostname") {
        config.insert("authority".to_owned(), json!(hostname));
    }
    (!config.is_empty()).then_some(Json::Object(config))
}
