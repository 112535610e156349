//! `http[].match[]` as conditions of the plan.

use super::{Site, gateway_name};
use crate::plan::matcher::{HeaderMatch, PathMatch, QueryMatch, RouteMatch, StringMatch};
use crate::policy::document::{Entry, Node};
use crate::policy::istio::scope;

/// One entry of `match`, with its name.
#[derive(Debug, Clone, Default)]
pub(super) struct Matching {
    pub(super) name: String,
    pub(super) conditions: RouteMatch,
}

/// Takes every request, as Istio sees it: prefix `/` or regex `.*` and nothing else.
pub(crate) fn is_catch_all(matching: &RouteMatch) -> bool {
    let RouteMatch { path, method, authority, scheme, headers, query } = matching;
    let any_path = match path {
        None => true,
        Some(PathMatch::Prefix { value, .. }) => value == "/",
        Some(PathMatch::Regex(regex)) => regex == ".*",
        Some(PathMatch::Exact { .. } | PathMatch::SegmentPrefix(_)) => false,
    };
    let nothing_else = method.is_none() && authority.is_none() && scheme.is_none();
    any_path && nothing_else && headers.is_empty() && query.is_empty()
}

/// Whether a rule takes every request, whoever sends it and wherever: it has no condition, or one
/// of its matches has none, be it because its only condition was misspelt.
pub(super) fn takes_all(rule: &Node) -> bool {
    const OF_PLACES: [&str; 4] = ["port", "gateways", "sourceLabels", "sourceNamespace"];
    let entries = rule.list("match");
    let anywhere = |entry: &Node| !OF_PLACES.iter().any(|key| entry.has(key)) && !has_claims(entry);
    let all = |entry: &Node| anywhere(entry) && is_catch_all(&conditions(entry));
    entries.is_empty() || entries.iter().any(all)
}

/// The conditions of a rule that can hold at a site; empty when the rule has none, `None` when no
/// request there can ever match.
pub(super) fn of_rule(rule: &Node, site: &Site<'_>) -> Option<Vec<Matching>> {
    let entries = rule.list("match");
    if entries.is_empty() {
        return Some(Vec::new());
    }
    let matchings: Vec<_> = entries
        .iter()
        .filter(|entry| applies(entry, site) && !has_claims(entry))
        .map(|entry| Matching {
            name: entry.text_at("name").unwrap_or_default().to_owned(),
            conditions: conditions(entry),
        })
        .collect();
    (!matchings.is_empty()).then_some(matchings)
}

/// The conditions that are about the caller and the place, not about the request.
fn applies(entry: &Node, site: &Site<'_>) -> bool {
    if let Some(port) = entry.get("port").and_then(Node::integer)
        && port != i64::from(site.port)
    {
        return false;
    }
    let namespace = entry.text_at("sourceNamespace");
    if namespace.is_some_and(|namespace| namespace != site.workload.namespace) {
        return false;
    }
    let gateways = entry.texts("gateways");
    if gateways.is_empty() {
        return scope::has_labels(entry.get("sourceLabels"), site.workload);
    }
    // Labels are not looked at once gateways are given; Istio's order.
    match site.gateway {
        None => gateways.contains(&"mesh"),
        Some(gateway) => {
            let namespace = gateway.split_once('/').map_or("", |(namespace, _)| namespace);
            gateways.iter().any(|name| gateway_name(name, namespace) == gateway)
        }
    }
}

/// Header names that stand for a claim of a verified token.
pub(super) fn is_claim(name: &str) -> bool {
    name.starts_with("@request.auth.claims")
}

/// Tokens are not verified yet, so a condition on a claim can never hold.
fn has_claims(entry: &Node) -> bool {
    let headers = entry.get("headers").map_or(&[][..], Node::entries);
    headers.iter().any(|header| is_claim(&header.key))
}

fn conditions(entry: &Node) -> RouteMatch {
    let ignore_case = entry.get("ignoreUriCase").and_then(Node::boolean).unwrap_or(false);
    let map = |key: &str| entry.get(key).map_or(&[][..], Node::entries).iter();
    let headers = map("headers").map(|header| header_match(header, false));
    let without = map("withoutHeaders").map(|header| header_match(header, true));
    RouteMatch {
        path: entry.get("uri").and_then(|uri| path(uri, ignore_case)),
        method: entry.get("method").and_then(given),
        authority: entry.get("authority").and_then(given),
        scheme: entry.get("scheme").and_then(given),
        headers: headers.chain(without).collect(),
        query: map("queryParams")
            .map(|query| QueryMatch { name: query.key.clone(), value: string_match(&query.node) })
            .collect(),
    }
}

fn path(uri: &Node, ignore_case: bool) -> Option<PathMatch> {
    Some(match string_match(uri) {
        StringMatch::Exact(value) => PathMatch::Exact { value, ignore_case },
        StringMatch::Prefix(value) => PathMatch::Prefix { value, ignore_case },
        StringMatch::Regex(regex) => PathMatch::Regex(regex),
        StringMatch::Present => return None,
    })
}

fn header_match(entry: &Entry, invert: bool) -> HeaderMatch {
    let value = string_match(&entry.node);
    HeaderMatch { name: entry.key.to_ascii_lowercase(), value, invert }
}

/// `{}` sets no condition.
fn given(node: &Node) -> Option<StringMatch> {
    Some(string_match(node)).filter(|value| *value != StringMatch::Present)
}

/// For headers and query parameters `{}` and the regex `*` ask for presence.
fn string_match(node: &Node) -> StringMatch {
    let text = |key: &str| node.text_at(key).map(str::to_owned);
    let regex = || match text("regex")?.as_str() {
        "*" => Some(StringMatch::Present),
        regex => Some(StringMatch::Regex(regex.to_owned())),
    };
    text("exact")
        .map(StringMatch::Exact)
        .or_else(|| text("prefix").map(StringMatch::Prefix))
        .or_else(regex)
        .unwrap_or(StringMatch::Present)
}
