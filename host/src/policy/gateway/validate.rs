//! Conditions that no table expresses, each as the validation rules of the custom resource
//! definitions have them.

use super::filters::{self, is_removable};
use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::Node;
use crate::policy::istio::regex_problem;
use crate::policy::kind::Kind;
use crate::policy::resource::Resource;
use crate::policy::shape::duration;
use std::collections::BTreeSet;

pub(crate) fn validate(resource: &Resource, diagnostics: &mut Diagnostics) {
    match resource.kind {
        Kind::K8sGateway | Kind::ListenerSet => {
            listeners(resource.spec.list("listeners"), diagnostics);
        }
        Kind::HttpRoute | Kind::GrpcRoute => {
            for rule in resource.spec.list("rules") {
                validate_rule(rule, diagnostics);
            }
        }
        _ => {}
    }
}

fn listeners(listeners: &[Node], diagnostics: &mut Diagnostics) {
    let mut names = BTreeSet::new();
    let mut places = BTreeSet::new();
    for listener in listeners {
        if let Some(name) = listener.get("name")
            && !names.insert(name.scalar_text())
        {
            let message = "two listeners have this name";
            diagnostics.report(codes::INVALID_VALUE, name.span, message);
        }
        let Some(node) = listener.get("protocol") else { continue };
        let protocol = node.text().unwrap_or_default();
        let port = listener.get("port").and_then(Node::port);
        if !places.insert((port, protocol, listener.text_at("hostname"))) {
            let message = "two listeners have this port, protocol and hostname";
            diagnostics.report(codes::INVALID_VALUE, listener.span, message);
        }
        if protocol != "HTTP" {
            let message = format!("{protocol} listeners are not served yet; the port stays closed");
            diagnostics.report(codes::NOT_ENFORCED_PROTOCOL, node.span, message);
        }
        if let Some(tls) = listener.entry("tls")
            && ["HTTP", "TCP", "UDP"].contains(&protocol)
        {
            let message = format!("a listener of protocol {protocol} has no `tls`");
            diagnostics.report(codes::EXCLUSIVE_FIELDS, tls.key_span, message);
        }
    }
}

fn validate_rule(rule: &Node, diagnostics: &mut Diagnostics) {
    for matching in rule.list("matches") {
        validate_path(matching.get("path"), diagnostics);
        let parts = matching.list("headers").iter().chain(matching.list("queryParams"));
        for part in parts {
            regex(part, &["value"], diagnostics);
        }
        if let Some(method) = matching.get("method") {
            regex(method, &["service", "method"], diagnostics);
        }
    }
    for backend in rule.list("backendRefs") {
        let is_service = backend.text_at("kind").is_none_or(|kind| kind == "Service")
            && backend.text_at("group").is_none_or(str::is_empty);
        if is_service && !backend.has("port") {
            let message = "a backend of kind Service needs `port`";
            diagnostics.report(codes::MISSING_FIELD, backend.span, message);
        }
    }
    for filter in filters::of_rule(rule) {
        validate_filter(rule, filter, diagnostics);
    }
    let lists = rule.list("backendRefs").iter().map(|backend| backend.list("filters"));
    for list in lists.chain([rule.list("filters")]) {
        validate_filters(list, diagnostics);
    }
    timeouts(rule, diagnostics);
}

/// Compiles the values of a condition of type `RegularExpression`.
fn regex(node: &Node, fields: &[&str], diagnostics: &mut Diagnostics) {
    if node.text_at("type") != Some("RegularExpression") {
        return;
    }
    for value in fields.iter().filter_map(|field| node.get(field)) {
        if let Some(problem) = value.text().and_then(regex_problem) {
            diagnostics.report(codes::INVALID_REGEX, value.span, problem);
        }
    }
}

fn validate_path(path: Option<&Node>, diagnostics: &mut Diagnostics) {
    let Some(path) = path else { return };
    if path.text_at("type") == Some("RegularExpression") {
        return regex(path, &["value"], diagnostics);
    }
    let Some(node) = path.get("value") else { return };
    let Some(value) = node.text() else { return };
    const FORBIDDEN: [&str; 6] = ["//", "/./", "/../", "%2f", "%2F", "#"];
    let problem = if !value.starts_with('/') {
        Some("must begin with `/`".to_owned())
    } else if let Some(part) = FORBIDDEN.iter().find(|part| value.contains(*part)) {
        Some(format!("must not contain `{part}`"))
    } else if value.ends_with("/.") || value.ends_with("/..") {
        Some("must not end with `/.` or `/..`".to_owned())
    } else {
        None
    };
    if let Some(problem) = problem {
        let message = format!("a path to match {problem}, found `{value}`");
        diagnostics.report(codes::INVALID_VALUE, node.span, message);
    }
}

