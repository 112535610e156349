//! Enforces `plan::plugin::Limits` inside one VM.

use crate::plan::plugin::Limits;
use std::time::{Duration, Instant};
use wasmtime::ResourceLimiter;

/// Linear memory and tables of one VM.
#[derive(Debug)]
pub(super) struct MemoryLimiter {
    bytes_max: usize,
    /// Set when a growth was refused, so that a following trap can be explained.
    pub(super) refused: bool,
}

impl MemoryLimiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            bytes_max: usize::try_from(limits.memory_bytes_max).unwrap_or(usize::MAX),
            refused: false,
        }
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.bytes_max;
        self.refused |= !granted;
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= 10_000)
    }
}

/// Lines a second a VM may log; the rest is counted and reported once a second.
#[derive(Debug)]
pub(super) struct LogBudget {
    per_second: u32,
    window: Option<Instant>,
    used: u32,
}

impl LogBudget {
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second, window: None, used: 0 }
    }

    /// Whether one more line fits; `suppressed` tells how many did not in the window that ended.
    pub(super) fn take(&mut self, now: Instant) -> LogGrant {
        let mut suppressed = 0;
        if self.window.is_none_or(|start| now.duration_since(start) >= Duration::from_secs(1)) {
            suppressed = self.used.saturating_sub(self.per_second);
            self.window = Some(now);
            self.used = 0;
        }
        self.used = self.used.saturating_add(1);
        LogGrant { write: self.used <= self.per_second, suppressed }
    }
}

pub(super) struct LogGrant {
    pub(super) write: bool,
    pub(super) suppressed: u32,
}
