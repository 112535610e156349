//! Fields that people write in the wrong place, moved to where they belong in mode `compat`.
//!
//! Each move is one warning with the position, what was done, and how to write it. In mode `istio`
//! and `strict` nothing moves: the fields are unknown where they stand.

use crate::policy::Mode;
use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::{Entry, Node, Value};
use crate::policy::kind::Kind;

pub(crate) fn relocate(kind: Kind, root: &mut Node, mode: Mode, diagnostics: &mut Diagnostics) {
    if mode != Mode::Compat {
        return;
    }
    match kind {
        Kind::VirtualService => rule_defaults(root, diagnostics),
        Kind::DestinationRule => outlier_fields(root, diagnostics),
        _ => {}
    }
}

/// Fields of an http rule that appear beside `http`: taken as defaults of every rule.
const RULE_FIELDS: [&str; 3] = ["retries", "timeout", "fault"];
const OUTLIER_FIELDS: [&str; 6] = [
    "consecutiveGatewayErrors",
    "consecutive5xxErrors",
    "interval",
    "baseEjectionTime",
    "maxEjectionPercent",
    "minHealthPercent",
];

fn child<'a>(node: &'a mut Node, key: &str) -> Option<&'a mut Node> {
    let Value::Map(entries) = &mut node.value else { return None };
    entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
}

/// Takes the entries with these keys out of a map.
fn take(node: &mut Node, keys: &[&str]) -> Vec<Entry> {
    let Value::Map(entries) = &mut node.value else { return Vec::new() };
    entries.extract_if(.., |entry| keys.contains(&entry.key.as_str())).collect()
}

/// Adds an entry unless the map has its key.
fn fill(node: &mut Node, entry: &Entry) -> bool {
    let Value::Map(entries) = &mut node.value else { return false };
    if entries.iter().any(|own| own.key == entry.key) {
        return false;
    }
    entries.push(entry.clone());
    true
}

fn rule_defaults(root: &mut Node, diagnostics: &mut Diagnostics) {
    let Some(spec) = child(root, "spec") else { return };
    // Without rules there is nothing the fields could be defaults of.
    if spec.list("http").is_empty() {
        return;
    }
    for entry in take(spec, &RULE_FIELDS) {
        let Some(Value::List(rules)) = child(spec, "http").map(|http| &mut http.value) else {
            return;
        };
        // A rule that answers by itself cannot fail or be retried, nor have its path rewritten.
        let routes = |rule: &&mut Node| !rule.has("redirect") && !rule.has("directResponse");
        let count = rules
            .iter_mut()
            .filter(routes)
            .filter_map(|rule| fill(rule, &entry).then_some(()))
            .count();
        let name = &entry.key;
        let plural = if count == 1 { "" } else { "s" };
        let message = format!(
            "`spec.{name}` is no field of a VirtualService; applied to the {count} http rule{plural} \
             without one"
        );
        diagnostics
            .report(codes::MISPLACED_DEFAULT, entry.key_span, message)
            .help(format!("write it inside each rule: spec.http[].{name}"));
        if name == "fault" {
            let message = "this injects faults into live traffic; it is not a circuit breaker";
            let help = "a circuit breaker is a DestinationRule: trafficPolicy.connectionPool and \
                        trafficPolicy.outlierDetection";
            diagnostics.report(codes::FAULT_IN_PRODUCTION, entry.key_span, message).help(help);
        }
    }
}

fn outlier_fields(root: &mut Node, diagnostics: &mut Diagnostics) {
    let Some(spec) = child(root, "spec") else { return };
    if let Some(policy) = child(spec, "trafficPolicy") {
        outlier_fields_of(policy, diagnostics);
    }
    let subsets = child(spec, "subsets").map(|subsets| &mut subsets.value);
    if let Some(Value::List(subsets)) = subsets {
        for policy in subsets.iter_mut().filter_map(|subset| child(subset, "trafficPolicy")) {
            outlier_fields_of(policy, diagnostics);
        }
    }
}

fn outlier_fields_of(policy: &mut Node, diagnostics: &mut Diagnostics) {
    let Some(pool) = child(policy, "connectionPool") else { return };
    let mut moved = child(pool, "http").map_or_else(Vec::new, |http| take(http, &OUTLIER_FIELDS));
    moved.extend(take(pool, &OUTLIER_FIELDS));
    if moved.is_empty() {
        return;
    }
    if let Some(first) = moved.first() {
        let key_span = first.key_span;
        let node = Node { span: key_span, value: Value::Map(Vec::new()) };
        fill(policy, &Entry { key: "outlierDetection".to_owned(), key_span, node });
    }
    let Some(detection) = child(policy, "outlierDetection") else { return };
    for entry in moved {
        let name = &entry.key;
        let done = if fill(detection, &entry) {
            "moved there"
        } else {
            "dropped: outlierDetection has its own"
        };
        let message =
            format!("`{name}` is a field of outlierDetection, not of connectionPool; {done}");
        diagnostics
            .report(codes::MISPLACED_OUTLIER, entry.key_span, message)
            .help(format!("write it as trafficPolicy.outlierDetection.{name}"));
    }
}
