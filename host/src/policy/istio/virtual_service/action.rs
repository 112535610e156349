//! What a rule does with its requests: the filters after the common ones, and the cluster.

use super::matches::Matching;
use super::{Rule, Site, header_values, percentages};
use crate::plan::chain::FilterRef;
use crate::plan::matcher::{PathMatch, RouteMatch};
use crate::plan::route::{MISSING_CLUSTER_STATUS, Route};
use crate::policy::document::Node;
use crate::policy::host;
use crate::policy::listener::Compiler;
use crate::policy::shape::duration;
use serde_json::{Map, Value as Json, json};

/// One route for the whole rule, or one for each match when the rule replaces the part of the path
/// that was matched.
pub(super) fn lower(
    compiler: &mut Compiler<'_>,
    rule: &Rule<'_>,
    matchings: Vec<Matching>,
    site: &Site<'_>,
    chain: &[FilterRef],
) -> Vec<Route> {
    let node = &*rule.node;
    let target = Target::of(compiler, rule, site);
    let groups = if replaces_match(node) && matchings.len() > 1 {
        matchings.into_iter().map(|matching| vec![matching]).collect()
    } else {
        vec![matchings]
    };
    let mut routes = Vec::new();
    for group in groups {
        let path = group.first().and_then(|matching| matching.conditions.path.clone());
        let mut chain = chain.to_vec();
        chain.extend(filters(compiler, node, path.as_ref(), &target));
        routes.push(Route {
            name: route_name(node, &group),
            matches: group.into_iter().map(|matching| matching.conditions).collect(),
            chain,
            cluster: target.cluster.clone(),
            missing_cluster_status: MISSING_CLUSTER_STATUS,
            timeout: node
                .text_at("timeout")
                .and_then(duration)
                .filter(|timeout| !timeout.is_zero()),
            place: Some(compiler.place(node.span)),
        });
    }
    for route in &mut routes {
        // A condition that always holds is no condition.
        if route.matches.contains(&RouteMatch::default()) {
            route.matches.clear();
        }
    }
    routes
}

/// Istio joins the names of rule and match with a dot.
fn route_name(rule: &Node, group: &[Matching]) -> String {
    let name = rule.text_at("name").unwrap_or_default();
    match group {
        [only] if !only.name.is_empty() && !name.is_empty() => format!("{name}.{}", only.name),
        _ => name.to_owned(),
    }
}

fn replaces_match(rule: &Node) -> bool {
    rule.at(&["rewrite", "uri"]).is_some() || rule.at(&["redirect", "prefixRewrite"]).is_some()
}

/// Where a rule's requests go.
struct Target {
    /// The only destination.
    cluster: Option<String>,
    /// Several: the configuration of `split`.
    split: Option<Json>,
    /// Header operations of the only destination.
    headers: Option<Node>,
}

impl Target {
    fn of(compiler: &mut Compiler<'_>, rule: &Rule<'_>, site: &Site<'_>) -> Self {
        let entries: Vec<&Node> = rule.node.list("route").iter().collect();
        let weight = |entry: &Node| entry.get("weight").and_then(Node::integer).unwrap_or(0);
        // Entries of weight 0 get no traffic, unless there is but one destination.
        let entries: Vec<&Node> = if entries.len() > 1 {
            entries.into_iter().filter(|entry| weight(entry) > 0).collect()
        } else {
            entries
        };
        if let [only] = entries.as_slice() {
            return Self {
                cluster: destination(compiler, only, rule.namespace, site),
                split: None,
                headers: only.get("headers").cloned(),
            };
        }
        let clusters: Vec<Json> = entries
            .iter()
            .filter_map(|entry| {
                let name = destination(compiler, entry, rule.namespace, site)?;
                let mut cluster = json!({"name": name, "weight": weight(entry)});
                let headers = entry.get("headers").and_then(header_operations);
                if let (Some(headers), Some(cluster)) = (headers, cluster.as_object_mut()) {
                    cluster.insert("headers".to_owned(), headers);
                }
                Some(cluster)
            })
            .collect();
        let split = (!clusters.is_empty()).then(|| json!({"clusters": clusters}));
        Self { cluster: None, split, headers: None }
    }
}

