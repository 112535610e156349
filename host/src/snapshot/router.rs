//! Which route takes a request: most specific domain of the listener, then first match.

use super::ChainId;
use crate::exchange::headers::Headers;
use crate::exchange::property::split_query;
use crate::plan::listener::{Domain, Role};
use crate::plan::matcher::{HeaderMatch, PathMatch, QueryMatch, RouteMatch, StringMatch};
use crate::upstream::peers::Identity;
use bytes::Bytes;
use http::StatusCode;
use regex::bytes::Regex;
use rustc_hash::FxHashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A bound socket and its compiled virtual hosts.
pub struct Listener {
    pub name: Arc<str>,
    pub bind: SocketAddr,
    /// As policies name it.
    pub port: u16,
    pub role: Role,
    /// On whose behalf this listener calls; `None` when it stands for nobody.
    pub identity: Option<Identity>,
    pub node_id: Arc<str>,
    /// Labels of the workload, as pairs.
    pub node_metadata: Bytes,
    pub(super) exact: FxHashMap<String, usize>,
    /// Longest first.
    pub(super) suffixes: Vec<(String, usize)>,
    pub(super) any: Option<usize>,
    pub(super) virtual_hosts: Vec<VirtualHost>,
    pub unmatched: ChainId,
}

pub(super) struct VirtualHost {
    pub(super) name: Arc<str>,
    pub(super) routes: Vec<Route>,
}

pub struct Route {
    pub name: Arc<str>,
    pub(super) matches: Vec<Matcher>,
    pub chain: ChainId,
    pub cluster: Option<Arc<str>>,
    /// Of requests whose cluster does not exist.
    pub missing_cluster_status: StatusCode,
    pub timeout: Option<Duration>,
}

/// A route and the virtual host it was found in.
#[derive(Clone, Copy)]
pub struct Matched<'a> {
    pub virtual_host: &'a Arc<str>,
    pub route: &'a Route,
}

impl Listener {
    /// The route of a request, `None` when no host or no rule takes it.
    pub fn route(&self, headers: &Headers) -> Option<Matched<'_>> {
        let line = headers.request_line()?;
        let virtual_host = self.virtual_host(line.authority.as_bytes())?;
        let route = virtual_host.routes.iter().find(|route| route.takes(headers))?;
        Some(Matched { virtual_host: &virtual_host.name, route })
    }

    fn virtual_host(&self, authority: &[u8]) -> Option<&VirtualHost> {
        // Hosts are ASCII; anything else is in no domain but `*`.
        let host = std::str::from_utf8(without_port(authority)).unwrap_or_default();
        let lower;
        let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            lower = host.to_ascii_lowercase();
            &lower
        } else {
            host
        };
        let exact = self.exact.get(host).copied();
        let suffix = || {
            let found = self
                .suffixes
                .iter()
                .find(|(suffix, _)| host.len() > suffix.len() && host.ends_with(suffix.as_str()));
            found.map(|(_, index)| *index)
        };
        self.virtual_hosts.get(exact.or_else(suffix).or(self.any)?)
    }

    pub(super) fn insert_domain(&mut self, domain: &Domain, virtual_host: usize) {
        match domain {
            Domain::Exact(host) => {
                self.exact.entry(host.clone()).or_insert(virtual_host);
            }
            Domain::Suffix(suffix) => self.suffixes.push((suffix.clone(), virtual_host)),
            Domain::Any => {
                self.any.get_or_insert(virtual_host);
            }
        }
    }
}

impl Route {
    fn takes(&self, headers: &Headers) -> bool {
        self.matches.is_empty() || self.matches.iter().any(|matcher| matcher.matches(headers))
    }
}

/// Host without `:PORT`; an IPv6 literal keeps its brackets.
fn without_port(authority: &[u8]) -> &[u8] {
    let Some(colon) = authority.iter().rposition(|byte| *byte == b':') else { return authority };
    let port = authority.get(colon + 1..).unwrap_or_default();
    let host = authority.get(..colon).unwrap_or_default();
    let bracketed = !authority.starts_with(b"[") || host.ends_with(b"]");
    if bracketed && port.iter().all(u8::is_ascii_digit) { host } else { authority }
}

/// A [`RouteMatch`] with its regexes compiled.
pub(super) struct Matcher {
    path: Option<PathMatcher>,
    method: Option<StringMatcher>,
    authority: Option<StringMatcher>,
    scheme: Option<StringMatcher>,
    headers: Vec<HeaderMatcher>,
    query: Vec<(String, StringMatcher)>,
}

enum PathMatcher {
    Exact { value: String, ignore_case: bool },
    Prefix { value: String, ignore_case: bool },
    SegmentPrefix(String),
    Regex(Regex),
}

enum StringMatcher {
    Exact(String),
    Prefix(String),
    Regex(Regex),
    Present,
}

