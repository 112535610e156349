//! Access-log lines, written to a sink of the host.

use std::cell::RefCell;

use crate::Exchange;

/// A sink, e.g. `/dev/stdout`. The line's buffer is kept from one request to the next.
#[derive(Debug)]
pub struct AccessLog {
    path_bytes: usize,
    buffer: RefCell<Vec<u8>>,
}

impl AccessLog {
    pub fn new(path: &str) -> Self {
        let mut buffer = path.as_bytes().to_vec();
        buffer.push(0);
        Self { path_bytes: buffer.len(), buffer: RefCell::new(buffer) }
    }

    /// Writes what `compose` appends; it ends its line itself.
    ///
    /// Hosts that have no sinks get the line as an info log. Other refusals are dropped.
    pub fn write(&self, exchange: &Exchange<'_>, compose: impl FnOnce(&mut Vec<u8>)) {
        let Ok(mut buffer) = self.buffer.try_borrow_mut() else { return };
        buffer.truncate(self.path_bytes);
        compose(&mut buffer);
        exchange.write_access_log(&buffer);
    }
}
