//! The run of a filter chain over one exchange.
//!
//! Requests pass the filters in order, responses in reverse. Each direction remembers where it was
//! paused; body bytes wait in the exchange meanwhile. Order of callbacks, pausing and local replies
//! are Envoy's (`FilterManager`, proxy-wasm-cpp-host `Context`).

use super::{Filter, FilterList};
use crate::exchange::reply::LocalReply;
use crate::exchange::{Event, Message, SharedExchange};
use crate::plan::chain::OnFailure;
use crate::wasm::VmError;
use crate::wasm::vm::Vm;
use crate::wasm::vms::Lease;
use bytes::Bytes;
use http::StatusCode;
use std::time::Duration;
use weir_abi::flags::ResponseFlag;
use weir_abi::{Action, StreamType};

/// What the stream's task does next with a direction.
#[derive(Debug)]
pub enum Step {
    /// Headers, the bytes of [`Chain::take_body`], or trailers may go on.
    Continue,
    /// A filter holds this direction: wait for an event of the exchange.
    Wait,
    /// Answer the stream with this; the direction is over.
    Reply(LocalReply),
}

/// A wish of a filter to be called back after `delay`.
#[derive(Debug)]
pub struct Timer {
    pub delay: Duration,
    position: usize,
    number: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Headers,
    Body,
    Trailers,
}

/// How far one direction has come.
struct Progress {
    direction: StreamType,
    stage: Stage,
    /// Filters that hold this direction, latest turn first: what comes next meets the last of them
    /// first. While one buffers a body, those before it go on seeing each new frame by itself.
    held: Vec<Held>,
    /// No body or trailers follow what is being delivered.
    end: bool,
}

/// A filter that paused.
struct Held {
    /// Not its position: responses pass the filters in reverse.
    turn: usize,
    /// What it has held back, while the exchange shows newer bytes to filters before it.
    body: Bytes,
}

/// Timers of one stream that may run at once.
const TIMERS_MAX: usize = 256;

enum Link {
    /// Has not seen the request.
    Unopened,
    Open {
        vm: Lease,
        context: u32,
    },
    /// Failed; the stream goes on without it, or is being answered.
    Failed,
}

#[derive(Default, Clone, Copy)]
struct Resumed {
    request: bool,
    response: bool,
}

pub struct Chain {
    filters: FilterList,
    exchange: SharedExchange,
    links: Vec<Link>,
    resumed: Vec<Resumed>,
    request: Progress,
    response: Progress,
    timers: Vec<Timer>,
    /// Timers asked for that have not come yet.
    timers_running: usize,
    reply: Option<LocalReply>,
    closed: bool,
}

impl Chain {
    /// Contexts are opened as the request reaches their filter.
    pub fn new(filters: FilterList, exchange: SharedExchange) -> Self {
        let progress =
            |direction| Progress { direction, stage: Stage::Headers, held: Vec::new(), end: false };
        Self {
            links: filters.iter().map(|_| Link::Unopened).collect(),
            resumed: vec![Resumed::default(); filters.len()],
            filters,
            exchange,
            request: progress(StreamType::HttpRequest),
            response: progress(StreamType::HttpResponse),
            timers: Vec::new(),
            timers_running: 0,
            reply: None,
            closed: false,
        }
    }

    /// Whether any filter wants to see body bytes or trailers of this direction.
    pub fn wants_body(&self, direction: StreamType) -> bool {
        self.filters.iter().any(|filter| {
            let callbacks = &filter.root.vms.module().callbacks;
            match direction {
                StreamType::HttpResponse => callbacks.response_body || callbacks.response_trailers,
                _ => callbacks.request_body || callbacks.request_trailers,
            }
        })
    }

    /// Delivers the headers of a direction. `end` when neither body nor trailers follow.
    pub fn headers(&mut self, direction: StreamType, end: bool) -> Step {
        let progress = self.progress(direction);
        progress.end = end;
        progress.stage = Stage::Headers;
        self.run_headers(direction, 0)
    }

    /// Delivers one piece of body, together with what was held back before.
    pub fn body(&mut self, direction: StreamType, data: Bytes, end: bool) -> Step {
        self.set_aside(direction);
        self.with_message(direction, |message| {
            message.body.push(data);
            message.body.set_last(end);
        });
        let progress = self.progress(direction);
        progress.stage = Stage::Body;
        progress.end = end;
        let step = self.run_body(direction, 0);
        if matches!(step, Step::Wait)
            && let Some(reply) = self.too_large(direction)
        {
            return Step::Reply(reply);
        }
        step
    }

