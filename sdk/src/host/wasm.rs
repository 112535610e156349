//! The host behind the ABI's imports, and the memory it writes into.
#![allow(
    unsafe_code,
    reason = "the ABI passes raw pointers; this file is where they become slices and back"
)]
//!
//! The one unsafe file. Its three obligations, relied on by every `unsafe` below:
//! 1. a plugin instance has one thread, so statics without locks are sound (`SingleThread`);
//! 2. the host writes out-parameters before it returns `Ok`, and what they point to was allocated
//!    through [`allocate`], hence is initialised memory of this instance;
//! 3. [`allocate`] hands out memory that stays untouched until the outermost callback ends, which
//!    is exactly as long as the [`Scope`] that bounds every slice made here.

use std::{
    alloc::{Layout, alloc, dealloc},
    cell::{Cell, RefCell, UnsafeCell},
    ptr, slice,
};

use weir_abi::{BufferType, LogLevel, MapType, MetricType, Status, StreamType};

use super::{
    Host, LocalResponse, Scope,
    arena::{ALIGN, Bump},
};
use crate::{
    error::{Error, Result, check},
    sample::Generator,
};

/// Bytes of the arena; a header map of 15 lines takes about 1 KiB.
const ARENA_BYTES: usize = 32 * 1024;

/// Bytes of the arena with the alignment that [`Bump`] assumes of its start.
#[repr(C, align(8))]
struct ArenaBytes([u8; ARENA_BYTES]);

struct Memory {
    bump: Cell<Bump>,
    /// Heap blocks that did not fit into the arena, freed with it.
    overflow: RefCell<Vec<(*mut u8, Layout)>>,
    /// Callbacks being run, one inside the other.
    depth: Cell<u32>,
    generator: Cell<Option<Generator>>,
}

struct SingleThread<T>(T);

// SAFETY: obligation 1.
unsafe impl<T> Sync for SingleThread<T> {}

/// Apart from `MEMORY` because it is all zeros, which a module then does not carry in its data.
static ARENA: SingleThread<UnsafeCell<ArenaBytes>> =
    SingleThread(UnsafeCell::new(ArenaBytes([0; ARENA_BYTES])));

static MEMORY: SingleThread<Memory> = SingleThread(Memory {
    bump: Cell::new(Bump::new(ARENA_BYTES)),
    overflow: RefCell::new(Vec::new()),
    depth: Cell::new(0),
    generator: Cell::new(None),
});

unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Runs the constructors of the C library. Once, from `_initialize`.
pub(crate) fn call_constructors() {
    // SAFETY: the linker defines the function; `_initialize` is the reactor's entry and is called
    // once, before any other export.
    unsafe { __wasm_call_ctors() }
}

/// `proxy_on_memory_allocate`: room for something the host is about to hand out.
///
/// The arena first, then the heap; null when both are exhausted.
pub(crate) fn allocate(bytes: usize) -> *mut u8 {
    let memory = &MEMORY.0;
    let mut bump = memory.bump.get();
    if let Some(offset) = bump.reserve(bytes) {
        memory.bump.set(bump);
        // SAFETY: `Bump` returns an offset such that offset + bytes <= ARENA_BYTES.
        return unsafe { ARENA.0.get().cast::<u8>().add(offset) };
    }
    let Ok(layout) = Layout::from_size_align(bytes, ALIGN) else { return ptr::null_mut() };
    // SAFETY: `bytes` is not zero, a request of zero always fits into the arena.
    let block = unsafe { alloc(layout) };
    if !block.is_null() {
        memory.overflow.borrow_mut().push((block, layout));
    }
    block
}

/// Runs one callback; what the host handed out during it is released when the outermost ends.
pub(crate) fn enter<R>(callback: impl FnOnce(&Scope) -> R) -> R {
    let memory = &MEMORY.0;
    memory.depth.set(memory.depth.get() + 1);
    let result = callback(&Scope { _private: () });
    memory.depth.set(memory.depth.get() - 1);
    if memory.depth.get() == 0 {
        let mut bump = memory.bump.get();
        bump.reset();
        memory.bump.set(bump);
        for (block, layout) in memory.overflow.borrow_mut().drain(..) {
            // SAFETY: `allocate` made the block with this layout; no `Scope` is alive, hence no
            // slice of it.
            unsafe { dealloc(block, layout) };
        }
    }
    result
}

