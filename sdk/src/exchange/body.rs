//! The buffered part of a body.

use weir_abi::BufferType;

use crate::{
    Result,
    host::{self, Host, Scope},
};

/// What the host holds of one direction's body. The host mends `content-length` after changes on
/// Weir; on Envoy remove the header before it leaves.
#[derive(Clone, Copy)]
pub struct Body<'s> {
    scope: &'s Scope,
    buffer: BufferType,
}

impl<'s> Body<'s> {
    pub(crate) const fn new(scope: &'s Scope, buffer: BufferType) -> Self {
        Self { scope, buffer }
    }

    /// At most `bytes_max` bytes from `start` on; empty past the end.
    pub fn read(&self, start: usize, bytes_max: usize) -> Result<&'s [u8]> {
        host::current().buffer(self.scope, self.buffer, start, bytes_max)
    }

    /// All that is buffered, or an error when nothing can be read in this callback.
    pub fn all(&self) -> Result<&'s [u8]> {
        // Envoy refuses start + max past u32; a body never gets near 2 GiB.
        self.read(0, i32::MAX as usize)
    }

    /// Replaces all that is buffered.
    pub fn replace(&self, with: &[u8]) -> Result<()> {
        host::current().set_buffer(self.buffer, 0, i32::MAX as usize, with)
    }

    pub fn prepend(&self, bytes: &[u8]) -> Result<()> {
        host::current().set_buffer(self.buffer, 0, 0, bytes)
    }

    pub fn append(&self, bytes: &[u8]) -> Result<()> {
        host::current().set_buffer(self.buffer, i32::MAX as usize, 0, bytes)
    }
}
