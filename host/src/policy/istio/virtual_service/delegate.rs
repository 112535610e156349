//! A rule that leaves the rest to another VirtualService.

use super::Rule;
use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::{Entry, Node, Value};
use crate::policy::kind::Kind;
use crate::policy::resource::{Catalog, Resource};
use std::borrow::Cow;

/// Fields that a delegate's rule takes from the root's when it has none of its own.
const INHERITED: [&str; 9] = [
    "rewrite",
    "timeout",
    "retries",
    "fault",
    "mirror",
    "mirrors",
    "mirrorPercentage",
    "corsPolicy",
    "headers",
];
/// Fields of a match that at most one of root and delegate may have.
const SINGLE: [&str; 8] = [
    "method",
    "authority",
    "scheme",
    "port",
    "sourceNamespace",
    "ignoreUriCase",
    "gateways",
    "statPrefix",
];
/// Fields of a match whose entries add up.
const MAPS: [&str; 4] = ["headers", "withoutHeaders", "queryParams", "sourceLabels"];

/// The rules of a VirtualService in order, each delegation replaced by the delegate's rules.
pub(super) fn rules<'a>(
    catalog: &'a Catalog,
    resource: &'a Resource,
    diagnostics: &mut Diagnostics,
) -> Vec<Rule<'a>> {
    let mut rules = Vec::new();
    for node in resource.spec.list("http") {
        let namespace = resource.namespace.as_str();
        let Some(delegate) = node.get("delegate") else {
            rules.push(Rule { node: Cow::Borrowed(node), namespace });
            continue;
        };
        let name = delegate.text_at("name").unwrap_or_default();
        let namespace = delegate.text_at("namespace").unwrap_or(namespace);
        let found = catalog.of(Kind::VirtualService).iter().find(|other| {
            other.name == name
                && other.namespace == namespace
                && other.spec.list("hosts").is_empty()
        });
        let Some(found) = found else {
            let message =
                format!("no VirtualService {namespace}/{name} without hosts to delegate to");
            diagnostics.report(codes::MISSING_DELEGATE, delegate.span, message);
            continue;
        };
        for own in found.spec.list("http").iter().filter(|own| !own.has("delegate")) {
            match merge(node, own) {
                Some(node) => {
                    let namespace = found.namespace.as_str();
                    rules.push(Rule { node: Cow::Owned(node), namespace });
                }
                None => {
                    let message = "no request can match both this rule and the one that delegates \
                                   to it; it is left out";
                    diagnostics.report(codes::CONFLICTING_MATCH, own.span, message);
                }
            }
        }
    }
    rules
}

fn without(entries: &[Entry], keys: &[&str]) -> Vec<Entry> {
    entries.iter().filter(|entry| !keys.contains(&entry.key.as_str())).cloned().collect()
}

/// A delegate's rule under the conditions and with the defaults of the root's.
fn merge(root: &Node, own: &Node) -> Option<Node> {
    let mut entries = without(own.entries(), &["match"]);
    for entry in root.entries().iter().filter(|entry| INHERITED.contains(&entry.key.as_str())) {
        if !entries.iter().any(|own| own.key == entry.key) {
            entries.push(entry.clone());
        }
    }
    let (outer, inner) = (root.list("match"), own.list("match"));
    let matches = if outer.is_empty() {
        inner.to_vec()
    } else if inner.is_empty() {
        outer.to_vec()
    } else {
        let pairs = outer.iter().flat_map(|outer| inner.iter().map(move |inner| (outer, inner)));
        let merged: Vec<_> = pairs.filter_map(|(outer, inner)| merge_match(outer, inner)).collect();
        if merged.is_empty() {
            return None;
        }
        merged
    };
    if !matches.is_empty() {
        let node = Node { span: own.span, value: Value::List(matches) };
        entries.push(Entry { key: "match".to_owned(), key_span: own.span, node });
    }
    Some(Node { span: own.span, value: Value::Map(entries) })
}

fn merge_match(outer: &Node, inner: &Node) -> Option<Node> {
    let mut entries = without(inner.entries(), &["uri"]);
    for entry in outer.entries() {
        let key = entry.key.as_str();
        let own = entries.iter_mut().find(|own| own.key == key);
        if SINGLE.contains(&key) {
            match own {
                Some(own) if own.node.to_json() != entry.node.to_json() => return None,
                Some(_) => {}
                None => entries.push(entry.clone()),
            }
        } else if MAPS.contains(&key) {
            match own.map(|own| &mut own.node.value) {
                Some(Value::Map(own)) => {
                    for more in entry.node.entries() {
                        if own.iter().any(|known| known.key == more.key) {
                            return None;
                        }
                        own.push(more.clone());
                    }
                }
                Some(_) => {}
                None => entries.push(entry.clone()),
            }
        }
    }
    let uri = match (outer.entry("uri"), inner.entry("uri")) {
        (Some(outer), Some(inner)) => Some(narrower(outer, inner)?),
        (outer, inner) => outer.or(inner),
    };
    entries.extend(uri.cloned());
    Some(Node { span: inner.span, value: Value::Map(entries) })
}

/// The delegate's path if it lies within the root's prefix. A regular expression on one side
/// cannot be compared and cannot be combined.
fn narrower<'a>(outer: &'a Entry, inner: &'a Entry) -> Option<&'a Entry> {
    if let Some(exact) = outer.node.text_at("exact") {
        return (inner.node.text_at("exact") == Some(exact)).then_some(inner);
    }
    let prefix = outer.node.text_at("prefix")?;
    let path = inner.node.text_at("exact").or_else(|| inner.node.text_at("prefix"))?;
    path.starts_with(prefix).then_some(inner)
}
