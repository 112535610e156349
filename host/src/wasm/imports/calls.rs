//! Callouts. HTTP calls are queued for the worker; their answer comes as
//! `proxy_on_http_call_response`, never inside the call.
//!
//! gRPC needs HTTP/2 towards upstream, which is not there yet: such calls are refused with the
//! failure that every SDK survives. Modules import them whether or not they use them.

use crate::exchange::headers::{Headers, Pseudo, RequestLine};
use crate::wasm::callouts::Callout;
use crate::wasm::memory::{HostResult, read, status_code, write_u32};
use crate::wasm::state::VmState;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use std::rc::Weak;
use std::time::Duration;
use wasmtime::{Caller, FuncType, Linker, Val, ValType};
use weir_abi::{Status, pairs};

/// A call without a timeout of its own, and the longest one that is granted.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
const TIMEOUT_MAX: Duration = Duration::from_secs(300);

/// Name, number of `i32` parameters, status.
const REFUSED: [(&str, usize, Status); 6] = [
    ("proxy_grpc_call", 12, Status::InternalFailure),
    ("proxy_grpc_stream", 9, Status::InternalFailure),
    ("proxy_grpc_send", 4, Status::NotFound),
    ("proxy_grpc_cancel", 1, Status::NotFound),
    ("proxy_grpc_close", 1, Status::NotFound),
    ("proxy_get_status", 3, Status::NotFound),
];

pub(super) fn link(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_http_call",
        |mut caller: Caller<'_, VmState>,
         cluster: u32,
         cluster_len: u32,
         headers: u32,
         headers_len: u32,
         body: u32,
         body_len: u32,
         trailers: u32,
         trailers_len: u32,
         timeout: u32,
         out: u32| {
            let call = HttpCall {
                cluster: (cluster, cluster_len),
                headers: (headers, headers_len),
                body: (body, body_len),
                trailers: (trailers, trailers_len),
                timeout: Duration::from_millis(u64::from(timeout)),
            };
            status_code(http_call(&mut caller, &call, out))
        },
    )?;
    for (name, parameters, status) in REFUSED {
        let parameters = std::iter::repeat_n(ValType::I32, parameters);
        let signature = FuncType::new(linker.engine(), parameters, [ValType::I32]);
        let refuse = move |caller: Caller<'_, VmState>, _: &[Val], results: &mut [Val]| {
            let plugin = &*caller.data().plugin;
            tracing::debug!(plugin, call = name, "gRPC calls are not available in this version");
            if let Some(result) = results.first_mut() {
                *result = Val::I32(status.code() as i32);
            }
            Ok(())
        };
        linker.func_new("env", name, signature, refuse)?;
    }
    Ok(())
}

/// Arguments of `proxy_http_call`: pointers with lengths.
struct HttpCall {
    cluster: (u32, u32),
    headers: (u32, u32),
    body: (u32, u32),
    trailers: (u32, u32),
    /// Zero is none.
    timeout: Duration,
}

/// `BadArgument`: unknown cluster, or a head without `:method`, `:path` and `:authority`, as in Envoy.
fn http_call(caller: &mut Caller<'_, VmState>, call: &HttpCall, out: u32) -> HostResult {
    let cluster = read(caller, call.cluster.0, call.cluster.1)?;
    let headers = read(caller, call.headers.0, call.headers.1)?;
    let trailers = read(caller, call.trailers.0, call.trailers.1)?;
    let body = Bytes::from(read(caller, call.body.0, call.body.1)?);
    let name = std::str::from_utf8(&cluster).map_err(|_| Status::BadArgument)?;
    let state = caller.data_mut();
    let cluster = state.environment.callouts.cluster(name).ok_or(Status::BadArgument)?;
    let headers = request_head(&headers).ok_or(Status::BadArgument)?;
    let trailers = trailer_map(&trailers).ok_or(Status::BadArgument)?;
    if state.calls >= state.limits.callouts_max {
        return Err(Status::InternalFailure.into());
    }
    // The low two bits tell the kind of call, as in proxy-wasm-cpp-host.
    let token = (state.next_call << 2) | 1;
    let timeout = if call.timeout.is_zero() { TIMEOUT_DEFAULT } else { call.timeout };
    let callout = Callout {
        vm: Weak::clone(&state.vm),
        root: state.root(),
        token,
        cluster,
        headers,
        body,
        trailers,
        timeout: timeout.min(TIMEOUT_MAX),
    };
    write_u32(caller, out, token)?;
    let state = caller.data_mut();
    state.next_call = state.next_call.wrapping_add(1) & (u32::MAX >> 2);
    state.calls += 1;
    state.environment.callouts.push(callout);
    Ok(())
}

/// A head with its request line; the fields pass the same checks as those filters set.
fn request_head(serialized: &[u8]) -> Option<Headers> {
    let pairs = pairs::decode(serialized).ok()?;
    let value = |name: &[u8]| pairs.clone().find(|(key, _)| *key == name).map(|(_, value)| value);
    value(b":path")?;
    value(b":authority")?;
    let line = RequestLine {
        method: Method::from_bytes(value(b":method")?).ok()?,
        scheme: HeaderValue::from_static("http"),
        authority: HeaderValue::from_static("-"),
        path: HeaderValue::from_static("/"),
    };
    let mut headers = Headers::new(Pseudo::Request(line), HeaderMap::new());
    for (name, value) in pairs.clone() {
        headers.add(name, value).ok()?;
    }
    Some(headers)
}

fn trailer_map(serialized: &[u8]) -> Option<HeaderMap> {
    let mut trailers = Headers::new(Pseudo::None, HeaderMap::new());
    for (name, value) in pairs::decode(serialized).ok()? {
        trailers.add(name, value).ok()?;
    }
    Some(trailers.into_parts().1)
}
