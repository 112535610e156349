//! Performs the HTTP calls of plugins, on the worker they were made on.

use super::forwarded::upstream_request;
use super::ticking;
use super::worker::Worker;
use crate::exchange::headers::{Headers, Pseudo};
use crate::upstream::attempt::{self, Answer};
use crate::upstream::body::{BodyError, RequestBody};
use crate::wasm::callouts::{Callout, CalloutAnswer};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

/// Bytes of an answer's body at most; a longer one is a failed call.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Runs as long as the worker.
pub(super) async fn run(worker: Rc<Worker>) {
    loop {
        let calls = std::future::poll_fn(|cx| {
            let calls = worker.environment.callouts.poll_queue(cx.waker());
            if calls.is_empty() { Poll::Pending } else { Poll::Ready(calls) }
        });
        for call in calls.await {
            tokio::task::spawn_local(perform(Rc::clone(&worker), call));
        }
    }
}

/// Makes one call and tells its plugin; a plugin whose VM is gone is not told.
async fn perform(worker: Rc<Worker>, call: Callout) {
    let (vm, root, token, timeout) = (call.vm.clone(), call.root, call.token, call.timeout);
    let sent = tokio::time::timeout(timeout, send(&worker, call)).await;
    let answer = sent.unwrap_or_default();
    let Some(vm) = vm.upgrade() else { return };
    let called = vm.borrow_mut().on_http_call_response(root, token, answer);
    if let Err(error) = called {
        ticking::failed(&worker, &vm, &error);
    }
}

async fn send(worker: &Rc<Worker>, call: Callout) -> CalloutAnswer {
    let Some(cluster) = worker.callout_cluster(&call.cluster) else {
        return refused("");
    };
    let Some(active) = cluster.pick(|below| fastrand::u64(..below)) else {
        return refused("no healthy upstream");
    };
    let (pseudo, mut map) = call.headers.into_parts();
    let Pseudo::Request(line) = pseudo else { return CalloutAnswer::default() };
    // Bytes promised and not sent would be taken from the next request on the connection.
    map.remove(CONTENT_LENGTH);
    let body = if call.body.is_empty() && call.trailers.is_empty() {
        RequestBody::Empty
    } else {
        let trailers = call.trailers;
        let body = Full::new(call.body).map_err(|never| match never {});
        if trailers.is_empty() {
            RequestBody::Stream(Box::pin(body))
        } else {
            let trailers = async move { Some(Ok::<_, BodyError>(trailers)) };
            RequestBody::Stream(Box::pin(body.with_trailers(trailers)))
        }
    };
    let Some(request) = upstream_request(&line, map, body) else {
        return CalloutAnswer::default();
    };
    match attempt::send(&worker.pools, &cluster, active, None, request).await {
        Ok(answer) => collect(answer).await.unwrap_or_default(),
        Err(error) => refused(error.body()),
    }
}

/// The whole answer; `None` when it breaks off or is too long.
async fn collect(answer: Answer) -> Option<CalloutAnswer> {
    let Answer { response, lease, active } = answer;
    let (parts, mut incoming): (_, Incoming) = response.into_parts();
    let mut body = BytesMut::new();
    let mut trailers = None;
    while let Some(frame) = incoming.frame().await {
        match frame.ok()?.into_data() {
            Ok(data) if body.len() + data.len() > BODY_BYTES_MAX => return None,
            Ok(data) => body.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    drop(active);
    lease.put_back(Instant::now());
    Some(CalloutAnswer {
        headers: Some(Headers::new(Pseudo::Response(parts.status), parts.headers)),
        body: body.freeze(),
        trailers: trailers.map(|map| Headers::new(Pseudo::None, map)),
    })
}

/// Envoy's own answer to a call that could not be made: a 503 like any local reply.
fn refused(body: &'static str) -> CalloutAnswer {
    let mut map = HeaderMap::new();
    map.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    map.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    CalloutAnswer {
        headers: Some(Headers::new(Pseudo::Response(StatusCode::SERVICE_UNAVAILABLE), map)),
        body: Bytes::from_static(body.as_bytes()),
        trailers: None,
    }
}
