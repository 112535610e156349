//! Conditions on a VirtualService beyond its table, as Istio's own validation has them.

use super::matches::{is_claim, takes_all};
use super::{header_values, percentages};
use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::{Entry, Node};
use crate::policy::host;
use crate::policy::istio::regex_problem;
use crate::policy::resource::Resource;
use crate::policy::shape::{duration, is_dns_name};
use std::collections::BTreeSet;

pub(crate) fn validate(resource: &Resource, diagnostics: &mut Diagnostics) {
    let spec = &resource.spec;
    let delegate = spec.list("hosts").is_empty();
    if delegate {
        for entry in spec.entries().iter().filter(|entry| entry.key != "http") {
            if ["gateways", "tls", "tcp"].contains(&entry.key.as_str()) {
                let message = format!("a VirtualService without hosts cannot have `{}`", entry.key);
                let help = "without hosts it is a delegate, whose rules others use";
                diagnostics.report(codes::EXCLUSIVE_FIELDS, entry.key_span, message).help(help);
            }
        }
    }
    if ["http", "tls", "tcp"].iter().all(|key| spec.list(key).is_empty()) {
        let message = "a VirtualService needs at least one rule under http, tls or tcp";
        diagnostics.report(codes::MISSING_FIELD, spec.span, message);
    }
    hosts(resource, diagnostics);
    export_to(resource, diagnostics);
    let mut taken = false;
    for rule in spec.list("http") {
        if taken {
            let message = "no request reaches this rule: one before it takes them all";
            let help = "put the rule without conditions last";
            diagnostics.report(codes::UNREACHABLE_RULE, rule.span, message).help(help);
        }
        taken |= takes_all(rule);
        http_rule(rule, super::in_mesh(resource), diagnostics);
    }
}

fn hosts(resource: &Resource, diagnostics: &mut Diagnostics) {
    let mut seen: Vec<&str> = Vec::new();
    for node in resource.spec.list("hosts") {
        let Some(text) = node.text() else { continue };
        let bare = text.strip_prefix("*.").unwrap_or(text);
        let valid = text == "*" || bare.parse::<std::net::IpAddr>().is_ok() || is_dns_name(bare);
        if !valid {
            let message = format!("`{text}` is not a host");
            let help = "a wildcard may stand only in front: *.example.com";
            diagnostics.report(codes::INVALID_VALUE, node.span, message).help(help);
        }
        if text == "*" && super::in_mesh(resource) {
            let message = "the host `*` needs a gateway: in the mesh it would take every service";
            diagnostics.report(codes::INVALID_VALUE, node.span, message);
        }
        if let Some(known) = seen.iter().find(|known| host::intersection(known, text).is_some()) {
            let message = format!("`{text}` overlaps with `{known}` of the same document");
            diagnostics.report(codes::INVALID_VALUE, node.span, message);
        }
        seen.push(text);
    }
}

/// `exportTo`: no duplicates (`.` is the own namespace), `*` alone.
pub(crate) fn export_to(resource: &Resource, diagnostics: &mut Diagnostics) {
    let targets = resource.spec.list("exportTo");
    let mut seen = BTreeSet::new();
    for node in targets {
        let Some(text) = node.text() else { continue };
        let target = if text == "." { resource.namespace.as_str() } else { text };
        if !seen.insert(target) {
            let message = format!("`{text}` is given twice in exportTo");
            diagnostics.report(codes::INVALID_VALUE, node.span, message);
        }
        if (text == "*" || text == "~") && targets.len() > 1 {
            let message = format!("`{text}` must stand alone in exportTo");
            diagnostics.report(codes::INVALID_VALUE, node.span, message);
        }
    }
}

fn http_rule(rule: &Node, mesh: bool, diagnostics: &mut Diagnostics) {
    actions(rule, diagnostics);
    for entry in rule.list("match") {
        http_match(entry, mesh, diagnostics);
    }
    routes(rule, diagnostics);
    if let Some(fault) = rule.get("fault") {
        self::fault(fault, diagnostics);
    }
    if let Some(redirect) = rule.get("redirect") {
        self::redirect(redirect, diagnostics);
    }
    if let Some(response) = rule.get("directResponse") {
        direct_response(response, diagnostics);
    }
    rewrite(rule, diagnostics);
    if let Some(retries) = rule.get("retries") {
        self::retries(retries, rule.has("timeout"), diagnostics);
    }
    mirrors(rule, diagnostics);
    header_values::validate(rule.get("headers"), diagnostics);
}

const ACTIONS: [&str; 4] = ["route", "redirect", "directResponse", "delegate"];

