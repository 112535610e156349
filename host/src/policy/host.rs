//! Host names as Istio's documents write them.

use super::Options;
use crate::plan::listener::Domain;

/// The fully qualified form of a host named in a document of `namespace`: a name without a dot is
/// a service of that namespace; `*`, addresses and dotted names stand as they are.
pub(crate) fn qualify(host: &str, namespace: &str, options: &Options<'_>) -> String {
    if host.contains('.') || host.contains('*') || host.contains(':') || host.is_empty() {
        return host.to_ascii_lowercase();
    }
    format!("{host}.{namespace}.svc.{}", options.cluster_domain).to_ascii_lowercase()
}

/// `(name, namespace)` of a host below `svc.CLUSTER_DOMAIN`.
pub(crate) fn service_of<'a>(host: &'a str, options: &Options<'_>) -> Option<(&'a str, &'a str)> {
    let suffix = format!(".svc.{}", options.cluster_domain);
    let (name, namespace) = host.strip_suffix(suffix.as_str())?.split_once('.')?;
    (!namespace.contains('.')).then_some((name, namespace))
}

/// Whether a pattern (`*`, `*.suffix` or a name) covers a host, which may be a pattern itself.
pub(crate) fn covers(pattern: &str, host: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    match pattern.strip_prefix('*') {
        Some(suffix) => match host.strip_prefix('*') {
            Some(inner) => inner.ends_with(suffix),
            None => host.len() > suffix.len() && host.ends_with(suffix),
        },
        None => pattern == host,
    }
}

/// The narrower of two patterns when one covers the other.
pub(crate) fn intersection<'a>(one: &'a str, other: &'a str) -> Option<&'a str> {
    if covers(one, other) {
        Some(other)
    } else if covers(other, one) {
        Some(one)
    } else {
        None
    }
}

/// How specific a pattern is: longer is more, and a name is more than any pattern.
pub(crate) fn specificity(pattern: &str) -> (bool, usize) {
    (!pattern.starts_with('*'), pattern.len())
}

/// A pattern as the router matches it.
pub(crate) fn domain(pattern: &str) -> Domain {
    let pattern = pattern.to_ascii_lowercase();
    if pattern == "*" {
        return Domain::Any;
    }
    match pattern.strip_prefix('*') {
        Some(suffix) => Domain::Suffix(suffix.to_owned()),
        None => Domain::Exact(pattern),
    }
}

/// Every spelling of a service host that a caller in `caller_namespace` may use.
pub(crate) fn domains(host: &str, caller_namespace: &str, options: &Options<'_>) -> Vec<Domain> {
    let mut domains = vec![domain(host)];
    if host.contains('*') {
        return domains;
    }
    if let Some((name, namespace)) = service_of(host, options) {
        if namespace == caller_namespace {
            domains.push(Domain::Exact(name.to_owned()));
        }
        domains.push(Domain::Exact(format!("{name}.{namespace}")));
        domains.push(Domain::Exact(format!("{name}.{namespace}.svc")));
    }
    if host.parse::<std::net::Ipv4Addr>().is_err() && host.contains('.') {
        domains.push(Domain::Exact(format!("{host}.")));
    }
    domains
}

/// Istio's `exportTo`: whether something of `namespace` is visible in `viewer`.
pub(crate) fn exported(export_to: &[&str], namespace: &str, viewer: &str) -> bool {
    if export_to.is_empty() {
        return true;
    }
    export_to.iter().any(|target| match *target {
        "*" => true,
        "." => namespace == viewer,
        "~" => false,
        other => other == viewer,
    })
}
