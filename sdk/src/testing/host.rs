//! The fake host's state and its answers to host calls.

mod calls;
mod state;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    time::Duration,
};

use weir_abi::{LogLevel, MetricType};

use crate::host::Scope;
pub(super) use state::{Phase, StreamState};

thread_local! {
    static CURRENT: RefCell<Rc<FakeHost>> = RefCell::new(Rc::new(FakeHost::new()));
}

/// The host that the SDK talks to on this thread.
pub(crate) fn current() -> Rc<FakeHost> {
    CURRENT.with_borrow(Rc::clone)
}

/// Runs one callback. What the fake host hands out is leaked: tests are short.
pub(crate) fn enter<R>(callback: impl FnOnce(&Scope) -> R) -> R {
    callback(&Scope::native())
}

/// A response the plugin made itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalReply {
    pub status: u16,
    pub details: String,
    pub body: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// -1 when not set.
    pub grpc_status: i32,
}

impl LocalReply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// First value of a header as text.
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name.as_bytes())?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

struct Metric {
    kind: MetricType,
    name: String,
    value: i64,
    recorded: Vec<u64>,
}

struct TimerEntry {
    context: u32,
    number: u32,
    due_ns: u64,
}

struct State {
    configuration: Vec<u8>,
    logs: Vec<(LogLevel, String)>,
    access_log: Vec<(String, Vec<u8>)>,
    metrics: Vec<Metric>,
    streams: BTreeMap<u32, StreamState>,
    next_context: u32,
    current_context: u32,
    now_ns: u64,
    draws: VecDeque<u64>,
    timers: Vec<TimerEntry>,
    next_timer: u32,
    tick_ms: u32,
    tick_due_ns: u64,
    extensions: bool,
}

/// The fake host of one [`super::Test`].
pub struct FakeHost {
    state: RefCell<State>,
    calls: Cell<usize>,
}

impl FakeHost {
    fn new() -> Self {
        let state = State {
            configuration: Vec::new(),
            logs: Vec::new(),
            access_log: Vec::new(),
            metrics: Vec::new(),
            streams: BTreeMap::new(),
            next_context: super::ROOT + 1,
            current_context: super::ROOT,
            now_ns: 0,
            draws: VecDeque::new(),
            timers: Vec::new(),
            next_timer: 1,
            tick_ms: 0,
            tick_due_ns: 0,
            extensions: true,
        };
        Self { state: RefCell::new(state), calls: Cell::new(0) }
    }

    pub(super) fn install() -> Rc<Self> {
        let host = Rc::new(Self::new());
        CURRENT.set(Rc::clone(&host));
        host
    }

    /// Whether the host knows what `weir_abi::extension` adds (it does at first). Without, it is
    /// Envoy.
    pub fn set_extensions(&self, known: bool) {
        self.state.borrow_mut().extensions = known;
    }

    /// Sets the clock, nanoseconds since the Unix epoch.
    pub fn set_now_ns(&self, now_ns: u64) {
        self.state.borrow_mut().now_ns = now_ns;
    }

    /// The next random draws, each a fraction of the range: 0.0 is the smallest. Afterwards 0.5.
    pub fn set_draws(&self, fractions: impl IntoIterator<Item = f64>) {
        let bits =
            fractions.into_iter().map(|fraction| (fraction * 18_446_744_073_709_551_615.0) as u64);
        self.state.borrow_mut().draws = bits.collect();
    }

    /// Lines logged so far, all levels.
    pub fn logs(&self) -> Vec<String> {
        self.state.borrow().logs.iter().map(|(_, line)| line.clone()).collect()
    }

    /// Lines logged at this level.
    pub fn logs_at(&self, level: LogLevel) -> Vec<String> {
        let state = self.state.borrow();
        state.logs.iter().filter(|(at, _)| *at == level).map(|(_, line)| line.clone()).collect()
    }

    /// Access-log lines so far: sink and line.
    pub fn access_log(&self) -> Vec<(String, Vec<u8>)> {
        self.state.borrow().access_log.clone()
    }

    /// Value of a counter or gauge by its full series name, `None` when it is not defined.
    pub fn metric(&self, series: &str) -> Option<i64> {
        let state = self.state.borrow();
        state.metrics.iter().find(|metric| metric.name == series).map(|metric| metric.value)
    }

    /// What a histogram has recorded, by its full series name.
    pub fn recorded(&self, series: &str) -> Vec<u64> {
        let state = self.state.borrow();
        let metric = state.metrics.iter().find(|metric| metric.name == series);
        metric.map(|metric| metric.recorded.clone()).unwrap_or_default()
    }

    /// Names of all series, in order of definition.
    pub fn series(&self) -> Vec<String> {
        self.state.borrow().metrics.iter().map(|metric| metric.name.clone()).collect()
    }

    /// Host calls since the last question.
    pub fn take_calls(&self) -> usize {
        self.calls.replace(0)
    }

    /// The tick period in force, 0 for none.
    pub fn tick_period_ms(&self) -> u32 {
        self.state.borrow().tick_ms
    }

    pub(super) fn advance(&self, by: Duration) {
        self.state.borrow_mut().now_ns += by.as_nanos() as u64;
    }

    pub(super) fn take_due_timer(&self) -> Option<(u32, u32)> {
        let mut state = self.state.borrow_mut();
        let now_ns = state.now_ns;
        let position = state.timers.iter().position(|timer| timer.due_ns <= now_ns)?;
        let timer = state.timers.remove(position);
        Some((timer.context, timer.number))
    }

    pub(super) fn take_due_tick(&self) -> bool {
        let mut state = self.state.borrow_mut();
        if state.tick_ms == 0 || state.now_ns < state.tick_due_ns {
            return false;
        }
        state.tick_due_ns = state.now_ns + u64::from(state.tick_ms) * 1_000_000;
        true
    }

    pub(super) fn set_configuration(&self, bytes: &[u8]) {
        self.state.borrow_mut().configuration = bytes.to_vec();
    }

    pub(super) fn set_current_context(&self, context: u32) {
        self.state.borrow_mut().current_context = context;
    }

    pub(super) fn open_stream(&self, stream: StreamState) -> u32 {
        let mut state = self.state.borrow_mut();
        let id = state.next_context;
        state.next_context += 1;
        state.streams.insert(id, stream);
        id
    }

    pub(super) fn with_stream<R>(&self, id: u32, look: impl FnOnce(&mut StreamState) -> R) -> R {
        let mut state = self.state.borrow_mut();
        look(state.streams.get_mut(&id).expect("streams are never removed from the fake host"))
    }
}
