//! WASI as plugins get it: clocks, randomness and standard output; everything else says no.
//!
//! Language run-times import far more than they use. The refusals are those of
//! proxy-wasm-cpp-host, which the run-times of Go and TinyGo are known to live with.

use super::runtime::write_line;
use crate::wasm::memory::{HostResult, read, split, status_code, write, write_u32, write_u64};
use crate::wasm::state::VmState;
use std::time::SystemTime;
use wasmtime::{Caller, FuncType, Linker, Val, ValType};
use weir_abi::LogLevel;

const MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

const ERRNO_BADF: i32 = 8;
const ERRNO_FAULT: i32 = 21;
const ERRNO_INVAL: i32 = 28;
const ERRNO_NOTCAPABLE: i32 = 76;
const ERRNO_NOSYS: i32 = 52;
const ERRNO_NOTSUP: i32 = 58;

/// Bytes of randomness in one call at most.
const RANDOM_BYTES_MAX: u32 = 64 << 10;

/// Bytes and vectors of one write at most; a write may take fewer bytes than it was given.
const OUTPUT_BYTES_MAX: u32 = 64 << 10;
const VECTORS_MAX: u32 = 1024;

/// Calls that only refuse: name, parameters (`i` 32 bits, `I` 64 bits), errno.
const REFUSED: [(&str, &str, i32); 36] = [
    ("fd_advise", "iIIi", ERRNO_NOSYS),
    ("fd_allocate", "iII", ERRNO_NOSYS),
    ("fd_close", "i", ERRNO_NOSYS),
    ("fd_datasync", "i", ERRNO_NOSYS),
    ("fd_fdstat_set_flags", "ii", ERRNO_NOSYS),
    ("fd_fdstat_set_rights", "iII", ERRNO_NOSYS),
    ("fd_filestat_get", "ii", ERRNO_BADF),
    ("fd_filestat_set_size", "iI", ERRNO_NOSYS),
    ("fd_filestat_set_times", "iIIi", ERRNO_NOSYS),
    ("fd_pread", "iiiIi", ERRNO_NOSYS),
    ("fd_prestat_get", "ii", ERRNO_BADF),
    ("fd_prestat_dir_name", "iii", ERRNO_NOSYS),
    ("fd_pwrite", "iiiIi", ERRNO_NOSYS),
    ("fd_read", "iiii", ERRNO_NOSYS),
    ("fd_readdir", "iiiIi", ERRNO_NOSYS),
    ("fd_renumber", "ii", ERRNO_NOSYS),
    ("fd_seek", "iIii", ERRNO_NOSYS),
    ("fd_sync", "i", ERRNO_NOSYS),
    ("fd_tell", "ii", ERRNO_NOSYS),
    ("path_create_directory", "iii", ERRNO_NOSYS),
    ("path_filestat_get", "iiiii", ERRNO_NOTSUP),
    ("path_filestat_set_times", "iiiiIIi", ERRNO_NOSYS),
    ("path_link", "iiiiiii", ERRNO_NOSYS),
    ("path_open", "iiiiiIIii", ERRNO_NOTCAPABLE),
    ("path_readlink", "iiiiii", ERRNO_NOSYS),
    ("path_remove_directory", "iii", ERRNO_NOSYS),
    ("path_rename", "iiiiii", ERRNO_NOSYS),
    ("path_symlink", "iiiii", ERRNO_NOSYS),
    ("path_unlink_file", "iii", ERRNO_NOSYS),
    ("proc_raise", "i", ERRNO_NOSYS),
    ("sched_yield", "", 0),
    ("sock_accept", "iii", ERRNO_NOTSUP),
    ("sock_recv", "iiiiii", ERRNO_NOTSUP),
    ("sock_send", "iiiii", ERRNO_NOTSUP),
    ("sock_shutdown", "ii", ERRNO_NOTSUP),
    ("clock_res_get", "ii", ERRNO_NOSYS),
];

/// The plugin called `proc_exit`, which does not return.
#[derive(Debug, thiserror::Error)]
#[error("plugin called proc_exit({0})")]
pub(in crate::wasm) struct Exit(pub(in crate::wasm) u32);

pub(super) fn link(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    for module in MODULES {
        link_output(linker, module)?;
        link_environment(linker, module)?;
        for (name, parameters, errno) in REFUSED {
            refuse(linker, module, (name, parameters), errno)?;
        }
    }
    Ok(())
}

fn refuse(
    linker: &mut Linker<VmState>,
    module: &str,
    (name, parameters): (&str, &str),
    errno: i32,
) -> wasmtime::Result<()> {
    let of = |letter| if letter == 'I' { ValType::I64 } else { ValType::I32 };
    let signature = FuncType::new(linker.engine(), parameters.chars().map(of), [ValType::I32]);
    linker.func_new(module, name, signature, move |_, _, results| {
        if let Some(result) = results.first_mut() {
            *result = Val::I32(errno);
        }
        Ok(())
    })?;
    Ok(())
}

