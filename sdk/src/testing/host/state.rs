//! What the fake host keeps of one stream, and Envoy's rules of access.

use std::collections::{BTreeMap, BTreeSet};

use weir_abi::{BufferType, MapType, Status};

use super::{
    super::message::{Lines, Request},
    LocalReply,
};

/// The callback being played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::testing) enum Phase {
    RequestHeaders,
    RequestBody,
    RequestTrailers,
    ResponseHeaders,
    ResponseBody,
    ResponseTrailers,
    Log,
}

/// One stream.
pub(in crate::testing) struct StreamState {
    pub phase: Phase,
    pub properties: BTreeMap<String, Vec<u8>>,
    pub broken: BTreeSet<String>,
    pub flags: Vec<String>,
    pub reply: Option<LocalReply>,
    maps: BTreeMap<u32, Lines>,
    buffers: BTreeMap<u32, Vec<u8>>,
    forwarded: BTreeMap<u32, Vec<u8>>,
    reply_is_fresh: bool,
    resumed: bool,
}

impl StreamState {
    pub(crate) fn new(request: &Request) -> Self {
        let mut state = Self {
            phase: Phase::RequestHeaders,
            properties: BTreeMap::new(),
            broken: BTreeSet::new(),
            flags: Vec::new(),
            reply: None,
            maps: BTreeMap::new(),
            buffers: BTreeMap::new(),
            forwarded: BTreeMap::new(),
            reply_is_fresh: false,
            resumed: false,
        };
        state.set_map(MapType::HttpRequestHeaders, request.headers.clone());
        state.set_map(MapType::HttpRequestTrailers, request.trailers.clone());
        state
    }

    pub(crate) fn set_map(&mut self, map: MapType, lines: Lines) {
        self.maps.insert(map.code(), lines);
    }

    pub(crate) fn values(&self, map: MapType, name: &str) -> Vec<String> {
        let lines = self.maps.get(&map.code()).into_iter().flatten();
        lines
            .filter(|(key, _)| key == name.as_bytes())
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// The map as readable now: Envoy answers `BadArgument` outside the map's own direction until
    /// the stream is logged, and keeps request trailers from the log.
    pub(crate) fn readable(&self, map: MapType) -> Result<&Lines, Status> {
        let readable = match map {
            MapType::HttpRequestHeaders => {
                self.phase <= Phase::RequestTrailers || self.phase == Phase::Log
            }
            MapType::HttpRequestTrailers => self.phase == Phase::RequestTrailers,
            MapType::HttpResponseHeaders => self.phase >= Phase::ResponseHeaders,
            MapType::HttpResponseTrailers => self.phase >= Phase::ResponseTrailers,
            _ => false,
        };
        let missing = if self.phase == Phase::Log { Status::NotFound } else { Status::BadArgument };
        match self.maps.get(&map.code()) {
            Some(lines) if readable => Ok(lines),
            _ => Err(missing),
        }
    }

    /// The map as writable now: until it has left the filter.
    pub(crate) fn writable(&mut self, map: MapType) -> Result<&mut Lines, Status> {
        let until = match map {
            MapType::HttpRequestHeaders => Phase::RequestHeaders,
            MapType::HttpRequestTrailers => Phase::RequestTrailers,
            MapType::HttpResponseHeaders => Phase::ResponseHeaders,
            MapType::HttpResponseTrailers => Phase::ResponseTrailers,
            _ => return Err(Status::BadArgument),
        };
        if self.phase != until {
            return Err(Status::BadArgument);
        }
        self.maps.get_mut(&map.code()).ok_or(Status::BadArgument)
    }

    /// Adds a frame to what is buffered; how many bytes that makes.
    pub(crate) fn receive(&mut self, buffer: BufferType, frame: &[u8]) -> usize {
        let bytes = self.buffers.entry(buffer.code()).or_default();
        bytes.extend_from_slice(frame);
        bytes.len()
    }

    /// What is buffered goes on.
    pub(crate) fn forward(&mut self, buffer: BufferType) {
        let bytes = self.buffers.remove(&buffer.code()).unwrap_or_default();
        self.forwarded.entry(buffer.code()).or_default().extend(bytes);
    }

    pub(crate) fn forwarded(&self, buffer: BufferType) -> Vec<u8> {
        self.forwarded.get(&buffer.code()).cloned().unwrap_or_default()
    }

    pub(crate) fn buffer(&mut self, buffer: BufferType) -> Option<&mut Vec<u8>> {
        self.buffers.get_mut(&buffer.code())
    }

    /// The first reply of a stream wins.
    pub(crate) fn set_reply(&mut self, reply: LocalReply) {
        if self.reply.is_none() {
            self.reply = Some(reply);
            self.reply_is_fresh = true;
        }
    }

    pub(crate) fn take_fresh_reply(&mut self) -> bool {
        std::mem::take(&mut self.reply_is_fresh)
    }

    pub(crate) fn resume(&mut self) {
        self.resumed = true;
    }

    pub(crate) fn take_resumed(&mut self) -> bool {
        std::mem::take(&mut self.resumed)
    }

    /// A property: what the test or the plugin set, else what follows from the headers.
    pub(crate) fn property(&self, path: &str) -> Result<Option<Vec<u8>>, Status> {
        if self.broken.contains(path) {
            return Err(Status::InternalFailure);
        }
        if let Some(value) = self.properties.get(path) {
            return Ok(Some(value.clone()));
        }
        let request = |name: &str| self.joined(MapType::HttpRequestHeaders, name);
        Ok(match path.split('\0').collect::<Vec<_>>().as_slice() {
            ["request", "path"] => request(":path"),
            ["request", "url_path"] => request(":path")
                .map(|path| path.split(|byte| *byte == b'?').next().unwrap_or_default().to_vec()),
            ["request", "host"] => request(":authority"),
            ["request", "method"] => request(":method"),
            ["request", "scheme"] => request(":scheme"),
            ["request", "headers", name] => request(name),
            ["response", "headers", name] => self.joined(MapType::HttpResponseHeaders, name),
            ["response", "code"] => self
                .joined(MapType::HttpResponseHeaders, ":status")
                .and_then(|status| String::from_utf8_lossy(&status).parse::<i64>().ok())
                .map(|code| code.to_le_bytes().to_vec()),
            _ => None,
        })
    }

    fn joined(&self, map: MapType, name: &str) -> Option<Vec<u8>> {
        let values = self.values(map, name);
        (!values.is_empty()).then(|| values.join(",").into_bytes())
    }
}