/// Bytes the host has handed out, bounded by the callback.
fn handed_out(_: &Scope, data: *const u8, size: usize) -> &[u8] {
    if data.is_null() || size == 0 {
        return &[];
    }
    // SAFETY: obligations 2 and 3.
    unsafe { slice::from_raw_parts(data, size) }
}

fn found(result: Result<&[u8]>) -> Result<Option<&[u8]>> {
    match result {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Error::Host { status: Status::NotFound, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The proxy that runs this module.
pub(crate) struct Wasm;

pub(crate) const fn current() -> Wasm {
    Wasm
}

/// Makes one host call that returns bytes through two out-pointers.
macro_rules! returning {
    ($scope:expr, $import:ident($($argument:expr),*)) => {{
        let (mut data, mut size) = (ptr::null_mut::<u8>(), 0usize);
        // SAFETY: every pointer comes from a live reference; obligation 2 for the result.
        let code = unsafe { imports::$import($($argument,)* &mut data, &mut size) };
        check(stringify!($import), code).map(|()| handed_out($scope, data, size))
    }};
}

/// Makes one host call that returns only a status.
macro_rules! calling {
    ($import:ident($($argument:expr),*)) => {{
        // SAFETY: every pointer comes from a live reference; the host copies what it keeps.
        check(stringify!($import), unsafe { imports::$import($($argument),*) })
    }};
}

impl Host for Wasm {
    fn log(&self, level: LogLevel, message: &[u8]) {
        // A host that refuses to log cannot be told so.
        _ = calling!(proxy_log(level.code(), message.as_ptr(), message.len()));
    }

    fn log_level(&self) -> LogLevel {
        let mut level = 0u32;
        match calling!(proxy_get_log_level(&mut level)) {
            Ok(()) => LogLevel::from_code(level).unwrap_or(LogLevel::Info),
            Err(_) => LogLevel::Info,
        }
    }

    fn now_ns(&self) -> u64 {
        let mut now = 0u64;
        _ = calling!(proxy_get_current_time_nanoseconds(&mut now));
        now
    }

    fn random(&self) -> u64 {
        let mut generator = MEMORY.0.generator.get().unwrap_or_else(|| {
            let mut seed = [0u8; 8];
            // SAFETY: the buffer lives on this frame. A refusal leaves zeros: the clock seeds then.
            _ = unsafe { imports::random_get(seed.as_mut_ptr(), seed.len()) };
            match u64::from_le_bytes(seed) {
                0 => Generator::new(self.now_ns()),
                seed => Generator::new(seed),
            }
        });
        let bits = generator.next();
        MEMORY.0.generator.set(Some(generator));
        bits
    }

    fn set_tick_period_ms(&self, period_ms: u32) -> Result<()> {
        calling!(proxy_set_tick_period_milliseconds(period_ms))
    }

    fn buffer<'s>(
        &self,
        scope: &'s Scope,
        buffer: BufferType,
        start: usize,
        max: usize,
    ) -> Result<&'s [u8]> {
        returning!(scope, proxy_get_buffer_bytes(buffer.code(), start, max))
    }

    fn set_buffer(&self, buffer: BufferType, start: usize, size: usize, with: &[u8]) -> Result<()> {
        calling!(proxy_set_buffer_bytes(buffer.code(), start, size, with.as_ptr(), with.len()))
    }

    fn pairs<'s>(&self, scope: &'s Scope, map: MapType) -> Result<&'s [u8]> {
        returning!(scope, proxy_get_header_map_pairs(map.code()))
    }

    fn value<'s>(&self, scope: &'s Scope, map: MapType, name: &str) -> Result<Option<&'s [u8]>> {
        found(returning!(scope, proxy_get_header_map_value(map.code(), name.as_ptr(), name.len())))
    }

    fn add_value(&self, map: MapType, name: &str, value: &[u8]) -> Result<()> {
        let (name, name_len) = (name.as_ptr(), name.len());
        calling!(proxy_add_header_map_value(
            map.code(),
            name,
            name_len,
            value.as_ptr(),
            value.len()
        ))
    }

    fn replace_value(&self, map: MapType, name: &str, value: &[u8]) -> Result<()> {
        let (name, name_len) = (name.as_ptr(), name.len());
        calling!(proxy_replace_header_map_value(
            map.code(),
            name,
            name_len,
            value.as_ptr(),
            value.len()
        ))
    }

    fn remove_value(&self, map: MapType, name: &str) -> Result<()> {
        calling!(proxy_remove_header_map_value(map.code(), name.as_ptr(), name.len()))
    }

    fn property<'s>(&self, scope: &'s Scope, path: &str) -> Result<Option<&'s [u8]>> {
        found(returning!(scope, proxy_get_property(path.as_ptr(), path.len())))
    }

    fn set_property(&self, path: &str, value: &[u8]) -> Result<()> {
        calling!(proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()))
    }

    fn send_local_response(&self, response: &LocalResponse<'_>) -> Result<()> {
        calling!(proxy_send_local_response(
            response.status,
            response.details.as_ptr(),
            response.details.len(),
            response.body.as_ptr(),
            response.body.len(),
            response.headers.as_ptr(),
            response.headers.len(),
            response.grpc_status
        ))
    }

    fn continue_stream(&self, stream: StreamType) -> Result<()> {
        calling!(proxy_continue_stream(stream.code()))
    }

    fn define_metric(&self, kind: MetricType, name: &str) -> Result<u32> {
        let mut id = 0u32;
        calling!(proxy_define_metric(kind.code(), name.as_ptr(), name.len(), &mut id)).map(|()| id)
    }

    fn increment_metric(&self, id: u32, offset: i64) -> Result<()> {
        calling!(proxy_increment_metric(id, offset))
    }

    fn record_metric(&self, id: u32, value: u64) -> Result<()> {
        calling!(proxy_record_metric(id, value))
    }

    fn call_foreign_function<'s>(
        &self,
        scope: &'s Scope,
        name: &str,
        argument: &[u8],
    ) -> Result<&'s [u8]> {
        let (name, name_len) = (name.as_ptr(), name.len());
        returning!(
            scope,
            proxy_call_foreign_function(name, name_len, argument.as_ptr(), argument.len())
        )
    }

    fn set_effective_context(&self, context: u32) -> Result<()> {
        calling!(proxy_set_effective_context(context))
    }
}