fn link_output(linker: &mut Linker<VmState>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(
        module,
        "fd_write",
        |mut caller: Caller<'_, VmState>, fd: u32, iovs: u32, count: u32, out: u32| {
            let level = match fd {
                1 => LogLevel::Info,
                2 => LogLevel::Error,
                _ => return Ok(ERRNO_BADF),
            };
            fd_write(&mut caller, level, (iovs, count), out).map(|()| 0).or_else(fault)
        },
    )?;
    linker.func_wrap(
        module,
        "fd_fdstat_get",
        |mut caller: Caller<'_, VmState>, fd: u32, out: u32| {
            if fd > 2 {
                return ERRNO_BADF;
            }
            // Character device, no flags, the right to write.
            let mut stat = [0u8; 24];
            stat[0] = 2;
            stat[8] = 64;
            errno(write(&mut caller, out, &stat))
        },
    )?;
    linker.func_wrap(
        module,
        "proc_exit",
        |_: Caller<'_, VmState>, code: u32| -> wasmtime::Result<()> { Err(Exit(code).into()) },
    )?;
    Ok(())
}

fn link_environment(linker: &mut Linker<VmState>, module: &str) -> wasmtime::Result<()> {
    for name in ["environ_sizes_get", "args_sizes_get"] {
        linker.func_wrap(
            module,
            name,
            |mut caller: Caller<'_, VmState>, count: u32, size: u32| {
                let written = write_u32(&mut caller, count, 0);
                errno(written.and_then(|()| write_u32(&mut caller, size, 0)))
            },
        )?;
    }
    for name in ["environ_get", "args_get"] {
        linker.func_wrap(module, name, |_: u32, _: u32| 0)?;
    }
    linker.func_wrap(
        module,
        "clock_time_get",
        |mut caller: Caller<'_, VmState>, clock: u32, _precision: u64, out: u32| {
            let environment = &caller.data().environment;
            let nanos = match clock {
                0 => {
                    let now = (environment.wall_clock)();
                    now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos()
                }
                1 => monotonic_nanos(caller.data()),
                _ => return ERRNO_INVAL,
            };
            errno(write_u64(&mut caller, out, nanos as u64))
        },
    )?;
    linker.func_wrap(
        module,
        "random_get",
        |mut caller: Caller<'_, VmState>, ptr: u32, len: u32| {
            if len > RANDOM_BYTES_MAX {
                return ERRNO_INVAL;
            }
            let mut bytes = vec![0; len as usize];
            (caller.data().environment.entropy)(&mut bytes);
            errno(write(&mut caller, ptr, &bytes))
        },
    )?;
    linker.func_wrap(
        module,
        "poll_oneoff",
        |mut caller: Caller<'_, VmState>, _in: u32, _out: u32, _count: u32, events: u32| {
            errno(write_u32(&mut caller, events, 0))
        },
    )?;
    Ok(())
}

/// Nanoseconds since this thread first asked: only differences mean anything.
fn monotonic_nanos(state: &VmState) -> u128 {
    thread_local! { static START: std::cell::OnceCell<std::time::Instant> = const { std::cell::OnceCell::new() }; }
    let now = (state.environment.monotonic_clock)();
    START.with(|start| now.saturating_duration_since(*start.get_or_init(|| now)).as_nanos())
}

fn fd_write(
    caller: &mut Caller<'_, VmState>,
    level: LogLevel,
    (iovs, count): (u32, u32),
    out: u32,
) -> HostResult {
    if count > VECTORS_MAX {
        return Err(weir_abi::Status::BadArgument.into());
    }
    let vectors = read(caller, iovs, count * 8)?;
    let mut line = Vec::new();
    for vector in vectors.as_chunks::<8>().0 {
        let [a, b, c, d, e, f, g, h] = *vector;
        let ptr = u32::from_le_bytes([a, b, c, d]);
        let len = u32::from_le_bytes([e, f, g, h]);
        let room = OUTPUT_BYTES_MAX.saturating_sub(line.len() as u32);
        line.extend(read(caller, ptr, len.min(room))?);
    }
    write_u32(caller, out, line.len() as u32)?;
    let (_, state) = split(caller)?;
    for text in String::from_utf8_lossy(&line).lines().filter(|text| !text.is_empty()) {
        write_line(state, level, text);
    }
    Ok(())
}

fn errno(result: Result<(), weir_abi::Status>) -> i32 {
    if result.is_ok() { 0 } else { ERRNO_FAULT }
}

fn fault(fault: crate::wasm::memory::Fault) -> wasmtime::Result<i32> {
    status_code(Err(fault)).map(|_| ERRNO_FAULT)
}