/// `type` of a filter and the field that goes with it.
const TYPES: [(&str, &str); 8] = [
    ("RequestHeaderModifier", "requestHeaderModifier"),
    ("ResponseHeaderModifier", "responseHeaderModifier"),
    ("RequestMirror", "requestMirror"),
    ("RequestRedirect", "requestRedirect"),
    ("URLRewrite", "urlRewrite"),
    ("ExtensionRef", "extensionRef"),
    ("CORS", "cors"),
    ("ExternalAuth", "externalAuth"),
];

fn validate_filter(rule: &Node, filter: &Node, diagnostics: &mut Diagnostics) {
    let kind = filter.text_at("type").unwrap_or_default();
    for (name, field) in TYPES {
        match filter.entry(field) {
            None if name == kind => {
                let message = format!("a filter of type {kind} needs `{field}`");
                diagnostics.report(codes::MISSING_FIELD, filter.span, message);
            }
            Some(entry) if name != kind => {
                let message = format!("`{field}` belongs to type {name}, this filter is {kind}");
                diagnostics.report(codes::EXCLUSIVE_FIELDS, entry.key_span, message);
            }
            None | Some(_) => {}
        }
    }
    for changed in [filter.at(&["requestRedirect", "path"]), filter.at(&["urlRewrite", "path"])] {
        replacement(rule, changed, diagnostics);
    }
    if let Some(status) = filter.at(&["requestRedirect", "statusCode"])
        && status.integer().is_some_and(|code| ![301, 302, 303, 307, 308].contains(&code))
    {
        let message = "a redirect has the status 301, 302, 303, 307 or 308";
        diagnostics.report(codes::INVALID_VALUE, status.span, message);
    }
    let modifiers = ["requestHeaderModifier", "responseHeaderModifier"].iter();
    for modifier in modifiers.filter_map(|field| filter.get(field)) {
        for name in modifier.list("remove") {
            if name.text().is_some_and(|name| !is_removable(name)) {
                let message = "no message is without this header; it is not removed";
                diagnostics.report(codes::NOT_ENFORCED_FIELD, name.span, message);
            }
        }
    }
}

/// `path` of a redirect or rewrite: the field of its type, and a prefix only where one is matched.
fn replacement(rule: &Node, path: Option<&Node>, diagnostics: &mut Diagnostics) {
    let Some(path) = path else { return };
    let pairs =
        [("ReplaceFullPath", "replaceFullPath"), ("ReplacePrefixMatch", "replacePrefixMatch")];
    let kind = path.text_at("type").unwrap_or_default();
    for (name, field) in pairs {
        if (name == kind) != path.has(field) {
            let message = format!("`{field}` and type {name} go together");
            diagnostics.report(codes::EXCLUSIVE_FIELDS, path.span, message);
        }
    }
    let matches = rule.list("matches");
    let is_prefix = |matching: &Node| {
        let kind = matching.at(&["path", "type"]).and_then(Node::text);
        kind.is_none_or(|kind| kind == "PathPrefix")
    };
    if kind == "ReplacePrefixMatch" && (matches.len() > 1 || !matches.iter().all(is_prefix)) {
        let message = "ReplacePrefixMatch needs exactly one match, of type PathPrefix";
        diagnostics.report(codes::INVALID_VALUE, path.span, message);
    }
}

/// Which filters may stand together.
fn validate_filters(filters: &[Node], diagnostics: &mut Diagnostics) {
    const ONCE: [&str; 5] = [
        "RequestHeaderModifier",
        "ResponseHeaderModifier",
        "RequestRedirect",
        "URLRewrite",
        "CORS",
    ];
    let mut seen = BTreeSet::new();
    for filter in filters {
        let Some(kind) = filter.get("type") else { continue };
        let Some(name) = kind.text() else { continue };
        if !seen.insert(name) && ONCE.contains(&name) {
            let message = format!("{name} can be given once");
            diagnostics.report(codes::INVALID_VALUE, kind.span, message);
        }
        let other = match name {
            "RequestRedirect" => "URLRewrite",
            "URLRewrite" => "RequestRedirect",
            _ => continue,
        };
        if seen.contains(other) {
            let message = format!("{name} and {other} exclude each other");
            diagnostics.report(codes::EXCLUSIVE_FIELDS, kind.span, message);
        }
    }
}

fn timeouts(rule: &Node, diagnostics: &mut Diagnostics) {
    let Some(timeouts) = rule.get("timeouts") else { return };
    let given = |name: &str| timeouts.text_at(name).and_then(duration).filter(|it| !it.is_zero());
    if let (Some(request), Some(backend)) = (given("request"), given("backendRequest"))
        && backend > request
        && let Some(node) = timeouts.get("backendRequest")
    {
        let message = "`backendRequest` must not be longer than `request`";
        diagnostics.report(codes::INVALID_VALUE, node.span, message);
    }
}
