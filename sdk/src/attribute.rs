//! Names of what the host knows about a stream: Envoy's attribute tree.
//!
//! Values are typed on the wire as in Envoy; `Exchange` has one getter a type. A path is its
//! segments joined by NUL, which is what the ABI passes, so that a lookup copies nothing.

use std::borrow::Cow;

/// Keys of [`WEIR_SOURCE`] and [`WEIR_DESTINATION`].
pub use weir_abi::extension::workload;

/// Path of one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attribute(Cow<'static, str>);

impl Attribute {
    /// The attribute of these segments, e.g. `["request", "headers", "x-user"]`. Allocates: build
    /// it once, at configure time.
    pub fn of(segments: &[&str]) -> Self {
        Self(Cow::Owned(segments.join("\0")))
    }

    const fn known(path: &'static str) -> Self {
        Self(Cow::Borrowed(path))
    }

    /// The path as the ABI passes it: segments joined by NUL.
    pub fn as_wire(&self) -> &str {
        &self.0
    }
}

macro_rules! attributes {
    ($($(#[$meta:meta])* $name:ident = $path:expr;)+) => {
        $($(#[$meta])* pub const $name: Attribute = Attribute::known($path);)+
    };
}

attributes! {
    /// Path with query; string.
    REQUEST_PATH = "request\0path";
    /// Path without query; string.
    REQUEST_URL_PATH = "request\0url_path";
    REQUEST_HOST = "request\0host";
    REQUEST_SCHEME = "request\0scheme";
    REQUEST_METHOD = "request\0method";
    /// Timestamp of the first byte, nanoseconds.
    REQUEST_TIME = "request\0time";
    REQUEST_ID = "request\0id";
    /// `HTTP/1.1` and the like.
    REQUEST_PROTOCOL = "request\0protocol";
    /// Duration; only once the stream is complete.
    REQUEST_DURATION = "request\0duration";
    /// Body bytes.
    REQUEST_SIZE = "request\0size";
    /// Header and body bytes.
    REQUEST_TOTAL_SIZE = "request\0total_size";
    /// Status, i64.
    RESPONSE_CODE = "response\0code";
    RESPONSE_CODE_DETAILS = "response\0code_details";
    /// Envoy's bit vector, i64.
    RESPONSE_FLAGS = "response\0flags";
    RESPONSE_GRPC_STATUS = "response\0grpc_status";
    RESPONSE_SIZE = "response\0size";
    RESPONSE_TOTAL_SIZE = "response\0total_size";
    /// `ip:port` of the downstream peer.
    SOURCE_ADDRESS = "source\0address";
    DESTINATION_ADDRESS = "destination\0address";
    DESTINATION_PORT = "destination\0port";
    CONNECTION_MTLS = "connection\0mtls";
    CONNECTION_REQUESTED_SERVER_NAME = "connection\0requested_server_name";
    CONNECTION_URI_SAN_PEER_CERTIFICATE = "connection\0uri_san_peer_certificate";
    CONNECTION_TERMINATION_DETAILS = "connection\0termination_details";
    UPSTREAM_ADDRESS = "upstream\0address";
    UPSTREAM_LOCAL_ADDRESS = "upstream\0local_address";
    UPSTREAM_TRANSPORT_FAILURE_REASON = "upstream\0transport_failure_reason";
    UPSTREAM_REQUEST_ATTEMPT_COUNT = "upstream\0request_attempt_count";
    XDS_CLUSTER_NAME = "xds\0cluster_name";
    XDS_ROUTE_NAME = "xds\0route_name";
    /// See `weir_abi::extension`.
    WEIR_CLUSTER = weir_abi::extension::CLUSTER_PROPERTY;
    /// See `weir_abi::extension`.
    WEIR_RESPONSE_FLAG = weir_abi::extension::RESPONSE_FLAG_PROPERTY;
    /// See `weir_abi::extension`.
    WEIR_RESPONSE_FLAGS = weir_abi::extension::RESPONSE_FLAGS_TEXT_PROPERTY;
    /// See `weir_abi::extension`.
    WEIR_SOURCE = weir_abi::extension::SOURCE_PROPERTY;
    /// See `weir_abi::extension`.
    WEIR_PEER_ADDRESS = weir_abi::extension::PEER_ADDRESS_PROPERTY;
    /// See `weir_abi::extension`.
    WEIR_DESTINATION = weir_abi::extension::DESTINATION_PROPERTY;
}

/// The pairs of a map attribute, see `Exchange::bytes`; `None` when they are malformed.
pub fn decode_pairs(value: &[u8]) -> Option<weir_abi::pairs::Pairs<'_>> {
    weir_abi::pairs::decode(value).ok()
}