/// The cluster of one destination. Without a port it is the service's only one, else the port of
/// the listener.
fn destination(
    compiler: &mut Compiler<'_>,
    entry: &Node,
    namespace: &str,
    site: &Site<'_>,
) -> Option<String> {
    let destination = entry.get("destination")?;
    let node = destination.get("host")?;
    let host = host::qualify(node.text()?, namespace, compiler.options);
    let given = destination.at(&["port", "number"]).and_then(Node::port);
    let ports = compiler
        .registry
        .find(&host)
        .map(|service| service.ports.iter().map(|port| port.number).collect::<Vec<_>>());
    let port = match (given, ports.as_deref()) {
        (Some(port), _) | (None, Some(&[port])) => port,
        (None, Some(ports)) if !ports.is_empty() && !ports.contains(&site.port) => {
            return Some(compiler.ambiguous_destination(&host, site.port, node.span));
        }
        (None, _) => site.port,
    };
    let subset = destination.get("subset");
    let span = subset.map_or(node.span, |subset| subset.span);
    let subset = subset.and_then(Node::text).filter(|subset| !subset.is_empty());
    Some(compiler.destination(&host, port, subset, span))
}

fn filters(
    compiler: &mut Compiler<'_>,
    rule: &Node,
    path: Option<&PathMatch>,
    target: &Target,
) -> Vec<FilterRef> {
    let mut filters = Vec::new();
    let builder = &mut compiler.builder;
    if let Some(fault) = rule.get("fault").and_then(fault) {
        filters.push(builder.builtin("fault", &fault));
    }
    if let Some(redirect) = rule.get("redirect") {
        filters.push(builder.builtin("redirect", &redirect_config(redirect, path)));
    } else if let Some(response) = rule.get("directResponse") {
        filters.push(builder.builtin("respond", &respond_config(response)));
    }
    let headers = joined_headers(rule.get("headers"), target.headers.as_ref());
    // A weighted destination's header operations come before the rule's, in both directions.
    let first = target.split.as_ref().filter(|split| !headers.is_empty() && has_headers(split));
    if let Some(split) = first {
        let of = |direction| headers.iter().filter_map(move |it| in_direction(it, direction));
        filters.extend(of("response").map(|response| builder.builtin("headers", &response)));
        filters.push(builder.builtin("split", split));
        filters.extend(of("request").map(|request| builder.builtin("headers", &request)));
    } else {
        filters.extend(headers.iter().map(|headers| builder.builtin("headers", headers)));
    }
    if let Some(rewrite) = rule.get("rewrite").and_then(|rewrite| rewrite_config(rewrite, path)) {
        filters.push(builder.builtin("rewrite", &rewrite));
    }
    if let (Some(split), None) = (&target.split, first) {
        filters.push(builder.builtin("split", split));
    }
    filters
}

/// Whether a destination of a `split` has header operations of its own.
fn has_headers(split: &Json) -> bool {
    let clusters = split.get("clusters").and_then(Json::as_array);
    clusters.is_some_and(|clusters| clusters.iter().any(|entry| entry.get("headers").is_some()))
}

/// The part of header operations for one direction.
fn in_direction(headers: &Json, direction: &str) -> Option<Json> {
    let operations = headers.get(direction)?;
    Some(json!({direction: operations}))
}

fn fault(fault: &Node) -> Option<Json> {
    let mut config = Map::new();
    if let Some(delay) = fault.get("delay")
        && let Some(fixed) = delay.text_at("fixedDelay")
    {
        let percentage = percentages::of(delay);
        config.insert("delay".to_owned(), json!({"percentage": percentage, "fixedDelay": fixed}));
    }
    if let Some(abort) = fault.get("abort") {
        let percentage = percentages::of(abort);
        if let Some(status) = abort.get("httpStatus").and_then(Node::integer) {
            let abort = json!({"percentage": percentage, "httpStatus": status});
            config.insert("abort".to_owned(), abort);
        } else if let Some(status) = abort.text_at("grpcStatus") {
            let abort = json!({"percentage": percentage, "grpcStatus": status});
            config.insert("abort".to_owned(), abort);
        }
    }
    (!config.is_empty()).then_some(Json::Object(config))
}

/// The part of the path to replace: what a prefix matched, else all of it. A rule without a path
/// condition is Istio's prefix `/`.
fn path_replacement(path: Option<&PathMatch>, to: &str) -> Json {
    match path {
        Some(PathMatch::Prefix { value, ignore_case }) => {
            json!({"prefix": {"from": value, "to": to, "ignoreCase": ignore_case, "segments": false}})
        }
        Some(PathMatch::SegmentPrefix(value)) => {
            json!({"prefix": {"from": value, "to": to, "ignoreCase": false, "segments": true}})
        }
        Some(PathMatch::Exact { .. } | PathMatch::Regex(_)) => json!({"full": to}),
        None => json!({"prefix": {"from": "/", "to": to, "ignoreCase": false, "segments": false}}),
    }
}

