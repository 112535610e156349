//! Envoy's `%COMMAND%` strings, for header values and access logs.
//!
//! A [`Format`] is compiled once, at configure time, where an unknown command is an error. Writing
//! it costs one host call a command, except that three or more request headers are read in one.
//! What the proxy-wasm ABI cannot answer (`%HOSTNAME%`, `%UPSTREAM_HOSTS_ATTEMPTED%`, …) is
//! unknown here.

mod escape;
mod parse;
mod time;

use std::cell::OnceCell;

use weir_abi::{flags::ResponseFlags, pairs::Pairs};

use crate::{
    Exchange, Result,
    attribute::{self, Attribute},
};
pub use escape::write_json_string;
use time::TimeFormat;

/// A compiled string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(Vec<u8>),
    Command { command: Command, bytes_max: Option<usize> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Command {
    /// First of these headers that is there.
    Header {
        map: Map,
        names: Vec<HeaderName>,
        query: bool,
    },
    Text(Attribute),
    /// `ip:port` without the port.
    Address(Attribute),
    /// Missing stays missing.
    Number(Attribute),
    /// Missing is 0, as in Envoy for status and sizes.
    Count(Attribute),
    Milliseconds(Attribute),
    StartTime(TimeFormat),
    ResponseFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Map {
    Request,
    Response,
    Trailers,
}

/// A header and where its value is found when the map itself cannot be read any more.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HeaderName {
    name: String,
    attribute: Attribute,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Values as they are; a missing one is nothing.
    Header,
    /// Control bytes, quotes, backslashes and bytes that are not UTF-8 as `\xNN`, so that no value
    /// can end its field or its line (Envoy writes them raw); a missing one is `-`.
    Log,
}

enum Value<'s, 'f> {
    Missing,
    Bytes(&'s [u8]),
    Number(i64),
    Time(u64, &'f TimeFormat),
    Flags(ResponseFlags),
}

/// The exchange being written about; made once for all strings of one line.
pub struct Subject<'e, 's> {
    exchange: &'e Exchange<'s>,
    /// Read at once when worth it.
    request_headers: Option<OnceCell<Option<Pairs<'s>>>>,
}

/// Individual reads from here on cost more than the whole map.
const HEADERS_WORTH_ONE_READ: usize = 3;

impl<'e, 's> Subject<'e, 's> {
    /// `request_headers`: how many request headers will be asked for, see
    /// [`Format::request_headers`].
    pub fn new(exchange: &'e Exchange<'s>, request_headers: usize) -> Self {
        let worth_it = request_headers >= HEADERS_WORTH_ONE_READ;
        Self { exchange, request_headers: worth_it.then(OnceCell::new) }
    }

    fn header(&self, map: Map, header: &HeaderName) -> Option<&'s [u8]> {
        let exchange = self.exchange;
        if let (Map::Request, Some(cell)) = (map, &self.request_headers) {
            let read =
                || exchange.request_headers().try_all().ok().filter(|all| all.size_hint().0 > 0);
            if let Some(all) = cell.get_or_init(read) {
                let mut lines = all.clone();
                return lines
                    .find(|(key, _)| *key == header.name.as_bytes())
                    .map(|(_, value)| value);
            }
        }
        let headers = match map {
            Map::Request => exchange.request_headers(),
            Map::Response => exchange.response_headers(),
            Map::Trailers => exchange.response_trailers(),
        };
        match headers.try_get(&header.name) {
            Ok(value) => value,
            Err(_) => exchange.bytes(&header.attribute),
        }
    }
}

impl Format {
    /// Compiles a string; `%%` is a percent sign.
    ///
    /// # Errors
    /// Names the command that is unknown or malformed.
    pub fn parse(text: &str) -> Result<Self> {
        parse::segments(text).map(|segments| Self { segments })
    }

    /// How many request headers this string asks for.
    pub fn request_headers(&self) -> usize {
        let names = self.segments.iter().map(|segment| match segment {
            Segment::Command {
                command: Command::Header { map: Map::Request, names, .. }, ..
            } => names.len(),
            Segment::Command { .. } | Segment::Literal(_) => 0,
        });
        names.sum()
    }

    /// The string itself when it has no commands.
    pub fn as_literal(&self) -> Option<&[u8]> {
        match self.segments.as_slice() {
            [] => Some(&[]),
            [Segment::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Appends the string with its commands replaced.
    pub fn write(&self, subject: &Subject<'_, '_>, style: Style, out: &mut Vec<u8>) {
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => out.extend_from_slice(text),
                Segment::Command { command, bytes_max } => {
                    command.value(subject).write(style, *bytes_max, out);
                }
            }
        }
    }

    /// Appends a JSON value: a single command keeps its type and is null when missing; anything
    /// else is a string, in which a missing command is `-`.
    pub fn write_json(&self, subject: &Subject<'_, '_>, out: &mut Vec<u8>) {
        if let [Segment::Command { command, bytes_max }] = self.segments.as_slice() {
            return command.value(subject).write_json(*bytes_max, out);
        }
        let mut text = Vec::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => text.extend_from_slice(literal),
                Segment::Command { command, bytes_max } => match command.value(subject) {
                    Value::Missing => text.push(b'-'),
                    value => value.write(Style::Header, *bytes_max, &mut text),
                },
            }
        }
        write_json_string(&text, out);
    }
}

impl Command {
    fn value<'s, 'f>(&'f self, subject: &Subject<'_, 's>) -> Value<'s, 'f> {
        let exchange = subject.exchange;
        match self {
            Self::Header { map, names, query } => {
                let value = names.iter().find_map(|name| subject.header(*map, name));
                bytes(if *query { value } else { value.map(without_query) })
            }
            Self::Text(attribute) => bytes(exchange.bytes(attribute)),
            Self::Address(attribute) => bytes(exchange.bytes(attribute).map(without_port)),
            Self::Number(attribute) => number(exchange.i64(attribute)),
            Self::Count(attribute) => Value::Number(exchange.i64(attribute).unwrap_or(0)),
            Self::Milliseconds(attribute) => {
                number(exchange.i64(attribute).map(|duration_ns| duration_ns / 1_000_000))
            }
            Self::StartTime(format) => match exchange.u64(&attribute::REQUEST_TIME) {
                Some(start_ns) => Value::Time(start_ns, format),
                None => Value::Time(exchange.now_ns(), format),
            },
            Self::ResponseFlags => match exchange.bytes(&attribute::WEIR_RESPONSE_FLAGS) {
                Some(letters) => Value::Bytes(letters),
                None => match exchange.u64(&attribute::RESPONSE_FLAGS) {
                    Some(bits) => Value::Flags(ResponseFlags(bits)),
                    None => Value::Missing,
                },
            },
        }
    }
}

/// Values that are empty count as missing, as Envoy's attributes of absent things are.
fn bytes<'s, 'f>(value: Option<&'s [u8]>) -> Value<'s, 'f> {
    match value {
        None | Some([]) => Value::Missing,
        Some(value) => Value::Bytes(value),
    }
}

fn number<'s, 'f>(value: Option<i64>) -> Value<'s, 'f> {
    value.map_or(Value::Missing, Value::Number)
}

fn without_query(path: &[u8]) -> &[u8] {
    path.split(|byte| *byte == b'?').next().unwrap_or(path)
}

/// The address of `ip:port` or `[ip6]:port`, without brackets.
pub fn without_port(address: &[u8]) -> &[u8] {
    let end = address.iter().rposition(|byte| *byte == b':');
    let ip = match address {
        [b'[', ..] => address.split(|byte| *byte == b']').next().unwrap_or(address),
        // An IPv6 address without brackets has no port.
        _ if address.iter().filter(|byte| **byte == b':').count() > 1 => address,
        _ => end.and_then(|end| address.get(..end)).unwrap_or(address),
    };
    ip.strip_prefix(b"[").unwrap_or(ip)
}

impl Value<'_, '_> {
    fn write(&self, style: Style, bytes_max: Option<usize>, out: &mut Vec<u8>) {
        let start = out.len();
        match self {
            Self::Missing if style == Style::Log => out.push(b'-'),
            Self::Missing => {}
            Self::Bytes(value) => {
                let value = value.get(..bytes_max.unwrap_or(usize::MAX)).unwrap_or(value);
                match style {
                    Style::Header => out.extend_from_slice(value),
                    Style::Log => escape::write_log_field(value, out),
                }
                return;
            }
            Self::Number(value) => escape::write_number(*value, out),
            Self::Time(at_ns, format) => format.write(*at_ns, out),
            Self::Flags(flags) => {
                let mut letters = String::new();
                flags.write_short(&mut letters);
                out.extend_from_slice(letters.as_bytes());
            }
        }
        if let Some(bytes_max) = bytes_max {
            out.truncate(start.saturating_add(bytes_max).min(out.len()));
        }
    }

    fn write_json(&self, bytes_max: Option<usize>, out: &mut Vec<u8>) {
        match self {
            Self::Missing => out.extend_from_slice(b"null"),
            Self::Number(value) => escape::write_number(*value, out),
            Self::Bytes(_) | Self::Time(..) | Self::Flags(_) => {
                let mut text = Vec::new();
                self.write(Style::Header, bytes_max, &mut text);
                write_json_string(&text, out);
            }
        }
    }
}

#[cfg(test)]
mod tests;
