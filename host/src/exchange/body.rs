//! The body bytes a callback sees, and whether it changed them.

use bytes::{Bytes, BytesMut};

/// One frame, or everything held back since a filter paused.
#[derive(Debug, Default)]
pub struct BodyBuffer {
    frame: Bytes,
    held: Option<BytesMut>,
    edited: bool,
    last: bool,
}

impl BodyBuffer {
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    pub fn as_slice(&self) -> &[u8] {
        self.held.as_deref().unwrap_or(&self.frame)
    }

    /// Adds bytes behind those held back. A lone frame is kept without copying.
    pub fn push(&mut self, data: Bytes) {
        if self.is_empty() {
            self.held = None;
            self.frame = data;
        } else if !data.is_empty() {
            self.hold().extend_from_slice(&data);
        }
    }

    /// Puts bytes that were held back in front of those that came since.
    pub fn put_before(&mut self, front: Bytes) {
        if front.is_empty() {
            return;
        }
        let behind = self.take();
        self.frame = front;
        self.push(behind);
    }

    /// Replaces `start..start + len` by `data`; both ends are clamped to the buffer, so a start
    /// behind the end appends.
    pub fn splice(&mut self, start: usize, len: usize, data: &[u8]) {
        self.edited = true;
        let present = self.as_slice();
        let start = start.min(present.len());
        let end = start.saturating_add(len).min(present.len());
        let mut next = BytesMut::with_capacity(present.len() - (end - start) + data.len());
        next.extend_from_slice(present.get(..start).unwrap_or_default());
        next.extend_from_slice(data);
        next.extend_from_slice(present.get(end..).unwrap_or_default());
        self.frame = Bytes::new();
        self.held = Some(next);
    }

    /// Everything, leaving the buffer empty.
    pub fn take(&mut self) -> Bytes {
        match self.held.take() {
            Some(held) => held.freeze(),
            None => std::mem::take(&mut self.frame),
        }
    }

    /// Whether nothing comes after these bytes.
    pub fn is_last(&self) -> bool {
        self.last
    }

    pub fn set_last(&mut self, last: bool) {
        self.last = last;
    }

    /// Whether any filter changed any byte so far; stays set after `take`.
    pub fn is_edited(&self) -> bool {
        self.edited
    }

    fn hold(&mut self) -> &mut BytesMut {
        let frame = std::mem::take(&mut self.frame);
        // Bytes nobody else has are grown in place: a body held in many frames is copied once.
        let owned = || frame.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&*shared));
        self.held.get_or_insert_with(owned)
    }
}

#[cfg(test)]
mod tests;
