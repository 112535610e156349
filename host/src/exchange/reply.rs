//! A response the proxy makes itself.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::borrow::Cow;
use weir_abi::flags::ResponseFlag;

/// Status, body and why. Headers beyond `content-type` come from plugins.
#[derive(Debug, Clone)]
pub struct LocalReply {
    pub status: StatusCode,
    /// Boxed: a reply travels as the error of many functions.
    pub headers: Box<HeaderMap>,
    pub body: Bytes,
    /// `%RESPONSE_CODE_DETAILS%`; blanks become `_` as in Envoy.
    pub details: Cow<'static, str>,
    pub flag: Option<ResponseFlag>,
}

impl LocalReply {
    /// A reply of the core. An empty body has no content type, as in Envoy.
    pub fn new(status: StatusCode, body: &'static str, details: &'static str) -> Self {
        let mut headers = Box::new(HeaderMap::new());
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
        Self {
            status,
            headers,
            body: Bytes::from_static(body.as_bytes()),
            details: Cow::Borrowed(details),
            flag: None,
        }
    }

    pub fn flagged(mut self, flag: ResponseFlag) -> Self {
        self.flag = Some(flag);
        self
    }

    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Envoy's answer to a failed plugin: 503 with no word about it for the caller.
    pub fn plugin_failed() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "", "wasm_fail_stream")
    }
}
