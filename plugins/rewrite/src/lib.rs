//! `builtin:rewrite`: rewrites the path and the authority of the request. The query stays.
//!
//! A path that does not match the prefix or the pattern stays as it is. The path as it came is
//! kept in `x-envoy-original-path` when it changes, as Envoy does.

use std::borrow::Cow;

use serde::Deserialize;
use weir_sdk::{EndOfStream, Exchange, Flow, Plugin, Setup, path::PathRewrite};

weir_sdk::export!(Rewrite, [on_request_headers]);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    path: Option<PathRewrite>,
    authority: Option<String>,
}

pub struct Rewrite {
    config: Config,
}

impl Plugin for Rewrite {
    type Config = Config;
    type Stream = ();

    fn new(config: Config, _: &mut Setup) -> weir_sdk::Result<Self> {
        Ok(Self { config })
    }

    fn on_request_headers(&self, _: &mut (), exchange: &mut Exchange<'_>, _: EndOfStream) -> Flow {
        let headers = exchange.request_headers();
        if let Some(rewrite) = &self.config.path
            && let Some(original) = headers.path()
            && let Some(path) = rewritten(rewrite, original)
            && path != original
        {
            headers.set_or_log("x-envoy-original-path", original);
            headers.set_or_log(":path", &path);
        }
        if let Some(authority) = &self.config.authority {
            headers.set_or_log(":authority", authority.as_bytes());
        }
        Flow::Continue
    }
}

fn rewritten<'a>(rewrite: &'a PathRewrite, original: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let question = original.iter().position(|byte| *byte == b'?').unwrap_or(original.len());
    let (path, query) = original.split_at_checked(question)?;
    let path = rewrite.apply(path)?;
    Some(if query.is_empty() { path } else { Cow::Owned([&path, query].concat()) })
}

#[cfg(test)]
mod tests;