    /// Delivers the trailers, which the caller has put into the exchange.
    pub fn trailers(&mut self, direction: StreamType) -> Step {
        self.set_aside(direction);
        let progress = self.progress(direction);
        progress.stage = Stage::Trailers;
        progress.end = true;
        self.run_trailers(direction, 0)
    }

    /// Body bytes that have passed every filter.
    pub fn take_body(&mut self, direction: StreamType) -> Bytes {
        self.with_message(direction, |message| message.body.take()).unwrap_or_default()
    }

    /// Carries out what filters asked for since the last step. `Continue` when the direction is
    /// not, or no longer, held.
    pub fn resume(&mut self, direction: StreamType) -> Step {
        self.take_events();
        if let Some(reply) = self.reply.take() {
            return Step::Reply(reply);
        }
        let progress = self.progress(direction);
        let stage = progress.stage;
        let Some(turn) = progress.held.last().map(|held| held.turn) else { return Step::Continue };
        let position = self.position(direction, turn);
        if self.is_dead(position) {
            // It died in another stream's callback and will never resume this one.
            if let Err(reply) = self.fail(position, &VmError::Dead) {
                return Step::Reply(reply);
            }
        } else if !self.take_resumed(direction, position) {
            return Step::Wait;
        }
        self.progress(direction).held.pop();
        match stage {
            Stage::Headers => self.run_headers(direction, turn + 1),
            Stage::Body => self.run_body(direction, turn + 1),
            Stage::Trailers => self.run_trailers(direction, turn + 1),
        }
    }

    /// Timers asked for since the last call.
    pub fn take_timers(&mut self) -> Vec<Timer> {
        self.take_events();
        std::mem::take(&mut self.timers)
    }

    /// A timer has come: tells its filter. What the filter does about it shows in `resume`.
    pub fn fire(&mut self, timer: &Timer) {
        if self.closed {
            return;
        }
        self.timers_running = self.timers_running.saturating_sub(1);
        let number = timer.number;
        let called = self.call(timer.position, |vm, context| vm.on_timer(context, number));
        self.take_events();
        if let Err(reply) = called {
            self.reply.get_or_insert(reply);
        }
    }

