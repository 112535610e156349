//! HTTP/1.1 messages as they came over a socket, nothing interpreted that need not be.

use std::fmt::Write as _;
use std::io::{self, BufRead};

/// Whose message it is, and for a response whether its body is only announced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Response,
    ResponseToHead,
}

/// Names and values escaped, so that any byte can be shown.
#[derive(Default)]
pub(super) struct Message {
    pub(super) start: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    trailers: Vec<(String, String)>,
    pub(super) cut_short: bool,
}

/// Fields that differ from run to run or from product to product.
const LEFT_OUT: [&str; 4] = ["date", "server", "x-envoy-upstream-service-time", "connection"];

impl Message {
    /// The next message; `None` when the connection ends before its head is whole.
    pub(super) fn read(reader: &mut impl BufRead, kind: Kind) -> Option<Self> {
        let mut message = Self { start: line(reader).ok()?, ..Self::default() };
        message.headers = fields(reader).ok()?;
        message.cut_short = message.read_body(reader, kind).is_err();
        Some(message)
    }

    fn read_body(&mut self, reader: &mut impl BufRead, kind: Kind) -> io::Result<()> {
        let status = self.start.split(' ').nth(1).unwrap_or_default();
        let bodiless = kind == Kind::Response && ["204", "304"].contains(&status);
        if bodiless || kind == Kind::ResponseToHead {
            return Ok(());
        }
        if self.header("transfer-encoding").is_some() {
            return self.read_chunks(reader);
        }
        match self.header("content-length").map(|length| length.parse::<usize>()) {
            Some(Ok(length)) => self.read_exactly(reader, length),
            Some(Err(error)) => Err(io::Error::other(error)),
            None if kind == Kind::Request => Ok(()),
            None => reader.read_to_end(&mut self.body).map(|_| ()),
        }
    }

    fn read_chunks(&mut self, reader: &mut impl BufRead) -> io::Result<()> {
        loop {
            let size = usize::from_str_radix(&line(reader)?, 16).map_err(io::Error::other)?;
            if size == 0 {
                self.trailers = fields(reader)?;
                return Ok(());
            }
            self.read_exactly(reader, size)?;
            line(reader)?;
        }
    }

    /// Keeps what came when not all comes.
    fn read_exactly(&mut self, reader: &mut impl BufRead, mut count: usize) -> io::Result<()> {
        while count > 0 {
            let some = reader.fill_buf()?;
            if some.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let taken = some.len().min(count);
            self.body.extend_from_slice(&some[..taken]);
            reader.consume(taken);
            count -= taken;
        }
        Ok(())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// The fields sorted by name, what changes from run to run left out or replaced.
    pub(super) fn write(&self, out: &mut String) {
        let mut headers: Vec<_> = self.headers.iter().collect();
        headers.sort_by_key(|(name, _)| name);
        for (name, value) in headers {
            let closes = name == "connection" && value == "close";
            if !LEFT_OUT.contains(&name.as_str()) || closes {
                let value = if is_uuid(value) { "UUID" } else { value };
                writeln!(out, "  {name}: {value}").unwrap();
            }
        }
        if !self.body.is_empty() {
            writeln!(out, "  body {} \"{}\"", self.body.len(), shortened(&self.body)).unwrap();
        }
        for (name, value) in &self.trailers {
            writeln!(out, "  trailer {name}: {value}").unwrap();
        }
        if self.cut_short {
            out.push_str("  cut short\n");
        }
    }
}

/// Long bodies by their first bytes.
fn shortened(body: &[u8]) -> String {
    const SHOWN: usize = 400;
    match body.get(..SHOWN) {
        Some(start) if body.len() > SHOWN => format!("{}…", start.escape_ascii()),
        _ => body.escape_ascii().to_string(),
    }
}

pub(super) fn is_uuid(value: &str) -> bool {
    value.len() == 36 && value.split('-').map(str::len).eq([8, 4, 4, 4, 12])
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    reader.read_until(b'\n', &mut bytes)?;
    match bytes.strip_suffix(b"\r\n") {
        Some(text) => Ok(text.escape_ascii().to_string()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn fields(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = line(reader)?;
        let Some((name, value)) = line.split_once(':') else { return Ok(fields) };
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}
