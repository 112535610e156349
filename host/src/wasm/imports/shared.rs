//! `proxy_*_shared_data`, `proxy_*_shared_queue`.

use crate::wasm::memory::{HostResult, read, return_bytes, slice, split, status_code, write_u32};
use crate::wasm::state::VmState;
use crate::wasm::ticks::QueueListener;
use bytes::Bytes;
use std::rc::Weak;
use wasmtime::{Caller, Linker};
use weir_abi::Status;

pub(super) fn link(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |mut caller: Caller<'_, VmState>, key, key_len, out, out_len, out_cas| {
            status_code(get(&mut caller, (key, key_len), (out, out_len), out_cas))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |mut caller: Caller<'_, VmState>, key, key_len, value, value_len, cas| {
            status_code(set(&mut caller, (key, key_len), (value, value_len), cas))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_register_shared_queue",
        |mut caller: Caller<'_, VmState>, name, name_len, out| {
            status_code(register(&mut caller, name, name_len, out))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_resolve_shared_queue",
        |mut caller: Caller<'_, VmState>,
         vm_id: u32,
         vm_id_len: u32,
         name: u32,
         name_len: u32,
         out: u32| {
            status_code(resolve(&mut caller, (vm_id, vm_id_len), (name, name_len), out))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_enqueue_shared_queue",
        |mut caller: Caller<'_, VmState>, token, item, item_len| {
            status_code(enqueue(&mut caller, token, item, item_len))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_dequeue_shared_queue",
        |mut caller: Caller<'_, VmState>, token, out, out_len| {
            status_code(dequeue(&mut caller, token, out, out_len))
        },
    )?;
    Ok(())
}

fn get(
    caller: &mut Caller<'_, VmState>,
    (key, key_len): (u32, u32),
    (out, out_len): (u32, u32),
    out_cas: u32,
) -> HostResult {
    let (data, state) = split(caller)?;
    let key = slice(data, key, key_len)?;
    let found = state.environment.shared.get(&state.plugin, key);
    let (value, cas) = found.ok_or(Status::NotFound)?;
    return_bytes(caller, &value, out, out_len)?;
    Ok(write_u32(caller, out_cas, cas)?)
}

fn set(
    caller: &mut Caller<'_, VmState>,
    (key, key_len): (u32, u32),
    (value, value_len): (u32, u32),
    cas: u32,
) -> HostResult {
    let key = read(caller, key, key_len)?;
    let value = Bytes::from(read(caller, value, value_len)?);
    let state = caller.data();
    let shared = &state.environment.shared;
    Ok(shared.set(&state.plugin, (key, value), cas, &state.limits)?)
}

fn register(caller: &mut Caller<'_, VmState>, name: u32, len: u32, out: u32) -> HostResult {
    let name = read(caller, name, len)?;
    let state = caller.data_mut();
    let environment = &state.environment;
    if state.pooled {
        // The root VM listens; here the queue is only found.
        let token = environment.shared.resolve(&state.plugin, &name);
        return Ok(write_u32(caller, out, token.ok_or(Status::NotFound)?)?);
    }
    let token = environment.shared.register(&state.plugin, name, &environment.ticks.inbox)?;
    let vm = Weak::clone(&state.vm);
    let root = state.root();
    environment.ticks.listen(token, QueueListener { vm, root });
    if !state.listening.contains(&root) {
        state.listening.push(root);
    }
    Ok(write_u32(caller, out, token)?)
}

/// The queue of a plugin's own namespace: a VM id of the caller's choice would reach a neighbour.
fn resolve(
    caller: &mut Caller<'_, VmState>,
    (_vm_id, _vm_id_len): (u32, u32),
    (name, name_len): (u32, u32),
    out: u32,
) -> HostResult {
    let name = read(caller, name, name_len)?;
    let state = caller.data();
    let token = state.environment.shared.resolve(&state.plugin, &name).ok_or(Status::NotFound)?;
    Ok(write_u32(caller, out, token)?)
}

fn enqueue(caller: &mut Caller<'_, VmState>, token: u32, item: u32, len: u32) -> HostResult {
    let item = Bytes::from(read(caller, item, len)?);
    let state = caller.data();
    Ok(state.environment.shared.enqueue(&state.plugin, token, item, &state.limits)?)
}

fn dequeue(caller: &mut Caller<'_, VmState>, token: u32, out: u32, out_len: u32) -> HostResult {
    let state = caller.data();
    let item = state.environment.shared.dequeue(&state.plugin, token)?;
    return_bytes(caller, &item, out, out_len)
}