fn actions(rule: &Node, diagnostics: &mut Diagnostics) {
    let given: Vec<&Entry> =
        rule.entries().iter().filter(|entry| ACTIONS.contains(&entry.key.as_str())).collect();
    match given.as_slice() {
        [] => {
            let message = "this rule does nothing with its requests";
            let help = "give it route, redirect, directResponse or delegate";
            diagnostics.report(codes::MISSING_FIELD, rule.span, message).help(help);
        }
        [first, second, ..] => {
            let message = format!("`{}` and `{}` exclude each other", first.key, second.key);
            diagnostics.report(codes::EXCLUSIVE_FIELDS, second.key_span, message);
        }
        [action] if ["redirect", "directResponse"].contains(&action.key.as_str()) => {
            for name in ["fault", "rewrite"] {
                let Some(other) = rule.entry(name) else { continue };
                let message = format!("`{name}` has no place beside `{}`", action.key);
                diagnostics.report(codes::EXCLUSIVE_FIELDS, other.key_span, message);
            }
        }
        [_] => {}
    }
}

fn http_match(entry: &Node, mesh: bool, diagnostics: &mut Diagnostics) {
    for name in ["uri", "method", "authority", "scheme"] {
        string_match(entry.get(name), name, diagnostics);
    }
    for name in ["headers", "withoutHeaders", "queryParams"] {
        for header in entry.get(name).map_or(&[][..], Node::entries) {
            if is_claim(&header.key) {
                let (code, message) = if mesh && entry.texts("gateways").is_empty() {
                    (codes::INVALID_VALUE, "claims of a token can be matched at gateways only")
                } else {
                    (
                        codes::NOT_ENFORCED_FIELD,
                        "tokens are not verified yet, so this match never holds",
                    )
                };
                diagnostics.report(code, header.key_span, message);
            }
            let presence = header.node.text_at("regex") == Some("*");
            if !presence {
                string_match(Some(&header.node), &header.key, diagnostics);
            }
        }
    }
    if let Some(port) = entry.get("port")
        && port.integer().is_some()
        && port.port().is_none()
    {
        diagnostics.report(codes::INVALID_VALUE, port.span, "a port is a number from 1 to 65535");
    }
}

fn string_match(node: Option<&Node>, name: &str, diagnostics: &mut Diagnostics) {
    let Some(node) = node else { return };
    if let Some(prefix) = node.get("prefix")
        && prefix.text() == Some("")
    {
        let message = format!("an empty prefix of `{name}` would match everything");
        diagnostics.report(codes::INVALID_VALUE, prefix.span, message);
    }
    if let Some(regex) = node.get("regex")
        && let Some(problem) = regex.text().and_then(regex_problem)
    {
        diagnostics.report(codes::INVALID_REGEX, regex.span, problem);
    }
}

fn routes(rule: &Node, diagnostics: &mut Diagnostics) {
    let routes = rule.list("route");
    let mut sum = 0;
    for route in routes {
        header_values::validate(route.get("headers"), diagnostics);
        destination(route.get("destination"), diagnostics);
        let Some(weight) = route.get("weight") else { continue };
        let value = weight.integer().unwrap_or(0);
        if value < 0 {
            let message = "a weight must not be negative";
            diagnostics.report(codes::INVALID_VALUE, weight.span, message);
        }
        sum += value;
    }
    if let (Some(entry), true) = (rule.entry("route"), routes.len() > 1 && sum == 0) {
        let message = "the weights of several destinations must not all be 0";
        let help = "give each destination a weight: 90 and 10 send 90 % and 10 %";
        diagnostics.report(codes::INVALID_VALUE, entry.key_span, message).help(help);
    }
    if let (Some(entry), true) = (rule.entry("route"), routes.is_empty()) {
        let message = "`route` needs at least one destination";
        diagnostics.report(codes::INVALID_VALUE, entry.key_span, message);
    }
}

fn destination(destination: Option<&Node>, diagnostics: &mut Diagnostics) {
    let Some(destination) = destination else { return };
    if let Some(host) = destination.get("host")
        && let Some(text) = host.text()
        && (text == "*" || text.is_empty())
    {
        let message = "a destination must be one host";
        diagnostics.report(codes::INVALID_VALUE, host.span, message);
    }
    if let Some(port) = destination.at(&["port", "number"])
        && port.integer().is_some()
        && port.port().is_none()
    {
        diagnostics.report(codes::INVALID_VALUE, port.span, "a port is a number from 1 to 65535");
    }
}

