//! Fields the proxy itself adds: who asked, how, and under which id.

use crate::exchange::headers::{Headers, RequestLine};
use crate::plan::listener::Role;
use http::header::{HeaderName, HeaderValue};
use http::{Request, Uri};
use std::net::{IpAddr, SocketAddr};

pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Adds `x-request-id` and `x-forwarded-proto` where they are missing. A gateway is the edge: it
/// appends the client to `x-forwarded-for`; sidecars pass on what they got, as Istio's do.
pub(super) fn annotate(headers: &mut Headers, role: Role, client: IpAddr) {
    let map = headers.map_mut();
    if !map.contains_key(&REQUEST_ID) {
        map.insert(REQUEST_ID.clone(), request_id());
    }
    if !map.contains_key(&FORWARDED_PROTO) {
        map.insert(FORWARDED_PROTO.clone(), HeaderValue::from_static("http"));
    }
    if role == Role::Gateway {
        let before = headers.get_joined(FORWARDED_FOR.as_str().as_bytes());
        let value = match before {
            Some(before) => [&before, &b","[..], client.to_string().as_bytes()].concat(),
            None => client.to_string().into_bytes(),
        };
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            headers.map_mut().insert(FORWARDED_FOR.clone(), value);
        }
    }
}

/// The client's address: what the hop in front said last in `x-forwarded-for` where it is trusted
/// (Istio's sidecars, Envoy `use_remote_address: false`), else the peer of the connection.
pub(super) fn remote(headers: &Headers, role: Role, peer: SocketAddr) -> SocketAddr {
    let forwarded = headers.map().get_all(&FORWARDED_FOR).iter().next_back();
    let last = forwarded
        .filter(|_| role == Role::Inbound)
        .and_then(|line| line.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    last.map_or(peer, |address: IpAddr| SocketAddr::new(address, 0))
}

/// A random UUID (RFC 9562 version 4).
fn request_id() -> HeaderValue {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let random = (fastrand::u128(..) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let mut text = [b'-'; 36];
    let mut digits = (0..32).rev().map(|digit| (random >> (digit * 4)) as usize & 0xf);
    for (at, slot) in text.iter_mut().enumerate() {
        if !matches!(at, 8 | 13 | 18 | 23) {
            *slot = digits.next().and_then(|digit| HEX.get(digit)).copied().unwrap_or(b'0');
        }
    }
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("0"))
}

/// The request as it goes upstream: origin form, one Host, always HTTP/1.1.
///
/// `None` when a filter left a path that is no target.
pub(super) fn upstream_request<B>(
    line: &RequestLine,
    map: http::HeaderMap,
    body: B,
) -> Option<Request<B>> {
    let mut request = Request::new(body);
    *request.method_mut() = line.method.clone();
    *request.uri_mut() = Uri::try_from(line.path.as_bytes()).ok()?;
    *request.headers_mut() = map;
    request.headers_mut().insert(http::header::HOST, line.authority.clone());
    Some(request)
}
