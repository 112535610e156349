//! `proxy_get_property`, `proxy_set_property`: the attribute tree.

use crate::exchange::property::PropertyError;
use crate::wasm::memory::{HostResult, return_bytes, slice, split, status_code};
use crate::wasm::state::VmState;
use std::borrow::Cow;
use wasmtime::{Caller, Linker};
use weir_abi::Status;

/// Bytes of one stored property at most.
const VALUE_BYTES_MAX: u32 = 64 << 10;

pub(super) fn link(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_property",
        |mut caller: Caller<'_, VmState>, path, path_len, out, out_len| {
            status_code(get(&mut caller, (path, path_len), (out, out_len)))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_property",
        |mut caller: Caller<'_, VmState>, path, path_len, value, value_len| {
            status_code(set(&mut caller, (path, path_len), (value, value_len)))
        },
    )?;
    Ok(())
}

fn get(
    caller: &mut Caller<'_, VmState>,
    (path, path_len): (u32, u32),
    (out, out_len): (u32, u32),
) -> HostResult {
    let (data, state) = split(caller)?;
    let path = slice(data, path, path_len)?;
    let mut scratch = std::mem::take(&mut state.scratch);
    scratch.clear();
    let found = lookup(state, path, &mut scratch);
    let result = match found {
        Ok(()) => return_bytes(caller, &scratch, out, out_len),
        Err(PropertyError::NotFound) => Err(Status::NotFound.into()),
        Err(PropertyError::NotSerializable) => Err(Status::SerializationFailure.into()),
    };
    caller.data_mut().scratch = scratch;
    result
}

fn lookup(state: &VmState, path: &[u8], out: &mut Vec<u8>) -> Result<(), PropertyError> {
    match path.strip_suffix(&[0]).unwrap_or(path) {
        b"plugin_name" | b"plugin_root_id" => {
            let name = state.filter_name().ok_or(PropertyError::NotFound)?;
            out.extend_from_slice(name.as_bytes());
        }
        b"plugin_vm_id" => out.extend_from_slice(state.plugin.as_bytes()),
        _ => {
            let stream = state.stream.as_ref().ok_or(PropertyError::NotFound)?;
            let exchange = stream.exchange.borrow();
            let value: Cow<'_, [u8]> = exchange.property(path)?;
            out.extend_from_slice(&value);
        }
    }
    Ok(())
}

fn set(
    caller: &mut Caller<'_, VmState>,
    (path, path_len): (u32, u32),
    (value, value_len): (u32, u32),
) -> HostResult {
    if path_len > VALUE_BYTES_MAX || value_len > VALUE_BYTES_MAX {
        return Err(Status::BadArgument.into());
    }
    let (data, state) = split(caller)?;
    let path = slice(data, path, path_len)?;
    let value = slice(data, value, value_len)?;
    // Outside a stream there is nothing to keep it in.
    let stream = state.stream().map_err(|_| Status::NotFound)?;
    let known = stream.exchange.borrow_mut().set_property(path, value);
    if known { Ok(()) } else { Err(Status::BadArgument.into()) }
}
