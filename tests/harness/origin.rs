//! An origin on its own threads: records what it is sent, answers what the test scripts.

use super::PATIENCE;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// A request as the origin saw it.
#[derive(Debug, Clone, Default)]
pub struct Received {
    pub method: String,
    pub target: String,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Which connection to this origin it came over, from 0.
    pub connection: usize,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    pub fn header_all(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter().filter(|(it, _)| it == name);
        lines.map(|(_, value)| value.as_str()).collect()
    }
}

/// What an origin does with a request.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// `content-length` is added unless framing is given here.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub delay: Duration,
    /// Close after the answer, saying so or not.
    pub close: bool,
    /// Written instead of all of the above.
    pub raw: Option<Vec<u8>>,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let (headers, delay) = (Vec::new(), Duration::ZERO);
        Self { status, headers, body: body.into(), delay, close: false, raw: None }
    }

    /// The request as JSON.
    pub fn echo(name: &str, request: &Received) -> Self {
        let mut headers = serde_json::Map::new();
        for (name, _) in &request.headers {
            headers.insert(name.clone(), request.header_all(name).join(",").into());
        }
        let body = serde_json::json!({
            "origin": name,
            "method": request.method,
            "path": request.target,
            "headers": headers,
            "body": String::from_utf8_lossy(&request.body),
        });
        Self::new(200, body.to_string()).header("content-type", "application/json")
    }

    /// These bytes and nothing else.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { raw: Some(bytes.into()), ..Self::new(200, "") }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub fn close(mut self) -> Self {
        self.close = true;
        self
    }

    fn bytes(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let has = |name: &str| self.headers.iter().any(|(it, _)| it.eq_ignore_ascii_case(name));
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let bodiless = matches!(self.status, 204 | 304);
        if !bodiless && !has("content-length") && !has("transfer-encoding") {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

type Serve = dyn Fn(TcpStream, usize) + Send + Sync;

/// A listening socket; its threads end when it is dropped and its connections are closed.
pub struct Origin {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
    received: Arc<Log>,
}

#[derive(Default)]
#[expect(clippy::disallowed_types, reason = "a test's record, written by many threads")]
struct Log(std::sync::Mutex<Vec<Received>>);

impl Log {
    fn with<T>(&self, act: impl FnOnce(&mut Vec<Received>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Origin {
    pub fn scripted(script: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        let received = Arc::new(Log::default());
        let log = Arc::clone(&received);
        Self::listen(received, move |stream, connection| {
            // The proxy may go away in the middle of anything.
            let _ = serve(stream, connection, &log, &script);
        })
    }

    pub fn raw(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::listen(Arc::default(), move |stream, _| serve(stream))
    }

    fn listen(
        received: Arc<Log>,
        serve: impl Fn(TcpStream, usize) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let origin = Self { address, connections, stopped, received };
        let (count, stopped) = (Arc::clone(&origin.connections), Arc::clone(&origin.stopped));
        let serve: Arc<Serve> = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                if stopped.load(SeqCst) {
                    return;
                }
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_nodelay(true).unwrap();
                let connection = count.fetch_add(1, SeqCst);
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream, connection));
            }
        });
        origin
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Everything received so far.
    pub fn requests(&self) -> Vec<Received> {
        self.received.with(|requests| requests.clone())
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stopped.store(true, SeqCst);
        // Wakes the accepting thread, which then closes the port.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    stream: TcpStream,
    connection: usize,
    log: &Log,
    script: &dyn Fn(&Received) -> Answer,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while let Some(request) = read_request(&mut reader, connection)? {
        log.with(|requests| requests.push(request.clone()));
        let answer = script(&request);
        if !answer.delay.is_zero() {
            std::thread::sleep(answer.delay);
        }
        let mut bytes = answer.bytes();
        if request.method == "HEAD" && answer.raw.is_none() {
            bytes.truncate(bytes.len() - answer.body.len());
        }
        writer.write_all(&bytes)?;
        if answer.close {
            return Ok(());
        }
    }
    Ok(())
}

/// `None` when the connection ends between requests.
pub fn read_request(
    reader: &mut impl BufRead,
    connection: usize,
) -> std::io::Result<Option<Received>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let method = words.next().unwrap_or_default();
    let target = words.next().unwrap_or_default();
    let mut request = Received { method, target, connection, ..Received::default() };
    loop {
        let line = read_line(reader)?;
        let Some((name, value)) = line.split_once(':') else { break };
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if request.header("transfer-encoding").is_some() {
        loop {
            let size = read_line(reader)?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(std::io::Error::other)?;
            let mut chunk = vec![0; size];
            reader.read_exact(&mut chunk)?;
            request.body.append(&mut chunk);
            // After the last chunk these are the trailers, up to the empty line.
            while !read_line(reader)?.is_empty() {}
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = request.header("content-length") {
        request.body = vec![0; length.parse().map_err(std::io::Error::other)?];
        reader.read_exact(&mut request.body)?;
    }
    Ok(Some(request))
}

fn read_line(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
