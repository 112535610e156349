//! `builtin:headers`: sets, adds and removes headers of the request and of the response.
//!
//! The schema, the order of operations and the `%COMMAND%` values are `weir_sdk::headers`.

use weir_sdk::{EndOfStream, Exchange, Flow, Plugin, Setup, headers::Headers};

weir_sdk::export!(HeaderOperations, [on_request_headers, on_response_headers]);

pub struct HeaderOperations {
    headers: Headers,
}

impl Plugin for HeaderOperations {
    type Config = Headers;
    type Stream = ();

    fn new(headers: Headers, _: &mut Setup) -> weir_sdk::Result<Self> {
        Ok(Self { headers })
    }

    fn on_request_headers(&self, _: &mut (), exchange: &mut Exchange<'_>, _: EndOfStream) -> Flow {
        self.headers.apply_to_request(exchange);
        Flow::Continue
    }

    fn on_response_headers(&self, _: &mut (), exchange: &mut Exchange<'_>, _: EndOfStream) -> Flow {
        self.headers.apply_to_response(exchange);
        Flow::Continue
    }
}

#[cfg(test)]
mod tests;
