//! One request from its head to its response: the function to read.

use super::body::{ResponseBody, Source, StreamBody, Upstream};
use super::canonical;
use super::forwarded::{annotate, remote, upstream_request};
use super::response::{announce_close, build, reply_message, without_stream};
use super::stream::{Finish, Stream};
use super::worker::Worker;
use crate::exchange::attributes::{Attributes, Connection};
use crate::exchange::reply::LocalReply;
use crate::exchange::{Exchange, Message};
use crate::filter::chain::{Chain, Step};
use crate::plan::listener::Role;
use crate::snapshot::local::LocalSnapshot;
use crate::snapshot::router::{Listener, Matched, Route};
use crate::upstream::UpstreamError;
use crate::upstream::attempt::{self, Answer};
use crate::upstream::body::{BodyError, RequestBody};
use crate::upstream::cluster::Cluster;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::{Body, Incoming};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use weir_abi::StreamType;
use weir_abi::flags::ResponseFlag;

static SERVICE_TIME: HeaderName = HeaderName::from_static("x-envoy-upstream-service-time");

/// Where the stream's response comes from.
#[expect(clippy::large_enum_variant, reason = "one on the stack; a box would cost every request")]
enum Origin {
    Upstream(Answer),
    Reply(LocalReply),
    /// Nowhere: the client is gone.
    Nobody(BodyError),
}

/// What a connection lends to each of its requests.
pub(super) struct Accepted {
    pub(super) worker: Rc<Worker>,
    pub(super) connection: Rc<Connection>,
    /// The listener as it was when the connection came; used when the plan no longer has it.
    pub(super) listener: Arc<Listener>,
}

/// Serves one request. Owns every `.await` between its head and its response's head; the bodies
/// follow as the peers take them.
pub(super) async fn handle(
    accepted: &Accepted,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, BodyError> {
    // 1. The snapshot this stream keeps to its end.
    let snapshot = accepted.worker.snapshot();
    let listener =
        Arc::clone(snapshot.shared.listener(&accepted.listener.name).unwrap_or(&accepted.listener));
    accepted.worker.count_request();

    // 2. One canonical request.
    let (parts, incoming) = request.into_parts();
    let protocol = if parts.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
    let mut headers = match canonical::request(parts) {
        Ok(headers) => headers,
        Err(reply) => return Ok(without_stream(reply)),
    };
    let peer = accepted.connection.peer;
    annotate(&mut headers, listener.role, peer.ip());
    let connection = Rc::clone(&accepted.connection);
    let mut attributes = Attributes::new(connection, SystemTime::now(), protocol);
    attributes.remote = remote(&headers, listener.role, peer);

    // 3. Its route.
    let matched = listener.route(&headers);
    if let Some(Matched { virtual_host, route }) = matched {
        attributes.route_name = Arc::clone(&route.name);
        attributes.virtual_host = Arc::clone(virtual_host);
        attributes.upstream.cluster.clone_from(&route.cluster);
    }

    // 4. Its chain.
    let chain_id = matched.map_or(listener.unmatched, |matched| matched.route.chain);
    let filters = snapshot.chain(chain_id);
    let bare = filters.is_empty();
    if !bare && let Some(name) = &attributes.upstream.cluster {
        // Known to telemetry even if a filter answers before a cluster is asked.
        let cluster = snapshot.shared.clusters.get(name);
        attributes.upstream.destination = cluster.map(|cluster| cluster.destination.clone());
    }
    let exchange = Exchange::new(Message::new(headers), attributes).shared();
    let chain = Chain::new(filters, Rc::clone(&exchange));
    let stream = Stream::new(exchange, chain, Rc::clone(&accepted.worker), Rc::clone(&snapshot));
    let finish = Finish(Rc::clone(&stream));

    // 5. The request's way through the filters.
    let end = incoming.is_end_stream();
    if end {
        stream.set_request_ended();
    }
    let passed = pass_headers(&stream, StreamType::HttpRequest, end).await;

    // 6. Upstream.
    let timeout = matched.and_then(|matched| matched.route.timeout);
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let origin = match (passed, matched) {
        (Err(reply), _) => Origin::Reply(reply),
        (Ok(()), None) => Origin::Reply(no_route()),
        (Ok(()), Some(Matched { route, .. })) => {
            let (listener, snapshot) = (&listener, &snapshot);
            let sent = Forward { stream: &stream, listener, route, snapshot, bare };
            sent.within(deadline, incoming, end).await
        }
    };

    // 7. The response's way back. 8. Written by hyper from here. 9. `finish` ends the stream.
    respond(&stream, finish, origin, Back { deadline, bare, role: listener.role }).await
}

/// Runs one direction's header callbacks, waiting while a filter holds them.
async fn pass_headers(stream: &Stream, direction: StreamType, end: bool) -> Result<(), LocalReply> {
    let mut step = stream.chain.borrow_mut().headers(direction, end);
    loop {
        match step {
            Step::Continue => return Ok(()),
            Step::Reply(reply) => return Err(reply),
            Step::Wait => step = stream.held(direction).await,
        }
    }
}

/// The request's way from the end of the chain to the first byte of an answer.
struct Forward<'a> {
    stream: &'a Rc<Stream>,
    listener: &'a Listener,
    route: &'a Route,
    snapshot: &'a LocalSnapshot,
    /// No filter will ask for the request again.
    bare: bool,
}

