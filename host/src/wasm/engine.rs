//! The one wasmtime engine of the process and the clock of its CPU deadlines.

use super::VmError;
use super::cache::Cache;
use std::time::Duration;
use wasmtime::{
    Config, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
};

/// One epoch: how often a running callback may be looked at.
pub const TICK: Duration = Duration::from_millis(1);

/// VMs that can exist at once, over all plugins, workers and generations.
const VMS_MAX: u32 = 4000;

/// Largest linear memory any plugin may be granted.
pub const MEMORY_BYTES_CEILING: usize = 256 << 20;

const STACK_BYTES_MAX: usize = 512 << 10;

/// A clone is the same engine.
#[derive(Clone)]
pub struct Engine {
    pub(super) wasmtime: wasmtime::Engine,
    pub(super) cache: Option<Cache>,
}

impl Engine {
    /// Compiler and allocator for every plugin, compiled code kept in `cache`, and a thread that ticks until all clones are gone.
    pub fn new(cache: Option<Cache>) -> Result<Self, VmError> {
        let pooled = wasmtime::Engine::new(config().allocation_strategy(pooling()));
        // A process with a small address space (RLIMIT_AS, valgrind) cannot reserve the pool.
        let wasmtime = pooled.or_else(|_| wasmtime::Engine::new(&config()));
        let wasmtime = wasmtime.map_err(|error| VmError::Instantiate(format!("{error:#}")))?;
        let ticked = wasmtime.weak();
        std::thread::Builder::new()
            .name("weir-epoch".into())
            .spawn(move || {
                while let Some(engine) = ticked.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(TICK);
                }
            })
            .map_err(|error| VmError::Instantiate(error.to_string()))?;
        Ok(Self { wasmtime, cache })
    }
}

/// Ticks after which a callback that may use `cpu` more is looked at again. One more than fits,
/// since the first tick may come at once.
pub(super) fn ticks(cpu: Duration) -> u64 {
    u64::try_from(cpu.as_millis()).unwrap_or(u64::MAX).div_ceil(TICK.as_millis() as u64) + 1
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        .memory_init_cow(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false);
    config
}

fn pooling() -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(VMS_MAX)
        .total_memories(VMS_MAX)
        .total_tables(VMS_MAX)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .table_elements(10_000)
        .max_memory_size(MEMORY_BYTES_CEILING);
    InstanceAllocationStrategy::Pooling(pool)
}
