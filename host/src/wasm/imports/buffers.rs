//! `proxy_*_buffer_*`: body bytes and configuration.

use crate::exchange::Exchange;
use crate::exchange::body::BodyBuffer;
use crate::wasm::memory::{HostResult, read, return_bytes, status_code, write_u32};
use crate::wasm::state::VmState;
use bytes::Bytes;
use wasmtime::{Caller, Linker};
use weir_abi::{BufferType, Status};

pub(super) fn link(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |mut caller: Caller<'_, VmState>, buffer, start, max, out, out_len| {
            status_code(get_bytes(&mut caller, buffer, (start, max), (out, out_len)))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_buffer_status",
        |mut caller: Caller<'_, VmState>, buffer, out_len, out_flags| {
            status_code(get_status(&mut caller, buffer, out_len, out_flags))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_buffer_bytes",
        |mut caller: Caller<'_, VmState>, buffer, start, len, ptr, ptr_len| {
            status_code(set_bytes(&mut caller, buffer, (start, len), (ptr, ptr_len)))
        },
    )?;
    // 0.1.0's way to read what is now a buffer.
    linker.func_wrap(
        "env",
        "proxy_get_configuration",
        |mut caller: Caller<'_, VmState>, out, out_len| {
            let bytes = caller.data().configuration.clone().unwrap_or_default();
            status_code(return_bytes(&mut caller, &bytes, out, out_len))
        },
    )?;
    Ok(())
}

fn body(exchange: &mut Exchange, buffer: BufferType) -> Option<&mut BodyBuffer> {
    match buffer {
        BufferType::HttpRequestBody => Some(&mut exchange.request.body),
        BufferType::HttpResponseBody => exchange.response.as_mut().map(|it| &mut it.body),
        _ => None,
    }
}

/// The part of a buffer that the guest asked for, or its whole length.
fn with_buffer<T>(state: &VmState, code: u32, read: impl FnOnce(&[u8]) -> T) -> Result<T, Status> {
    let buffer = BufferType::from_code(code).ok_or(Status::BadArgument)?;
    match buffer {
        BufferType::PluginConfiguration => {
            state.configuration.as_deref().map(read).ok_or(Status::NotFound)
        }
        BufferType::VmConfiguration => Ok(read(&[])),
        BufferType::HttpCallResponseBody => {
            state.call_answer.as_ref().map(|answer| read(&answer.body)).ok_or(Status::NotFound)
        }
        _ => {
            let Some(stream) = &state.stream else { return Err(Status::NotFound) };
            let exchange = &mut *stream.exchange.borrow_mut();
            let body = body(exchange, buffer).ok_or(Status::NotFound)?;
            Ok(read(body.as_slice()))
        }
    }
}

fn get_bytes(
    caller: &mut Caller<'_, VmState>,
    code: u32,
    (start, max): (u32, u32),
    (out, out_len): (u32, u32),
) -> HostResult {
    let end = start.checked_add(max).ok_or(Status::BadArgument)? as usize;
    let bytes = with_buffer(caller.data(), code, |bytes| {
        let part = bytes.get(start as usize..end.min(bytes.len())).unwrap_or_default();
        Bytes::copy_from_slice(part)
    })?;
    return_bytes(caller, &bytes, out, out_len)
}

fn get_status(caller: &mut Caller<'_, VmState>, code: u32, out: u32, flags: u32) -> HostResult {
    let len = with_buffer(caller.data(), code, <[u8]>::len)?;
    write_u32(caller, out, len as u32)?;
    Ok(write_u32(caller, flags, 0)?)
}

/// `start` 0 and `len` 0 prepends, `start` at or behind the end appends, else the range is replaced.
fn set_bytes(
    caller: &mut Caller<'_, VmState>,
    code: u32,
    (start, len): (u32, u32),
    (ptr, ptr_len): (u32, u32),
) -> HostResult {
    let buffer = BufferType::from_code(code).ok_or(Status::BadArgument)?;
    let data = read(caller, ptr, ptr_len)?;
    let state = caller.data();
    let bytes_max = state.limits.body_bytes_max;
    let Some(stream) = &state.stream else { return Err(Status::BadArgument.into()) };
    let exchange = &mut *stream.exchange.borrow_mut();
    let body = body(exchange, buffer).ok_or(Status::BadArgument)?;
    if (body.len() + data.len()) as u64 > bytes_max.saturating_mul(2) {
        return Err(Status::BadArgument.into());
    }
    body.splice(start as usize, len as usize, &data);
    Ok(())
}
