//! One stream, played through the plugin in Envoy's order.

use std::{cell::Cell, rc::Rc};

use weir_abi::{Action, BufferType, MapType};

use super::{
    LocalReply, Request, Response, Shared,
    host::{Phase, StreamState},
};
use crate::{
    Plugin,
    attribute::Attribute,
    export::{Callback, Exported},
};

/// What became of a direction of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Everything went to the next filter.
    Continue,
    /// Held by the plugin.
    Paused,
    /// The plugin answered.
    Replied,
}

/// One request and its response. Closed when dropped, if not before.
pub struct Stream<P: Plugin + Exported> {
    shared: Rc<Shared<P>>,
    id: u32,
    request: Request,
    closed: Cell<bool>,
}

impl<P: Plugin + Exported> Stream<P> {
    pub(super) fn open(shared: Rc<Shared<P>>, root: u32, request: Request) -> Self {
        let id = shared.host.open_stream(StreamState::new(&request));
        shared.dispatcher.borrow_mut().on_context_create(id, root);
        Self { shared, id, request, closed: Cell::new(false) }
    }

    /// Plays the request: headers, each body frame, trailers; stops at the first pause or reply.
    /// A body callback that pauses sees the next frame with what is buffered.
    pub fn request(&self) -> Step {
        self.enter(Phase::RequestHeaders);
        let Request { body, trailers, .. } = &self.request;
        let end = body.is_empty() && trailers.is_empty();
        let headers = |s: &Self| s.dispatch(Callback::RequestHeaders, 0, end);
        let step = self.settle(headers(self), BufferType::HttpRequestBody);
        if step != Step::Continue {
            return step;
        }
        let step = self.play_body(body, trailers.is_empty(), true);
        if step != Step::Continue || trailers.is_empty() {
            return step;
        }
        self.enter(Phase::RequestTrailers);
        let action = self.dispatch(Callback::RequestTrailers, 0, true);
        self.settle(action, BufferType::HttpRequestBody)
    }

    /// Plays upstream's response.
    pub fn respond(&self, response: &Response) -> Step {
        self.host(|state| {
            state.set_map(MapType::HttpResponseHeaders, response.headers.clone());
            state.set_map(MapType::HttpResponseTrailers, response.trailers.clone());
        });
        self.enter(Phase::ResponseHeaders);
        let Response { body, trailers, .. } = response;
        let end = body.is_empty() && trailers.is_empty();
        let action = self.dispatch(Callback::ResponseHeaders, 0, end);
        let step = self.settle(action, BufferType::HttpResponseBody);
        if step != Step::Continue {
            return step;
        }
        let step = self.play_body(body, trailers.is_empty(), false);
        if step != Step::Continue || trailers.is_empty() {
            return step;
        }
        self.enter(Phase::ResponseTrailers);
        let action = self.dispatch(Callback::ResponseTrailers, 0, true);
        self.settle(action, BufferType::HttpResponseBody)
    }

    /// Plays the plugin's own reply through its response callbacks, as Envoy does.
    pub fn respond_with_reply(&self) -> Step {
        let reply = self.reply().unwrap_or_default();
        let mut response = Response::new(reply.status);
        response.headers.extend(reply.headers);
        if !reply.body.is_empty() {
            response = response.frame(reply.body);
        }
        self.respond(&response)
    }

    /// Ends the stream: log, done, delete.
    pub fn close(&self) {
        if self.closed.replace(true) {
            return;
        }
        self.enter(Phase::Log);
        if P::CALLBACKS.contains(&Callback::Log) {
            self.shared.dispatcher.borrow_mut().on_log(self.id);
        }
        if P::CALLBACKS.contains(&Callback::Done) {
            self.shared.dispatcher.borrow_mut().on_done(self.id);
        }
        self.shared.dispatcher.borrow_mut().on_delete(self.id);
    }

    fn play_body(&self, frames: &[Vec<u8>], ends: bool, request: bool) -> Step {
        let (buffer, callback, phase) = if request {
            (BufferType::HttpRequestBody, Callback::RequestBody, Phase::RequestBody)
        } else {
            (BufferType::HttpResponseBody, Callback::ResponseBody, Phase::ResponseBody)
        };
        let mut step = Step::Continue;
        for (index, frame) in frames.iter().enumerate() {
            self.enter(phase);
            let bytes = self.host(|state| state.receive(buffer, frame));
            let end = ends && index + 1 == frames.len();
            let action = self.dispatch(callback, bytes, end);
            step = self.settle(action, buffer);
            if step == Step::Replied {
                break;
            }
        }
        step
    }

