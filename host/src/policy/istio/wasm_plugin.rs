//! WasmPlugin: a module in the chain at Istio's phase and priority.

use super::scope;
use crate::plan::chain::{FilterRef, OnFailure};
use crate::plan::plugin::PluginSource;
use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::Node;
use crate::policy::kind::Kind;
use crate::policy::listener::{Compiler, Surroundings};
use crate::policy::resource::Resource;
use std::cmp::Reverse;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Authn,
    Authz,
    Stats,
    Unspecified,
}

impl Phase {
    fn of(plugin: &Resource) -> Self {
        match plugin.spec.text_at("phase") {
            Some("AUTHN") => Self::Authn,
            Some("AUTHZ") => Self::Authz,
            Some("STATS") => Self::Stats,
            _ => Self::Unspecified,
        }
    }
}

/// The plugins of one phase that apply here: by priority, high first; then the workload's
/// namespace before the root namespace, and the older first.
pub(crate) fn filters(
    compiler: &mut Compiler<'_>,
    surroundings: &Surroundings<'_>,
    phase: Phase,
) -> Vec<FilterRef> {
    let mut plugins: Vec<&Resource> = compiler
        .catalog
        .of(Kind::WasmPlugin)
        .iter()
        .filter(|plugin| {
            Phase::of(plugin) == phase
                && !compiler.index.is_rule_plugin(plugin)
                && scope::applies(plugin, surroundings.workload, compiler.options)
                && matches_here(plugin, surroundings)
        })
        .collect();
    plugins.sort_by_key(|plugin| {
        let priority = plugin.spec.get("priority").and_then(Node::integer);
        let distant = plugin.namespace != surroundings.workload.namespace;
        (Reverse(priority.unwrap_or(i64::MIN)), distant)
    });
    plugins.into_iter().filter_map(|plugin| filter(compiler, plugin)).collect()
}

/// Any of the entries of `match`: the direction and the port.
fn matches_here(plugin: &Resource, surroundings: &Surroundings<'_>) -> bool {
    let entries = plugin.spec.list("match");
    entries.is_empty()
        || entries.iter().any(|entry| {
            let ports = entry.list("ports");
            let port = ports.is_empty()
                || ports
                    .iter()
                    .any(|port| port.get("number").and_then(Node::port) == Some(surroundings.port));
            port && surroundings.class.in_mode(entry.text_at("mode"))
        })
}

/// The path of a `file://` URL.
fn file_path(url: &str) -> Option<&str> {
    url.strip_prefix("file://").filter(|path| !path.is_empty())
}

/// `None` when the module cannot be loaded.
pub(crate) fn filter(compiler: &mut Compiler<'_>, plugin: &Resource) -> Option<FilterRef> {
    let spec = &plugin.spec;
    if spec.text_at("type") == Some("NETWORK") {
        return None;
    }
    let url = spec.get("url")?;
    let path = compiler.file(url.span, file_path(url.text()?)?);
    let name = spec
        .text_at("pluginName")
        .map_or_else(|| format!("{}.{}", plugin.namespace, plugin.name), str::to_owned);
    let config = spec.get("pluginConfig").map(|config| config.to_json().to_string());
    let on_failure = match spec.text_at("failStrategy") {
        Some("FAIL_OPEN") => OnFailure::Open,
        _ => OnFailure::Closed,
    };
    let source = PluginSource::File(path);
    Some(compiler.builder.filter(&name, source, config.unwrap_or_default(), on_failure))
}

pub(crate) fn validate(plugin: &Resource, diagnostics: &mut Diagnostics) {
    let spec = &plugin.spec;
    let mut names = BTreeSet::new();
    for variable in spec.at(&["vmConfig", "env"]).map_or(&[][..], Node::items) {
        if let Some(name) = variable.get("name")
            && !names.insert(name.scalar_text())
        {
            let message = "two variables have this name";
            diagnostics.report(codes::INVALID_VALUE, name.span, message);
        }
        let from_host = variable.text_at("valueFrom") == Some("HOST");
        if let (true, Some(value)) = (from_host, variable.entry("value")) {
            let message = "`value` has no place beside `valueFrom: HOST`";
            diagnostics.report(codes::EXCLUSIVE_FIELDS, value.key_span, message);
        }
    }
    for entry in spec.list("match") {
        let mut ports = BTreeSet::new();
        for port in entry.list("ports").iter().filter_map(|port| port.get("number")) {
            if !ports.insert(port.integer()) {
                diagnostics.report(codes::INVALID_VALUE, port.span, "this port is given twice");
            }
        }
    }
    if let Some(kind) = spec.get("type")
        && kind.text() == Some("NETWORK")
    {
        let message = "plugins of type NETWORK are not run yet";
        diagnostics.report(codes::NOT_ENFORCED_FIELD, kind.span, message);
    }
    source(plugin, diagnostics);
}

/// Only files are loaded yet. A guard that cannot be loaded must not leave its door open.
fn source(plugin: &Resource, diagnostics: &mut Diagnostics) {
    let Some(url) = plugin.spec.get("url") else { return };
    let Some(text) = url.text() else { return };
    let known = ["", "oci", "http", "https"];
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    if text.is_empty() || !known.contains(&scheme) {
        return;
    }
    let guards = matches!(Phase::of(plugin), Phase::Authn | Phase::Authz);
    let open = plugin.spec.text_at("failStrategy") == Some("FAIL_OPEN");
    let help = "fetch the module and write `url: file:///path/to/plugin.wasm`";
    if guards && !open {
        let message = format!(
            "modules are loaded from files only, and without `{text}` requests \
                               would pass unchecked"
        );
        diagnostics.report(codes::UNSAFE_TO_IGNORE, url.span, message).help(help);
    } else {
        let message = format!("modules are loaded from files only yet; `{text}` is not run");
        diagnostics.report(codes::NOT_ENFORCED_FIELD, url.span, message).help(help);
    }
}

/// EnvoyFilter is refused anyway; its own contradictions are told as well.
pub(crate) fn validate_envoy_filter(filter: &Resource, diagnostics: &mut Diagnostics) {
    let spec = &filter.spec;
    for matching in spec.list("configPatches").iter().filter_map(|patch| patch.get("match")) {
        let waypoint = matching.text_at("context") == Some("WAYPOINT");
        if waypoint != matching.has("waypoint") {
            let message = "`waypoint` and context WAYPOINT go together";
            diagnostics.report(codes::EXCLUSIVE_FIELDS, matching.span, message);
        }
    }
}
