//! One request and its response, as a callback sees them.
//!
//! Every getter borrows from the callback (`'s`), costs one host call and allocates nothing.
//! Getters that return an `Option` answer `None` both for "not there" and for a host that refuses;
//! those that return a `Result` keep the two apart, for policies that must fail closed.

mod body;
mod map;

pub use body::Body;
pub use map::HeaderMap;

use std::time::Duration;

use weir_abi::{BufferType, MapType, StreamType, extension, pairs::Pairs};

use crate::{
    Error, Flow, Percentage, Reply, Result, Timer,
    attribute::{self, Attribute},
    host::{self, Host, Scope},
    sample, timer,
};

/// One request and its response during one callback.
pub struct Exchange<'s> {
    scope: &'s Scope,
    context: u32,
    root: u32,
}

impl<'s> Exchange<'s> {
    pub(crate) const fn new(scope: &'s Scope, context: u32, root: u32) -> Self {
        Self { scope, context, root }
    }

    /// Number of this stream within its plugin instance; numbers are reused by other instances.
    pub const fn context_id(&self) -> u32 {
        self.context
    }

    pub const fn request_headers(&self) -> HeaderMap<'s> {
        HeaderMap::new(self.scope, MapType::HttpRequestHeaders)
    }

    pub const fn request_trailers(&self) -> HeaderMap<'s> {
        HeaderMap::new(self.scope, MapType::HttpRequestTrailers)
    }

    pub const fn response_headers(&self) -> HeaderMap<'s> {
        HeaderMap::new(self.scope, MapType::HttpResponseHeaders)
    }

    pub const fn response_trailers(&self) -> HeaderMap<'s> {
        HeaderMap::new(self.scope, MapType::HttpResponseTrailers)
    }

    /// What is buffered of the request body; during `on_request_body`.
    pub const fn request_body(&self) -> Body<'s> {
        Body::new(self.scope, BufferType::HttpRequestBody)
    }

    /// What is buffered of the response body; during `on_response_body`.
    pub const fn response_body(&self) -> Body<'s> {
        Body::new(self.scope, BufferType::HttpResponseBody)
    }

    /// An attribute as the host encodes it. `Ok(None)` when it has no value; an error when the
    /// host refuses, which a security policy must not take for "no value".
    pub fn attribute(&self, attribute: &Attribute) -> Result<Option<&'s [u8]>> {
        host::current().property(self.scope, attribute.as_wire())
    }

    /// A bytes attribute.
    pub fn bytes(&self, attribute: &Attribute) -> Option<&'s [u8]> {
        self.attribute(attribute).ok().flatten()
    }

    /// A string attribute; `None` too when it is not UTF-8.
    pub fn text(&self, attribute: &Attribute) -> Option<&'s str> {
        std::str::from_utf8(self.bytes(attribute)?).ok()
    }

    /// An integer attribute, or a timestamp in nanoseconds since the Unix epoch.
    pub fn i64(&self, attribute: &Attribute) -> Option<i64> {
        Some(i64::from_le_bytes(self.bytes(attribute)?.try_into().ok()?))
    }

    /// An unsigned integer attribute. Negative numbers read as their two's complement.
    pub fn u64(&self, attribute: &Attribute) -> Option<u64> {
        Some(self.i64(attribute)?.cast_unsigned())
    }

    /// A boolean attribute.
    pub fn bool(&self, attribute: &Attribute) -> Option<bool> {
        match self.bytes(attribute)? {
            [byte] => Some(*byte != 0),
            _ => None,
        }
    }

    /// A duration attribute; a negative one is zero.
    pub fn duration(&self, attribute: &Attribute) -> Option<Duration> {
        Some(Duration::from_nanos(u64::try_from(self.i64(attribute)?).unwrap_or(0)))
    }

    /// A map attribute, or a list, whose items are the keys.
    pub fn pairs(&self, attribute: &Attribute) -> Option<Pairs<'s>> {
        weir_abi::pairs::decode(self.bytes(attribute)?).ok()
    }

    /// Sets a custom property of one segment, or one of `weir_abi::extension`.
    pub fn set_property(&self, attribute: &Attribute, value: &[u8]) -> Result<()> {
        host::current().set_property(attribute.as_wire(), value)
    }

    /// Sends this request to the cluster of this name. Until the request headers have left the
    /// chain. Hosts other than Weir keep it as a property without effect.
    pub fn select_cluster(&self, name: &str) -> Result<()> {
        self.set_property(&attribute::WEIR_CLUSTER, name.as_bytes())
    }

    /// Adds a response flag in Envoy's letters, e.g. `FI`, to access logs and metrics. Refusals are
    /// ignored: flags are telemetry.
    pub fn add_response_flag(&self, letters: &str) {
        _ = self.set_property(&attribute::WEIR_RESPONSE_FLAG, letters.as_bytes());
    }

    /// Answers the stream here: upstream is not asked, or its response is replaced.
    ///
    /// A host that refuses is logged and the stream stays paused, so that a denial never turns
    /// into a pass.
    pub fn reply(&self, reply: &Reply<'_>) -> Flow {
        match reply.send() {
            Ok(()) => Flow::Replied,
            Err(error) => {
                crate::error!("local reply refused, stream held: {error}");
                Flow::Pause
            }
        }
    }

    /// Continues a request that a callback paused.
    pub fn resume_request(&self) -> Result<()> {
        host::current().continue_stream(StreamType::HttpRequest)
    }

    /// Continues a response that a callback paused.
    pub fn resume_response(&self) -> Result<()> {
        host::current().continue_stream(StreamType::HttpResponse)
    }

    /// Calls `on_timer` of this stream once, `delay` from now, accurate to 5 ms.
    ///
    /// # Errors
    /// When the host neither knows `weir_set_timer` nor lets a tick be set.
    pub fn set_timer(&self, delay: Duration) -> Result<Timer> {
        timer::set(self.scope, self.context, self.root, delay)
    }

    /// True for this share of the calls, each drawn independently.
    pub fn sample(&self, percentage: Percentage) -> bool {
        match percentage.millionths() {
            0 => false,
            1_000_000.. => true,
            _ => percentage.includes(host::current().random()),
        }
    }

    /// A number drawn uniformly from `0..bound`; 0 when `bound` is 0.
    pub fn draw_below(&self, bound: u64) -> u64 {
        sample::below(host::current().random(), bound)
    }

    /// Nanoseconds since the Unix epoch.
    pub fn now_ns(&self) -> u64 {
        host::current().now_ns()
    }

    /// Calls a function that only some hosts have.
    ///
    /// # Errors
    /// `NotFound` where the host does not know the name.
    pub fn call_foreign_function(&self, name: &str, argument: &[u8]) -> Result<&'s [u8]> {
        host::current().call_foreign_function(self.scope, name, argument)
    }

    /// Appends one line to an access log; `argument` is sink path, NUL, line with its newline.
    /// Hosts without access-log sinks get the line as an info log.
    pub(crate) fn write_access_log(&self, argument: &[u8]) {
        let written = self.call_foreign_function(extension::WRITE_ACCESS_LOG, argument);
        if written.as_ref().is_err_and(Error::is_not_found) {
            let line = argument.splitn(2, |byte| *byte == 0).nth(1).unwrap_or_default();
            host::current().log(weir_abi::LogLevel::Info, line.trim_ascii_end());
        }
    }
}