struct HeaderMatcher {
    name: String,
    value: StringMatcher,
    invert: bool,
}

impl Matcher {
    pub(super) fn compile(plan: &RouteMatch) -> Result<Self, regex::Error> {
        let string =
            |value: &Option<StringMatch>| value.as_ref().map(StringMatcher::compile).transpose();
        Ok(Self {
            path: plan.path.as_ref().map(PathMatcher::compile).transpose()?,
            method: string(&plan.method)?,
            authority: string(&plan.authority)?,
            scheme: string(&plan.scheme)?,
            headers: plan.headers.iter().map(HeaderMatcher::compile).collect::<Result<_, _>>()?,
            query: plan
                .query
                .iter()
                .map(|QueryMatch { name, value }| {
                    Ok((name.clone(), StringMatcher::compile(value)?))
                })
                .collect::<Result<_, regex::Error>>()?,
        })
    }

    fn matches(&self, headers: &Headers) -> bool {
        let Some(line) = headers.request_line() else { return false };
        let (path, query) = split_query(line.path.as_bytes());
        let takes = |matcher: &Option<StringMatcher>, value: &[u8]| {
            matcher.as_ref().is_none_or(|matcher| matcher.matches(value))
        };
        self.path.as_ref().is_none_or(|matcher| matcher.matches(path))
            && takes(&self.method, line.method.as_str().as_bytes())
            && takes(&self.authority, line.authority.as_bytes())
            && takes(&self.scheme, line.scheme.as_bytes())
            && self.headers.iter().all(|matcher| matcher.matches(headers))
            && self.query.iter().all(|(name, matcher)| {
                query_value(query.unwrap_or_default(), name.as_bytes())
                    .is_some_and(|value| matcher.matches(value))
            })
    }
}

impl HeaderMatcher {
    fn compile(plan: &HeaderMatch) -> Result<Self, regex::Error> {
        let value = StringMatcher::compile(&plan.value)?;
        Ok(Self { name: plan.name.clone(), value, invert: plan.invert })
    }

    fn matches(&self, headers: &Headers) -> bool {
        let value = headers.get_joined(self.name.as_bytes());
        match (&self.value, value) {
            (StringMatcher::Present, value) => value.is_some() != self.invert,
            (matcher, Some(value)) => matcher.matches(&value) != self.invert,
            // Istio compares a missing header of `withoutHeaders` as the empty string.
            (matcher, None) => self.invert && !matcher.matches(b""),
        }
    }
}

impl PathMatcher {
    fn compile(plan: &PathMatch) -> Result<Self, regex::Error> {
        Ok(match plan {
            PathMatch::Exact { value, ignore_case } => {
                Self::Exact { value: value.clone(), ignore_case: *ignore_case }
            }
            PathMatch::Prefix { value, ignore_case } => {
                Self::Prefix { value: value.clone(), ignore_case: *ignore_case }
            }
            PathMatch::SegmentPrefix(value) => {
                Self::SegmentPrefix(value.strip_suffix('/').unwrap_or(value).to_owned())
            }
            PathMatch::Regex(pattern) => Self::Regex(full_match(pattern)?),
        })
    }

    fn matches(&self, path: &[u8]) -> bool {
        match self {
            Self::Exact { value, ignore_case: true } => path.eq_ignore_ascii_case(value.as_bytes()),
            Self::Exact { value, ignore_case: false } => path == value.as_bytes(),
            Self::Prefix { value, ignore_case: true } => path
                .get(..value.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(value.as_bytes())),
            Self::Prefix { value, ignore_case: false } => path.starts_with(value.as_bytes()),
            Self::SegmentPrefix(value) => path
                .strip_prefix(value.as_bytes())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")),
            Self::Regex(regex) => regex.is_match(path),
        }
    }
}

impl StringMatcher {
    fn compile(plan: &StringMatch) -> Result<Self, regex::Error> {
        Ok(match plan {
            StringMatch::Exact(value) => Self::Exact(value.clone()),
            StringMatch::Prefix(value) => Self::Prefix(value.clone()),
            StringMatch::Regex(pattern) => Self::Regex(full_match(pattern)?),
            StringMatch::Present => Self::Present,
        })
    }

    fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => value == exact.as_bytes(),
            Self::Prefix(prefix) => value.starts_with(prefix.as_bytes()),
            Self::Regex(regex) => regex.is_match(value),
            Self::Present => true,
        }
    }
}

/// RE2 full match, on bytes.
fn full_match(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

/// First value of `name`, as written. A key without `=` has the empty value.
fn query_value<'a>(query: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    query.split(|byte| *byte == b'&').find_map(|pair| {
        let (key, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (pair.get(..at)?, pair.get(at + 1..)?),
            None => (pair, &b""[..]),
        };
        (key == name).then_some(value)
    })
}

#[cfg(test)]
mod tests;
