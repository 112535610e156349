//! One canonical request, from which routing, policy, plugins and the bytes sent upstream derive.
//!
//! hyper parses framing safely but is not a safe proxy: it lets several Hosts, hop-by-hop fields and
//! odd codings through. What is ambiguous is refused here, before anything has read it; what belongs
//! to one hop is removed (RFC 9110 §7.6.1, RFC 9112 §3.2, §6).

use super::path::normalize;
use crate::exchange::headers::{Headers, Pseudo, RequestLine};
use crate::exchange::reply::LocalReply;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, StatusCode, Uri, request, response};
use std::borrow::Cow;
use weir_abi::flags::ResponseFlag;

/// Bytes of a request target at most; longer is 414.
const TARGET_BYTES_MAX: usize = 8 << 10;

/// Fields that belong to one connection, besides those `Connection` names.
static HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Fields a `Connection` line may not remove: they decide routing, framing and identity.
const NOT_NOMINATED: [&str; 10] = [
    "host",
    "authorization",
    "cookie",
    "content-length",
    "content-type",
    "content-encoding",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-client-cert",
    "x-request-id",
];

/// Checks and cleans a request head. The error is what the client gets.
pub fn request(parts: request::Parts) -> Result<Headers, LocalReply> {
    let request::Parts { method, uri, headers: mut map, .. } = parts;
    match method {
        // RFC 9110 §9.3.6, §9.3.8: tunnels and loop-backs are off unless a route allows them.
        Method::CONNECT | Method::TRACE => {
            return Err(LocalReply::new(StatusCode::METHOD_NOT_ALLOWED, "", "method_not_allowed"));
        }
        _ => {}
    }
    let authority = authority(&uri, &map)?;
    let path = target(&uri, &method)?;
    check_transfer_encoding(&map)?;
    check_expect(&map)?;
    strip_hop_by_hop(&mut map)
        .map_err(|Nominated| bad_request("connection_nominates_end_to_end"))?;
    for name in [HOST, EXPECT, PROXY_AUTHORIZATION] {
        map.remove(name);
    }
    let scheme = HeaderValue::from_static("http");
    let line = RequestLine { method, scheme, authority, path };
    Ok(Headers::new(Pseudo::Request(line), map))
}

/// Cleans a response head from upstream. `None` for one that must not be passed on.
pub fn response(parts: response::Parts) -> Option<Headers> {
    let response::Parts { status, headers: mut map, .. } = parts;
    // Nobody asked for an upgrade, so a 101 is not an answer (RFC 9110 §15.2.2).
    if status.is_informational() {
        return None;
    }
    if map.contains_key(TRANSFER_ENCODING) {
        // Another coding beneath `chunked` would be lost with the line that names it.
        check_transfer_encoding(&map).ok()?;
        map.remove(CONTENT_LENGTH);
    }
    let framing = map.remove(TRANSFER_ENCODING);
    strip_hop_by_hop(&mut map).ok()?;
    if let Some(framing) = framing {
        map.insert(TRANSFER_ENCODING, framing);
    }
    Some(Headers::new(Pseudo::Response(status), map))
}

/// 400 with Envoy's flag for a client that broke the protocol.
fn bad_request(details: &'static str) -> LocalReply {
    LocalReply::new(StatusCode::BAD_REQUEST, "", details)
        .flagged(ResponseFlag::DownstreamProtocolError)
}

/// The one authority: that of an absolute target (RFC 9112 §3.2.2), else the only Host.
fn authority(uri: &Uri, map: &HeaderMap) -> Result<HeaderValue, LocalReply> {
    let mut hosts = map.get_all(HOST).iter();
    let host = hosts.next().ok_or_else(|| bad_request("missing_host_header"))?;
    if hosts.next().is_some() {
        return Err(bad_request("multiple_host_headers"));
    }
    if let Some(authority) = uri.authority() {
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(bad_request("invalid_scheme"));
        }
        let authority = HeaderValue::from_str(authority.as_str());
        return authority
            .ok()
            .filter(|authority| is_host_and_port(authority.as_bytes()))
            .ok_or_else(|| bad_request("invalid_authority"));
    }
    if is_host_and_port(host.as_bytes()) {
        Ok(host.clone())
    } else {
        Err(bad_request("invalid_host"))
    }
}

