//! The proxy-wasm ABI as both sides of the boundary see it: numbers, names and encodings.
//!
//! The host decodes what a guest passes with the same types the SDK encodes with. Nothing here
//! does I/O, allocates behind the caller's back or knows about wasmtime.
//!
//! Source of the numbers: proxy-wasm spec 0.2.1 and Envoy 1.40 where the two differ.
#![no_std]
extern crate alloc;

pub mod extension;
pub mod flags;
pub mod pairs;

/// Declares an ABI enumeration with its wire numbers and a checked conversion from `u32`.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $value:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum $name { $($(#[$vmeta])* $variant = $value,)+ }

        impl $name {
            /// The wire number.
            pub const fn code(self) -> u32 { self as u32 }

            /// The variant of a wire number, `None` when the ABI defines no such number.
            pub const fn from_code(code: u32) -> Option<Self> {
                match code { $($value => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

wire_enum! {
    /// What a host call returns. Anything but `Ok` is a reason, never undefined behaviour.
    Status {
        Ok = 0,
        NotFound = 1,
        BadArgument = 2,
        SerializationFailure = 3,
        ParseFailure = 4,
        BadExpression = 5,
        InvalidMemoryAccess = 6,
        Empty = 7,
        CasMismatch = 8,
        ResultMismatch = 9,
        InternalFailure = 10,
        BrokenConnection = 11,
        Unimplemented = 12,
    }
}

wire_enum! {
    /// Severity of a `proxy_log` line.
    LogLevel { Trace = 0, Debug = 1, Info = 2, Warn = 3, Error = 4, Critical = 5, }
}

wire_enum! {
    /// Kind of a metric. `proxy_define_metric`.
    MetricType { Counter = 0, Gauge = 1, Histogram = 2, }
}

wire_enum! {
    /// A byte buffer the guest may read and replace ranges of. `proxy_get_buffer_bytes`.
    BufferType {
        HttpRequestBody = 0,
        HttpResponseBody = 1,
        DownstreamData = 2,
        UpstreamData = 3,
        HttpCallResponseBody = 4,
        GrpcReceiveBuffer = 5,
        VmConfiguration = 6,
        PluginConfiguration = 7,
        CallData = 8,
    }
}

wire_enum! {
    /// A multi-map of bytes to bytes. `proxy_get_header_map_value`.
    MapType {
        HttpRequestHeaders = 0,
        HttpRequestTrailers = 1,
        HttpResponseHeaders = 2,
        HttpResponseTrailers = 3,
        GrpcReceiveInitialMetadata = 4,
        GrpcReceiveTrailingMetadata = 5,
        HttpCallResponseHeaders = 6,
        HttpCallResponseTrailers = 7,
    }
}

wire_enum! {
    /// Direction of a stream. `proxy_continue_stream`, `proxy_close_stream`.
    StreamType { HttpRequest = 0, HttpResponse = 1, Downstream = 2, Upstream = 3, }
}

wire_enum! {
    /// Who closed a TCP connection. `proxy_on_downstream_connection_close`.
    PeerType { Unknown = 0, Local = 1, Remote = 2, }
}

/// What a callback tells the host to do next: go on, or hold this direction of the stream.
///
/// The C++ SDKs return Envoy's longer enumerations; every number but zero is a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    Continue = 0,
    Pause = 1,
}

impl Action {
    /// Out-of-range numbers are the strongest stop, as in proxy-wasm-cpp-host.
    pub const fn from_code(code: u32) -> Self {
        match code {
            0 => Self::Continue,
            _ => Self::Pause,
        }
    }
}

/// ABI revision a module was built against, told by a marker export that is never called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AbiVersion {
    V0_1_0,
    V0_2_0,
    V0_2_1,
}

impl AbiVersion {
    /// Newest first, so that a module carrying several markers gets the richest ABI.
    pub const ALL: [Self; 3] = [Self::V0_2_1, Self::V0_2_0, Self::V0_1_0];

    /// Name of the marker export.
    pub const fn marker(self) -> &'static str {
        match self {
            Self::V0_1_0 => "proxy_abi_version_0_1_0",
            Self::V0_2_0 => "proxy_abi_version_0_2_0",
            Self::V0_2_1 => "proxy_abi_version_0_2_1",
        }
    }

    /// The revision as people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V0_1_0 => "0.1.0",
            Self::V0_2_0 => "0.2.0",
            Self::V0_2_1 => "0.2.1",
        }
    }
}
