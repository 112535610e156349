//! A header map as the ABI shows it: pseudo-headers first, names lower-case, values bytes.
//!
//! Wraps hyper's own map, so a head passes from socket to socket without being copied. The
//! serialized form that filters read whole is made at most once per change and shared by the chain.

use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use weir_abi::pairs;

/// The part of a head that HTTP/2 writes as `:name` fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pseudo {
    /// Trailers.
    None,
    Request(RequestLine),
    Response(StatusCode),
}

/// Method, scheme, authority and path of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine {
    pub method: Method,
    pub scheme: HeaderValue,
    pub authority: HeaderValue,
    /// Path and query; always starts with `/`, or is `*`.
    pub path: HeaderValue,
}

/// A name or value that may not go on the wire (RFC 9110 §5.1, §5.5), or one too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidHeader;

#[derive(Debug, Clone)]
pub struct Headers {
    pseudo: Pseudo,
    map: HeaderMap,
    serialized: Option<Bytes>,
}

impl Headers {
    pub fn new(pseudo: Pseudo, map: HeaderMap) -> Self {
        Self { pseudo, map, serialized: None }
    }

    pub fn pseudo(&self) -> &Pseudo {
        &self.pseudo
    }

    /// The fields, without pseudo-headers.
    pub fn map(&self) -> &HeaderMap {
        &self.map
    }

    pub fn map_mut(&mut self) -> &mut HeaderMap {
        self.serialized = None;
        &mut self.map
    }

    pub fn into_parts(self) -> (Pseudo, HeaderMap) {
        (self.pseudo, self.map)
    }

    /// The request line; `None` on a response or on trailers.
    pub fn request_line(&self) -> Option<&RequestLine> {
        match &self.pseudo {
            Pseudo::Request(line) => Some(line),
            Pseudo::None | Pseudo::Response(_) => None,
        }
    }

    /// The status; `None` on a request or on trailers.
    pub fn status(&self) -> Option<StatusCode> {
        match &self.pseudo {
            Pseudo::Response(status) => Some(*status),
            Pseudo::None | Pseudo::Request(_) => None,
        }
    }

