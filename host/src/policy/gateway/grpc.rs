//! `GRPCRoute.spec.rules[].matches`: a method is the path `/SERVICE/METHOD` of a POST.

use super::http::header_matches;
use super::rules::{Matching, Rank};
use crate::plan::matcher::{PathMatch, RouteMatch, StringMatch};
use crate::policy::document::Node;

/// One segment of the path, whatever it is.
const ANY_NAME: &str = "[^/]+";

/// The matches of a rule; a rule without any takes every call.
pub(super) fn matchings(rule: &Node) -> Vec<Matching> {
    match rule.list("matches") {
        [] => vec![matching(None, &[])],
        matches => {
            matches.iter().map(|node| matching(node.get("method"), node.list("headers"))).collect()
        }
    }
}

fn matching(method: Option<&Node>, headers: &[Node]) -> Matching {
    let part = |name: &str| {
        let part = method.and_then(|method| method.text_at(name));
        part.filter(|part| !part.is_empty())
    };
    let (service, name) = (part("service"), part("method"));
    let regex = method.and_then(|method| method.text_at("type")) == Some("RegularExpression");
    let path = match (service, name) {
        (None, None) => None,
        (service, name) if regex => Some(PathMatch::Regex(format!(
            "/{}/{}",
            service.map_or_else(|| ANY_NAME.to_owned(), |pattern| format!("(?:{pattern})")),
            name.map_or_else(|| ANY_NAME.to_owned(), |pattern| format!("(?:{pattern})")),
        ))),
        (Some(service), Some(name)) => {
            Some(PathMatch::Exact { value: format!("/{service}/{name}"), ignore_case: false })
        }
        (Some(service), None) => {
            Some(PathMatch::Prefix { value: format!("/{service}/"), ignore_case: false })
        }
        (None, Some(name)) => {
            Some(PathMatch::Regex(format!("/{ANY_NAME}/{}", regex::escape(name))))
        }
    };
    let length = |part: Option<&str>| part.map_or(0, |part| part.chars().count());
    let headers = header_matches(headers);
    let rank: Rank = [length(service), length(name), headers.len(), usize::from(!regex), 0];
    let method = Some(StringMatch::Exact("POST".to_owned()));
    let conditions = RouteMatch { path, method, headers, ..RouteMatch::default() };
    Matching { rank, conditions, prefix: None }
}