    /// Ends the stream: every filter logs, then each context is done and deleted. Idempotent.
    pub fn close(&mut self) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        for position in 0..self.filters.len() {
            // A filter the request never reached still logs it, as in Envoy.
            if matches!(self.links.get(position), Some(Link::Unopened)) {
                let _ = self.open(position);
            }
            let _ = self.call(position, Vm::on_log);
        }
        for position in 0..self.filters.len() {
            let _ = self.call(position, Vm::close);
        }
        // Pooled VMs go back now, not when the last body of the stream is dropped.
        self.links.clear();
        self.take_events();
    }

    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn run_headers(&mut self, direction: StreamType, first: usize) -> Step {
        let end = self.progress(direction).end;
        for turn in first..self.filters.len() {
            let position = self.position(direction, turn);
            if direction == StreamType::HttpRequest
                && let Err(reply) = self.open(position)
            {
                return Step::Reply(reply);
            }
            self.forget_resumed(direction, turn);
            let count = self.with_message(direction, |message| message.headers.len() as u32);
            let called = self.call(position, |vm, context| {
                vm.on_headers(context, direction, count.unwrap_or_default(), end)
            });
            if let Some(step) = self.settle(direction, turn, called) {
                return step;
            }
        }
        Step::Continue
    }

    fn run_body(&mut self, direction: StreamType, first: usize) -> Step {
        let end = self.progress(direction).end;
        for turn in first..self.filters.len() {
            self.rejoin(direction, turn);
            let called = self.call_body(direction, turn, end);
            if let Some(step) = self.settle(direction, turn, called) {
                return step;
            }
        }
        Step::Continue
    }

    /// Filters behind one that held the body see its bytes just before the trailers.
    fn run_trailers(&mut self, direction: StreamType, first: usize) -> Step {
        for turn in first..self.filters.len() {
            let position = self.position(direction, turn);
            let fresh = self.with_message(direction, |message| !message.body.is_empty());
            self.rejoin(direction, turn);
            if fresh == Some(true) {
                let called = self.call_body(direction, turn, false);
                self.take_events();
                if let Some(reply) = called.err().or_else(|| self.reply.take()) {
                    return Step::Reply(reply);
                }
            }
            self.forget_resumed(direction, turn);
            let count = self.with_message(direction, |message| {
                message.trailers.as_ref().map_or(0, |trailers| trailers.len() as u32)
            });
            let called = self.call(position, |vm, context| {
                vm.on_trailers(context, direction, count.unwrap_or_default())
            });
            if let Some(step) = self.settle(direction, turn, called) {
                return step;
            }
        }
        Step::Continue
    }

    fn call_body(
        &mut self,
        direction: StreamType,
        turn: usize,
        end: bool,
    ) -> Result<Option<Action>, LocalReply> {
        self.forget_resumed(direction, turn);
        let position = self.position(direction, turn);
        let len = self.with_message(direction, |message| message.body.len() as u32);
        self.call(position, |vm, context| {
            vm.on_body(context, direction, len.unwrap_or_default(), end)
        })
    }

    /// After a callback: a reply or a pause ends this run, anything else lets it go on.
    fn settle(
        &mut self,
        direction: StreamType,
        turn: usize,
        called: Result<Option<Action>, LocalReply>,
    ) -> Option<Step> {
        self.take_events();
        let action = match called {
            Ok(action) => action,
            Err(reply) => {
                // What it had answered before it failed must not come after all.
                self.reply = None;
                return Some(Step::Reply(reply));
            }
        };
        if let Some(reply) = self.reply.take() {
            return Some(Step::Reply(reply));
        }
        let resumed = self.take_resumed(direction, self.position(direction, turn));
        if action == Some(Action::Pause) && !resumed {
            self.progress(direction).held.push(Held { turn, body: Bytes::new() });
            return Some(Step::Wait);
        }
        None
    }

    /// Keeps what the first holding filter has seen apart from what comes now.
    fn set_aside(&mut self, direction: StreamType) {
        if self.progress(direction).held.is_empty() {
            return;
        }
        let body = self.take_body(direction);
        if let Some(held) = self.progress(direction).held.last_mut() {
            held.body = body;
        }
    }

    /// When it is the turn of a filter that holds: it sees everything since it paused.
    fn rejoin(&mut self, direction: StreamType, turn: usize) {
        let held = self.progress(direction).held.pop_if(|held| held.turn == turn);
        if let Some(Held { body, .. }) = held {
            self.with_message(direction, |message| message.body.put_before(body));
        }
    }

    /// Whether the VM of a filter has died.
    fn is_dead(&self, position: usize) -> bool {
        match self.links.get(position) {
            Some(Link::Open { vm, .. }) => vm.borrow().is_dead(),
            _ => false,
        }
    }

    fn open(&mut self, position: usize) -> Result<(), LocalReply> {
        let Some(Filter { root, .. }) = self.filters.get(position) else { return Ok(()) };
        let opened = root.vms.lease_stream(&root.spec).and_then(|(vm, root)| {
            let context = vm.borrow_mut().open_stream(root, &self.exchange, position)?;
            Ok(Link::Open { vm, context })
        });
        match opened {
            Ok(link) => {
                if let Some(slot) = self.links.get_mut(position) {
                    *slot = link;
                }
                Ok(())
            }
            Err(error) => self.fail(position, &error),
        }
    }

    /// Calls into the filter's context; `None` when it has none.
    fn call<T>(
        &mut self,
        position: usize,
        callback: impl FnOnce(&mut Vm, u32) -> Result<T, VmError>,
    ) -> Result<Option<T>, LocalReply> {
        let Some(Link::Open { vm, context }) = self.links.get(position) else { return Ok(None) };
        let result = callback(&mut vm.borrow_mut(), *context);
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.fail(position, &error).map(|()| None),
        }
    }

    /// A plugin failed: says so once, replaces its VM, and applies the failure policy.
    fn fail(&mut self, position: usize, error: &VmError) -> Result<(), LocalReply> {
        let link = self.links.get_mut(position);
        // A pooled VM goes back now, which charges its plugin for what it died of.
        drop(link.map(|link| std::mem::replace(link, Link::Failed)));
        let Some(filter) = self.filters.get(position) else { return Ok(()) };
        let root = &filter.root;
        if root.vms.failed(error) {
            let exchange = self.exchange.borrow();
            let request_id = exchange.request.headers.get(b"x-request-id").unwrap_or_default();
            tracing::warn!(
                plugin = %root.vms.module().plugin,
                filter = %root.spec.name,
                route = %exchange.attributes.route_name,
                request_id = %String::from_utf8_lossy(request_id),
                %error,
                "plugin failed"
            );
        }
        match filter.on_failure {
            OnFailure::Open => Ok(()),
            OnFailure::Closed => Err(LocalReply::plugin_failed()),
        }
    }

    /// Sorts the exchange's queue: timers, resumed filters, the first reply.
    fn take_events(&mut self) {
        if !self.exchange.borrow().has_events() {
            return;
        }
        let events = self.exchange.borrow_mut().take_events();
        for (position, event) in events {
            match event {
                Event::Timer { .. } if self.timers_running >= TIMERS_MAX => {}
                Event::Timer { delay, timer } => {
                    self.timers_running += 1;
                    self.timers.push(Timer { delay, position, number: timer });
                }
                Event::Continue(direction) => {
                    if let Some(resumed) = self.resumed.get_mut(position) {
                        match direction {
                            StreamType::HttpResponse => resumed.response = true,
                            _ => resumed.request = true,
                        }
                    }
                }
                Event::Reply(reply) => {
                    self.reply.get_or_insert(reply);
                }
                Event::Close => {
                    self.reply.get_or_insert_with(closed_by_filter);
                }
            }
        }
    }

    fn take_resumed(&mut self, direction: StreamType, position: usize) -> bool {
        let Some(resumed) = self.resumed.get_mut(position) else { return false };
        match direction {
            StreamType::HttpResponse => std::mem::take(&mut resumed.response),
            _ => std::mem::take(&mut resumed.request),
        }
    }

    /// A wish to go on that came before the callback says nothing about its answer.
    fn forget_resumed(&mut self, direction: StreamType, turn: usize) {
        self.take_events();
        self.take_resumed(direction, self.position(direction, turn));
    }

    /// More held back than any of the filters allows: 413 for a request, 500 for a response.
    fn too_large(&self, direction: StreamType) -> Option<LocalReply> {
        let turn = match direction {
            StreamType::HttpResponse => self.response.held.last()?.turn,
            _ => self.request.held.last()?.turn,
        };
        let filter = self.filters.get(self.position(direction, turn))?;
        let bytes_max = filter.root.vms.module().limits.body_bytes_max;
        let exchange = self.exchange.borrow();
        Some(match direction {
            StreamType::HttpResponse => {
                let held = exchange.response.as_ref()?.body.len() as u64;
                (held > bytes_max).then(|| {
                    let status = StatusCode::INTERNAL_SERVER_ERROR;
                    LocalReply::new(status, "Internal Server Error", "response_payload_too_large")
                })?
            }
            _ => (exchange.request.body.len() as u64 > bytes_max).then(|| {
                let status = StatusCode::PAYLOAD_TOO_LARGE;
                LocalReply::new(status, "Payload Too Large", "request_payload_too_large")
            })?,
        })
    }

    /// Position in the chain of the filter whose `turn` it is.
    fn position(&self, direction: StreamType, turn: usize) -> usize {
        match direction {
            StreamType::HttpResponse => self.filters.len().saturating_sub(turn + 1),
            _ => turn,
        }
    }

    fn progress(&mut self, direction: StreamType) -> &mut Progress {
        let progress = match direction {
            StreamType::HttpResponse => &mut self.response,
            _ => &mut self.request,
        };
        debug_assert_eq!(progress.direction, direction, "only the two HTTP directions are driven");
        progress
    }

    fn with_message<T>(
        &self,
        direction: StreamType,
        act: impl FnOnce(&mut Message) -> T,
    ) -> Option<T> {
        let exchange = &mut *self.exchange.borrow_mut();
        match direction {
            StreamType::HttpResponse => exchange.response.as_mut().map(act),
            _ => Some(act(&mut exchange.request)),
        }
    }
}

/// `proxy_close_stream` before there was an answer.
fn closed_by_filter() -> LocalReply {
    LocalReply::new(StatusCode::SERVICE_UNAVAILABLE, "", "filter_closed_stream")
        .flagged(ResponseFlag::LocalReset)
}
