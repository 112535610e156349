//! `proxy_*_header_map_*`: the header and trailer maps of the current stream.
//!
//! Reads are lenient: a map that does not exist (yet) is empty rather than a bad argument, because
//! the SDKs abort on the latter. A write to such a map is ignored and logged.

use crate::exchange::Exchange;
use crate::exchange::headers::Headers;
use crate::wasm::memory::{HostResult, read, return_bytes, slice, split, status_code, write_u32};
use crate::wasm::state::VmState;
use wasmtime::{Caller, Linker};
use weir_abi::{AbiVersion, MapType, Status, pairs};

pub(super) fn link(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |mut caller: Caller<'_, VmState>, map, key, key_len, out, out_len| {
            status_code(get_value(&mut caller, map, (key, key_len), (out, out_len)))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_pairs",
        |mut caller: Caller<'_, VmState>, map, out, out_len| {
            status_code(get_pairs(&mut caller, map, out, out_len))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_size",
        |mut caller: Caller<'_, VmState>, map, out| status_code(get_size(&mut caller, map, out)),
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_header_map_pairs",
        |mut caller: Caller<'_, VmState>, map, ptr, len| {
            status_code(set_pairs(&mut caller, map, ptr, len))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_add_header_map_value",
        |mut caller: Caller<'_, VmState>, map, key, key_len, value, value_len| {
            status_code(change(&mut caller, map, (key, key_len), (value, value_len), true))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_replace_header_map_value",
        |mut caller: Caller<'_, VmState>, map, key, key_len, value, value_len| {
            status_code(change(&mut caller, map, (key, key_len), (value, value_len), false))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_remove_header_map_value",
        |mut caller: Caller<'_, VmState>, map, key, key_len| {
            status_code(remove(&mut caller, map, key, key_len))
        },
    )?;
    Ok(())
}

fn map_type(code: u32) -> Result<MapType, Status> {
    MapType::from_code(code).ok_or(Status::BadArgument)
}

/// `None` when the stream has no such map at this point.
fn map(exchange: &mut Exchange, map: MapType) -> Option<&mut Headers> {
    match map {
        MapType::HttpRequestHeaders => Some(&mut exchange.request.headers),
        MapType::HttpRequestTrailers => exchange.request.trailers.as_mut(),
        MapType::HttpResponseHeaders => exchange.response.as_mut().map(|it| &mut it.headers),
        MapType::HttpResponseTrailers => {
            exchange.response.as_mut().and_then(|it| it.trailers.as_mut())
        }
        MapType::GrpcReceiveInitialMetadata
        | MapType::GrpcReceiveTrailingMetadata
        | MapType::HttpCallResponseHeaders
        | MapType::HttpCallResponseTrailers => None,
    }
}

/// Looks at a map; `None` when there is no such map at this point.
fn look<T>(
    state: &mut VmState,
    map_type: MapType,
    look: impl FnOnce(&mut Headers) -> T,
) -> Option<T> {
    match map_type {
        MapType::HttpCallResponseHeaders => state.call_answer.as_mut()?.headers.as_mut().map(look),
        MapType::HttpCallResponseTrailers => {
            state.call_answer.as_mut()?.trailers.as_mut().map(look)
        }
        _ => {
            let stream = state.stream.as_ref()?;
            map(&mut stream.exchange.borrow_mut(), map_type).map(look)
        }
    }
}

fn get_value(
    caller: &mut Caller<'_, VmState>,
    map_code: u32,
    key: (u32, u32),
    out: (u32, u32),
) -> HostResult {
    let map_type = map_type(map_code)?;
    let (data, state) = split(caller)?;
    let key = slice(data, key.0, key.1)?;
    let mut value = std::mem::take(&mut state.scratch);
    value.clear();
    let copied = look(state, map_type, |headers| {
        headers.get(key).map(|bytes| value.extend_from_slice(bytes))
    });
    let found = copied.flatten().is_some();
    let abi = state.abi;
    let result = match (found, abi) {
        (true, _) | (false, AbiVersion::V0_1_0) => return_bytes(caller, &value, out.0, out.1),
        (false, _) => Err(Status::NotFound.into()),
    };
    caller.data_mut().scratch = value;
    result
}

fn get_pairs(caller: &mut Caller<'_, VmState>, code: u32, out: u32, out_len: u32) -> HostResult {
    let map_type = map_type(code)?;
    let bytes = look(caller.data_mut(), map_type, Headers::serialized);
    return_bytes(caller, &bytes.unwrap_or_default(), out, out_len)
}

fn get_size(caller: &mut Caller<'_, VmState>, code: u32, out: u32) -> HostResult {
    let map_type = map_type(code)?;
    let size = look(caller.data_mut(), map_type, |headers| headers.byte_size());
    Ok(write_u32(caller, out, size.unwrap_or_default() as u32)?)
}

fn set_pairs(caller: &mut Caller<'_, VmState>, code: u32, ptr: u32, len: u32) -> HostResult {
    let map_type = map_type(code)?;
    let bytes = read(caller, ptr, len)?;
    let pairs = pairs::decode(&bytes).map_err(|_| Status::BadArgument)?;
    with_map(caller.data(), map_type, |headers| {
        headers.replace_all(pairs).map_err(|_| Status::BadArgument)
    })
}

fn change(
    caller: &mut Caller<'_, VmState>,
    code: u32,
    key: (u32, u32),
    value: (u32, u32),
    keep: bool,
) -> HostResult {
    let map_type = map_type(code)?;
    let (data, state) = split(caller)?;
    let key = slice(data, key.0, key.1)?;
    let value = slice(data, value.0, value.1)?;
    with_map(state, map_type, |headers| {
        let changed = if keep { headers.add(key, value) } else { headers.set(key, value) };
        changed.map_err(|_| Status::BadArgument)
    })
}

fn remove(caller: &mut Caller<'_, VmState>, code: u32, key: u32, key_len: u32) -> HostResult {
    let map_type = map_type(code)?;
    let (data, state) = split(caller)?;
    let key = slice(data, key, key_len)?;
    with_map(state, map_type, |headers| {
        headers.remove(key);
        Ok(())
    })
}

/// Changes a map. Trailers come into being with their first line, as in Envoy.
fn with_map(
    state: &VmState,
    map_type: MapType,
    change: impl FnOnce(&mut Headers) -> Result<(), Status>,
) -> HostResult {
    let Some(stream) = &state.stream else { return Err(Status::BadArgument.into()) };
    let exchange = &mut *stream.exchange.borrow_mut();
    exchange.create_trailers(map_type);
    match map(exchange, map_type) {
        Some(headers) => Ok(change(headers)?),
        None => {
            tracing::debug!(plugin = %state.plugin, map = ?map_type, "change of a map that does not exist ignored");
            Ok(())
        }
    }
}
