//! What a filter does to its stream: go on, answer, close. Carried out after the callback returns.

use crate::exchange::Event;
use crate::exchange::reply::LocalReply;
use crate::wasm::memory::{HostResult, read, status_code};
use crate::wasm::state::VmState;
use bytes::Bytes;
use http::StatusCode;
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use wasmtime::{Caller, Linker};
use weir_abi::{Status, StreamType, pairs};

/// Bytes of the details of a local reply at most; the rest is cut.
const DETAILS_BYTES_MAX: u32 = 1024;

pub(super) fn link(linker: &mut Linker<VmState>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_continue_stream",
        |caller: Caller<'_, VmState>, direction: u32| {
            status_code(continue_stream(caller.data(), direction))
        },
    )?;
    linker.func_wrap("env", "proxy_continue_request", |caller: Caller<'_, VmState>| {
        status_code(continue_stream(caller.data(), StreamType::HttpRequest.code()))
    })?;
    linker.func_wrap("env", "proxy_continue_response", |caller: Caller<'_, VmState>| {
        status_code(continue_stream(caller.data(), StreamType::HttpResponse.code()))
    })?;
    linker.func_wrap(
        "env",
        "proxy_close_stream",
        |caller: Caller<'_, VmState>, direction: u32| {
            let known = StreamType::from_code(direction).ok_or(Status::BadArgument);
            status_code(
                known.and_then(|_| caller.data().push_event(Event::Close)).map_err(Into::into),
            )
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_send_local_response",
        |mut caller: Caller<'_, VmState>,
         code: u32,
         details: u32,
         details_len: u32,
         body: u32,
         body_len: u32,
         headers: u32,
         headers_len: u32,
         grpc_status: i32| {
            let parts = ReplyParts {
                code,
                details: (details, details_len),
                body: (body, body_len),
                headers: (headers, headers_len),
                grpc_status,
            };
            status_code(send_local_response(&mut caller, &parts))
        },
    )?;
    Ok(())
}

fn continue_stream(state: &VmState, direction: u32) -> HostResult {
    let direction = StreamType::from_code(direction).ok_or(Status::BadArgument)?;
    match direction {
        StreamType::HttpRequest | StreamType::HttpResponse => {
            Ok(state.push_event(Event::Continue(direction))?)
        }
        StreamType::Downstream | StreamType::Upstream => Err(Status::Unimplemented.into()),
    }
}

/// Arguments of `proxy_send_local_response`: pointers with lengths.
struct ReplyParts {
    code: u32,
    details: (u32, u32),
    body: (u32, u32),
    headers: (u32, u32),
    /// -1 is unset.
    grpc_status: i32,
}

fn send_local_response(caller: &mut Caller<'_, VmState>, parts: &ReplyParts) -> HostResult {
    let code = u16::try_from(parts.code).ok().and_then(|code| StatusCode::from_u16(code).ok());
    // 1xx would leave the client waiting for the real answer.
    let status = code.filter(|code| code.as_u16() >= 200).ok_or(Status::BadArgument)?;
    let details = read(caller, parts.details.0, parts.details.1.min(DETAILS_BYTES_MAX))?;
    let body = read(caller, parts.body.0, parts.body.1)?;
    let header_bytes = read(caller, parts.headers.0, parts.headers.1)?;
    let mut headers = HeaderMap::new();
    for (name, value) in pairs::decode(&header_bytes).map_err(|_| Status::BadArgument)? {
        if name.starts_with(b":") {
            continue;
        }
        let name = HeaderName::from_bytes(name).map_err(|_| Status::BadArgument)?;
        // The host frames what it sends.
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            continue;
        }
        let value = HeaderValue::from_bytes(value).map_err(|_| Status::BadArgument)?;
        headers.append(name, value);
    }
    if !body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    }
    if let Ok(grpc_status) = u32::try_from(parts.grpc_status) {
        headers.insert("grpc-status", HeaderValue::from(grpc_status));
    }
    let details = String::from_utf8_lossy(&details).replace(' ', "_");
    let reply = LocalReply {
        status,
        headers: Box::new(headers),
        body: Bytes::from(body),
        details: details.into(),
        flag: None,
    };
    Ok(caller.data().push_event(Event::Reply(reply))?)
}
