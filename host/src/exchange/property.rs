//! The attribute tree of `proxy_get_property`, in Envoy's typed encoding.
//!
//! Strings and bytes are raw; integers, timestamps and durations (nanoseconds) are 8 bytes little
//! endian; booleans one byte; maps are pairs. Both the `xds.*` and the legacy spellings answer.
//! Source: Envoy `attributes.rst`, and what Envoy 1.40 was seen to answer.

use super::attributes::Attributes;
use super::headers::Headers;
use super::{Exchange, Message};
use http::StatusCode;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};
use weir_abi::flags::ResponseFlag;
use weir_abi::{extension, pairs};

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyError {
    NotFound,
    /// The path names a whole message (`request`), which has no encoding.
    NotSerializable,
}

type Value<'a> = Cow<'a, [u8]>;
type Answer<'a> = Result<Value<'a>, PropertyError>;

const NOT_FOUND: PropertyError = PropertyError::NotFound;

impl Exchange {
    /// The value at `path`, its segments separated by NUL bytes (one trailing NUL is tolerated).
    pub fn property(&self, path: &[u8]) -> Answer<'_> {
        let path = path.strip_suffix(&[0]).unwrap_or(path);
        match self.attribute(path) {
            // A name of ours always means ours: a filter cannot pass off a caller's identity.
            Err(PropertyError::NotFound) if !is_reserved(path) => {
                let custom = self.attributes.custom.get(path);
                custom.map(|value| value.as_ref().into()).ok_or(NOT_FOUND)
            }
            answer => answer,
        }
    }

    fn attribute(&self, path: &[u8]) -> Answer<'_> {
        let mut segments = path.split(|byte| *byte == 0);
        let root = segments.next().unwrap_or_default();
        let Some(field) = segments.next() else { return self.top_level(root) };
        let rest = segments.next();
        if rest.is_some() && !is_map(root, field) {
            return Err(NOT_FOUND);
        }
        match root {
            b"request" => self.request_property(field, rest),
            b"response" => self.response_property(field, rest),
            b"source" => self.source_property(field),
            b"destination" => match field {
                b"address" => Ok(address(self.attributes.connection.local)),
                b"port" => Ok(int(u64::from(self.attributes.connection.port))),
                _ => Err(NOT_FOUND),
            },
            b"connection" => self.connection_property(field),
            b"upstream" => self.upstream_property(field),
            b"xds" => self.xds_property(field, rest),
            b"node" => self.node_property(field, rest),
            _ => Err(NOT_FOUND),
        }
    }

    /// Stores a filter's own property, or carries out one of Weir's (`weir.cluster` …).
    ///
    /// `false` when the value means nothing for a name of ours, or when too much is stored.
    pub fn set_property(&mut self, path: &[u8], value: &[u8]) -> bool {
        let path = path.strip_suffix(&[0]).unwrap_or(path);
        if path == extension::CLUSTER_PROPERTY.as_bytes() {
            let Ok(name) = std::str::from_utf8(value) else { return false };
            self.attributes.chosen_cluster = Some(name.into());
            self.attributes.upstream.cluster = self.attributes.chosen_cluster.clone();
        } else if path == extension::RESPONSE_FLAG_PROPERTY.as_bytes() {
            let flag = std::str::from_utf8(value).ok().and_then(ResponseFlag::from_short);
            let Some(flag) = flag else { return false };
            self.attributes.flags.insert(flag);
        } else {
            return self.attributes.store(path, value);
        }
        true
    }

    fn top_level(&self, name: &[u8]) -> Answer<'_> {
        let attributes = &self.attributes;
        match name {
            b"request" | b"response" | b"connection" | b"upstream" | b"source" | b"destination"
            | b"xds" | b"filter_state" => Err(PropertyError::NotSerializable),
            // Nothing here writes dynamic metadata: the message is empty.
            b"metadata" => Ok(Cow::Borrowed(&[])),
            b"route_name" => Ok(attributes.route_name.as_bytes().into()),
            b"cluster_name" => cluster(attributes),
            b"x_request_id" => header(&self.request.headers, b"x-request-id"),
            b"listener_direction" => Ok(int(attributes.connection.direction as u64)),
            b"connection_id" => Ok(int(attributes.connection.id)),
            _ if name == extension::SOURCE_PROPERTY.as_bytes() => {
                attributes.connection.source.as_deref().map(Cow::Borrowed).ok_or(NOT_FOUND)
            }
            _ if name == extension::DESTINATION_PROPERTY.as_bytes() => {
                attributes.upstream.destination.as_deref().map(Cow::Borrowed).ok_or(NOT_FOUND)
            }
            _ if name == extension::PEER_ADDRESS_PROPERTY.as_bytes() => {
                Ok(address(attributes.connection.peer))
            }
            _ if name == extension::RESPONSE_FLAGS_TEXT_PROPERTY.as_bytes() => {
                let mut text = String::new();
                attributes.flags.write_short(&mut text);
                Ok(text.into_bytes().into())
            }
            _ => Err(NOT_FOUND),
        }
    }

    fn request_property(&self, field: &[u8], rest: Option<&[u8]>) -> Answer<'_> {
        let headers = &self.request.headers;
        let line = headers.request_line().ok_or(NOT_FOUND)?;
        let path = line.path.as_bytes();
        match field {
            b"path" => Ok(path.into()),
            b"url_path" => Ok(split_query(path).0.into()),
            b"query" => Ok(split_query(path).1.unwrap_or_default().into()),
            b"host" => Ok(line.authority.as_bytes().into()),
            b"scheme" => Ok(line.scheme.as_bytes().into()),
            b"method" => Ok(line.method.as_str().as_bytes().into()),
            b"headers" => map(headers, rest),
            b"referer" => header(headers, b"referer"),
            b"useragent" => header(headers, b"user-agent"),
            b"id" => header(headers, b"x-request-id"),
            b"time" => Ok(timestamp(self.attributes.start)),
            b"protocol" => Ok(self.attributes.protocol.as_bytes().into()),
            b"duration" => self.attributes.duration.map(duration).ok_or(NOT_FOUND),
            b"size" => Ok(int(self.attributes.request_bytes)),
            b"headers_bytes" => Ok(int(headers.byte_size() as u64)),
            b"total_size" => Ok(int(self.attributes.request_bytes + headers.byte_size() as u64)),
            _ => Err(NOT_FOUND),
        }
    }

    fn response_property(&self, field: &[u8], rest: Option<&[u8]>) -> Answer<'_> {
        let attributes = &self.attributes;
        match field {
            b"flags" => return Ok(int(attributes.flags.0)),
            b"size" => return Ok(int(attributes.response_bytes)),
            b"total_size" => {
                return Ok(int(attributes.response_bytes + attributes.response_headers_bytes));
            }
            b"code_details" => return text(attributes.details.as_deref()),
            b"backend_latency" => return attributes.backend_latency.map(duration).ok_or(NOT_FOUND),
            _ => {}
        }
        let Message { headers, trailers, .. } = self.response.as_ref().ok_or(NOT_FOUND)?;
        match field {
            b"code" => headers.status().map(|code| int(u64::from(code.as_u16()))).ok_or(NOT_FOUND),
            b"headers" => map(headers, rest),
            b"trailers" => map(trailers.as_ref().ok_or(NOT_FOUND)?, rest),
            b"headers_bytes" => Ok(int(headers.byte_size() as u64)),
            b"grpc_status" => {
                let value = trailers.as_ref().and_then(|trailers| trailers.get(b"grpc-status"));
                let Some(value) = value.or_else(|| headers.get(b"grpc-status")) else {
                    return headers.status().map(|it| int(grpc_status_of(it))).ok_or(NOT_FOUND);
                };
                let code = std::str::from_utf8(value).ok().and_then(|code| code.parse().ok());
                code.map(int).ok_or(NOT_FOUND)
            }
            _ => Err(NOT_FOUND),
        }
    }

    fn source_property(&self, field: &[u8]) -> Answer<'_> {
        let connection = &self.attributes.connection;
        match field {
            b"address" => Ok(address(self.attributes.remote)),
            b"port" => Ok(int(u64::from(self.attributes.remote.port()))),
            b"principal" => text(connection.peer_identity.as_deref()),
            _ => Err(NOT_FOUND),
        }
    }

    fn connection_property(&self, field: &[u8]) -> Answer<'_> {
        let connection = &self.attributes.connection;
        match field {
            b"id" => Ok(int(connection.id)),
            b"mtls" => Ok(boolean(connection.mtls)),
            b"requested_server_name" => Ok(Cow::Borrowed(&[])),
            b"uri_san_peer_certificate" => text(connection.peer_identity.as_deref()),
            b"uri_san_local_certificate" => text(connection.local_identity.as_deref()),
            b"termination_details" => text(self.attributes.termination_details.as_deref()),
            _ => Err(NOT_FOUND),
        }
    }

    fn upstream_property(&self, field: &[u8]) -> Answer<'_> {
        let upstream = &self.attributes.upstream;
        match field {
            b"address" => upstream.address.map(address).ok_or(NOT_FOUND),
            b"port" => upstream.address.map(|peer| int(u64::from(peer.port()))).ok_or(NOT_FOUND),
            b"local_address" => upstream.local.map(address).ok_or(NOT_FOUND),
            b"num_endpoints" => Ok(int(upstream.endpoints)),
            b"request_attempt_count" => Ok(int(upstream.attempts)),
            b"transport_failure_reason" => {
                let nothing = upstream.address.map(|_| "");
                text(upstream.failure_reason.as_deref().or(nothing))
            }
            _ => Err(NOT_FOUND),
        }
    }

    fn xds_property(&self, field: &[u8], rest: Option<&[u8]>) -> Answer<'_> {
        let attributes = &self.attributes;
        match field {
            b"route_name" => Ok(attributes.route_name.as_bytes().into()),
            b"virtual_host_name" => Ok(attributes.virtual_host.as_bytes().into()),
            b"cluster_name" => cluster(attributes),
            b"listener_direction" => Ok(int(attributes.connection.direction as u64)),
            b"filter_chain_name" => Ok(attributes.connection.listener.as_bytes().into()),
            b"node" => self.node_property(rest.unwrap_or_default(), None),
            _ => Err(NOT_FOUND),
        }
    }

    fn node_property(&self, field: &[u8], rest: Option<&[u8]>) -> Answer<'_> {
        let connection = &self.attributes.connection;
        match (field, rest) {
            (b"id", None) => Ok(connection.node_id.as_bytes().into()),
            (b"metadata", None) => Ok(connection.node_metadata.as_ref().into()),
            (b"metadata", Some(key)) => pairs::decode(&connection.node_metadata)
                .ok()
                .and_then(|mut pairs| pairs.find(|(name, _)| *name == key))
                .map(|(_, value)| Cow::Owned(value.to_vec()))
                .ok_or(NOT_FOUND),
            _ => Err(NOT_FOUND),
        }
    }
}