impl Forward<'_> {
    async fn within(&self, deadline: Option<Instant>, body: Incoming, end: bool) -> Origin {
        let Some(deadline) = deadline else { return self.send(body, end).await };
        let sent = tokio::time::timeout_at(deadline.into(), self.send(body, end)).await;
        sent.unwrap_or_else(|_| {
            let status = StatusCode::GATEWAY_TIMEOUT;
            let reply = LocalReply::new(status, "upstream request timeout", "response_timeout");
            Origin::Reply(reply.flagged(ResponseFlag::UpstreamRequestTimeout))
        })
    }

    async fn send(&self, incoming: Incoming, end: bool) -> Origin {
        let cluster = match self.cluster() {
            Ok(cluster) => cluster,
            Err(reply) => return Origin::Reply(reply),
        };
        let Some(active) = cluster.pick(|below| fastrand::u64(..below)) else {
            return Origin::Reply(no_healthy_upstream());
        };
        {
            let upstream = &mut self.stream.exchange.borrow_mut().attributes.upstream;
            upstream.destination = active.endpoint().map(|endpoint| endpoint.destination.clone());
            upstream.address = active.endpoint().and_then(|endpoint| endpoint.address.socket());
            upstream.attempts += 1;
        }
        let request = match self.request(incoming, end).await {
            Ok(request) => request,
            Err(nothing) => return nothing,
        };
        let pools = &self.stream.worker.pools;
        let identity = self.listener.identity.as_ref();
        let started = Instant::now();
        let sent = attempt::send(pools, &cluster, active, identity, request).await;
        let exchange = &mut *self.stream.exchange.borrow_mut();
        match sent {
            Ok(answer) => {
                let connection = &answer.lease.connection;
                let upstream = &mut exchange.attributes.upstream;
                upstream.address = Some(connection.peer);
                upstream.local = Some(connection.local);
                exchange.attributes.backend_latency = Some(started.elapsed());
                Origin::Upstream(answer)
            }
            Err(error) => {
                if let Some(broken) = self.stream.request_broken.get() {
                    return self.body_failed(broken);
                }
                exchange.attributes.upstream.failure_reason =
                    error.transport_failure().map(Into::into);
                Origin::Reply(failed(&error))
            }
        }
    }

    /// The cluster a filter chose, else the route's.
    fn cluster(&self) -> Result<Arc<Cluster>, LocalReply> {
        let exchange = &mut *self.stream.exchange.borrow_mut();
        let attributes = &mut exchange.attributes;
        let name = attributes.chosen_cluster.as_ref().or(attributes.upstream.cluster.as_ref());
        let cluster = name.and_then(|name| self.snapshot.shared.clusters.get(name));
        let Some(cluster) = cluster else {
            let status = self.route.missing_cluster_status;
            let reply = LocalReply::new(status, "", "cluster_not_found");
            return Err(reply.flagged(ResponseFlag::NoClusterFound));
        };
        attributes.upstream.cluster = Some(Arc::clone(&cluster.name));
        attributes.upstream.endpoints = cluster.endpoints.len() as u64;
        attributes.upstream.destination = Some(cluster.destination.clone());
        Ok(Arc::clone(cluster))
    }

    /// The request for upstream, its body behind the filters, its length as they leave it.
    async fn request(&self, incoming: Incoming, end: bool) -> Result<Request<RequestBody>, Origin> {
        let body = if end {
            None
        } else {
            let source = Source::Incoming(incoming);
            let mut body = StreamBody::new(self.stream, StreamType::HttpRequest, source);
            if body.is_filtered() && self.declares_length() {
                body.prime().await.map_err(|error| self.body_failed(error))?;
            }
            Some(body)
        };
        let exchange = &mut *self.stream.exchange.borrow_mut();
        let headers = &mut exchange.request.headers;
        let length =
            body.as_ref().map(|body| (body.size_hint().exact(), exchange.request.body.is_edited()));
        match length {
            Some((Some(exact), _)) => {
                headers.map_mut().insert(CONTENT_LENGTH, HeaderValue::from(exact));
            }
            Some((None, true)) => headers.remove(b"content-length"),
            // Written as the client did, `00` would mean nothing else to us but perhaps to upstream.
            None => {
                if let Some(length) = headers.map_mut().get_mut(CONTENT_LENGTH) {
                    *length = HeaderValue::from(0);
                }
            }
            Some((None, false)) => {}
        }
        let map = if self.bare { std::mem::take(headers.map_mut()) } else { headers.map().clone() };
        let body = body.map_or(RequestBody::Empty, |body| RequestBody::Stream(Box::pin(body)));
        let line = headers.request_line();
        line.and_then(|line| upstream_request(line, map, body)).ok_or_else(|| {
            let details = "invalid_target_after_filters";
            Origin::Reply(LocalReply::new(StatusCode::BAD_REQUEST, "", details))
        })
    }

    fn declares_length(&self) -> bool {
        self.stream.exchange.borrow().request.headers.map().contains_key(CONTENT_LENGTH)
    }

    /// The request's body ended too early: never the fault of upstream.
    fn body_failed(&self, error: BodyError) -> Origin {
        if let Some(reply) = self.stream.late_reply.borrow_mut().take() {
            return Origin::Reply(reply);
        }
        match error {
            BodyError::Aborted => Origin::Nobody(error),
            BodyError::Malformed => {
                let reply = LocalReply::new(StatusCode::BAD_REQUEST, "", "request_body_broken");
                Origin::Reply(reply.flagged(ResponseFlag::DownstreamProtocolError))
            }
            BodyError::StreamClosed | BodyError::Timeout => {
                Origin::Reply(LocalReply::plugin_failed())
            }
        }
    }
}

