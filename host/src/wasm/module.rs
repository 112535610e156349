//! Compiled plugin bytes, linked against the host calls and ready to be started.

use super::VmError;
use super::engine::Engine;
use super::imports;
use super::state::VmState;
use crate::plan::plugin::Limits;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use wasmtime::{InstancePre, Linker};
use weir_abi::AbiVersion;

/// Bytes of a module file at most.
pub const MODULE_BYTES_MAX: usize = 64 << 20;

/// SHA-256 of the module's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Callbacks a module exports; one it lacks costs nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Callbacks {
    pub request_headers: bool,
    pub request_body: bool,
    pub request_trailers: bool,
    pub response_headers: bool,
    pub response_body: bool,
    pub response_trailers: bool,
}

/// Shared by every worker and VM.
pub struct Module {
    /// Key in the plan.
    pub plugin: Arc<str>,
    pub hash: ContentHash,
    pub limits: Limits,
    pub abi: AbiVersion,
    pub callbacks: Callbacks,
    /// Size of the `.wasm`, in bytes.
    pub size: usize,
    pub(super) engine: Engine,
    pub(super) pre: InstancePre<VmState>,
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("plugin", &self.plugin)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

impl Module {
    /// Compiles and links `bytes`. Takes as long as Cranelift needs: never call it on a worker.
    pub fn compile(
        engine: &Engine,
        plugin: &str,
        bytes: &[u8],
        limits: Limits,
    ) -> Result<Self, VmError> {
        if bytes.len() > MODULE_BYTES_MAX {
            let message = format!("{} bytes; the limit is {MODULE_BYTES_MAX}", bytes.len());
            return Err(VmError::Module(message));
        }
        let module = wasmtime::Module::from_binary(&engine.wasmtime, bytes)
            .map_err(|error| VmError::Module(format!("not a valid module: {error:#}")))?;
        let abi = abi_version(&module)?;
        let exports = |name: &str| module.get_export(name).is_some();
        if !exports("memory") {
            return Err(VmError::Module("exports no memory named `memory`".into()));
        }
        if !exports("malloc") && !exports("proxy_on_memory_allocate") {
            let message = "exports neither `proxy_on_memory_allocate` nor `malloc`";
            return Err(VmError::Module(message.into()));
        }
        let callbacks = Callbacks {
            request_headers: exports("proxy_on_request_headers"),
            request_body: exports("proxy_on_request_body"),
            request_trailers: exports("proxy_on_request_trailers"),
            response_headers: exports("proxy_on_response_headers"),
            response_body: exports("proxy_on_response_body"),
            response_trailers: exports("proxy_on_response_trailers"),
        };
        let mut linker = Linker::new(&engine.wasmtime);
        imports::link(&mut linker).map_err(|error| VmError::Module(format!("{error:#}")))?;
        let pre = linker
            .instantiate_pre(&module)
            .map_err(|error| VmError::Module(format!("cannot be linked: {error:#}")))?;
        Ok(Self {
            plugin: plugin.into(),
            hash: ContentHash::of(bytes),
            limits,
            abi,
            callbacks,
            size: bytes.len(),
            engine: engine.clone(),
            pre,
        })
    }
}

fn abi_version(module: &wasmtime::Module) -> Result<AbiVersion, VmError> {
    let known = AbiVersion::ALL.iter().find(|abi| module.get_export(abi.marker()).is_some());
    if let Some(abi) = known {
        return Ok(*abi);
    }
    let marker = module.exports().find(|export| export.name().starts_with("proxy_abi_version_"));
    Err(VmError::Module(match marker {
        Some(other) => format!(
            "unknown Proxy-Wasm ABI version `{}`; this host runs 0.1.0, 0.2.0 and 0.2.1",
            other.name()
        ),
        None => "not a Proxy-Wasm plugin: no `proxy_abi_version_…` export".into(),
    }))
}
