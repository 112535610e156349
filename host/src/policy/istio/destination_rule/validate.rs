//! Conditions on a DestinationRule beyond its table, and what its values amount to.

use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::Node;
use crate::policy::resource::Resource;
use crate::policy::shape::is_dns_label;
use std::collections::BTreeSet;

pub(crate) fn validate(rule: &Resource, diagnostics: &mut Diagnostics) {
    let spec = &rule.spec;
    if let Some(host) = spec.get("host")
        && host.text().is_some_and(str::is_empty)
    {
        diagnostics.report(codes::INVALID_VALUE, host.span, "`spec.host` must not be empty");
    }
    policy(spec.get("trafficPolicy"), "spec.trafficPolicy", diagnostics);
    let mut names = BTreeSet::new();
    for subset in spec.list("subsets") {
        let path = "spec.subsets[].trafficPolicy";
        policy(subset.get("trafficPolicy"), path, diagnostics);
        let Some(node) = subset.get("name") else { continue };
        let name = node.text().unwrap_or_default();
        if !names.insert(name) {
            let message = format!("subset {name} is defined twice");
            diagnostics.report(codes::INVALID_VALUE, node.span, message);
        } else if !is_dns_label(name) {
            let message = format!("`{name}` is not the name of a subset");
            let help = "use letters, digits and hyphens, at most 63";
            diagnostics.report(codes::INVALID_VALUE, node.span, message).help(help);
        }
    }
}

fn policy(policy: Option<&Node>, path: &str, diagnostics: &mut Diagnostics) {
    let Some(policy) = policy else { return };
    if policy.entries().is_empty() {
        let message = format!("`{path}` must have at least one field");
        diagnostics.report(codes::INVALID_VALUE, policy.span, message);
    }
    let levels = std::iter::once(policy).chain(policy.list("portLevelSettings"));
    for level in levels {
        if let Some(pool) = level.get("connectionPool") {
            connection_pool(pool, path, diagnostics);
        }
        if let Some(detection) = level.get("outlierDetection") {
            outlier_detection(detection, diagnostics);
        }
        if let Some(simple) = level.at(&["loadBalancer", "simple"])
            && simple.text() == Some("LEAST_CONN")
        {
            let message = "LEAST_CONN is the old name of LEAST_REQUEST and is taken as that";
            let help = "write `simple: LEAST_REQUEST`";
            diagnostics.report(codes::DEPRECATED, simple.span, message).help(help);
        }
        if let Some(tls) = level.get("tls") {
            client_tls(tls, diagnostics);
        }
    }
}

fn connection_pool(pool: &Node, path: &str, diagnostics: &mut Diagnostics) {
    if pool.entries().is_empty() {
        let message = format!("`{path}.connectionPool` must have at least one field");
        diagnostics.report(codes::INVALID_VALUE, pool.span, message);
    }
    let negative = |node: &&Node| node.integer().is_some_and(|value| value < 0);
    let limits = pool.get("http").into_iter().chain(pool.get("tcp")).flat_map(Node::entries);
    for limit in limits.map(|entry| &entry.node).filter(negative) {
        let message = "a limit must not be negative";
        diagnostics.report(codes::INVALID_VALUE, limit.span, message);
    }
    let per_connection = pool.at(&["http", "maxRequestsPerConnection"]);
    if let Some(node) = per_connection
        && let Some(count @ 1..=9) = node.integer()
    {
        let message = format!(
            "every connection is closed after {count} request{}, and each new one costs a handshake",
            if count == 1 { "" } else { "s" }
        );
        let help = "leave it out unless the upstream needs it";
        diagnostics.report(codes::SHORT_CONNECTIONS, node.span, message).help(help);
    }
}

fn outlier_detection(detection: &Node, diagnostics: &mut Diagnostics) {
    if let Some(entry) = detection.entry("consecutiveErrors") {
        let value = entry.node.scalar_text().unwrap_or_default();
        let message = "consecutiveErrors is deprecated: Istio ignores it; here it stands for \
                       consecutiveGatewayErrors, its old meaning, beside the default of 5 for \
                       consecutive5xxErrors";
        let help = format!(
            "write `consecutiveGatewayErrors: {value}` (502, 503, 504 and connection errors) or \
             `consecutive5xxErrors: {value}`"
        );
        diagnostics.report(codes::DEPRECATED, entry.key_span, message).help(help);
    }
    for name in ["maxEjectionPercent", "minHealthPercent"] {
        let Some(node) = detection.get(name) else { continue };
        if node.integer().is_some_and(|value| !(0..=100).contains(&value)) {
            let message = format!("`{name}` must be from 0 to 100");
            diagnostics.report(codes::INVALID_VALUE, node.span, message);
        }
    }
    let split = detection.get("splitExternalLocalOriginErrors").and_then(Node::boolean);
    if let Some(node) = detection.get("consecutiveLocalOriginFailures")
        && split != Some(true)
    {
        let message = "consecutiveLocalOriginFailures needs splitExternalLocalOriginErrors: true";
        diagnostics.report(codes::INVALID_VALUE, node.span, message);
    }
    if let Some(node) = detection.get("maxEjectionPercent")
        && let Some(percent @ 1..=99) = node.integer()
    {
        // Envoy ejects only while 100 * (ejected + 1) / endpoints <= percent.
        let fewest = (100 + percent - 1) / percent;
        let message = format!(
            "{percent} % of N endpoints, rounded down, may be ejected: none while there are fewer \
             than {fewest}"
        );
        diagnostics.report(codes::EJECTION_SHARE, node.span, message);
    }
}

fn client_tls(tls: &Node, diagnostics: &mut Diagnostics) {
    let mode = tls.text_at("mode").unwrap_or("DISABLE");
    if mode == "MUTUAL" && !tls.has("credentialName") {
        for name in ["clientCertificate", "privateKey"] {
            if tls.text_at(name).unwrap_or_default().is_empty() {
                let message = format!("tls mode MUTUAL needs `{name}`");
                diagnostics.report(codes::MISSING_FIELD, tls.span, message);
            }
        }
    }
    if mode == "ISTIO_MUTUAL" {
        let refused = ["clientCertificate", "privateKey", "caCertificates", "credentialName"];
        for entry in tls.entries().iter().filter(|entry| refused.contains(&entry.key.as_str())) {
            let message = format!("tls mode ISTIO_MUTUAL brings its own `{}`", entry.key);
            diagnostics.report(codes::EXCLUSIVE_FIELDS, entry.key_span, message);
        }
    }
}