fn fault(fault: &Node, diagnostics: &mut Diagnostics) {
    if !fault.has("delay") && !fault.has("abort") {
        let message = "a fault needs `delay` or `abort`";
        diagnostics.report(codes::MISSING_FIELD, fault.span, message);
    }
    if let Some(delay) = fault.get("delay") {
        percentages::validate(delay.at(&["percentage", "value"]), diagnostics);
        if !delay.has("fixedDelay") && !delay.has("exponentialDelay") {
            let message = "a delay needs `fixedDelay`";
            diagnostics.report(codes::MISSING_FIELD, delay.span, message);
        }
        let percent = delay.get("percent").and_then(Node::integer);
        if percent.is_some_and(|percent| !(0..=100).contains(&percent)) {
            diagnostics.report(codes::INVALID_VALUE, delay.span, "`percent` must be 0 to 100");
        }
    }
    let Some(abort) = fault.get("abort") else { return };
    percentages::validate(abort.at(&["percentage", "value"]), diagnostics);
    let status = abort.get("httpStatus");
    if let Some(status) = status
        && status.integer().is_some_and(|code| !(200..=599).contains(&code))
    {
        let message = "`httpStatus` must be from 200 to 599";
        diagnostics.report(codes::INVALID_VALUE, status.span, message);
    }
    if status.is_none() && !abort.has("grpcStatus") && !abort.has("http2Error") {
        let message = "an abort needs `httpStatus` or `grpcStatus`";
        diagnostics.report(codes::MISSING_FIELD, abort.span, message);
    }
    if let Some(status) = abort.get("grpcStatus")
        && status.text().is_some_and(|name| !GRPC_STATUSES.contains(&name))
    {
        let message = format!("`{}` is no gRPC status", status.text().unwrap_or_default());
        let help = format!("allowed: {}", GRPC_STATUSES.join(", "));
        diagnostics.report(codes::INVALID_VALUE, status.span, message).help(help);
    }
}

const GRPC_STATUSES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

fn redirect(redirect: &Node, diagnostics: &mut Diagnostics) {
    if let (Some(_), Some(prefix)) = (redirect.get("uri"), redirect.entry("prefixRewrite")) {
        let message = "`uri` and `prefixRewrite` exclude each other";
        diagnostics.report(codes::EXCLUSIVE_FIELDS, prefix.key_span, message);
    }
    if let Some(code) = redirect.get("redirectCode")
        && code.integer().is_some_and(|code| ![0, 301, 302, 303, 307, 308].contains(&code))
    {
        let message = "`redirectCode` must be 301, 302, 303, 307 or 308";
        diagnostics.report(codes::INVALID_VALUE, code.span, message);
    }
    if let Some(scheme) = redirect.get("scheme")
        && scheme.text().is_some_and(|scheme| !["", "http", "https"].contains(&scheme))
    {
        let message = "`scheme` must be http or https";
        diagnostics.report(codes::INVALID_VALUE, scheme.span, message);
    }
    if let Some(port) = redirect.get("port")
        && port.integer().is_some()
        && port.port().is_none()
    {
        diagnostics.report(codes::INVALID_VALUE, port.span, "a port is a number from 1 to 65535");
    }
}

/// Istio's limit for the body of a direct response.
const BODY_BYTES_MAX: usize = 1 << 20;

fn direct_response(response: &Node, diagnostics: &mut Diagnostics) {
    if let Some(status) = response.get("status")
        && status.integer().is_some_and(|status| !(200..=599).contains(&status))
    {
        let message = "`status` must be from 200 to 599";
        diagnostics.report(codes::INVALID_VALUE, status.span, message);
    }
    if let Some(body) = response.at(&["body", "string"])
        && body.text().is_some_and(|text| text.len() > BODY_BYTES_MAX)
    {
        let message = format!("a direct response has at most {BODY_BYTES_MAX} bytes");
        diagnostics.report(codes::INVALID_VALUE, body.span, message);
    }
}

fn rewrite(rule: &Node, diagnostics: &mut Diagnostics) {
    let Some(rewrite) = rule.get("rewrite") else { return };
    if let (Some(_), Some(regex)) = (rewrite.get("uri"), rewrite.entry("uriRegexRewrite")) {
        let message = "`uri` and `uriRegexRewrite` exclude each other";
        diagnostics.report(codes::EXCLUSIVE_FIELDS, regex.key_span, message);
    }
    if let Some(regex) = rewrite.get("uriRegexRewrite") {
        regex_rewrite(regex, diagnostics);
    }
    let is_authority = |entry: &&Entry| {
        let name = entry.key.to_ascii_lowercase();
        name == ":authority" || name == "host"
    };
    let set = ["set", "add"].iter().flat_map(|operation| {
        rule.at(&["headers", "request", operation]).map_or(&[][..], Node::entries)
    });
    let authority = rewrite.entry("authority");
    if let (Some(_), Some(header)) = (authority, set.rev().find(is_authority)) {
        let message = "the authority is set twice: here and in rewrite.authority";
        diagnostics.report(codes::EXCLUSIVE_FIELDS, header.key_span, message);
    }
}

