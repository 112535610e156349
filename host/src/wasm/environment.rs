//! What a VM gets from outside: metrics, logs, time, randomness. The seam for tests.

use super::callouts::Callouts;
use super::shared::Shared;
use super::ticks::TickSchedule;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::registry::Registry;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// One per worker thread; cloned into every VM.
#[derive(Clone)]
pub struct Environment {
    pub registry: Arc<Registry>,
    pub access_log: AccessLog,
    /// Shared data and queues of all plugins.
    pub shared: Arc<Shared>,
    /// Where plugins ask for HTTP calls.
    pub callouts: Rc<Callouts>,
    /// Where root contexts ask for `proxy_on_tick`.
    pub ticks: Rc<TickSchedule>,
    pub wall_clock: fn() -> SystemTime,
    pub monotonic_clock: fn() -> Instant,
    /// CPU time the calling thread has used, from any starting point.
    pub cpu_clock: fn() -> Duration,
    /// Fills the slice with unpredictable bytes.
    pub entropy: fn(&mut [u8]),
}