/// `uri-host [":" port]` without userinfo (RFC 9110 §4.2.4).
fn is_host_and_port(authority: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(authority) else { return false };
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let is_address = address.parse::<std::net::Ipv6Addr>().is_ok();
            let port = rest.strip_prefix(':');
            if !is_address || (port.is_none() && !rest.is_empty()) {
                return false;
            }
            ("v6", port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%".contains(&byte);
    let port_is_sound = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
    !host.is_empty() && host.bytes().all(is_name) && port_is_sound
}

/// The target in origin form, its path normalised; `*` for OPTIONS only.
fn target(uri: &Uri, method: &Method) -> Result<HeaderValue, LocalReply> {
    if uri.path() == "*" && uri.authority().is_none() {
        let allowed = (*method == Method::OPTIONS).then(|| HeaderValue::from_static("*"));
        return allowed.ok_or_else(|| bad_request("invalid_target"));
    }
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    let query = uri.query();
    if path.len() + query.map_or(0, str::len) > TARGET_BYTES_MAX {
        return Err(LocalReply::new(StatusCode::URI_TOO_LONG, "", "target_too_long"));
    }
    let normal =
        normalize(path.as_bytes()).ok_or_else(|| bad_request("path_normalization_failed"))?;
    let written = match (&normal, query) {
        (Cow::Borrowed(_), _) => uri.path_and_query().map(|both| both.as_str().as_bytes().to_vec()),
        (Cow::Owned(_), _) => None,
    };
    let bytes = written.filter(|written| written.starts_with(b"/")).unwrap_or_else(|| {
        let mut bytes = normal.into_owned();
        if let Some(query) = query {
            bytes.push(b'?');
            bytes.extend_from_slice(query.as_bytes());
        }
        bytes
    });
    let printable = bytes.first() == Some(&b'/') && bytes.iter().all(u8::is_ascii_graphic);
    let value = HeaderValue::from_maybe_shared(bytes::Bytes::from(bytes));
    value.ok().filter(|_| printable).ok_or_else(|| bad_request("invalid_target"))
}

/// Exactly one `chunked` or nothing: hyper also lets lists and other codings through.
fn check_transfer_encoding(map: &HeaderMap) -> Result<(), LocalReply> {
    let mut codings = map.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Err(bad_request("invalid_transfer_encoding"));
    }
    Ok(())
}

fn check_expect(map: &HeaderMap) -> Result<(), LocalReply> {
    match map.get(EXPECT) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(LocalReply::new(StatusCode::EXPECTATION_FAILED, "", "unknown_expectation"))
        }
        _ => Ok(()),
    }
}

/// A `Connection` line names a field that is not the hop's to remove.
#[derive(Debug)]
struct Nominated;

fn strip_hop_by_hop(map: &mut HeaderMap) -> Result<(), Nominated> {
    if map.contains_key(CONNECTION) {
        let mut nominated = Vec::new();
        for line in map.get_all(CONNECTION) {
            for name in line.as_bytes().split(|byte| *byte == b',') {
                let name = HeaderName::from_bytes(name.trim_ascii());
                nominated.extend(name.ok());
            }
        }
        for name in nominated {
            if NOT_NOMINATED.contains(&name.as_str()) {
                return Err(Nominated);
            }
            map.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        map.remove(name);
    }
    // Trailers pass, and are the only one of its codings that does.
    let is_trailers = |te: &HeaderValue| te.as_bytes().eq_ignore_ascii_case(b"trailers");
    if !map.get_all(TE).iter().all(is_trailers) {
        map.remove(TE);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
