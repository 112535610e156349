//! A body on its way through the filters of a stream.
//!
//! Bytes are taken from the sender only as fast as the receiver takes them, unless a filter holds
//! them back, and then no further than its limit.

use super::stream::{Finish, Stream};
use crate::exchange::headers::{Headers, Pseudo};
use crate::filter::chain::Step;
use crate::upstream::body::BodyError;
use crate::upstream::cluster::ActiveRequest;
use crate::upstream::pool::Lease;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::time::Sleep;
use weir_abi::StreamType;

/// Where the bytes come from.
pub(super) enum Source {
    Incoming(Incoming),
    /// A local reply: one frame, which is the last.
    Bytes(Bytes),
}

impl Source {
    /// No byte will come.
    pub(super) fn is_end(&self) -> bool {
        match self {
            Self::Incoming(incoming) => incoming.is_end_stream(),
            Self::Bytes(bytes) => bytes.is_empty(),
        }
    }
}

/// What a response body gives back when it is over.
pub(super) struct Upstream {
    pub(super) lease: Lease,
    pub(super) active: ActiveRequest,
}

/// One direction's body. Without interested filters it only counts.
pub struct StreamBody {
    stream: Rc<Stream>,
    direction: StreamType,
    source: Source,
    /// Filters want to see it.
    filtered: bool,
    /// A filter holds what has come so far.
    held: bool,
    input_ended: bool,
    ready: Option<Bytes>,
    trailers: Option<HeaderMap>,
    done: bool,
    sleep: Option<Pin<Box<Sleep>>>,
    /// The route's timeout.
    deadline: Option<Pin<Box<Sleep>>>,
    upstream: Option<Upstream>,
    finish: Option<Finish>,
}

/// The response as hyper takes it.
pub enum ResponseBody {
    /// For a request that no stream was made for.
    Reply(Option<Bytes>),
    Stream(Box<StreamBody>),
}

impl StreamBody {
    pub(super) fn new(stream: &Rc<Stream>, direction: StreamType, source: Source) -> Self {
        // Filters were told with the headers that there is none.
        let filtered = !source.is_end() && stream.chain.borrow().wants_body(direction);
        Self {
            stream: Rc::clone(stream),
            direction,
            source,
            filtered,
            held: false,
            input_ended: false,
            ready: None,
            trailers: None,
            done: false,
            sleep: None,
            deadline: None,
            upstream: None,
            finish: None,
        }
    }

    /// The response's side effects: the connection goes back, the stream ends.
    pub(super) fn ending(mut self, finish: Finish, upstream: Option<Upstream>) -> Self {
        self.finish = Some(finish);
        self.upstream = upstream;
        self
    }

    pub(super) fn until(mut self, deadline: Option<Instant>) -> Self {
        self.deadline = deadline.map(|at| Box::pin(tokio::time::sleep_until(at.into())));
        self
    }

    pub(super) fn is_filtered(&self) -> bool {
        self.filtered
    }

    /// Runs the filters until the first bytes have passed them, so that a change of length is known
    /// before the head goes out. The error is a filter's answer to the stream.
    pub(super) async fn prime(&mut self) -> Result<(), BodyError> {
        std::future::poll_fn(|cx| {
            let bytes = match ready!(self.poll_output(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Ok(())),
            };
            match bytes.into_data() {
                Ok(data) => self.ready = Some(data),
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// After `prime`: the whole length, when everything has come and no trailers follow.
    pub(super) fn exact_len(&self) -> Option<u64> {
        let whole = self.done && self.trailers.is_none();
        whole.then(|| self.ready.as_ref().map_or(0, |ready| ready.len() as u64))
    }

    fn poll_output(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            // The last piece waits while a filter holds the end: with it the message would be whole.
            let end_held = self.held && self.input_ended;
            if let Some(ready) = self.ready.take_if(|_| !end_held) {
                return Poll::Ready(Some(Ok(Frame::data(ready))));
            }
            if let Some(trailers) = self.trailers.take_if(|_| self.input_ended && !self.held) {
                self.complete();
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
            if self.done {
                return Poll::Ready(None);
            }
            if let Some(deadline) = &mut self.deadline
                && deadline.as_mut().poll(cx).is_ready()
            {
                self.stream.note_broken(self.direction, BodyError::Timeout);
                return Poll::Ready(Some(Err(BodyError::Timeout)));
            }
            if self.filtered && self.stream.is_finished() {
                return Poll::Ready(Some(Err(BodyError::StreamClosed)));
            }
            if self.held {
                let stream = Rc::clone(&self.stream);
                if let Poll::Ready(step) = stream.poll_held(self.direction, &mut self.sleep, cx) {
                    if let Err(error) = self.apply(step) {
                        self.stream.note_broken(self.direction, error);
                        return Poll::Ready(Some(Err(error)));
                    }
                    continue;
                }
                if self.input_ended {
                    return Poll::Pending;
                }
            }
            let frame = ready!(self.poll_input(cx));
            if let Err(error) = self.deliver(frame) {
                self.stream.note_broken(self.direction, error);
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    fn poll_input(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.source {
            Source::Incoming(incoming) => {
                let frame = ready!(Pin::new(&mut *incoming).poll_frame(cx));
                // hyper asks for no frame past the declared length, so the end comes with the last.
                self.input_ended = frame.is_none() || incoming.is_end_stream();
                if self.input_ended && self.direction == StreamType::HttpRequest {
                    self.stream.set_request_ended();
                }
                Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
            }
            Source::Bytes(bytes) => {
                self.input_ended = true;
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes)))))
            }
        }
    }

    /// Passes what has come through the filters.
    fn deliver(&mut self, frame: Option<Result<Frame<Bytes>, BodyError>>) -> Result<(), BodyError> {
        let Some(frame) = frame.transpose()? else { return self.data(Bytes::new()) };
        match frame.into_data() {
            Ok(data) => {
                self.count(data.len() as u64);
                if self.input_ended && self.filtered && matches!(self.source, Source::Incoming(_)) {
                    return self.data_then_end(data);
                }
                self.data(data)
            }
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) => self.trailers(trailers),
                Err(_unknown) => Ok(()),
            },
        }
    }

