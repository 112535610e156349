//! Weir: an L7 proxy whose every policy is a WebAssembly plugin.
//!
//! Layers and invariants are in ARCHITECTURE.md; `tests/tidy.rs` keeps them true.

pub mod admin;
pub mod exchange;
pub mod filter;
pub mod http;
pub mod plan;
pub mod policy;
pub mod server;
pub mod snapshot;
pub mod telemetry;
pub mod upstream;
pub mod wasm;
