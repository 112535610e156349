//! Callouts: not carried out yet, so each is refused with the failure that every SDK survives.
//!
//! Modules import them whether or not they use them.

use crate::wasm::state::VmState;
use weir_abi::Status;
use wasmtime::{Caller, FuncType, Linker, Val, ValType};

/// Name, number of `i32` parameters, status.
const REFUSED: [(&str, usize, Status); 7] = [
    ("proxy_http_call", 10, Status::InternalFailure),
    ("proxy_grpc_call", 12, Status::InternalFailure),
    ("proxy_grpc_stream", 9, Status::InternalFailure),
    ("proxy_grpc_send", 4, Status::NotFound),
    ("proxy_grpc_cancel", 1, Status::NotFound),
    ("proxy_grpc_close", 1, Status::NotFound),
    ("proxy_get_status", 3, Status::NotFound),
];

pub(super) fn link(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    for (name, parameters, status) in REFUSED {
        let parameters = std::iter::repeat_n(ValType::I32, parameters);
        let signature = FuncType::new(linker.engine(), parameters, [ValType::I32]);
        linker.func_new("env", name, signature, move |caller: Caller<'_, VmState>, _, results| {
            let plugin = &*caller.data().plugin;
            tracing::warn!(plugin, call = name, "callouts are not available in this version");
            if let Some(result) = results.first_mut() {
                *result = Val::I32(status.code() as i32);
            }
            Ok(())
        })?;
    }
    Ok(())
}
