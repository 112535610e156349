//! What Weir adds to proxy-wasm, all of it reachable through standard calls.
//!
//! A host that does not know a name answers `NotFound`; the SDK then falls back, so a plugin that
//! uses these still loads and works in Envoy.

/// Export, never called: this module keeps nothing in its memory from one stream to the next, so the
/// host may give each stream a VM of its own. `export!` of the SDK declares it.
pub const POOL_MARKER: &str = "weir_isolation_pool";

/// `proxy_call_foreign_function`: fires `proxy_on_foreign_function` once on the calling context.
///
/// Argument: delay in nanoseconds, `u64` little endian. Result: the timer's number, `u32` little
/// endian, which the callback receives as `function_id` with no arguments. Accurate to 5 ms.
pub const SET_TIMER: &str = "weir_set_timer";

/// `proxy_call_foreign_function`: appends one access-log line to a sink of the host.
///
/// Argument: sink path, a NUL byte, the line with its newline. No result.
pub const WRITE_ACCESS_LOG: &str = "weir_write_access_log";

/// `proxy_set_property`, one segment: name of the cluster this request goes to.
///
/// Allowed until the request headers have left the chain. An unknown name is answered with 503
/// and the flag `NC`.
pub const CLUSTER_PROPERTY: &str = "weir.cluster";

/// `proxy_set_property`, one segment: adds a response flag to the stream, e.g. `FI` or `DI`.
pub const RESPONSE_FLAG_PROPERTY: &str = "weir.response_flag";

/// `proxy_get_property`, one segment: what the host knows of the caller's workload, as pairs.
/// Keys are those of [`workload`]. `NotFound` when nothing is known.
pub const SOURCE_PROPERTY: &str = "weir.source";

/// `proxy_get_property`, one segment: the called service and the workload of the chosen endpoint,
/// as pairs. Keys are those of [`workload`]. `NotFound` before a cluster is known.
pub const DESTINATION_PROPERTY: &str = "weir.destination";

/// `proxy_get_property`, one segment: name of the chosen cluster and the full response flags of
/// the stream, for access logs: text such as `UF,URX`, or `-`.
pub const RESPONSE_FLAGS_TEXT_PROPERTY: &str = "weir.response_flags";

/// `proxy_get_property`, one segment: `ip:port` of the connection's other end, whatever forwarding
/// headers say; `source.address` is the client that trusted headers name. `NotFound` where the two
/// cannot differ.
pub const PEER_ADDRESS_PROPERTY: &str = "weir.peer_address";

/// Keys of [`SOURCE_PROPERTY`] and [`DESTINATION_PROPERTY`]; a key that is not known is absent.
pub mod workload {
    pub const WORKLOAD: &str = "workload";
    pub const NAMESPACE: &str = "namespace";
    pub const PRINCIPAL: &str = "principal";
    pub const APP: &str = "app";
    pub const VERSION: &str = "version";
    pub const CLUSTER: &str = "cluster";
    pub const CANONICAL_SERVICE: &str = "canonical_service";
    pub const CANONICAL_REVISION: &str = "canonical_revision";
    /// Fully qualified host of the service; destination only.
    pub const SERVICE: &str = "service";
    /// Short name of the service; destination only.
    pub const SERVICE_NAME: &str = "service_name";
    /// Namespace of the service; destination only.
    pub const SERVICE_NAMESPACE: &str = "service_namespace";
}
