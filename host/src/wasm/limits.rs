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

/// CPU time of one callback.
///
/// Epochs count wall-clock time, which passes while the thread waits for a core or for the host's
/// disk; a plugin is charged for neither. Reading the thread's clock is a system call, so it is
/// first read when a callback has run for [`UNMETERED`]; short ones never pay for it.
#[derive(Debug)]
pub(super) struct CpuMeter {
    limit: Duration,
    /// The thread's CPU clock when metering began.
    since: Option<Duration>,
}

/// A callback runs this long at least before it is metered.
pub(super) const UNMETERED: Duration = Duration::from_millis(1);

impl CpuMeter {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, since: None }
    }

    /// What is left at this reading of the thread's CPU clock; `None` when nothing is.
    pub(super) fn left(&mut self, now: Duration) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        self.limit.checked_sub(now.saturating_sub(since)).filter(|left| !left.is_zero())
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// What was used, rounded up by less than two epochs.
    pub(super) fn used(&self, now: Duration) -> Duration {
        UNMETERED + self.since.map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }
}

/// What a plugin's failures may cost its worker: a quarter of its time, and this much at once.
///
/// Time, not a count: a hundred traps a second of a plugin that restarts in microseconds harm
/// nobody, while ten endless loops are a fifth of a core.
#[derive(Debug)]
pub(super) struct FailureBudget {
    spent: Duration,
    /// When `spent` was brought up to date.
    at: Option<Instant>,
}

/// Failures cost this much before the plugin is held back.
const FAILURE_BURST: Duration = Duration::from_millis(250);

/// One part of so many of the worker's time.
const FAILURE_SHARE: u32 = 4;

impl FailureBudget {
    pub(super) fn new() -> Self {
        Self { spent: Duration::ZERO, at: None }
    }

    pub(super) fn charge(&mut self, now: Instant, cost: Duration) {
        self.recover(now);
        self.spent += cost;
    }

    /// Whether the plugin may be started again.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        self.recover(now);
        self.spent < FAILURE_BURST
    }

    fn recover(&mut self, now: Instant) {
        let before = self.at.replace(now).unwrap_or(now);
        let recovered = now.saturating_duration_since(before) / FAILURE_SHARE;
        self.spent = self.spent.saturating_sub(recovered);
    }
}

/// Lines a second a VM may log; the rest is counted and reported once a second.
#[derive(Debug, Clone)]
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