/// What the way back needs to know.
struct Back {
    deadline: Option<Instant>,
    bare: bool,
    role: Role,
}

/// Runs the response through the filters and hands head and body to hyper.
async fn respond(
    stream: &Rc<Stream>,
    finish: Finish,
    origin: Origin,
    back: Back,
) -> Result<Response<ResponseBody>, BodyError> {
    let (message, source, upstream) = match origin {
        Origin::Upstream(answer) => open_answer(stream, answer, &back),
        Origin::Reply(reply) => open_reply(stream, reply),
        Origin::Nobody(error) => return Err(error),
    };
    let head_only = stream
        .exchange
        .borrow()
        .request
        .headers
        .request_line()
        .is_some_and(|line| line.method == Method::HEAD);
    let end = head_only || source.is_end();
    let source = match source {
        // What stands for a body that HEAD does not get.
        Source::Bytes(_) if head_only => Source::Bytes(Bytes::new()),
        source => source,
    };
    let cuts_off = upstream.is_none() && !stream.has_request_ended();
    stream.exchange.borrow_mut().response = Some(message);
    let passed = pass_headers(stream, StreamType::HttpResponse, end).await;
    let mut body = match passed {
        Ok(()) => {
            let body = StreamBody::new(stream, StreamType::HttpResponse, source);
            // The time is for upstream's answer, not for what replaces it.
            let deadline = back.deadline.filter(|_| upstream.is_some());
            body.ending(finish, upstream).until(deadline)
        }
        // An answer from the way back replaces the response and passes no further filter.
        Err(reply) => return Ok(direct(stream, reply)),
    };
    if body.is_filtered()
        && declares_length(stream)
        && let Err(error) = body.prime().await
    {
        let late = stream.late_reply.borrow_mut().take();
        return late.map(|reply| direct(stream, reply)).ok_or(error);
    }
    let exchange = &mut *stream.exchange.borrow_mut();
    let Some(response) = &mut exchange.response else { return Err(BodyError::StreamClosed) };
    if !end {
        match (body.exact_len(), response.body.is_edited()) {
            (Some(exact), _) => {
                response.headers.map_mut().insert(CONTENT_LENGTH, HeaderValue::from(exact));
            }
            (None, true) => response.headers.remove(b"content-length"),
            (None, false) => {}
        }
    }
    exchange.attributes.response_headers_bytes = response.headers.byte_size() as u64;
    let status = response.headers.status().unwrap_or(StatusCode::OK);
    // Filters see how the body came, as in Envoy; how it goes out is hyper's to say.
    response.headers.remove(b"transfer-encoding");
    let mut headers = if back.bare {
        std::mem::take(response.headers.map_mut())
    } else {
        response.headers.map().clone()
    };
    if cuts_off {
        announce_close(&mut headers);
    }
    Ok(build(status, headers, ResponseBody::Stream(Box::new(body))))
}

