//! A response the plugin makes itself.

use std::borrow::Cow;

use crate::{
    Result,
    host::{self, Host, LocalResponse},
};

/// A local response. `reply` of [`crate::Exchange`] sends it.
///
/// Made at configure time it borrows nothing and its headers are serialized once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<'a> {
    status: u16,
    body: Cow<'a, [u8]>,
    details: Cow<'a, str>,
    headers: Vec<u8>,
    grpc_status: Option<u8>,
}

impl<'a> Reply<'a> {
    /// An empty response with this status.
    pub const fn new(status: u16) -> Self {
        Self {
            status,
            body: Cow::Borrowed(&[]),
            details: Cow::Borrowed(""),
            headers: Vec::new(),
            grpc_status: None,
        }
    }

    #[must_use]
    pub fn body(self, body: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Why, for `%RESPONSE_CODE_DETAILS%`; no blanks.
    #[must_use]
    pub fn details(self, details: impl Into<Cow<'a, str>>) -> Self {
        Self { details: details.into(), ..self }
    }

    /// Replaces the additional headers. Names in lower case.
    #[must_use]
    pub fn headers<'h>(self, headers: impl Iterator<Item = (&'h str, &'h [u8])> + Clone) -> Self {
        let mut serialized = Vec::new();
        let pairs = headers.map(|(name, value)| (name.as_bytes(), value));
        weir_abi::pairs::encode(pairs, &mut serialized);
        Self { headers: serialized, ..self }
    }

    /// `grpc-status` for callers that speak gRPC.
    #[must_use]
    pub fn grpc_status(self, code: u8) -> Self {
        Self { grpc_status: Some(code), ..self }
    }

    pub(crate) fn send(&self) -> Result<()> {
        host::current().send_local_response(&LocalResponse {
            status: u32::from(self.status),
            details: self.details.as_bytes(),
            body: &self.body,
            headers: &self.headers,
            grpc_status: self.grpc_status.map_or(-1, i32::from),
        })
    }
}
