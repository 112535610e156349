//! Compiled plugin bytes, linked against the host calls and ready to be started.

use super::VmError;
use super::engine::Engine;
use super::imports;
use super::state::VmState;
use crate::plan::plugin::Limits;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use wasmtime::{ExternType, InstancePre, Linker, ValType};
use weir_abi::{AbiVersion, extension};

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

/// Which streams a VM serves at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// All of a worker's, as in Envoy: the plugin may keep counters and caches in its memory.
    Shared,
    /// One: the plugin declares, with an export, that its memory holds nothing across streams.
    Pool,
}

/// Shared by every worker and VM.
pub struct Module {
    /// Key in the plan.
    pub plugin: Arc<str>,
    pub hash: ContentHash,
    pub limits: Limits,
    pub abi: AbiVersion,
    pub callbacks: Callbacks,
    pub isolation: Isolation,
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
        let hash = ContentHash::of(bytes);
        let module = compiled(engine, hash, bytes)?;
        let abi = abi_version(&module)?;
        let exports = |name: &str| module.get_export(name).is_some();
        check_signatures(&module)?;
        if !matches!(module.get_export("memory"), Some(ExternType::Memory(_))) {
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
            hash,
            limits,
            abi,
            callbacks,
            isolation: if exports(extension::POOL_MARKER) {
                Isolation::Pool
            } else {
                Isolation::Shared
            },
            size: bytes.len(),
            engine: engine.clone(),
            pre,
        })
    }
}

/// Parameters (all `i32`) and results (`i32` or none) of what the host may call. A callback of
/// another type could only be left out, and a policy that is not asked is a hole.
const SIGNATURES: [(&str, &[usize], usize); 20] = [
    ("_initialize", &[0], 0),
    ("_start", &[0], 0),
    ("malloc", &[1], 1),
    ("proxy_on_memory_allocate", &[1], 1),
    ("proxy_on_context_create", &[2], 0),
    ("proxy_on_vm_start", &[2], 1),
    ("proxy_on_configure", &[2], 1),
    ("proxy_on_tick", &[1], 0),
    ("proxy_on_queue_ready", &[2], 0),
    ("proxy_on_foreign_function", &[3], 0),
    ("proxy_on_http_call_response", &[5], 0),
    ("proxy_on_request_headers", &[2, 3], 1),
    ("proxy_on_request_body", &[3], 1),
    ("proxy_on_request_trailers", &[2], 1),
    ("proxy_on_response_headers", &[2, 3], 1),
    ("proxy_on_response_body", &[3], 1),
    ("proxy_on_response_trailers", &[2], 1),
    ("proxy_on_log", &[1], 0),
    ("proxy_on_done", &[1], 1),
    ("proxy_on_delete", &[1], 0),
];

fn check_signatures(module: &wasmtime::Module) -> Result<(), VmError> {
    for (name, parameters, results) in SIGNATURES {
        let Some(export) = module.get_export(name) else { continue };
        let sound = export.func().is_some_and(|signature| {
            let is_i32 = |kind: ValType| matches!(kind, ValType::I32);
            parameters.contains(&signature.params().len())
                && signature.results().len() == results
                && signature.params().all(is_i32)
                && signature.results().all(is_i32)
        });
        if !sound {
            return Err(VmError::Module(format!(
                "exports `{name}` with another type than the ABI"
            )));
        }
    }
    Ok(())
}

/// From the cache, or compiled now.
fn compiled(engine: &Engine, hash: ContentHash, bytes: &[u8]) -> Result<wasmtime::Module, VmError> {
    let cache = engine.cache.as_ref();
    if let Some(module) = cache.and_then(|cache| cache.get(&engine.wasmtime, hash)) {
        return Ok(module);
    }
    let module = wasmtime::Module::from_binary(&engine.wasmtime, bytes)
        .map_err(|error| VmError::Module(format!("not a valid module: {error:#}")))?;
    if let Some(cache) = cache {
        cache.put(&engine.wasmtime, hash, &module);
    }
    Ok(module)
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
