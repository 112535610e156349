//! What the host knows about a VM while guest code runs in it.

use super::callouts::CalloutAnswer;
use super::environment::Environment;
use super::limits::{CpuMeter, LogBudget, MemoryLimiter};
use super::ticks::TickChange;
use super::vm::SharedVm;
use crate::exchange::{Event, SharedExchange};
use crate::plan::plugin::Limits;
use crate::telemetry::metric::Metric;
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{Memory, TypedFunc};
use weir_abi::{AbiVersion, MetricType, Status};

/// A stream context: its exchange and its filter's position in the chain.
#[derive(Clone)]
pub(super) struct StreamState {
    pub(super) root: u32,
    pub(super) exchange: SharedExchange,
    pub(super) position: usize,
}

pub(super) enum ContextState {
    Root { name: Arc<str> },
    Stream(StreamState),
}

pub(super) struct VmState {
    pub(super) plugin: Arc<str>,
    pub(super) abi: AbiVersion,
    pub(super) environment: Environment,
    pub(super) limits: Limits,
    pub(super) memory: Option<Memory>,
    pub(super) allocate: Option<Rc<TypedFunc<u32, u32>>>,
    pub(super) limiter: MemoryLimiter,
    /// Of the callback that runs.
    pub(super) cpu: CpuMeter,
    pub(super) log_budget: LogBudget,
    /// The VM this state belongs to, for what outlives a call (ticks).
    pub(super) vm: Weak<SharedVm>,
    pub(super) contexts: FxHashMap<u32, ContextState>,
    /// The context host calls act on; `proxy_set_effective_context` changes it for one callback.
    pub(super) effective: u32,
    /// The stream of `effective`, kept at hand.
    pub(super) stream: Option<StreamState>,
    /// `proxy_on_configure` is running with these bytes.
    pub(super) configuration: Option<Bytes>,
    /// Root contexts that answered false to `proxy_on_done` and have not called `proxy_done` yet.
    pub(super) pending_done: Vec<u32>,
    /// Those that have, to be deleted when the callback that did it returns.
    pub(super) done: Vec<u32>,
    /// Root contexts that asked for ticks.
    pub(super) ticking: Vec<u32>,
    /// Root contexts that registered a queue.
    pub(super) listening: Vec<u32>,
    pub(super) metrics: MetricTable,
    /// Ticks and queues of its roots are the root VM's.
    pub(super) pooled: bool,
    pub(super) next_timer: u32,
    pub(super) next_call: u32,
    /// HTTP calls on their way.
    pub(super) calls: u32,
    /// `proxy_on_http_call_response` is running with this answer.
    pub(super) call_answer: Option<CalloutAnswer>,
    /// Reused for values on their way into the guest.
    pub(super) scratch: Vec<u8>,
    /// The last line logged at error level, to explain a refused configuration.
    pub(super) last_error: Option<String>,
}

impl VmState {
    /// Makes `context` the one host calls act on. `false` when there is no such context.
    pub(super) fn enter(&mut self, context: u32) -> bool {
        self.effective = context;
        self.stream = match self.contexts.get(&context) {
            Some(ContextState::Stream(stream)) => Some(stream.clone()),
            Some(ContextState::Root { .. }) => None,
            None => {
                self.stream = None;
                return false;
            }
        };
        true
    }

    /// The stream that host calls act on.
    pub(super) fn stream(&self) -> Result<&StreamState, Status> {
        self.stream.as_ref().ok_or(Status::BadArgument)
    }

    /// Root context behind the effective context.
    pub(super) fn root(&self) -> u32 {
        self.stream.as_ref().map_or(self.effective, |stream| stream.root)
    }

    /// Name of the filter behind the effective context: `plugin_name`, `plugin_root_id`.
    pub(super) fn filter_name(&self) -> Option<&Arc<str>> {
        match self.contexts.get(&self.root()) {
            Some(ContextState::Root { name }) => Some(name),
            _ => None,
        }
    }

    /// Queues what the current filter asked for.
    pub(super) fn push_event(&self, event: Event) -> Result<(), Status> {
        let stream = self.stream()?;
        let queued = stream.exchange.borrow_mut().push_event(stream.position, event);
        queued.then_some(()).ok_or(Status::InternalFailure)
    }

    /// Starts, changes or (`None`) stops the ticks of a root context.
    pub(super) fn set_tick(&mut self, root: u32, period: Option<Duration>) {
        if self.pooled {
            return;
        }
        self.ticking.retain(|ticking| *ticking != root);
        if period.is_some() {
            self.ticking.push(root);
        }
        self.environment.ticks.push(TickChange { vm: Weak::clone(&self.vm), root, period });
    }

    /// Has the tasks of every stream look again: this VM will not call back any more.
    pub(super) fn wake_streams(&self) {
        for context in self.contexts.values() {
            if let ContextState::Stream(stream) = context {
                // The stream that is being looked at needs no waking.
                if let Ok(mut exchange) = stream.exchange.try_borrow_mut() {
                    exchange.wake();
                }
            }
        }
    }
}

/// Metrics a VM has defined, by the numbers it knows them under.
///
/// A number carries the kind in its low two bits, as in proxy-wasm-cpp-host.
#[derive(Default)]
pub(super) struct MetricTable {
    metrics: Vec<(MetricType, Arc<Metric>)>,
    by_name: FxHashMap<Vec<u8>, u32>,
}

impl MetricTable {
    pub(super) fn len(&self) -> usize {
        self.metrics.len()
    }

    pub(super) fn by_name(&self, name: &[u8]) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub(super) fn insert(&mut self, name: Vec<u8>, kind: MetricType, metric: Arc<Metric>) -> u32 {
        let id = ((self.metrics.len() as u32) << 2) | kind.code();
        self.metrics.push((kind, metric));
        self.by_name.insert(name, id);
        id
    }

    pub(super) fn get(&self, id: u32) -> Option<(MetricType, &Metric)> {
        let (kind, metric) = self.metrics.get((id >> 2) as usize)?;
        (kind.code() == id & 3).then_some((*kind, &**metric))
    }
}
