//! The seam between the SDK and whoever runs the plugin.
//!
//! On `wasm32` the host is the proxy behind the ABI's imports (`wasm.rs`, the only unsafe file of
//! the crate); natively it is the fake host of [`crate::testing`]. Everything above this module
//! is the same code in both.

#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "the arena of wasm.rs"))]
mod arena;
#[cfg(target_arch = "wasm32")]
pub(crate) mod wasm;

use weir_abi::{BufferType, LogLevel, MapType, MetricType, StreamType};

use crate::error::Result;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::host::{current, enter};
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::{current, enter};

/// One outermost callback. Bytes that the host hands out live as long as this does.
pub(crate) struct Scope {
    _private: (),
}

impl Scope {
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) const fn native() -> Self {
        Self { _private: () }
    }
}

/// A local response, with the headers already serialized.
pub(crate) struct LocalResponse<'a> {
    pub status: u32,
    pub details: &'a [u8],
    pub body: &'a [u8],
    pub headers: &'a [u8],
    pub grpc_status: i32,
}

/// The host calls the SDK makes, one method each, in the ABI's order and under its names.
pub(crate) trait Host {
    fn log(&self, level: LogLevel, message: &[u8]);
    /// `Info` where the host cannot tell.
    fn log_level(&self) -> LogLevel;
    /// Nanoseconds since the Unix epoch; 0 where the host cannot tell.
    fn now_ns(&self) -> u64;
    /// 64 uniformly distributed bits; not for secrets.
    fn random(&self) -> u64;
    fn set_tick_period_ms(&self, period_ms: u32) -> Result<()>;
    fn buffer<'s>(
        &self,
        scope: &'s Scope,
        buffer: BufferType,
        start: usize,
        max: usize,
    ) -> Result<&'s [u8]>;
    fn set_buffer(&self, buffer: BufferType, start: usize, size: usize, with: &[u8]) -> Result<()>;
    fn pairs<'s>(&self, scope: &'s Scope, map: MapType) -> Result<&'s [u8]>;
    fn value<'s>(&self, scope: &'s Scope, map: MapType, name: &str) -> Result<Option<&'s [u8]>>;
    fn add_value(&self, map: MapType, name: &str, value: &[u8]) -> Result<()>;
    fn replace_value(&self, map: MapType, name: &str, value: &[u8]) -> Result<()>;
    fn remove_value(&self, map: MapType, name: &str) -> Result<()>;
    fn property<'s>(&self, scope: &'s Scope, path: &str) -> Result<Option<&'s [u8]>>;
    fn set_property(&self, path: &str, value: &[u8]) -> Result<()>;
    fn send_local_response(&self, response: &LocalResponse<'_>) -> Result<()>;
    fn continue_stream(&self, stream: StreamType) -> Result<()>;
    fn define_metric(&self, kind: MetricType, name: &str) -> Result<u32>;
    fn increment_metric(&self, id: u32, offset: i64) -> Result<()>;
    fn record_metric(&self, id: u32, value: u64) -> Result<()>;
    fn call_foreign_function<'s>(
        &self,
        scope: &'s Scope,
        name: &str,
        argument: &[u8],
    ) -> Result<&'s [u8]>;
    fn set_effective_context(&self, context: u32) -> Result<()>;
}
