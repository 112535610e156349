//! Tag overrides: the part of CEL that the `stats` plugin evaluates.

use crate::policy::document::Node;
use serde_json::{Value as Json, json};

/// Attributes a tag may take its value from; `stats` refuses any other.
const ATTRIBUTES: [&str; 36] = [
    "request.path",
    "request.url_path",
    "request.host",
    "request.scheme",
    "request.method",
    "request.id",
    "request.protocol",
    "request.query",
    "request.referer",
    "request.useragent",
    "response.code_details",
    "source.address",
    "destination.address",
    "connection.requested_server_name",
    "connection.tls_version",
    "connection.uri_san_peer_certificate",
    "connection.dns_san_peer_certificate",
    "connection.subject_peer_certificate",
    "connection.mtls",
    "connection.id",
    "upstream.address",
    "upstream.local_address",
    "upstream.transport_failure_reason",
    "upstream.port",
    "upstream.request_attempt_count",
    "xds.cluster_name",
    "xds.route_name",
    "request.size",
    "request.total_size",
    "response.code",
    "response.flags",
    "response.grpc_status",
    "response.size",
    "response.total_size",
    "source.port",
    "destination.port",
];

/// A string literal, one of the attributes, or a header by name.
pub(super) fn is_supported(expression: &str) -> bool {
    let expression = expression.trim();
    let header = |side: &str| {
        let index = expression.strip_prefix(side).and_then(|rest| rest.strip_prefix(".headers["));
        index.and_then(|rest| rest.strip_suffix(']')).is_some_and(is_quoted)
    };
    is_quoted(expression)
        || ATTRIBUTES.contains(&expression)
        || header("request")
        || header("response")
}

fn is_quoted(text: &str) -> bool {
    ['\'', '"'].into_iter().any(|quote| {
        let inner = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        inner.is_some_and(|inner| !inner.contains(quote) && !inner.contains('\\'))
    })
}

/// One override as `stats` reads it; `None` for what has no effect.
pub(super) fn config(tag: &Node) -> Option<Json> {
    if tag.text_at("operation") == Some("REMOVE") {
        return Some(json!({"operation": "REMOVE"}));
    }
    let value = tag.text_at("value").filter(|value| is_supported(value))?;
    Some(json!({"operation": "UPSERT", "value": value}))
}
