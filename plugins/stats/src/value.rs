//! What is read of one completed request, and the expressions of tag overrides.

use std::borrow::Cow;

use weir_sdk::{
    Error, Exchange, Result,
    attribute::{self, Attribute},
};

use crate::{
    config::Reporter,
    label::{Label, UNKNOWN},
};

/// The values that labels are made of, as the host handed them out.
pub(crate) struct Observed<'s> {
    /// The other side's workload, serialized pairs.
    peer: &'s [u8],
    /// The called service, serialized pairs; the same bytes as `peer` at the source.
    service: &'s [u8],
    pub response_code: i64,
    pub response_flags: Option<&'s [u8]>,
    pub grpc: bool,
    pub grpc_status: Option<i64>,
    /// Read at the destination only.
    pub mtls: Option<bool>,
    expressions: Vec<(Kind, Option<&'s [u8]>)>,
}

impl<'s> Observed<'s> {
    pub(crate) fn read(
        exchange: &Exchange<'s>,
        reporter: Reporter,
        expressions: &[Expression],
    ) -> Self {
        let service = exchange.bytes(&attribute::WEIR_DESTINATION).unwrap_or_default();
        let (peer, mtls) = match reporter {
            Reporter::Source => (service, None),
            Reporter::Destination => (
                exchange.bytes(&attribute::WEIR_SOURCE).unwrap_or_default(),
                exchange.bool(&attribute::CONNECTION_MTLS),
            ),
        };
        let content_type = exchange.request_headers().get("content-type");
        let grpc = content_type.is_some_and(is_grpc);
        Self {
            peer,
            service,
            response_code: exchange.i64(&attribute::RESPONSE_CODE).unwrap_or(0),
            response_flags: exchange.bytes(&attribute::WEIR_RESPONSE_FLAGS),
            grpc,
            grpc_status: grpc.then(|| exchange.i64(&attribute::RESPONSE_GRPC_STATUS)).flatten(),
            mtls,
            expressions: expressions
                .iter()
                .map(|expression| (expression.kind, exchange.bytes(&expression.attribute)))
                .collect(),
        }
    }

    pub(crate) fn peer(&self, key: &str) -> Option<&[u8]> {
        find(self.peer, key)
    }

    pub(crate) fn service(&self, key: &str) -> Option<&[u8]> {
        find(self.service, key)
    }

    pub(crate) fn expression(&self, index: usize) -> Cow<'_, str> {
        let Some((kind, Some(value))) = self.expressions.get(index) else {
            return Cow::Borrowed(UNKNOWN);
        };
        match (kind, *value) {
            (_, []) => Cow::Borrowed(UNKNOWN),
            (Kind::Text, value) => String::from_utf8_lossy(value),
            (Kind::Integer, value) => match value.try_into() {
                Ok(value) => Cow::Owned(i64::from_le_bytes(value).to_string()),
                Err(_) => Cow::Borrowed(UNKNOWN),
            },
            (Kind::Boolean, [0]) => Cow::Borrowed("false"),
            (Kind::Boolean, _) => Cow::Borrowed("true"),
        }
    }

    /// Appends what tells these values from any others; equal keys mean equal labels.
    pub(crate) fn write_key(&self, key: &mut Vec<u8>) {
        let mtls = self.mtls.map_or(2, u8::from);
        key.extend_from_slice(&self.response_code.to_le_bytes());
        key.extend_from_slice(&self.grpc_status.unwrap_or(-1).to_le_bytes());
        key.extend_from_slice(&[u8::from(self.grpc), mtls]);
        let mut field = |value: &[u8]| {
            key.extend_from_slice(&value.len().to_le_bytes());
            key.extend_from_slice(value);
        };
        field(self.response_flags.unwrap_or_default());
        field(self.peer);
        if self.mtls.is_some() || self.peer != self.service {
            field(self.service);
        }
        for (_, value) in &self.expressions {
            field(value.unwrap_or_default());
        }
    }
}

fn find<'s>(pairs: &'s [u8], key: &str) -> Option<&'s [u8]> {
    let mut pairs = attribute::decode_pairs(pairs)?;
    pairs.find(|(name, _)| *name == key.as_bytes()).map(|(_, value)| value)
}

/// `application/grpc`, alone or followed by `+` or `;`, as Envoy tells gRPC.
fn is_grpc(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    content_type.strip_prefix(GRPC).is_some_and(|rest| matches!(rest, [] | [b'+' | b';', ..]))
}

/// How the host encodes an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Boolean,
}

/// The value of a tag override: an attribute, or a constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expression {
    attribute: Attribute,
    kind: Kind,
}

/// A parsed override value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    Literal(String),
    Attribute(Expression),
}

const TEXT: &[&str] = &[
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
    "upstream.address",
    "upstream.local_address",
    "upstream.transport_failure_reason",
    "xds.cluster_name",
    "xds.route_name",
];

const INTEGER: &[&str] = &[
    "request.size",
    "request.total_size",
    "response.code",
    "response.flags",
    "response.grpc_status",
    "response.size",
    "response.total_size",
    "source.port",
    "destination.port",
    "upstream.port",
    "upstream.request_attempt_count",
    "connection.id",
];

impl Expression {
    /// Parses `'text'`, `"text"`, `request.host`, `request.headers['x']` and the like.
    ///
    /// # Errors
    /// Anything else of CEL is not supported.
    pub(crate) fn parse(text: &str) -> Result<Parsed> {
        let text = text.trim();
        if let Some(literal) = quoted(text) {
            return Ok(Parsed::Literal(literal.to_owned()));
        }
        let known = |kind: Kind| {
            let segments: Vec<_> = text.split('.').collect();
            Ok(Parsed::Attribute(Self { attribute: Attribute::of(&segments), kind }))
        };
        if TEXT.contains(&text) {
            return known(Kind::Text);
        }
        if INTEGER.contains(&text) {
            return known(Kind::Integer);
        }
        if text == "connection.mtls" {
            return known(Kind::Boolean);
        }
        for side in ["request", "response"] {
            let index = text.strip_prefix(side).and_then(|rest| rest.strip_prefix(".headers["));
            if let Some(name) = index.and_then(|rest| rest.strip_suffix(']')).and_then(quoted) {
                let name = name.to_ascii_lowercase();
                let attribute = Attribute::of(&[side, "headers", &name]);
                return Ok(Parsed::Attribute(Self { attribute, kind: Kind::Text }));
            }
        }
        Err(Error::new(format!(
            "{text:?} is neither a quoted string nor an attribute such as request.host or \
             request.headers['x']; other expressions are not supported"
        )))
    }
}

impl Parsed {
    /// The label; an attribute already used by another label is read once.
    pub(crate) fn into_label(self, expressions: &mut Vec<Expression>) -> Label {
        match self {
            Self::Literal(text) => Label::Fixed(text),
            Self::Attribute(expression) => {
                let known = expressions.iter().position(|known| *known == expression);
                Label::Expression(known.unwrap_or_else(|| {
                    expressions.push(expression);
                    expressions.len() - 1
                }))
            }
        }
    }
}

/// The inside of a string in matching quotes without quotes of its kind inside.
fn quoted(text: &str) -> Option<&str> {
    ['\'', '"'].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote) && !inner.contains('\\')).then_some(inner)
    })
}
