//! From the ABI's exported functions to the methods of one [`Plugin`]: what `export!` generates
//! and the dispatch behind it. Public for the macro only.

mod dispatch;
mod macros;

pub use dispatch::Dispatcher;

use crate::host::{self, Host};

/// A callback that `export!` can be told to export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callback {
    RequestHeaders,
    RequestBody,
    RequestTrailers,
    ResponseHeaders,
    ResponseBody,
    ResponseTrailers,
    Timer,
    Log,
    Done,
    Tick,
}

impl Callback {
    pub const ALL: &[Self] = &[
        Self::RequestHeaders,
        Self::RequestBody,
        Self::RequestTrailers,
        Self::ResponseHeaders,
        Self::ResponseBody,
        Self::ResponseTrailers,
        Self::Timer,
        Self::Log,
        Self::Done,
        Self::Tick,
    ];
}

/// What `export!` declared, so that native tests play exactly the callbacks the module exports.
pub trait Exported {
    const CALLBACKS: &'static [Callback];
}

/// `_initialize`: constructors of the C library, then the panic hook.
#[cfg(target_arch = "wasm32")]
pub fn initialize(plugin: &'static str) {
    host::wasm::call_constructors();
    std::panic::set_hook(Box::new(move |panic| log_panic(plugin, &panic.to_string())));
}

/// `proxy_on_memory_allocate`.
#[cfg(target_arch = "wasm32")]
pub fn allocate(bytes: usize) -> *mut u8 {
    host::wasm::allocate(bytes)
}

/// Says which plugin died of what; the trap that follows is the host's to handle.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "natively tests just fail"))]
pub(crate) fn log_panic(plugin: &str, message: &str) {
    let line = format!("{plugin}: {message}");
    host::current().log(weir_abi::LogLevel::Critical, line.as_bytes());
}
