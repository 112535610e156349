//! Header operations: which headers may be written, and the `%COMMAND%`s of their values.
//!
//! Envoy has more commands than the `headers` plugin evaluates. A value with one of the others is
//! reported and left out: written as text it would lie to whoever reads the header.

#[cfg(test)]
mod tests;

use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::{Entry, Node};

/// Commands without an argument.
const PLAIN: [&str; 23] = [
    "START_TIME",
    "PROTOCOL",
    "RESPONSE_CODE",
    "RESPONSE_CODE_DETAILS",
    "CONNECTION_TERMINATION_DETAILS",
    "RESPONSE_FLAGS",
    "BYTES_RECEIVED",
    "BYTES_SENT",
    "DURATION",
    "GRPC_STATUS_NUMBER",
    "UPSTREAM_HOST",
    "UPSTREAM_CLUSTER",
    "UPSTREAM_CLUSTER_RAW",
    "UPSTREAM_REQUEST_ATTEMPT_COUNT",
    "UPSTREAM_TRANSPORT_FAILURE_REASON",
    "UPSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_PORT",
    "REQUESTED_SERVER_NAME",
    "ROUTE_NAME",
];
/// Commands whose argument is `NAME` or `NAME?ALTERNATIVE` of a header.
const OF_HEADER: [&str; 4] = ["REQ", "REQ_WITHOUT_QUERY", "RESP", "TRAILER"];

/// How far a value can be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Formatting<'a> {
    Supported,
    /// The first command that is not.
    Unsupported(&'a str),
    /// A `%` without its partner.
    Unterminated,
}

fn formatting(value: &str) -> Formatting<'_> {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('%') {
        if let Some(tail) = after.strip_prefix('%') {
            rest = tail;
            continue;
        }
        let Some((command, tail)) = after.split_once('%') else { return Formatting::Unterminated };
        if !is_supported(command) {
            return Formatting::Unsupported(command);
        }
        rest = tail;
    }
    Formatting::Supported
}

/// `NAME`, `NAME(argument)`, either with `:LENGTH` after it.
fn is_supported(command: &str) -> bool {
    let (body, length) = match command.rsplit_once(':') {
        Some((body, length)) if length.bytes().all(|byte| byte.is_ascii_digit()) => (body, length),
        _ => (command, "0"),
    };
    if length.parse::<usize>().is_err() {
        return false;
    }
    let Some((name, argument)) = body.split_once('(') else { return PLAIN.contains(&body) };
    let Some(argument) = argument.strip_suffix(')') else { return false };
    let names: Vec<&str> = argument.split('?').collect();
    OF_HEADER.contains(&name)
        && names.len() <= 2
        && names.iter().all(|name| !name.trim().is_empty())
}

/// Whether an operation can be carried out as it is written.
pub(super) fn is_evaluated(value: &str) -> bool {
    formatting(value) == Formatting::Supported
}

fn is_token(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token)
}

/// Checks the `headers` of a rule or of a destination.
pub(super) fn validate(headers: Option<&Node>, diagnostics: &mut Diagnostics) {
    for direction in ["request", "response"] {
        let Some(operations) = headers.and_then(|headers| headers.get(direction)) else { continue };
        for removed in operations.list("remove") {
            let name = removed.text().unwrap_or("x").to_ascii_lowercase();
            if !is_token(&name) || name == "host" {
                let message = format!("the header `{name}` cannot be removed");
                diagnostics.report(codes::INVALID_VALUE, removed.span, message);
            }
        }
        for operation in ["set", "add"] {
            for entry in operations.get(operation).map_or(&[][..], Node::entries) {
                written(entry, diagnostics);
            }
        }
    }
}

fn written(entry: &Entry, diagnostics: &mut Diagnostics) {
    let name = entry.key.to_ascii_lowercase();
    if !is_token(&name) && name != ":authority" {
        let message = format!("`{name}` is not a header that can be written");
        diagnostics.report(codes::INVALID_VALUE, entry.key_span, message);
    }
    let Some(value) = entry.node.text() else { return };
    match formatting(value) {
        Formatting::Supported => {}
        Formatting::Unsupported(command) => {
            let message =
                format!("the command %{command}% is not evaluated yet; {name} is left out");
            let help = "write %% for a percent sign";
            diagnostics.report(codes::NOT_ENFORCED_FIELD, entry.node.span, message).help(help);
        }
        Formatting::Unterminated => {
            let message = "a command begins with % and has no end";
            let help = "write %% for a percent sign";
            diagnostics.report(codes::INVALID_VALUE, entry.node.span, message).help(help);
        }
    }
}
