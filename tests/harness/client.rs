//! A plain HTTP/1.1 client that shows what came, byte by byte when asked.

use super::PATIENCE;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// One request in the making.
#[derive(Clone)]
pub struct Request {
    address: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    pub fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let (headers, body) = (Vec::new(), Vec::new());
        Self { address, method: method.into(), path: path.into(), headers, body }
    }

    /// Adds a header line; `Host` and `Content-Length` are added unless given.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn host(self, host: &str) -> Self {
        self.header("host", host)
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Another listener of the proxy, as `Running::address` gives it.
    pub fn to(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let has = |name: &str| self.headers.iter().any(|(it, _)| it.eq_ignore_ascii_case(name));
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !has("host") {
            head += "host: test.local\r\n";
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !self.body.is_empty() && !has("content-length") && !has("transfer-encoding") {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }

    /// Sends it over a connection of its own.
    #[track_caller]
    pub fn send(self) -> Response {
        Client::connect(self.address).send(&self)
    }
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    /// Read but not yet part of a response.
    buffer: Vec<u8>,
}

impl Client {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address)
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    #[track_caller]
    pub fn send(&mut self, request: &Request) -> Response {
        self.write(&request.bytes());
        self.read_response_to(&request.method)
    }

    #[track_caller]
    pub fn get(&mut self, path: &str) -> Response {
        self.send(&Request::new(self.stream.peer_addr().unwrap(), "GET", path))
    }

    #[track_caller]
    pub fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).unwrap();
    }

    pub fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    #[track_caller]
    pub fn read_response(&mut self) -> Response {
        self.read_response_to("GET")
    }

    /// The next response, with its whole body.
    #[track_caller]
    pub fn read_response_to(&mut self, method: &str) -> Response {
        self.try_read_response(method).expect("a response")
    }

    /// `None` when the connection ends before a whole response has come.
    pub fn try_read_response(&mut self, method: &str) -> Option<Response> {
        let mut response = self.read_head()?;
        let bodiless = method == "HEAD" || matches!(response.status, 100..=199 | 204 | 304);
        response.body = if bodiless {
            Vec::new()
        } else if response.header("transfer-encoding") == Some("chunked") {
            self.read_chunks(&mut response.trailers)?
        } else if let Some(length) = response.header("content-length") {
            self.read_exactly(length.parse().unwrap())?
        } else {
            self.read_to_end()
        };
        Some(response)
    }

    /// The head of the next response; its body stays to be read.
    pub fn read_head(&mut self) -> Option<Response> {
        let end = loop {
            match self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end,
                None => self.fill()?,
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        Some(Response::parse(std::str::from_utf8(&head).unwrap()))
    }

    /// Some bytes, as they come; empty at the end.
    pub fn read_some(&mut self) -> Vec<u8> {
        if self.buffer.is_empty() {
            self.fill();
        }
        std::mem::take(&mut self.buffer)
    }

    pub fn read_exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            self.fill()?;
        }
        Some(self.buffer.drain(..count).collect())
    }

    pub fn read_to_end(&mut self) -> Vec<u8> {
        while self.fill().is_some() {}
        std::mem::take(&mut self.buffer)
    }

    /// Whether the proxy has closed, or closes before it sends anything more.
    pub fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && self.fill().is_none()
    }

    /// Says that nothing more will be sent.
    pub fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    pub fn local(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    pub fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.fill()?;
        }
    }

    fn read_chunks(&mut self, trailers: &mut Vec<(String, String)>) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(self.line()?.split(';').next()?.trim(), 16).ok()?;
            if size == 0 {
                break;
            }
            body.extend(self.read_exactly(size)?);
            self.line()?;
        }
        while let Some(line) = self.line().filter(|line| !line.is_empty()) {
            trailers.push(split_header(&line));
        }
        Some(body)
    }

    /// `None` at the end; fails the test when the proxy is silent for too long.
    fn fill(&mut self) -> Option<()> {
        let mut bytes = [0; 65536];
        match self.stream.read(&mut bytes) {
            Ok(0) => None,
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                Some(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let so_far = String::from_utf8_lossy(&self.buffer);
                panic!("nothing came for {PATIENCE:?}; so far: {so_far:?}")
            }
            Err(_reset) => None,
        }
    }
}

/// One response.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

impl Response {
    fn parse(head: &str) -> Self {
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap();
        let headers = lines.map(split_header).collect();
        let status = status.parse().unwrap();
        Self { status, headers, body: Vec::new(), trailers: Vec::new() }
    }

    /// First value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a header.
    pub fn header_all(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter().filter(|(it, _)| it == name);
        lines.map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, e.g. what an echoing origin has seen.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {} {:?}", self.status, self.text()))
    }

    /// Which echoing origin answered.
    #[track_caller]
    pub fn origin(&self) -> String {
        self.json()["origin"].as_str().expect("an echoing origin").to_owned()
    }

    #[track_caller]
    pub fn assert_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {:?}", self.headers, self.text());
        self
    }

    #[track_caller]
    pub fn assert_body(self, body: &str) -> Self {
        assert_eq!(self.text(), body);
        self
    }

    #[track_caller]
    pub fn assert_header(self, name: &str, value: &str) -> Self {
        assert_eq!(self.header(name), Some(value), "{name} in {:?}", self.headers);
        self
    }

    #[track_caller]
    pub fn assert_no_header(self, name: &str) -> Self {
        assert_eq!(self.header(name), None, "{name} in {:?}", self.headers);
        self
    }
}

fn split_header(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap();
    (name.to_ascii_lowercase(), value.trim().to_owned())
}
