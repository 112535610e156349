//! Requests and responses as a test writes them.

/// Lines of a header map.
pub(super) type Lines = Vec<(Vec<u8>, Vec<u8>)>;

fn line(name: &str, value: impl AsRef<[u8]>) -> (Vec<u8>, Vec<u8>) {
    (name.to_ascii_lowercase().into_bytes(), value.as_ref().to_vec())
}

/// A request from downstream.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub headers: Lines,
    pub body: Vec<Vec<u8>>,
    pub trailers: Lines,
}

impl Request {
    /// A `GET` of `path` at `http://example.com`.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A request of any method at `http://example.com`.
    pub fn new(method: &str, path: &str) -> Self {
        let headers = vec![
            line(":method", method),
            line(":path", path),
            line(":authority", "example.com"),
            line(":scheme", "http"),
        ];
        Self { headers, ..Self::default() }
    }

    /// Adds a line; replaces a pseudo-header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if name.starts_with(':') {
            self.headers.retain(|(key, _)| key != name.as_bytes());
        }
        self.headers.push(line(name, value));
        self
    }

    /// Adds a body frame.
    #[must_use]
    pub fn frame(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.body.push(bytes.as_ref().to_vec());
        self
    }

    #[must_use]
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.trailers.push(line(name, value));
        self
    }
}

/// A response from upstream.
#[derive(Debug, Clone, Default)]
pub struct Response {
    pub headers: Lines,
    pub body: Vec<Vec<u8>>,
    pub trailers: Lines,
}

impl Response {
    pub fn new(status: u16) -> Self {
        Self { headers: vec![line(":status", status.to_string())], ..Self::default() }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(line(name, value));
        self
    }

    #[must_use]
    pub fn frame(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.body.push(bytes.as_ref().to_vec());
        self
    }

    #[must_use]
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.trailers.push(line(name, value));
        self
    }
}
