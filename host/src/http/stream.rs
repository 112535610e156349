//! One request and its response while they are in flight on this worker.
//!
//! Shared by the task that handles the request and by the two bodies. Ends once: when the response
//! is complete, or when the last of them is dropped.

use super::worker::Worker;
use crate::exchange::SharedExchange;
use crate::exchange::reply::LocalReply;
use crate::filter::chain::{Chain, Step, Timer};
use crate::snapshot::local::LocalSnapshot;
use crate::upstream::body::BodyError;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::time::Sleep;
use weir_abi::StreamType;
use weir_abi::flags::ResponseFlag;

pub(super) struct Stream {
    pub(super) exchange: SharedExchange,
    pub(super) chain: RefCell<Chain>,
    pub(super) worker: Rc<Worker>,
    /// A reply of a filter that held the request body, for the task that waits for upstream.
    pub(super) late_reply: RefCell<Option<LocalReply>>,
    /// What the client's body ended with, when that was not its end.
    pub(super) request_broken: Cell<Option<BodyError>>,
    started: Instant,
    timers: RefCell<Vec<(Instant, Timer)>>,
    complete: Cell<bool>,
    /// Everything the client has to say has come.
    request_ended: Cell<bool>,
    finished: Cell<bool>,
    /// Keeps this stream's VMs alive and on their version.
    _snapshot: Rc<LocalSnapshot>,
}

impl Stream {
    pub(super) fn new(
        exchange: SharedExchange,
        chain: Chain,
        worker: Rc<Worker>,
        snapshot: Rc<LocalSnapshot>,
    ) -> Rc<Self> {
        Rc::new(Self {
            exchange,
            chain: RefCell::new(chain),
            worker,
            late_reply: RefCell::new(None),
            request_broken: Cell::new(None),
            started: Instant::now(),
            timers: RefCell::default(),
            complete: Cell::new(false),
            request_ended: Cell::new(false),
            finished: Cell::new(false),
            _snapshot: snapshot,
        })
    }

    /// Waits while a filter holds `direction`.
    pub(super) async fn held(&self, direction: StreamType) -> Step {
        let mut sleep = None;
        std::future::poll_fn(|cx| self.poll_held(direction, &mut sleep, cx)).await
    }

    /// `Ready` once the filters let `direction` go on or answer it. `sleep` belongs to the caller.
    pub(super) fn poll_held(
        &self,
        direction: StreamType,
        sleep: &mut Option<Pin<Box<Sleep>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Step> {
        loop {
            self.fire_timers(Instant::now());
            let step = self.chain.borrow_mut().resume(direction);
            if !matches!(step, Step::Wait) {
                return Poll::Ready(step);
            }
            self.exchange.borrow_mut().wake_on_event(direction, cx.waker());
            let Some(next) = self.next_timer() else { return Poll::Pending };
            let sleep =
                sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next.into())));
            sleep.as_mut().reset(next.into());
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// A body ended too early: remembers whose fault that was. Flags and details are Envoy's.
    pub(super) fn note_broken(&self, direction: StreamType, error: BodyError) {
        if direction != StreamType::HttpResponse {
            self.request_broken.set(Some(error));
            return;
        }
        let (flag, details) = match error {
            BodyError::Aborted => (
                ResponseFlag::UpstreamConnectionTermination,
                "upstream_reset_after_response_started{connection_termination}",
            ),
            BodyError::Malformed => (
                ResponseFlag::UpstreamProtocolError,
                "upstream_reset_after_response_started{protocol_error}",
            ),
            BodyError::Timeout => (ResponseFlag::UpstreamRequestTimeout, "response_timeout"),
            // A filter ended it and has said why.
            BodyError::StreamClosed => return,
        };
        let attributes = &mut self.exchange.borrow_mut().attributes;
        attributes.flags.insert(flag);
        attributes.details = Some(details.into());
        // Whatever the client does about it is not why.
        self.complete.set(true);
    }

    /// The response reached its end, so what follows is not a broken stream.
    pub(super) fn set_complete(&self) {
        self.complete.set(true);
    }

    /// The request is over; what follows on the connection is the next one.
    pub(super) fn set_request_ended(&self) {
        self.request_ended.set(true);
    }

    pub(super) fn has_request_ended(&self) -> bool {
        self.request_ended.get()
    }

    /// Ends the stream: facts for the logs, then the filters' last callbacks. Idempotent.
    pub(super) fn finish(&self) {
        if self.finished.replace(true) {
            return;
        }
        {
            let attributes = &mut self.exchange.borrow_mut().attributes;
            attributes.duration = Some(self.started.elapsed());
            if !self.complete.get() {
                attributes.flags.insert(ResponseFlag::DownstreamConnectionTermination);
                attributes.details = Some("downstream_remote_disconnect".into());
            }
        }
        self.chain.borrow_mut().close();
    }

    /// Filters see nothing of this stream any more.
    pub(super) fn is_finished(&self) -> bool {
        self.finished.get()
    }

    fn fire_timers(&self, now: Instant) {
        let mut chain = self.chain.borrow_mut();
        let mut timers = self.timers.borrow_mut();
        timers.extend(chain.take_timers().into_iter().map(|timer| (now + timer.delay, timer)));
        // A fired timer may set the next one, which waits for the next look.
        for (_, timer) in timers.extract_if(.., |(at, _)| *at <= now) {
            chain.fire(&timer);
        }
        timers.extend(chain.take_timers().into_iter().map(|timer| (now + timer.delay, timer)));
    }

    fn next_timer(&self) -> Option<Instant> {
        self.timers.borrow().iter().map(|(at, _)| *at).min()
    }
}

/// Ends the stream when dropped: the handling task holds it, then the response body.
pub(super) struct Finish(pub(super) Rc<Stream>);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.finish();
    }
}
