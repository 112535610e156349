//! Placement inside the fixed arena that receives what the host hands out.
//!
//! Pure arithmetic, so that it is tested natively; `wasm.rs` owns the memory.

/// Alignment of every placement: enough for any primitive the ABI passes.
pub(crate) const ALIGN: usize = 8;

/// Next free byte of an arena of `capacity` bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bump {
    used: usize,
    capacity: usize,
}

impl Bump {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { used: 0, capacity }
    }

    /// Offset of `bytes` fresh bytes, `None` when they do not fit: the caller uses the heap.
    pub(crate) fn reserve(&mut self, bytes: usize) -> Option<usize> {
        let start = self.used;
        let rounded = bytes.checked_next_multiple_of(ALIGN)?;
        let end = start.checked_add(rounded)?;
        if end > self.capacity {
            return None;
        }
        self.used = end;
        Some(start)
    }

    /// Forgets every placement.
    pub(crate) fn reset(&mut self) {
        self.used = 0;
    }
}

#[cfg(test)]
mod tests;
