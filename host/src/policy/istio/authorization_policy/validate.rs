//! Conditions on an AuthorizationPolicy beyond its table, as Istio's own validation has them.

use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::Node;
use crate::policy::istio::scope;
use crate::policy::resource::Resource;

pub(crate) fn validate(policy: &Resource, diagnostics: &mut Diagnostics) {
    let spec = &policy.spec;
    let action = spec.text_at("action").unwrap_or("ALLOW");
    if ["DENY", "CUSTOM"].contains(&action) && spec.list("rules").is_empty() {
        let message = format!("action {action} needs rules: without any it would match nothing");
        let help = "write `rules: [{}]` to match every request";
        diagnostics.report(codes::MISSING_FIELD, policy.span, message).help(help);
    }
    let provider = spec.at(&["provider", "name"]);
    match (action, provider) {
        ("CUSTOM", None) => {
            let message = "action CUSTOM needs `provider.name`";
            diagnostics.report(codes::MISSING_FIELD, policy.span, message);
        }
        ("CUSTOM", Some(_)) | (_, None) => {}
        (_, Some(provider)) => {
            let message = format!("a provider belongs to action CUSTOM, this is {action}");
            diagnostics.report(codes::EXCLUSIVE_FIELDS, provider.span, message);
        }
    }
    if let Some(matching) = spec.at(&["selector", "matchLabels"])
        && !scope::has_selector(policy)
    {
        let message = "an empty selector covers the whole namespace";
        diagnostics.report(codes::WORKLOAD_SCOPE, matching.span, message);
    }
    for rule in spec.list("rules") {
        self::rule(rule, action == "CUSTOM", diagnostics);
    }
}

fn rule(rule: &Node, custom: bool, diagnostics: &mut Diagnostics) {
    for (list, item) in [("from", "source"), ("to", "operation")] {
        let Some(entry) = rule.entry(list) else { continue };
        if entry.node.items().is_empty() {
            not_empty(&entry.node, &format!("`{list}`"), diagnostics);
        }
        for node in entry.node.items() {
            match node.get(item) {
                Some(fields) if fields.entries().is_empty() => {
                    not_empty(fields, &format!("`{item}`"), diagnostics);
                }
                Some(fields) => values(fields, diagnostics),
                None => {
                    let message = format!("an item of `{list}` needs `{item}`");
                    diagnostics.report(codes::MISSING_FIELD, node.span, message);
                }
            }
        }
    }
    for from in rule.list("from") {
        if let Some(source) = from.get("source") {
            self::source(source, custom, diagnostics);
        }
    }
    for to in rule.list("to") {
        if let Some(operation) = to.get("operation") {
            self::operation(operation, diagnostics);
        }
    }
    if let Some(when) = rule.entry("when")
        && when.node.items().is_empty()
    {
        not_empty(&when.node, "`when`", diagnostics);
    }
    for condition in rule.list("when") {
        self::condition(condition, custom, diagnostics);
    }
}

fn not_empty(node: &Node, what: &str, diagnostics: &mut Diagnostics) {
    let message = format!("{what} must not be empty: leave it out to match everything");
    diagnostics.report(codes::INVALID_VALUE, node.span, message);
}

/// Lists of values must have some, and none of them empty.
fn values(fields: &Node, diagnostics: &mut Diagnostics) {
    for entry in fields.entries() {
        if entry.node.items().is_empty() {
            not_empty(&entry.node, &format!("`{}`", entry.key), diagnostics);
        }
        for value in entry.node.items().iter().filter(|value| value.text() == Some("")) {
            let message = format!("an empty value of `{}` can match nothing", entry.key);
            diagnostics.report(codes::INVALID_VALUE, value.span, message);
        }
    }
}

const IDENTITIES: [&str; 4] = ["principals", "notPrincipals", "namespaces", "notNamespaces"];

fn source(source: &Node, custom: bool, diagnostics: &mut Diagnostics) {
    let accounts = source.entry("serviceAccounts").or_else(|| source.entry("notServiceAccounts"));
    let given =
        |names: &[&str]| source.entries().iter().find(|entry| names.contains(&entry.key.as_str()));
    if let (Some(accounts), Some(other)) = (accounts, given(&IDENTITIES)) {
        let message = format!("`{}` and `{}` exclude each other", accounts.key, other.key);
        diagnostics.report(codes::EXCLUSIVE_FIELDS, other.key_span, message);
    }
    for account in ["serviceAccounts", "notServiceAccounts"].iter().flat_map(|n| source.list(n)) {
        let text = account.text().unwrap_or("x");
        if text.contains('*') || text.split('/').count() > 2 || text.split('/').any(str::is_empty) {
            let message = "a service account is NAME or NAMESPACE/NAME, without a wildcard";
            diagnostics.report(codes::INVALID_VALUE, account.span, message);
        }
    }
    const UNKNOWN_TO_CUSTOM: [&str; 6] = [
        "principals",
        "notPrincipals",
        "namespaces",
        "notNamespaces",
        "requestPrincipals",
        "notRequestPrincipals",
    ];
    if let (true, Some(entry)) = (custom, given(&UNKNOWN_TO_CUSTOM)) {
        let message = format!("action CUSTOM cannot use `{}`", entry.key);
        diagnostics.report(codes::INVALID_VALUE, entry.key_span, message);
    }
    for name in ["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"] {
        for block in source.list(name) {
            check_block(block, diagnostics);
        }
    }
}