/// Head and body of a response, and what upstream wants back when it is over.
type Opened = (Message, Source, Option<Upstream>);

fn open_answer(stream: &Stream, answer: Answer, back: &Back) -> Opened {
    let Answer { response, lease, active } = answer;
    let (parts, incoming) = response.into_parts();
    let Some(mut headers) = canonical::response(parts) else {
        return open_reply(stream, bad_response());
    };
    let attributes = &mut stream.exchange.borrow_mut().attributes;
    attributes.details.get_or_insert("via_upstream".into());
    if back.role != Role::Routes {
        let elapsed = attributes.backend_latency.unwrap_or(Duration::ZERO);
        let value = HeaderValue::from(elapsed.as_millis() as u64);
        headers.map_mut().insert(SERVICE_TIME.clone(), value);
    }
    let upstream = Some(Upstream { lease, active });
    (Message::new(headers), Source::Incoming(incoming), upstream)
}

fn open_reply(stream: &Stream, reply: LocalReply) -> Opened {
    note_reply(&mut stream.exchange.borrow_mut().attributes, &reply);
    let message = reply_message(&reply);
    (message, Source::Bytes(reply.body), None)
}

/// Answers without passing any further filter.
fn direct(stream: &Stream, reply: LocalReply) -> Response<ResponseBody> {
    let exchange = &mut *stream.exchange.borrow_mut();
    note_reply(&mut exchange.attributes, &reply);
    exchange.attributes.response_bytes = reply.body.len() as u64;
    let message = reply_message(&reply);
    let mut headers = message.headers.map().clone();
    if !stream.has_request_ended() {
        announce_close(&mut headers);
    }
    exchange.response = Some(message);
    stream.set_complete();
    let body = if reply.body.is_empty() { None } else { Some(reply.body) };
    build(reply.status, headers, ResponseBody::Reply(body))
}

fn note_reply(attributes: &mut Attributes, reply: &LocalReply) {
    attributes.details = Some(reply.details.clone());
    if let Some(flag) = reply.flag {
        attributes.flags.insert(flag);
    }
}

fn declares_length(stream: &Stream) -> bool {
    let exchange = stream.exchange.borrow();
    let response = exchange.response.as_ref();
    response.is_some_and(|response| response.headers.map().contains_key(CONTENT_LENGTH))
}

fn no_route() -> LocalReply {
    LocalReply::new(StatusCode::NOT_FOUND, "", "route_not_found")
        .flagged(ResponseFlag::NoRouteFound)
}

fn no_healthy_upstream() -> LocalReply {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    LocalReply::new(status, "no healthy upstream", "no_healthy_upstream")
        .flagged(ResponseFlag::NoHealthyUpstream)
}

fn bad_response() -> LocalReply {
    LocalReply::new(StatusCode::BAD_GATEWAY, "", "upstream_response_invalid")
        .flagged(ResponseFlag::UpstreamProtocolError)
}

fn failed(error: &UpstreamError) -> LocalReply {
    let mut reply = LocalReply::new(error.status(), error.body(), "").flagged(error.flag());
    reply.details = error.details().into();
    reply
}
