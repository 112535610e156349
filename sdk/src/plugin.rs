//! The trait a plugin implements, and what its callbacks receive and return.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::{
    Exchange, Result, Timer,
    metric::{Counter, Gauge, Histogram},
};

/// A filter of HTTP streams, configured once and shared by all its streams.
///
/// One instance of a module holds any number of configurations (root contexts) and any number of
/// streams, interleaved; the SDK finds the right ones. Every callback has a default that lets the
/// stream pass.
pub trait Plugin: Sized + 'static {
    /// Parsed from the plugin's JSON configuration; no configuration is `{}`. Use
    /// `#[serde(deny_unknown_fields)]`: a typo is then an error with its path.
    type Config: DeserializeOwned;

    /// What one stream remembers between callbacks.
    type Stream: Default + 'static;

    /// Makes the plugin of one configuration; an error is logged and refuses the configuration.
    fn new(config: Self::Config, setup: &mut Setup) -> Result<Self>;

    fn on_request_headers(
        &self,
        _stream: &mut Self::Stream,
        _exchange: &mut Exchange<'_>,
        _end: EndOfStream,
    ) -> Flow {
        Flow::Continue
    }

    fn on_request_body(
        &self,
        _stream: &mut Self::Stream,
        _exchange: &mut Exchange<'_>,
        _frame: Frame,
    ) -> Flow {
        Flow::Continue
    }

    fn on_request_trailers(
        &self,
        _stream: &mut Self::Stream,
        _exchange: &mut Exchange<'_>,
    ) -> Flow {
        Flow::Continue
    }

    fn on_response_headers(
        &self,
        _stream: &mut Self::Stream,
        _exchange: &mut Exchange<'_>,
        _end: EndOfStream,
    ) -> Flow {
        Flow::Continue
    }

    fn on_response_body(
        &self,
        _stream: &mut Self::Stream,
        _exchange: &mut Exchange<'_>,
        _frame: Frame,
    ) -> Flow {
        Flow::Continue
    }

    fn on_response_trailers(
        &self,
        _stream: &mut Self::Stream,
        _exchange: &mut Exchange<'_>,
    ) -> Flow {
        Flow::Continue
    }

    /// A timer of this stream fired. Continue a paused stream with `resume_request`.
    fn on_timer(&self, _stream: &mut Self::Stream, _exchange: &mut Exchange<'_>, _timer: Timer) {}

    /// The stream is complete and everything about it is known. Comes before `on_done`.
    fn on_log(&self, _stream: &mut Self::Stream, _exchange: &mut Exchange<'_>) {}

    /// The stream is about to be forgotten.
    fn on_done(&self, _stream: &mut Self::Stream, _exchange: &mut Exchange<'_>) {}

    /// The period given to `Setup::tick_every` has passed.
    fn on_tick(&self) {}
}

/// What a plugin may ask for while it is configured.
pub struct Setup {
    pub(crate) tick: Option<Duration>,
}

impl Setup {
    pub(crate) const fn new() -> Self {
        Self { tick: None }
    }

    /// A counter without labels.
    pub fn counter(&self, name: &str) -> Result<Counter> {
        Counter::define(name, &[])
    }

    /// A gauge without labels.
    pub fn gauge(&self, name: &str) -> Result<Gauge> {
        Gauge::define(name, &[])
    }

    /// A histogram without labels.
    pub fn histogram(&self, name: &str) -> Result<Histogram> {
        Histogram::define(name, &[])
    }

    /// Calls `on_tick` this often, whole milliseconds, at least one.
    pub fn tick_every(&mut self, period: Duration) {
        self.tick = Some(period);
    }
}

/// What happens to the stream after a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// On to the next filter.
    Continue,
    /// Hold this direction until it is resumed. In a body callback: until the next frame comes.
    Pause,
    /// A local response is on its way.
    Replied,
}

/// Whether more follows in this direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndOfStream {
    /// This was the last of it.
    Yes,
    /// A body or trailers follow; the body may turn out empty.
    No,
}

impl From<bool> for EndOfStream {
    fn from(end: bool) -> Self {
        if end { Self::Yes } else { Self::No }
    }
}

/// What a body callback tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Bytes buffered so far, all frames since the last `Continue` together.
    pub bytes: usize,
    pub end: EndOfStream,
}
