//! `HTTPRoute.spec.rules[].matches`.

use super::rules::{Matching, Rank};
use crate::plan::matcher::{HeaderMatch, PathMatch, QueryMatch, RouteMatch, StringMatch};
use crate::policy::document::Node;

/// The matches of a rule; a rule without any takes every path.
pub(super) fn matchings(rule: &Node) -> Vec<Matching> {
    match rule.list("matches") {
        [] => vec![matching(None, &[], &[], None)],
        matches => matches
            .iter()
            .map(|node| {
                let method = node.text_at("method");
                let (headers, query) = (node.list("headers"), node.list("queryParams"));
                matching(node.get("path"), headers, query, method)
            })
            .collect(),
    }
}

fn matching(
    path: Option<&Node>,
    headers: &[Node],
    query: &[Node],
    method: Option<&str>,
) -> Matching {
    let value = path.and_then(|path| path.text_at("value")).unwrap_or("/");
    let kind = path.and_then(|path| path.text_at("type")).unwrap_or("PathPrefix");
    let (class, path) = match kind {
        "Exact" => (3, Some(PathMatch::Exact { value: value.to_owned(), ignore_case: false })),
        "RegularExpression" => (1, Some(PathMatch::Regex(value.to_owned()))),
        _ if value == "/" => (0, None),
        _ => (2, Some(PathMatch::SegmentPrefix(value.to_owned()))),
    };
    let headers = header_matches(headers);
    let query = query_matches(query);
    // Regular expressions have no place in the specification: after the prefixes, as in Istio, but
    // before `/`, which would otherwise leave nothing to them.
    let rank: Rank =
        [class, value.chars().count(), usize::from(method.is_some()), headers.len(), query.len()];
    let method = method.map(|method| StringMatch::Exact(method.to_owned()));
    let prefix = (kind == "PathPrefix").then(|| value.to_owned());
    let conditions = RouteMatch { path, method, headers, query, ..RouteMatch::default() };
    Matching { rank, conditions, prefix }
}

/// Of equal names the first counts; case does not tell names apart.
pub(super) fn header_matches(headers: &[Node]) -> Vec<HeaderMatch> {
    let mut matches: Vec<HeaderMatch> = Vec::new();
    for header in headers {
        let name = header.text_at("name").unwrap_or_default().to_ascii_lowercase();
        if !matches.iter().any(|known| known.name == name) {
            matches.push(HeaderMatch { name, value: string_match(header), invert: false });
        }
    }
    matches
}

fn query_matches(query: &[Node]) -> Vec<QueryMatch> {
    let mut matches: Vec<QueryMatch> = Vec::new();
    for parameter in query {
        let name = parameter.text_at("name").unwrap_or_default().to_owned();
        if !matches.iter().any(|known| known.name == name) {
            matches.push(QueryMatch { name, value: string_match(parameter) });
        }
    }
    matches
}

fn string_match(node: &Node) -> StringMatch {
    let value = node.text_at("value").unwrap_or_default().to_owned();
    match node.text_at("type") {
        Some("RegularExpression") => StringMatch::Regex(value),
        _ => StringMatch::Exact(value),
    }
}
