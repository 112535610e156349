//! Turns an exchange's response into what hyper writes.

use super::body::ResponseBody;
use crate::exchange::Message;
use crate::exchange::headers::{Headers, Pseudo};
use crate::exchange::reply::LocalReply;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

/// The answer to a request that no stream was made for: it broke the protocol. The connection ends
/// with it, because where such a request ends is a matter of opinion.
pub(super) fn without_stream(reply: LocalReply) -> Response<ResponseBody> {
    let LocalReply { status, mut headers, body, .. } = reply;
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let body = if body.is_empty() { None } else { Some(body) };
    build(status, *headers, ResponseBody::Reply(body))
}

/// The head of a local reply, as the filters of the way back see it.
pub(super) fn reply_message(reply: &LocalReply) -> Message {
    let mut headers = HeaderMap::clone(&reply.headers);
    // hyper writes the length of an empty body; filters see no line for it, as in Envoy.
    if !reply.body.is_empty() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(reply.body.len()));
    }
    Message::new(Headers::new(Pseudo::Response(reply.status), headers))
}

/// A reply to a request that has not ended yet: the client is told that the rest is not awaited.
pub(super) fn announce_close(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
}

pub(super) fn build(
    status: StatusCode,
    headers: HeaderMap,
    body: ResponseBody,
) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
