//! `builtin:redirect`: answers every request with a redirect, its location built as Envoy does.
//!
//! Default ports (80 of http, 443 of https) are left out; the query is kept unless the new path
//! has its own.

use serde::Deserialize;
use weir_sdk::{
    EndOfStream, Error, Exchange, Flow, Plugin, Reply, Setup, attribute, path::PathRewrite,
};

weir_sdk::export!(Redirect, [on_request_headers]);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    path: Option<PathRewrite>,
    authority: Option<String>,
    scheme: Option<String>,
    port: Option<Port>,
    #[serde(default = "moved_permanently")]
    status: u16,
}

const fn moved_permanently() -> u16 {
    301
}

/// Which port the location names. Absent: the authority's own, less the old scheme's default when
/// the scheme changes.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Port {
    Number(u16),
    /// The scheme's, hence none in the text.
    ProtocolDefault,
    /// The one the request came in by.
    #[serde(rename = "requestPort")]
    Listener,
}

pub struct Redirect {
    config: Config,
}

impl Plugin for Redirect {
    type Config = Config;
    type Stream = ();

    fn new(config: Config, _: &mut Setup) -> weir_sdk::Result<Self> {
        if !matches!(config.status, 301 | 302 | 303 | 307 | 308) {
            return Err(Error::new(format!("status {} is not a redirect", config.status)));
        }
        if config.scheme.as_deref().is_some_and(|scheme| !matches!(scheme, "http" | "https")) {
            return Err(Error::new("scheme is neither http nor https"));
        }
        Ok(Self { config })
    }

    fn on_request_headers(&self, _: &mut (), exchange: &mut Exchange<'_>, _: EndOfStream) -> Flow {
        let location = self.location(exchange);
        let headers = [("location", location.as_slice())];
        let reply = Reply::new(self.config.status).details("direct_response");
        exchange.reply(&reply.headers(headers.into_iter()))
    }
}

impl Redirect {
    fn location(&self, exchange: &Exchange<'_>) -> Vec<u8> {
        let headers = exchange.request_headers();
        let old_scheme = match headers.scheme() {
            Some(b"https") => "https",
            _ => "http",
        };
        let scheme = self.config.scheme.as_deref().unwrap_or(old_scheme);
        let mut location = [scheme.as_bytes(), b"://"].concat();
        let own_authority = self.config.authority.as_deref().map(str::as_bytes);
        let authority = own_authority.or_else(|| headers.authority()).unwrap_or_default();
        let (host, port) = split_port(authority);
        location.extend_from_slice(host);
        let kept = own_authority.is_some() || scheme == old_scheme || !is_default(old_scheme, port);
        match self.config.port {
            None if kept => location.extend_from_slice(port),
            None | Some(Port::ProtocolDefault) => {}
            Some(Port::Number(port)) => write_port(scheme, port, &mut location),
            Some(Port::Listener) => {
                let port = exchange.i64(&attribute::DESTINATION_PORT);
                if let Some(port) = port.and_then(|port| u16::try_from(port).ok()) {
                    write_port(scheme, port, &mut location);
                }
            }
        }
        self.write_path(headers.path().unwrap_or(b"/"), &mut location);
        location
    }

    fn write_path(&self, original: &[u8], location: &mut Vec<u8>) {
        let question = original.iter().position(|byte| *byte == b'?').unwrap_or(original.len());
        let (path, query) = original.split_at_checked(question).unwrap_or((original, &[]));
        match self.config.path.as_ref().and_then(|rewrite| rewrite.apply(path)) {
            Some(rewritten) => {
                location.extend_from_slice(&rewritten);
                if !rewritten.contains(&b'?') {
                    location.extend_from_slice(query);
                }
            }
            None => location.extend_from_slice(original),
        }
    }
}

/// Host and port, the latter with its colon and maybe empty. Colons inside brackets are the host's.
fn split_port(authority: &[u8]) -> (&[u8], &[u8]) {
    let bracket = authority.iter().rposition(|byte| *byte == b']').unwrap_or(0);
    let colon = authority.iter().rposition(|byte| *byte == b':').filter(|colon| *colon > bracket);
    authority.split_at_checked(colon.unwrap_or(authority.len())).unwrap_or((authority, &[]))
}

fn is_default(scheme: &str, port: &[u8]) -> bool {
    matches!((scheme, port), ("http", b":80") | ("https", b":443"))
}

fn write_port(scheme: &str, port: u16, location: &mut Vec<u8>) {
    let port = format!(":{port}");
    if !is_default(scheme, port.as_bytes()) {
        location.extend_from_slice(port.as_bytes());
    }
}

#[cfg(test)]
mod tests;