    fn settle(&self, action: Action, buffer: BufferType) -> Step {
        let resumed = self.host(|state| {
            if state.take_fresh_reply() {
                return None;
            }
            Some(state.take_resumed())
        });
        match (resumed, action) {
            (None, _) => Step::Replied,
            (Some(false), Action::Pause) => Step::Paused,
            (Some(_), _) => {
                self.host(|state| state.forward(buffer));
                Step::Continue
            }
        }
    }

    fn dispatch(&self, callback: Callback, bytes: usize, end: bool) -> Action {
        if !P::CALLBACKS.contains(&callback) {
            return Action::Continue;
        }
        let mut dispatcher = self.shared.dispatcher.borrow_mut();
        match callback {
            Callback::RequestHeaders => dispatcher.on_request_headers(self.id, end),
            Callback::RequestBody => dispatcher.on_request_body(self.id, bytes, end),
            Callback::RequestTrailers => dispatcher.on_request_trailers(self.id),
            Callback::ResponseHeaders => dispatcher.on_response_headers(self.id, end),
            Callback::ResponseBody => dispatcher.on_response_body(self.id, bytes, end),
            Callback::ResponseTrailers => dispatcher.on_response_trailers(self.id),
            Callback::Timer | Callback::Log | Callback::Done | Callback::Tick => Action::Continue,
        }
    }

    fn enter(&self, phase: Phase) {
        self.shared.host.set_current_context(self.id);
        self.host(|state| state.phase = phase);
    }

    fn host<R>(&self, look: impl FnOnce(&mut StreamState) -> R) -> R {
        self.shared.host.with_stream(self.id, look)
    }

    /// Number of the stream's context.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether the plugin has resumed the direction it paused; forgets it.
    pub fn take_resumed(&self) -> bool {
        self.host(StreamState::take_resumed)
    }

    /// The plugin's own answer, if it gave one.
    pub fn reply(&self) -> Option<LocalReply> {
        self.host(|state| state.reply.clone())
    }

    /// Values of a request header as they left the plugin.
    pub fn request_header(&self, name: &str) -> Vec<String> {
        self.host(|state| state.values(MapType::HttpRequestHeaders, name))
    }

    /// Values of a response header as they left the plugin.
    pub fn response_header(&self, name: &str) -> Vec<String> {
        self.host(|state| state.values(MapType::HttpResponseHeaders, name))
    }

    /// Body bytes that went on, of the request or of the response.
    pub fn forwarded(&self, buffer: BufferType) -> Vec<u8> {
        self.host(|state| state.forwarded(buffer))
    }

    /// What the plugin set, as text.
    pub fn property(&self, attribute: &Attribute) -> Option<String> {
        let value = self.host(|state| state.properties.get(attribute.as_wire()).cloned())?;
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    /// The cluster the plugin chose.
    pub fn cluster(&self) -> Option<String> {
        self.property(&crate::attribute::WEIR_CLUSTER)
    }

    /// Response flags the plugin added, in order.
    pub fn flags(&self) -> Vec<String> {
        self.host(|state| state.flags.clone())
    }

    /// Gives the stream a property, as the host encodes it.
    pub fn set_bytes(&self, attribute: &Attribute, value: &[u8]) {
        self.host(|state| state.properties.insert(attribute.as_wire().to_owned(), value.to_vec()));
    }

    pub fn set_text(&self, attribute: &Attribute, value: &str) {
        self.set_bytes(attribute, value.as_bytes());
    }

    pub fn set_i64(&self, attribute: &Attribute, value: i64) {
        self.set_bytes(attribute, &value.to_le_bytes());
    }

    pub fn set_bool(&self, attribute: &Attribute, value: bool) {
        self.set_bytes(attribute, &[u8::from(value)]);
    }

    pub fn set_pairs(&self, attribute: &Attribute, pairs: &[(&str, &str)]) {
        let mut encoded = Vec::new();
        let pairs = pairs.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
        weir_abi::pairs::encode(pairs, &mut encoded);
        self.set_bytes(attribute, &encoded);
    }

    /// Makes the host refuse this property, rather than not know it.
    pub fn break_property(&self, attribute: &Attribute) {
        self.host(|state| state.broken.insert(attribute.as_wire().to_owned()));
    }
}

impl<P: Plugin + Exported> Drop for Stream<P> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.close();
        }
    }
}