fn regex_rewrite(rewrite: &Node, diagnostics: &mut Diagnostics) {
    let Some(pattern) = rewrite.get("match") else {
        let message = "`uriRegexRewrite` needs `match`";
        diagnostics.report(codes::MISSING_FIELD, rewrite.span, message);
        return;
    };
    let text = pattern.text().unwrap_or_default();
    if let Some(problem) = regex_problem(text) {
        diagnostics.report(codes::INVALID_REGEX, pattern.span, problem);
        return;
    }
    if text.contains("\\p") || text.contains("\\P") {
        let message = "classes of Unicode characters cannot be used to rewrite paths";
        let help = "a path is ASCII: write a class such as [a-z]";
        diagnostics.report(codes::INVALID_REGEX, pattern.span, message).help(help);
    }
    let groups = regex::Regex::new(text).map_or(0, |regex| regex.captures_len());
    let Some(substitution) = rewrite.get("rewrite") else { return };
    let mut rest = substitution.text().unwrap_or_default().chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            continue;
        }
        let problem = match rest.next() {
            Some('\\') => continue,
            Some(digit) => match digit.to_digit(10) {
                Some(group) if (group as usize) < groups => continue,
                Some(group) => format!("`match` has no group {group}"),
                None => format!("`\\{digit}` is neither a group nor `\\\\`"),
            },
            None => "a backslash ends the substitution".to_owned(),
        };
        diagnostics.report(codes::INVALID_VALUE, substitution.span, problem);
    }
}

fn retries(retries: &Node, timeout: bool, diagnostics: &mut Diagnostics) {
    let Some(attempts) = retries.get("attempts") else { return };
    let count = attempts.integer().unwrap_or(0);
    if count < 0 {
        let message = "`attempts` must not be negative";
        diagnostics.report(codes::INVALID_VALUE, attempts.span, message);
    }
    for name in ["perTryTimeout", "retryOn"] {
        if let (0, Some(entry)) = (count, retries.entry(name)) {
            let message = format!("`{name}` has no meaning with `attempts: 0`");
            diagnostics.report(codes::EXCLUSIVE_FIELDS, entry.key_span, message);
        }
    }
    if let Some(node) = retries.get("retryOn") {
        retry_on(node, diagnostics);
    }
    let per_try = retries.text_at("perTryTimeout").and_then(duration);
    if let (1.., Some(per_try), false) = (count, per_try, timeout) {
        let total = per_try * u32::try_from(count + 1).unwrap_or(u32::MAX);
        let message = format!(
            "up to {} tries, {} s in all and pauses between them; no `timeout` bounds it",
            count + 1,
            total.as_secs_f64()
        );
        diagnostics.report(codes::RETRY_COST, attempts.span, message);
    }
}

const RETRY_CONDITIONS: [&str; 17] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
    "",
];

fn retry_on(node: &Node, diagnostics: &mut Diagnostics) {
    let text = node.text().unwrap_or_default();
    for token in text.split(',') {
        let status = token.parse().is_ok_and(|status: u16| (100..=599).contains(&status));
        if !status && !RETRY_CONDITIONS.contains(&token) {
            let message = format!("`{token}` is no condition to retry on");
            let help = if token.trim() == token {
                "known: 5xx, gateway-error, reset, connect-failure, refused-stream, a status code …"
            } else {
                "write the list without blanks"
            };
            diagnostics.report(codes::INVALID_VALUE, node.span, message).help(help);
        }
    }
    let implied = ["reset", "connect-failure", "refused-stream"];
    let tokens: Vec<&str> = text.split(',').collect();
    if tokens.contains(&"5xx") && implied.iter().any(|token| tokens.contains(token)) {
        let message = "5xx includes reset, connect-failure and refused-stream, and repeats requests \
                       that are not idempotent too";
        diagnostics.report(codes::RETRY_COST, node.span, message);
    }
}

fn mirrors(rule: &Node, diagnostics: &mut Diagnostics) {
    if let (Some(_), Some(mirrors)) = (rule.get("mirror"), rule.entry("mirrors")) {
        let message = "`mirror` and `mirrors` exclude each other";
        diagnostics.report(codes::EXCLUSIVE_FIELDS, mirrors.key_span, message);
    }
    percentages::validate(rule.at(&["mirrorPercentage", "value"]), diagnostics);
}