/// Attributes that have parts.
fn is_map(root: &[u8], field: &[u8]) -> bool {
    matches!(
        (root, field),
        (b"request" | b"response", b"headers")
            | (b"response", b"trailers")
            | (b"xds", b"node")
            | (b"node", b"metadata")
    )
}

/// `response.grpc_status` where the upstream gave none: Envoy's reading of the HTTP status.
fn grpc_status_of(status: StatusCode) -> u64 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// Names whose whole tree is the host's.
fn is_reserved(path: &[u8]) -> bool {
    let root = path.split(|byte| *byte == 0).next().unwrap_or_default();
    let tree: &[&[u8]] = &[
        b"request",
        b"response",
        b"source",
        b"destination",
        b"connection",
        b"upstream",
        b"xds",
        b"node",
    ];
    tree.contains(&root) || root.starts_with(b"weir.")
}

/// Path and, behind the first `?`, query.
pub fn split_query(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match target.iter().position(|byte| *byte == b'?') {
        Some(at) => (target.get(..at).unwrap_or_default(), target.get(at + 1..)),
        None => (target, None),
    }
}

fn header<'a>(headers: &'a Headers, name: &[u8]) -> Answer<'a> {
    headers.get_joined(name).ok_or(NOT_FOUND)
}

fn map<'a>(headers: &'a Headers, key: Option<&[u8]>) -> Answer<'a> {
    if let Some(key) = key {
        return header(headers, key);
    }
    Ok(headers.encode().into())
}

fn cluster(attributes: &Attributes) -> Answer<'_> {
    text(attributes.upstream.cluster.as_deref())
}

fn text(value: Option<&str>) -> Answer<'_> {
    value.map(|text| text.as_bytes().into()).ok_or(NOT_FOUND)
}

fn address(address: SocketAddr) -> Value<'static> {
    address.to_string().into_bytes().into()
}

fn int(value: u64) -> Value<'static> {
    value.to_le_bytes().to_vec().into()
}

fn boolean(value: bool) -> Value<'static> {
    vec![u8::from(value)].into()
}

fn duration(value: Duration) -> Value<'static> {
    int(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX))
}

fn timestamp(value: SystemTime) -> Value<'static> {
    duration(value.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}
