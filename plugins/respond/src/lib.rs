//! `builtin:respond`: answers every request with one fixed response; upstream is not asked.

mod base64;

use std::collections::BTreeMap;

use serde::Deserialize;
use weir_sdk::{EndOfStream, Error, Exchange, Flow, Plugin, Reply, Setup};

weir_sdk::export!(Respond, [on_request_headers]);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    status: u16,
    body: Option<String>,
    /// For bodies that are not text; excludes `body`.
    body_base64: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// `text/plain` when there is a body and nothing else says so.
    content_type: Option<String>,
}

/// Bytes of the body at most, Istio's limit of a direct response.
const BODY_BYTES_MAX: usize = 1 << 20;

pub struct Respond {
    reply: Reply<'static>,
}

impl Plugin for Respond {
    type Config = Config;
    type Stream = ();

    fn new(config: Config, _: &mut Setup) -> weir_sdk::Result<Self> {
        if !(200..=599).contains(&config.status) {
            return Err(Error::new(format!("status {} is not in 200..599", config.status)));
        }
        let body = match (config.body, config.body_base64) {
            (Some(_), Some(_)) => return Err(Error::new("body and bodyBase64 exclude each other")),
            (Some(text), None) => text.into_bytes(),
            (None, Some(text)) => {
                base64::decode(&text).ok_or_else(|| Error::new("bodyBase64 is not base64"))?
            }
            (None, None) => Vec::new(),
        };
        if body.len() > BODY_BYTES_MAX {
            return Err(Error::new(format!("the body is longer than {BODY_BYTES_MAX} bytes")));
        }
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in config.headers {
            if name.starts_with(':') {
                return Err(Error::new(format!("pseudo-header {name} cannot be set")));
            }
            headers.insert(name.to_ascii_lowercase(), value);
        }
        match config.content_type {
            Some(value) => _ = headers.insert("content-type".to_owned(), value),
            None if !body.is_empty() => {
                headers.entry("content-type".to_owned()).or_insert_with(|| "text/plain".to_owned());
            }
            None => {}
        }
        let lines = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let reply = Reply::new(config.status).details("direct_response").headers(lines).body(body);
        Ok(Self { reply })
    }

    fn on_request_headers(&self, _: &mut (), exchange: &mut Exchange<'_>, _: EndOfStream) -> Flow {
        exchange.reply(&self.reply)
    }
}

#[cfg(test)]
mod tests;
