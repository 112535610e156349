//! The host calls, one file per family, under the names and signatures of proxy-wasm.
//!
//! All revisions' imports are linked for every module: harmless, and simpler than one set each.

mod buffers;
mod calls;
mod headers;
mod metrics;
mod properties;
mod runtime;
mod shared;
mod stream;
pub(super) mod wasi;

use super::state::VmState;
use wasmtime::Linker;

/// Defines everything a plugin may import.
pub(super) fn link(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    headers::link(linker)?;
    buffers::link(linker)?;
    properties::link(linker)?;
    metrics::link(linker)?;
    runtime::link(linker)?;
    shared::link(linker)?;
    calls::link(linker)?;
    stream::link(linker)?;
    wasi::link(linker)
}
