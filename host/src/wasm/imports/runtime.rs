//! Logging, time, ticks, foreign functions and the bookkeeping of contexts.

use crate::exchange::Event;
use crate::wasm::memory::{
    HostResult, read, return_bytes, slice, split, status_code, write_u32, write_u64,
};
use crate::wasm::state::VmState;
use std::time::{Duration, SystemTime};
use wasmtime::{Caller, Linker};
use weir_abi::{LogLevel, Status, extension};

/// Bytes of one log line at most; the rest is cut.
const LINE_BYTES_MAX: u32 = 16 << 10;

pub(super) fn link(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    linker.func_wrap("env", "proxy_log", |mut caller: Caller<'_, VmState>, level, ptr, len| {
        status_code(log(&mut caller, level, ptr, len))
    })?;
    linker.func_wrap("env", "proxy_get_log_level", |mut caller: Caller<'_, VmState>, out| {
        status_code(write_u32(&mut caller, out, log_level().code()).map_err(Into::into))
    })?;
    linker.func_wrap(
        "env",
        "proxy_get_current_time_nanoseconds",
        |mut caller: Caller<'_, VmState>, out| {
            let now = (caller.data().environment.wall_clock)();
            let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            status_code(write_u64(&mut caller, out, since.as_nanos() as u64).map_err(Into::into))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_tick_period_milliseconds",
        |mut caller: Caller<'_, VmState>, milliseconds: u32| {
            set_tick_period(caller.data_mut(), milliseconds);
            Status::Ok.code()
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_effective_context",
        |mut caller: Caller<'_, VmState>, context: u32| {
            let before = caller.data().effective;
            if caller.data_mut().enter(context) {
                Status::Ok.code()
            } else {
                caller.data_mut().enter(before);
                Status::BadArgument.code()
            }
        },
    )?;
    linker.func_wrap("env", "proxy_done", |mut caller: Caller<'_, VmState>| {
        done(caller.data_mut()).code()
    })?;
    linker.func_wrap(
        "env",
        "proxy_call_foreign_function",
        |mut caller: Caller<'_, VmState>, name, name_len, argument, argument_len, out, out_len| {
            let name = (name, name_len);
            let argument = (argument, argument_len);
            status_code(call_foreign_function(&mut caller, name, argument, (out, out_len)))
        },
    )?;
    // Emscripten's run-time calls these whatever the plugin does.
    linker.func_wrap("env", "emscripten_notify_memory_growth", |_: u32| {})?;
    linker.func_wrap("env", "pthread_equal", |left: u32, right: u32| u32::from(left == right))?;
    Ok(())
}

/// The level below which a plugin need not bother to format a line.
fn log_level() -> LogLevel {
    use tracing::level_filters::LevelFilter;
    match LevelFilter::current() {
        LevelFilter::TRACE => LogLevel::Trace,
        LevelFilter::DEBUG => LogLevel::Debug,
        LevelFilter::INFO => LogLevel::Info,
        LevelFilter::WARN => LogLevel::Warn,
        LevelFilter::ERROR => LogLevel::Error,
        _ => LogLevel::Critical,
    }
}

fn log(caller: &mut Caller<'_, VmState>, level: u32, ptr: u32, len: u32) -> HostResult {
    let level = LogLevel::from_code(level).ok_or(Status::BadArgument)?;
    let line = read(caller, ptr, len.min(LINE_BYTES_MAX))?;
    write_line(caller.data_mut(), level, &String::from_utf8_lossy(&line));
    Ok(())
}

/// Logs one line of a plugin, within its budget.
pub(super) fn write_line(state: &mut VmState, level: LogLevel, line: &str) {
    let line = line.trim_end();
    if level >= LogLevel::Error {
        state.last_error = Some(line.to_owned());
    }
    let grant = state.log_budget.take((state.environment.monotonic_clock)());
    let plugin = &*state.plugin;
    if grant.suppressed > 0 {
        tracing::warn!(plugin, lines = grant.suppressed, "log lines suppressed");
    }
    if !grant.write {
        return;
    }
    let filter = state.filter_name().map_or("", |name| name);
    match level {
        LogLevel::Trace => tracing::trace!(plugin, filter, "{line}"),
        LogLevel::Debug => tracing::debug!(plugin, filter, "{line}"),
        LogLevel::Info => tracing::info!(plugin, filter, "{line}"),
        LogLevel::Warn => tracing::warn!(plugin, filter, "{line}"),
        LogLevel::Error | LogLevel::Critical => tracing::error!(plugin, filter, "{line}"),
    }
}

fn set_tick_period(state: &mut VmState, milliseconds: u32) {
    let period = (milliseconds > 0).then(|| Duration::from_millis(u64::from(milliseconds)));
    state.set_tick(state.root(), period);
}

/// Ends a context that answered false to `proxy_on_done`; from any other it means nothing.
fn done(state: &mut VmState) -> Status {
    let context = state.effective;
    let Some(at) = state.pending_done.iter().position(|pending| *pending == context) else {
        return Status::NotFound;
    };
    state.pending_done.swap_remove(at);
    state.done.push(context);
    Status::Ok
}

fn call_foreign_function(
    caller: &mut Caller<'_, VmState>,
    name: (u32, u32),
    argument: (u32, u32),
    (out, out_len): (u32, u32),
) -> HostResult {
    let (data, state) = split(caller)?;
    let name = slice(data, name.0, name.1)?;
    let argument = slice(data, argument.0, argument.1)?;
    let result: Vec<u8> = if name == extension::SET_TIMER.as_bytes() {
        let nanos: [u8; 8] = argument.try_into().map_err(|_| Status::BadArgument)?;
        let delay = Duration::from_nanos(u64::from_le_bytes(nanos));
        let timer = state.next_timer;
        state.next_timer = timer.wrapping_add(1).max(1);
        state.push_event(Event::Timer { delay, timer })?;
        timer.to_le_bytes().to_vec()
    } else if name == extension::WRITE_ACCESS_LOG.as_bytes() {
        let at = argument.iter().position(|byte| *byte == 0).ok_or(Status::BadArgument)?;
        let (sink, line) = argument.split_at(at);
        let sink = std::str::from_utf8(sink).map_err(|_| Status::BadArgument)?;
        let line = line.get(1..).unwrap_or_default().to_vec();
        state.environment.access_log.write(sink, line);
        Vec::new()
    } else {
        return Err(Status::NotFound.into());
    };
    if out == 0 || out_len == 0 {
        return Ok(());
    }
    return_bytes(caller, &result, out, out_len)
}