    /// First value of `name`, which is compared without case. `host` is `:authority`, as in Envoy.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        match self.pseudo_value(name) {
            Some(value) => Some(value),
            None => self.map.get(std::str::from_utf8(name).ok()?).map(HeaderValue::as_bytes),
        }
    }

    /// All values of `name` joined with `,`, as attributes and route matches see them.
    pub fn get_joined(&self, name: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
        if let Some(value) = self.pseudo_value(name) {
            return Some(value.into());
        }
        let mut values = self.map.get_all(std::str::from_utf8(name).ok()?).iter();
        let first = values.next()?.as_bytes();
        let mut joined: Option<Vec<u8>> = None;
        for value in values {
            let joined = joined.get_or_insert_with(|| first.to_vec());
            joined.push(b',');
            joined.extend_from_slice(value.as_bytes());
        }
        Some(joined.map_or(first.into(), Into::into))
    }

    /// Adds a line, keeping the present ones. A pseudo-header is replaced: it has one value.
    pub fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), InvalidHeader> {
        if self.set_pseudo(name, value)? {
            return Ok(());
        }
        let (name, value) = parse(name, value)?;
        self.make_room(&name, &value)?;
        self.map_mut().try_append(name, value).map_err(|_| InvalidHeader)?;
        Ok(())
    }

    /// Makes `value` the only value of `name`.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), InvalidHeader> {
        if self.set_pseudo(name, value)? {
            return Ok(());
        }
        let (name, value) = parse(name, value)?;
        self.make_room(&name, &value)?;
        self.map_mut().try_insert(name, value).map_err(|_| InvalidHeader)?;
        Ok(())
    }

    /// Removes every value of `name`. Pseudo-headers stay: a head without them has no meaning.
    pub fn remove(&mut self, name: &[u8]) {
        if let Ok(name) = HeaderName::from_bytes(name)
            && self.map.contains_key(&name)
        {
            self.map_mut().remove(name);
        }
    }

    /// Replaces the whole map. Pseudo-headers that `pairs` does not name keep their value.
    pub fn replace_all<'a>(
        &mut self,
        pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<(), InvalidHeader> {
        let mut next = Self::new(self.pseudo.clone(), HeaderMap::new());
        for (name, value) in pairs {
            next.add(name, value)?;
        }
        *self = next;
        Ok(())
    }

    /// Every line: `:authority :path :method :scheme` or `:status` first, then the fields.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let pseudo: [Option<(&[u8], &[u8])>; 4] = match &self.pseudo {
            Pseudo::None => [None; 4],
            Pseudo::Request(line) => [
                Some((b":authority", line.authority.as_bytes())),
                Some((b":path", line.path.as_bytes())),
                Some((b":method", line.method.as_str().as_bytes())),
                Some((b":scheme", line.scheme.as_bytes())),
            ],
            Pseudo::Response(status) => {
                [Some((b":status", status.as_str().as_bytes())), None, None, None]
            }
        };
        let fields =
            self.map.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
        pseudo.into_iter().flatten().chain(fields)
    }

    /// Number of lines, pseudo-headers included.
    pub fn len(&self) -> usize {
        let pseudo = match &self.pseudo {
            Pseudo::None => 0,
            Pseudo::Request(_) => 4,
            Pseudo::Response(_) => 1,
        };
        pseudo + self.map.len()
    }

    /// No line at all; only trailers can be empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all names and values, as `request.headers_bytes` counts them.
    pub fn byte_size(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The ABI's serialized form, kept until the next change.
    pub fn serialized(&mut self) -> Bytes {
        if let Some(bytes) = &self.serialized {
            return bytes.clone();
        }
        let bytes = Bytes::from(self.encode());
        self.serialized = Some(bytes.clone());
        bytes
    }

    /// The ABI's serialized form, made anew.
    pub fn encode(&self) -> Vec<u8> {
        let lines: Vec<_> = self.iter().collect();
        let mut out = Vec::with_capacity(pairs::encoded_len(lines.iter().copied()));
        pairs::encode(lines.iter().copied(), &mut out);
        out
    }

    /// Whether one more line fits. A map larger than the ABI can carry helps nobody.
    fn make_room(&self, name: &HeaderName, value: &HeaderValue) -> Result<(), InvalidHeader> {
        let bytes = self.byte_size() + name.as_str().len() + value.len();
        let fits = self.len() < pairs::PAIRS_MAX && bytes <= pairs::PAIRS_BYTES_MAX;
        if fits { Ok(()) } else { Err(InvalidHeader) }
    }

    fn pseudo_value(&self, name: &[u8]) -> Option<&[u8]> {
        match &self.pseudo {
            Pseudo::Request(line) => match name {
                b":path" => Some(line.path.as_bytes()),
                b":method" => Some(line.method.as_str().as_bytes()),
                b":authority" => Some(line.authority.as_bytes()),
                b":scheme" => Some(line.scheme.as_bytes()),
                _ if name.eq_ignore_ascii_case(b"host") => Some(line.authority.as_bytes()),
                _ => None,
            },
            Pseudo::Response(status) if name == b":status" => Some(status.as_str().as_bytes()),
            Pseudo::Response(_) | Pseudo::None => None,
        }
    }

    /// `Ok(true)` when `name` was a pseudo-header of this head and now has this value.
    fn set_pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<bool, InvalidHeader> {
        let is_host = name.eq_ignore_ascii_case(HOST.as_str().as_bytes());
        match &mut self.pseudo {
            Pseudo::Request(line) => match name {
                b":path" => line.path = path(value)?,
                b":method" => line.method = Method::from_bytes(value).map_err(|_| InvalidHeader)?,
                b":scheme" => line.scheme = field_value(value)?,
                b":authority" => line.authority = authority(value)?,
                _ if is_host => line.authority = authority(value)?,
                _ => return Ok(false),
            },
            Pseudo::Response(status) if name == b":status" => {
                let code = StatusCode::from_bytes(value).map_err(|_| InvalidHeader)?;
                // 1xx would leave the client waiting for the real answer.
                if code.is_informational() {
                    return Err(InvalidHeader);
                }
                *status = code;
            }
            Pseudo::Response(_) | Pseudo::None => return Ok(false),
        }
        self.serialized = None;
        Ok(true)
    }
}

fn parse(name: &[u8], value: &[u8]) -> Result<(HeaderName, HeaderValue), InvalidHeader> {
    Ok((HeaderName::from_bytes(name).map_err(|_| InvalidHeader)?, field_value(value)?))
}

fn field_value(value: &[u8]) -> Result<HeaderValue, InvalidHeader> {
    HeaderValue::from_bytes(value).map_err(|_| InvalidHeader)
}

/// A target the next hop reads as one path: no blank, no control byte, no fragment.
fn path(value: &[u8]) -> Result<HeaderValue, InvalidHeader> {
    let printable = value.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#');
    let rooted = value.first() == Some(&b'/') || value == b"*";
    if printable && rooted { field_value(value) } else { Err(InvalidHeader) }
}

/// A host and port the next hop reads as one authority: no blank, list, path or userinfo.
fn authority(value: &[u8]) -> Result<HeaderValue, InvalidHeader> {
    let clean = |byte: &u8| byte.is_ascii_graphic() && !b"/,@?#\\".contains(byte);
    if !value.is_empty() && value.iter().all(clean) {
        field_value(value)
    } else {
        Err(InvalidHeader)
    }
}

#[cfg(test)]
mod tests;