mod imports {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
        pub(super) fn proxy_get_log_level(level: *mut u32) -> u32;
        pub(super) fn proxy_get_current_time_nanoseconds(now: *mut u64) -> u32;
        pub(super) fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub(super) fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            max: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_set_buffer_bytes(
            buffer: u32,
            start: usize,
            size: usize,
            with: *const u8,
            with_size: usize,
        ) -> u32;
        pub(super) fn proxy_get_header_map_pairs(
            map: u32,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_get_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_add_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub(super) fn proxy_replace_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub(super) fn proxy_remove_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
        ) -> u32;
        pub(super) fn proxy_get_property(
            path: *const u8,
            path_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_set_property(
            path: *const u8,
            path_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        #[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
        pub(super) fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_size: usize,
            body: *const u8,
            body_size: usize,
            headers: *const u8,
            headers_size: usize,
            grpc_status: i32,
        ) -> u32;
        pub(super) fn proxy_continue_stream(stream: u32) -> u32;
        pub(super) fn proxy_define_metric(
            kind: u32,
            name: *const u8,
            name_size: usize,
            id: *mut u32,
        ) -> u32;
        pub(super) fn proxy_increment_metric(id: u32, offset: i64) -> u32;
        pub(super) fn proxy_record_metric(id: u32, value: u64) -> u32;
        #[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
        pub(super) fn proxy_call_foreign_function(
            name: *const u8,
            name_size: usize,
            argument: *const u8,
            argument_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_set_effective_context(context: u32) -> u32;
    }

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        pub(super) fn random_get(buffer: *mut u8, size: usize) -> u32;
    }
}