fn redirect_config(redirect: &Node, path: Option<&PathMatch>) -> Json {
    let mut config = Map::new();
    let filled = |key: &str| redirect.text_at(key).filter(|text| !text.is_empty());
    if let Some(uri) = filled("uri") {
        config.insert("path".to_owned(), json!({"full": uri}));
    } else if let Some(prefix) = filled("prefixRewrite") {
        config.insert("path".to_owned(), path_replacement(path, prefix));
    }
    for key in ["authority", "scheme"] {
        if let Some(value) = filled(key) {
            config.insert(key.to_owned(), json!(value));
        }
    }
    let derived = redirect.text_at("derivePort");
    if let Some(port) = redirect.get("port").and_then(Node::port) {
        config.insert("port".to_owned(), json!({"number": port}));
    } else if derived == Some("FROM_PROTOCOL_DEFAULT") {
        config.insert("port".to_owned(), json!("protocolDefault"));
    } else if derived == Some("FROM_REQUEST_PORT") {
        config.insert("port".to_owned(), json!("requestPort"));
    }
    let status = redirect.get("redirectCode").and_then(Node::integer).filter(|code| *code != 0);
    config.insert("status".to_owned(), json!(status.unwrap_or(301)));
    Json::Object(config)
}

fn respond_config(response: &Node) -> Json {
    let mut config = Map::new();
    let status = response.get("status").and_then(Node::integer).unwrap_or(200);
    config.insert("status".to_owned(), json!(status));
    if let Some(text) = response.at(&["body", "string"]).and_then(Node::text) {
        config.insert("body".to_owned(), json!(text));
    } else if let Some(bytes) = response.at(&["body", "bytes"]).and_then(Node::text) {
        config.insert("bodyBase64".to_owned(), json!(bytes));
    }
    Json::Object(config)
}

fn rewrite_config(rewrite: &Node, path: Option<&PathMatch>) -> Option<Json> {
    let mut config = Map::new();
    if let Some(regex) = rewrite.get("uriRegexRewrite") {
        let pattern = regex.text_at("match").unwrap_or_default();
        let substitution = regex.text_at("rewrite").unwrap_or_default();
        let regex = json!({"regex": {"pattern": pattern, "substitution": substitution}});
        config.insert("path".to_owned(), regex);
    } else if let Some(uri) = rewrite.text_at("uri").filter(|uri| !uri.is_empty()) {
        config.insert("path".to_owned(), path_replacement(path, uri));
    }
    if let Some(authority) = rewrite.text_at("authority").filter(|text| !text.is_empty()) {
        config.insert("authority".to_owned(), json!(authority));
    }
    (!config.is_empty()).then_some(Json::Object(config))
}

const DIRECTIONS: [&str; 2] = ["request", "response"];

fn header_operations(headers: &Node) -> Option<Json> {
    let mut config = Map::new();
    for direction in DIRECTIONS {
        let Some(operations) = headers.get(direction) else { continue };
        let mut of_direction = Map::new();
        for name in ["set", "add"] {
            let pairs: Map<String, Json> = operations
                .pairs(name)
                .filter(|(_, value)| header_values::is_evaluated(value))
                .map(|(header, value)| (header.to_ascii_lowercase(), json!(value)))
                .collect();
            if !pairs.is_empty() {
                of_direction.insert(name.to_owned(), Json::Object(pairs));
            }
        }
        let removed: Vec<String> =
            operations.texts("remove").iter().map(|header| header.to_ascii_lowercase()).collect();
        if !removed.is_empty() {
            of_direction.insert("remove".to_owned(), json!(removed));
        }
        if !of_direction.is_empty() {
            config.insert(direction.to_owned(), Json::Object(of_direction));
        }
    }
    (!config.is_empty()).then_some(Json::Object(config))
}

/// Operations of the rule with those of its only destination after them: one filter when both fit
/// into one, two when both add a line of the same header.
fn joined_headers(rule: Option<&Node>, destination: Option<&Node>) -> Vec<Json> {
    let rule = rule.and_then(header_operations);
    let destination = destination.and_then(header_operations);
    let (Some(mut joined), Some(after)) = (rule.clone(), destination.clone()) else {
        return rule.into_iter().chain(destination).collect();
    };
    for direction in DIRECTIONS {
        let Some(after) = after.get(direction).and_then(Json::as_object) else { continue };
        let Some(before) = joined
            .as_object_mut()
            .map(|joined| joined.entry(direction).or_insert_with(|| json!({})))
            .and_then(Json::as_object_mut)
        else {
            continue;
        };
        for (operation, value) in after {
            match before.entry(operation.clone()).or_insert(Json::Null) {
                Json::Object(pairs) => {
                    let more = value.as_object().cloned().unwrap_or_default();
                    if operation == "add" && more.keys().any(|name| pairs.contains_key(name)) {
                        return rule.into_iter().chain(destination).collect();
                    }
                    pairs.extend(more);
                }
                Json::Array(names) => names.extend(value.as_array().cloned().unwrap_or_default()),
                empty => *empty = value.clone(),
            }
        }
    }
    vec![joined]
}
