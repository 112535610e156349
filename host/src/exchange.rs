//! One request and its response as filters see them.
//!
//! An exchange is born with the canonical request, lent to every filter of the chain, and read by
//! the access log at the end. It holds bytes and facts; it does no I/O and reads no clock.

pub mod attributes;
pub mod body;
pub mod headers;
pub mod property;
pub mod reply;

use attributes::Attributes;
use body::BodyBuffer;
use headers::{Headers, Pseudo};
use http::HeaderMap;
use reply::LocalReply;
use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;
use weir_abi::{MapType, StreamType};

/// A stream's exchange: the stream's task, and the contexts of its filters inside their VMs.
///
/// One thread owns it. Nobody keeps a borrow across an `.await` or across a guest call.
pub type SharedExchange = Rc<RefCell<Exchange>>;

/// Wishes of filters that may wait to be carried out.
const EVENTS_MAX: usize = 256;

/// One direction of the exchange.
#[derive(Debug)]
pub struct Message {
    pub headers: Headers,
    /// What the current body callback may read and edit.
    pub body: BodyBuffer,
    pub trailers: Option<Headers>,
}

impl Message {
    pub fn new(headers: Headers) -> Self {
        Self { headers, body: BodyBuffer::default(), trailers: None }
    }
}

/// Something a filter asked for inside a guest call, carried out after the call returned.
#[derive(Debug)]
pub enum Event {
    /// Go on with a direction this filter had paused.
    Continue(StreamType),
    /// Answer the stream; the first one wins.
    Reply(LocalReply),
    /// End the stream without an answer.
    Close,
    /// Call back after this delay with this number.
    Timer { delay: Duration, timer: u32 },
}

/// Request, response, and what is known about both.
#[derive(Debug)]
pub struct Exchange {
    pub request: Message,
    /// `None` until there is a response.
    pub response: Option<Message>,
    pub attributes: Attributes,
    events: Vec<(usize, Event)>,
    /// One for each direction: request and response may be waited for by different tasks.
    wakers: [Option<Waker>; 2],
}

impl Exchange {
    pub fn new(request: Message, attributes: Attributes) -> Self {
        Self { request, response: None, attributes, events: Vec::new(), wakers: [None, None] }
    }

    /// Makes room for trailers that a filter adds: possible while the last body callback runs.
    pub fn create_trailers(&mut self, map: MapType) {
        let message = match map {
            MapType::HttpRequestTrailers => Some(&mut self.request),
            MapType::HttpResponseTrailers => self.response.as_mut(),
            _ => None,
        };
        if let Some(message) = message.filter(|message| message.body.is_last()) {
            message.trailers.get_or_insert_with(|| Headers::new(Pseudo::None, HeaderMap::new()));
        }
    }

    pub fn shared(self) -> SharedExchange {
        Rc::new(RefCell::new(self))
    }

    /// Queues what the filter at `position` of the chain asked for, and wakes the stream's tasks.
    ///
    /// `false` when too much is queued: no filter asks for that in good faith. A reply behind
    /// another reply is dropped, since the first wins.
    pub fn push_event(&mut self, position: usize, event: Event) -> bool {
        let is_reply = |event: &Event| matches!(event, Event::Reply(_) | Event::Close);
        if is_reply(&event) && self.events.iter().any(|(_, queued)| is_reply(queued)) {
            return true;
        }
        if self.events.len() >= EVENTS_MAX {
            return false;
        }
        self.events.push((position, event));
        self.wake();
        true
    }

    /// Has the stream's tasks look at it again.
    pub fn wake(&mut self) {
        for waker in self.wakers.iter_mut().filter_map(Option::take) {
            waker.wake();
        }
    }

    /// The queued events, oldest first, with the position of the filter that asked.
    pub fn take_events(&mut self) -> Vec<(usize, Event)> {
        std::mem::take(&mut self.events)
    }

    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Registers the task that waits for this direction; the next event wakes it.
    pub fn wake_on_event(&mut self, direction: StreamType, waker: &Waker) {
        let [request, response] = &mut self.wakers;
        let slot = if direction == StreamType::HttpResponse { response } else { request };
        match slot {
            Some(present) => present.clone_from(waker),
            empty => *empty = Some(waker.clone()),
        }
    }
}
