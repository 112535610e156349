//! Write proxy-wasm filters for Weir, Envoy and every other host of ABI 0.2.1.
//!
//! A filter is a type that implements [`Plugin`] and one line, [`export!`]. Callback names are the
//! ABI's, so that a reader goes from a plugin to the spec to the host by one search:
//!
//! ```
//! use weir_sdk::{EndOfStream, Exchange, Flow, Plugin, Setup};
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! pub struct Config {
//!     tenant: String,
//! }
//!
//! pub struct Tenant(String);
//!
//! impl Plugin for Tenant {
//!     type Config = Config;
//!     type Stream = ();
//!
//!     fn new(config: Config, _: &mut Setup) -> weir_sdk::Result<Self> {
//!         Ok(Self(config.tenant))
//!     }
//!
//!     fn on_request_headers(&self, _: &mut (), exchange: &mut Exchange, _: EndOfStream) -> Flow {
//!         exchange.request_headers().set_or_log("x-tenant", self.0.as_bytes());
//!         Flow::Continue
//!     }
//! }
//!
//! weir_sdk::export!(Tenant, [on_request_headers]);
//! # fn main() {}
//! ```
//!
//! What the crate promises: no host status ever panics (each is a `Result` or a documented
//! default); headers are bytes first; reading headers allocates nothing; unsafe code lives in
//! `host/wasm.rs` alone. Outside `wasm32` the crate compiles against a fake host, [`testing`], so
//! that plugins are tested natively. It must not know the proxy: only the ABI and the names of
//! `weir_abi::extension`, each with a fallback for hosts that lack them.

pub mod access_log;
pub mod attribute;
pub mod format;
pub mod headers;
pub mod log;
pub mod metric;
pub mod path;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

#[doc(hidden)]
pub mod export;

mod config;
mod duration;
mod error;
mod exchange;
mod host;
mod plugin;
mod reply;
mod sample;
mod timer;

pub use duration::ConfigDuration;
pub use error::{Error, Result};
pub use exchange::{Body, Exchange, HeaderMap};
pub use plugin::{EndOfStream, Flow, Frame, Plugin, Setup};
pub use reply::Reply;
pub use sample::Percentage;
pub use timer::Timer;
pub use weir_abi::pairs::Pairs;

/// The README's filter is compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