fn check_block(block: &Node, diagnostics: &mut Diagnostics) {
    let Some(text) = block.text() else { return };
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let valid = match (address.parse::<std::net::IpAddr>(), bits) {
        (Ok(_), None) => true,
        (Ok(address), Some(bits)) => {
            let most = if address.is_ipv4() { 32 } else { 128 };
            bits.parse().is_ok_and(|bits: u8| bits <= most)
        }
        (Err(_), _) => false,
    };
    if !valid {
        let message = format!("`{text}` is neither an address nor a network");
        let help = "write 10.0.0.1 or 10.0.0.0/8";
        diagnostics.report(codes::INVALID_VALUE, block.span, message).help(help);
    }
}

fn operation(operation: &Node, diagnostics: &mut Diagnostics) {
    for port in ["ports", "notPorts"].iter().flat_map(|name| operation.list(name)) {
        check_port(port, diagnostics);
    }
    for path in ["paths", "notPaths"].iter().flat_map(|name| operation.list(name)) {
        let Some(text) = path.text().filter(|text| text.contains(['{', '}'])) else { continue };
        if let Some(problem) = template_problem(text) {
            let help = "`{*}` stands for one segment, `{**}` for any number of them at the end";
            diagnostics.report(codes::INVALID_VALUE, path.span, problem).help(help);
        }
    }
}

fn check_port(port: &Node, diagnostics: &mut Diagnostics) {
    let Some(text) = port.text() else { return };
    if !text.parse().is_ok_and(|port: u16| port > 0) {
        let message = format!("`{text}` is not a port");
        diagnostics.report(codes::INVALID_VALUE, port.span, message);
    }
}

/// Path templates: whole segments of `{*}`, `{**}` as the last of them, and no other wildcard.
fn template_problem(text: &str) -> Option<String> {
    let mut closed = false;
    for segment in text.split('/') {
        match segment {
            // Istio also takes text after it; the `authz` plugin does not yet.
            _ if closed => return Some("nothing may follow `{**}` here".to_owned()),
            "{*}" => {}
            "{**}" => closed = true,
            other if other.contains(['{', '}', '*']) => {
                return Some(format!("`{other}` mixes a template with text"));
            }
            _ => {}
        }
    }
    None
}

const CONDITION_KEYS: [&str; 13] = [
    "source.ip",
    "remote.ip",
    "source.namespace",
    "source.serviceAccount",
    "source.trustDomain",
    "source.principal",
    "request.auth.principal",
    "request.auth.audiences",
    "request.auth.presenter",
    "destination.ip",
    "destination.port",
    "connection.sni",
    "request.auth.claims",
];

fn condition(condition: &Node, custom: bool, diagnostics: &mut Diagnostics) {
    let given = !condition.list("values").is_empty() || !condition.list("notValues").is_empty();
    if !given {
        let message = "a condition needs `values` or `notValues`";
        diagnostics.report(codes::MISSING_FIELD, condition.span, message);
    }
    let Some(node) = condition.get("key") else { return };
    let key = node.text().unwrap_or_default();
    let bracketed = |prefix: &str| {
        key.strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix('['))
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|name| !name.is_empty())
    };
    let known = bracketed("request.headers")
        || bracketed("request.auth.claims")
        || (CONDITION_KEYS.contains(&key) && key != "request.auth.claims");
    if key.starts_with("experimental.envoy.filters.") {
        let message = format!("`{key}` reads the state of a filter of Envoy, which is not here");
        let help = "without it this rule would match other requests than it says: remove the rule";
        diagnostics.report(codes::UNSAFE_TO_IGNORE, node.span, message).help(help);
    } else if !known {
        let message = format!("`{key}` is not an attribute that a condition can have");
        let help = format!("known: request.headers[NAME], {}[NAME]", CONDITION_KEYS.join(", "));
        diagnostics.report(codes::INVALID_VALUE, node.span, message).help(help);
    }
    if custom && (key.starts_with("request.auth.") || key.starts_with("source.principal")) {
        let message = format!("action CUSTOM cannot use `{key}`");
        diagnostics.report(codes::INVALID_VALUE, node.span, message);
    }
    let values = ["values", "notValues"].iter().flat_map(|name| condition.list(name));
    for value in values {
        match key {
            "source.ip" | "remote.ip" | "destination.ip" => check_block(value, diagnostics),
            "destination.port" => check_port(value, diagnostics),
            _ => {}
        }
    }
}