    fn count(&self, bytes: u64) {
        let attributes = &mut self.stream.exchange.borrow_mut().attributes;
        match self.direction {
            StreamType::HttpResponse => attributes.response_bytes += bytes,
            _ => attributes.request_bytes += bytes,
        }
    }

    /// The end is a callback of its own whatever the framing, as in Envoy for HTTP/1.1.
    fn data_then_end(&mut self, data: Bytes) -> Result<(), BodyError> {
        self.input_ended = false;
        self.data(data)?;
        self.input_ended = true;
        self.data(Bytes::new())
    }

    fn data(&mut self, data: Bytes) -> Result<(), BodyError> {
        if !self.filtered {
            return self.output(data);
        }
        let step = self.stream.chain.borrow_mut().body(self.direction, data, self.input_ended);
        self.apply(step)
    }

    fn trailers(&mut self, trailers: HeaderMap) -> Result<(), BodyError> {
        self.input_ended = true;
        if self.direction == StreamType::HttpRequest {
            self.stream.set_request_ended();
        }
        if !self.filtered {
            self.trailers = Some(trailers);
            return Ok(());
        }
        let trailers = Headers::new(Pseudo::None, trailers);
        {
            let exchange = &mut *self.stream.exchange.borrow_mut();
            match (self.direction, &mut exchange.response) {
                (StreamType::HttpResponse, Some(response)) => response.trailers = Some(trailers),
                (StreamType::HttpResponse, None) => {}
                _ => exchange.request.trailers = Some(trailers),
            }
        }
        let step = self.stream.chain.borrow_mut().trailers(self.direction);
        self.apply(step)
    }

    fn apply(&mut self, step: Step) -> Result<(), BodyError> {
        match step {
            Step::Wait => {
                self.held = true;
                Ok(())
            }
            Step::Continue => {
                self.held = false;
                let bytes = self.stream.chain.borrow_mut().take_body(self.direction);
                if self.input_ended {
                    self.trailers = self.take_trailers();
                }
                self.output(bytes)
            }
            Step::Reply(reply) => {
                self.stream.late_reply.borrow_mut().get_or_insert(reply);
                Err(BodyError::StreamClosed)
            }
        }
    }

    fn output(&mut self, bytes: Bytes) -> Result<(), BodyError> {
        if !bytes.is_empty() {
            self.ready = Some(match self.ready.take() {
                Some(before) => [before, bytes].concat().into(),
                None => bytes,
            });
        }
        if self.input_ended && self.trailers.is_none() {
            self.complete();
        }
        Ok(())
    }

    fn take_trailers(&self) -> Option<HeaderMap> {
        let exchange = &mut *self.stream.exchange.borrow_mut();
        let message = match self.direction {
            StreamType::HttpResponse => exchange.response.as_mut()?,
            _ => &mut exchange.request,
        };
        // Filters may still read them when the stream is logged.
        let map = message.trailers.as_ref()?.map().clone();
        (!map.is_empty()).then_some(map)
    }

    fn complete(&mut self) {
        self.done = true;
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.get_mut().poll_output(cx)
    }

    fn is_end_stream(&self) -> bool {
        let source_ended = !self.filtered && self.source.is_end();
        (self.done || source_ended) && self.ready.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if let Some(len) = self.exact_len() {
            return SizeHint::with_exact(len);
        }
        match &self.source {
            Source::Incoming(incoming) if !self.filtered => incoming.size_hint(),
            Source::Bytes(bytes) if !self.filtered && !self.done => {
                SizeHint::with_exact(bytes.len() as u64)
            }
            _ => SizeHint::default(),
        }
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        let ended = self.done || self.is_end_stream();
        if let Some(Upstream { lease, active }) = self.upstream.take() {
            drop(active);
            let read_to_end = match &self.source {
                Source::Incoming(incoming) => self.input_ended || incoming.is_end_stream(),
                Source::Bytes(_) => false,
            };
            if read_to_end {
                lease.put_back(Instant::now());
            }
        }
        if let Some(finish) = self.finish.take() {
            if ended {
                finish.0.set_complete();
            }
            drop(finish);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Reply(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(body) => body.poll_output(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Reply(bytes) => bytes.is_none(),
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Reply(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Stream(body) => body.size_hint(),
        }
    }
}
