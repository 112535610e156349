//! One instance of a module on one thread, and the callbacks into it.
//!
//! A VM that trapped is dead: its memory may be torn, so it is never entered again.

use super::VmError;
use super::callouts::CalloutAnswer;
use super::engine::ticks;
use super::environment::Environment;
use super::imports::wasi::Exit;
use super::limits::{CpuMeter, LogBudget, MemoryLimiter, UNMETERED};
use super::module::Module;
use super::state::{ContextState, MetricTable, StreamState, VmState};
use crate::exchange::SharedExchange;
use crate::exchange::headers::Headers;
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{
    Instance, Store, StoreContextMut, Trap, TypedFunc, UpdateDeadline, WasmParams, WasmResults,
};
use weir_abi::{Action, StreamType};

/// A VM and who may enter it: one call at a time, never across an `.await`.
pub type SharedVm = RefCell<Vm>;

/// A configuration of a module: one root context in each VM.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RootSpec {
    /// `plugin_name`, `plugin_root_id`. The first filter to bring this configuration names it.
    pub name: Arc<str>,
    pub config: Arc<str>,
}

/// `proxy_on_*_headers` lost its end-of-stream argument in 0.1.0.
enum HeadersCallback {
    WithoutEnd(Callback<(u32, u32), u32>),
    WithEnd(Callback<(u32, u32, u32), u32>),
}

/// Shared, because a clone of wasmtime's handle counts references of its type with atomics, and one
/// is taken for every call.
type Callback<P, R> = Rc<TypedFunc<P, R>>;

/// Root context, token, and the size of headers, body and trailers.
type Answered = (u32, u32, u32, u32, u32);

struct Callbacks {
    context_create: Option<Callback<(u32, u32), ()>>,
    vm_start: Option<Callback<(u32, u32), u32>>,
    configure: Option<Callback<(u32, u32), u32>>,
    tick: Option<Callback<u32, ()>>,
    queue_ready: Option<Callback<(u32, u32), ()>>,
    http_call_response: Option<Callback<Answered, ()>>,
    foreign_function: Option<Callback<(u32, u32, u32), ()>>,
    request_headers: Option<HeadersCallback>,
    request_body: Option<Callback<(u32, u32, u32), u32>>,
    request_trailers: Option<Callback<(u32, u32), u32>>,
    response_headers: Option<HeadersCallback>,
    response_body: Option<Callback<(u32, u32, u32), u32>>,
    response_trailers: Option<Callback<(u32, u32), u32>>,
    log: Option<Callback<u32, ()>>,
    done: Option<Callback<u32, u32>>,
    delete: Option<Callback<u32, ()>>,
}

pub struct Vm {
    store: Store<VmState>,
    callbacks: Callbacks,
    module: Arc<Module>,
    roots: FxHashMap<Arc<str>, u32>,
    next_context: u32,
    started: bool,
    dead: bool,
    /// CPU of the callback it died in.
    last_cpu: Duration,
}

/// What a plugin on a worker keeps when its VM is replaced, so that dying wins it nothing.
struct Allowance {
    log_budget: LogBudget,
    metrics: MetricTable,
}

impl Vm {
    /// Instantiates the module and runs its start functions.
    pub fn start(module: &Arc<Module>, environment: Environment) -> Result<Rc<SharedVm>, VmError> {
        let log_budget = LogBudget::new(module.limits.log_lines_per_second_max);
        let allowance = Allowance { log_budget, metrics: MetricTable::default() };
        Self::launch(module, environment, allowance)
    }

    /// A fresh VM in place of this dead one.
    pub fn restart(&mut self) -> Result<Rc<SharedVm>, VmError> {
        let state = self.store.data_mut();
        let metrics = std::mem::take(&mut state.metrics);
        let allowance = Allowance { log_budget: state.log_budget.clone(), metrics };
        Self::launch(&self.module, state.environment.clone(), allowance)
    }

    fn launch(
        module: &Arc<Module>,
        environment: Environment,
        allowance: Allowance,
    ) -> Result<Rc<SharedVm>, VmError> {
        let limits = &module.limits;
        let state = VmState {
            plugin: Arc::clone(&module.plugin),
            abi: module.abi,
            environment,
            limits: limits.clone(),
            memory: None,
            allocate: None,
            limiter: MemoryLimiter::new(limits),
            cpu: CpuMeter::new(limits.configure_cpu_max),
            log_budget: allowance.log_budget,
            vm: Weak::new(),
            contexts: FxHashMap::default(),
            effective: 0,
            stream: None,
            configuration: None,
            pending_done: Vec::new(),
            done: Vec::new(),
            ticking: Vec::new(),
            listening: Vec::new(),
            metrics: allowance.metrics,
            pooled: false,
            next_timer: 1,
            next_call: 1,
            calls: 0,
            call_answer: None,
            scratch: Vec::new(),
            last_error: None,
        };
        let mut store = Store::new(&module.engine.wasmtime, state);
        store.limiter(|state| &mut state.limiter);
        store.epoch_deadline_callback(look);
        store.set_epoch_deadline(ticks(UNMETERED));
        let instance = module.pre.instantiate(&mut store).map_err(|error| {
            if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
                let (callback, limit) = ("the start function", limits.configure_cpu_max);
                return VmError::Deadline { callback, limit };
            }
            VmError::Instantiate(format!("{error:#}"))
        })?;
        store.data_mut().memory = instance.get_memory(&mut store, "memory");
        let allocate = instance
            .get_typed_func(&mut store, "proxy_on_memory_allocate")
            .or_else(|_| instance.get_typed_func(&mut store, "malloc"));
        store.data_mut().allocate = allocate.ok().map(Rc::new);
        let callbacks = Callbacks::of(&instance, &mut store);
        let mut vm = Self {
            store,
            callbacks,
            module: Arc::clone(module),
            roots: FxHashMap::default(),
            next_context: 1,
            started: false,
            dead: false,
            last_cpu: Duration::ZERO,
        };
        vm.initialize(&instance)?;
        let vm = Rc::new(RefCell::new(vm));
        vm.borrow_mut().store.data_mut().vm = Rc::downgrade(&vm);
        Ok(vm)
    }

    pub fn module(&self) -> &Arc<Module> {
        &self.module
    }

    pub fn is_dead(&self) -> bool {
        self.dead
    }

    /// Contexts that were created and not deleted yet, roots included.
    pub fn contexts(&self) -> usize {
        self.store.data().contexts.len()
    }

    /// CPU of the callback this VM died in.
    pub(super) fn last_cpu(&self) -> Duration {
        self.last_cpu
    }

    /// Whether this VM has the root context of a configuration.
    pub(super) fn has_root(&self, spec: &RootSpec) -> bool {
        self.roots.contains_key(&spec.config)
    }

    /// Configurations whose root context asked for ticks or listens to a queue.
    pub(super) fn running_roots(&self) -> Vec<RootSpec> {
        let state = self.store.data();
        let runs = |root| state.ticking.contains(root) || state.listening.contains(root);
        let running = self.roots.iter().filter(|(_, root)| runs(root));
        let spec = |(config, root): (&Arc<str>, &u32)| match state.contexts.get(root) {
            Some(ContextState::Root { name }) => {
                Some(RootSpec { name: Arc::clone(name), config: Arc::clone(config) })
            }
            _ => None,
        };
        running.filter_map(spec).collect()
    }

    /// The root context of a configuration, created and configured when this VM first needs it.
    pub fn root(&mut self, spec: &RootSpec) -> Result<u32, VmError> {
        if let Some(root) = self.roots.get(&spec.config) {
            return Ok(*root);
        }
        let root = self.create_context(ContextState::Root { name: Arc::clone(&spec.name) });
        let cpu = self.module.limits.configure_cpu_max;
        if let Some(create) = self.callbacks.context_create.clone() {
            self.call(root, ("proxy_on_context_create", cpu), &create, (root, 0))?;
        }
        if !std::mem::replace(&mut self.started, true)
            && let Some(start) = self.callbacks.vm_start.clone()
            && self.call(root, ("proxy_on_vm_start", cpu), &start, (root, 0))? == 0
        {
            self.dead = true;
            return Err(self.refusal("proxy_on_vm_start"));
        }
        if let Some(configure) = self.callbacks.configure.clone() {
            let config = Bytes::from(spec.config.as_bytes().to_vec());
            let len = config.len() as u32;
            self.store.data_mut().configuration = Some(config);
            let accepted = self.call(root, ("proxy_on_configure", cpu), &configure, (root, len));
            self.store.data_mut().configuration = None;
            if accepted? == 0 {
                let refusal = self.refusal("proxy_on_configure");
                // The plugin has made a context of its own, which it must forget as well.
                self.delete(root)?;
                return Err(refusal);
            }
        }
        self.roots.insert(Arc::clone(&spec.config), root);
        Ok(root)
    }

    /// A stream context under `root` for the filter at `position` of the stream's chain.
    pub fn open_stream(
        &mut self,
        root: u32,
        exchange: &SharedExchange,
        position: usize,
    ) -> Result<u32, VmError> {
        if self.dead {
            return Err(VmError::Dead);
        }
        let exchange = Rc::clone(exchange);
        let stream =
            self.create_context(ContextState::Stream(StreamState { root, exchange, position }));
        if let Some(create) = self.callbacks.context_create.clone() {
            self.call_stream(stream, "proxy_on_context_create", &create, (stream, root))?;
        }
        Ok(stream)
    }

    pub fn on_headers(
        &mut self,
        stream: u32,
        direction: StreamType,
        count: u32,
        end: bool,
    ) -> Result<Action, VmError> {
        let (callback, name) = match direction {
            StreamType::HttpResponse => {
                (&self.callbacks.response_headers, "proxy_on_response_headers")
            }
            _ => (&self.callbacks.request_headers, "proxy_on_request_headers"),
        };
        let action = match callback {
            None => return Ok(Action::Continue),
            Some(HeadersCallback::WithEnd(callback)) => {
                let callback = callback.clone();
                self.call_stream(stream, name, &callback, (stream, count, u32::from(end)))?
            }
            Some(HeadersCallback::WithoutEnd(callback)) => {
                let callback = callback.clone();
                self.call_stream(stream, name, &callback, (stream, count))?
            }
        };
        Ok(Action::from_code(action))
    }

    pub fn on_body(
        &mut self,
        stream: u32,
        direction: StreamType,
        len: u32,
        end: bool,
    ) -> Result<Action, VmError> {
        let (callback, name) = match direction {
            StreamType::HttpResponse => (&self.callbacks.response_body, "proxy_on_response_body"),
            _ => (&self.callbacks.request_body, "proxy_on_request_body"),
        };
        let Some(callback) = callback.clone() else { return Ok(Action::Continue) };
        let action = self.call_stream(stream, name, &callback, (stream, len, u32::from(end)))?;
        Ok(Action::from_code(action))
    }

    pub fn on_trailers(
        &mut self,
        stream: u32,
        direction: StreamType,
        count: u32,
    ) -> Result<Action, VmError> {
        let (callback, name) = match direction {
            StreamType::HttpResponse => {
                (&self.callbacks.response_trailers, "proxy_on_response_trailers")
            }
            _ => (&self.callbacks.request_trailers, "proxy_on_request_trailers"),
        };
        let Some(callback) = callback.clone() else { return Ok(Action::Continue) };
        Ok(Action::from_code(self.call_stream(stream, name, &callback, (stream, count))?))
    }

    /// A timer set with `weir_set_timer` has come.
    pub fn on_timer(&mut self, stream: u32, timer: u32) -> Result<(), VmError> {
        let Some(callback) = self.callbacks.foreign_function.clone() else { return Ok(()) };
        self.call_stream(stream, "proxy_on_foreign_function", &callback, (stream, timer, 0))
    }

    /// Does nothing for a root context that is gone.
    pub fn on_tick(&mut self, root: u32) -> Result<(), VmError> {
        if !self.store.data().contexts.contains_key(&root) {
            return Ok(());
        }
        let Some(callback) = self.callbacks.tick.clone() else { return Ok(()) };
        self.call_stream(root, "proxy_on_tick", &callback, root)
    }

    /// A queue this root registered has got an item. Does nothing for a root that is gone.
    pub fn on_queue_ready(&mut self, root: u32, token: u32) -> Result<(), VmError> {
        if !self.store.data().contexts.contains_key(&root) {
            return Ok(());
        }
        let Some(callback) = self.callbacks.queue_ready.clone() else { return Ok(()) };
        self.call_stream(root, "proxy_on_queue_ready", &callback, (root, token))
    }

    /// The answer to an HTTP call of this root, or of a stream below it. Does nothing for a root that
    /// is gone.
    pub fn on_http_call_response(
        &mut self,
        root: u32,
        token: u32,
        answer: CalloutAnswer,
    ) -> Result<(), VmError> {
        let state = self.store.data_mut();
        state.calls = state.calls.saturating_sub(1);
        if !state.contexts.contains_key(&root) {
            return Ok(());
        }
        let Some(callback) = self.callbacks.http_call_response.clone() else { return Ok(()) };
        let lines = |headers: &Option<Headers>| headers.as_ref().map_or(0, |it| it.len() as u32);
        let (headers, trailers) = (lines(&answer.headers), lines(&answer.trailers));
        let arguments = (root, token, headers, answer.body.len() as u32, trailers);
        self.store.data_mut().call_answer = Some(answer);
        let called = self.call_stream(root, "proxy_on_http_call_response", &callback, arguments);
        self.store.data_mut().call_answer = None;
        called
    }

    pub fn on_log(&mut self, stream: u32) -> Result<(), VmError> {
        let Some(callback) = self.callbacks.log.clone() else { return Ok(()) };
        self.call_stream(stream, "proxy_on_log", &callback, stream)
    }

    /// Ends a stream context: `proxy_on_done`, whose answer means nothing here as in Envoy, then
    /// `proxy_on_delete`.
    pub fn close(&mut self, context: u32) -> Result<(), VmError> {
        if let Some(callback) = self.callbacks.done.clone() {
            self.call_stream(context, "proxy_on_done", &callback, context)?;
        }
        self.delete(context)
    }

    /// Ends a root context that no chain uses any more. One that answers false to `proxy_on_done`
    /// is deleted when it calls `proxy_done`.
    pub fn close_root(&mut self, config: &str) -> Result<(), VmError> {
        let Some(root) = self.roots.remove(config) else { return Ok(()) };
        if let Some(callback) = self.callbacks.done.clone() {
            self.store.data_mut().pending_done.push(root);
            let done = self.call_stream(root, "proxy_on_done", &callback, root)?;
            if done == 0 {
                return Ok(());
            }
            self.store.data_mut().pending_done.retain(|pending| *pending != root);
        }
        self.delete(root)
    }

    /// Ends the root contexts of configurations that are not in use any more.
    pub(super) fn close_roots_but(&mut self, used: impl Fn(&str) -> bool) -> Result<(), VmError> {
        let gone: Vec<_> = self.roots.keys().filter(|config| !used(config)).cloned().collect();
        gone.iter().try_for_each(|config| self.close_root(config))
    }

    /// Serves streams only: what its root contexts start runs on the root VM.
    pub(super) fn set_pooled(&mut self) {
        self.store.data_mut().pooled = true;
    }

    /// Once for each context: a second call finds nothing.
    fn delete(&mut self, context: u32) -> Result<(), VmError> {
        let state = self.store.data_mut();
        if !state.contexts.contains_key(&context) {
            return Ok(());
        }
        if state.ticking.contains(&context) {
            state.set_tick(context, None);
        }
        state.listening.retain(|listening| *listening != context);
        let cpu = self.module.limits.callback_cpu_max;
        let deleted = match self.callbacks.delete.clone() {
            Some(callback) => self.call(context, ("proxy_on_delete", cpu), &callback, context),
            None => Ok(()),
        };
        self.store.data_mut().contexts.remove(&context);
        deleted
    }

    /// `_initialize` then `main`, or `_start`: whichever the toolchain made.
    fn initialize(&mut self, instance: &Instance) -> Result<(), VmError> {
        let cpu = self.module.limits.configure_cpu_max;
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut self.store, "_initialize") {
            self.call(0, ("_initialize", cpu), &initialize, ())?;
            if let Ok(main) = instance.get_typed_func::<(u32, u32), u32>(&mut self.store, "main") {
                self.call(0, ("main", cpu), &main, (0, 0))?;
            }
        } else if let Ok(start) = instance.get_typed_func::<(), ()>(&mut self.store, "_start") {
            // The run-times of some languages end `_start` with an exit, and mean no harm by it.
            self.store.data_mut().cpu = CpuMeter::new(cpu);
            self.store.set_epoch_deadline(ticks(UNMETERED));
            let started = start.call(&mut self.store, ());
            if let Err(error) = started
                && error.downcast_ref::<Exit>().is_none_or(|Exit(code)| *code != 0)
            {
                return Err(self.die("_start", &error));
            }
        }
        Ok(())
    }

    fn create_context(&mut self, state: ContextState) -> u32 {
        let contexts = &mut self.store.data_mut().contexts;
        // Numbers come round after four billion streams; roots live longer than that.
        while contexts.contains_key(&self.next_context) {
            self.next_context = self.next_context.wrapping_add(1).max(1);
        }
        let context = self.next_context;
        self.next_context = context.wrapping_add(1).max(1);
        contexts.insert(context, state);
        context
    }

    fn refusal(&mut self, callback: &'static str) -> VmError {
        VmError::Refused { callback, reason: self.store.data_mut().last_error.take() }
    }

    fn call_stream<P: WasmParams, R: WasmResults>(
        &mut self,
        context: u32,
        name: &'static str,
        callback: &TypedFunc<P, R>,
        arguments: P,
    ) -> Result<R, VmError> {
        let cpu = self.module.limits.callback_cpu_max;
        let result = self.call(context, (name, cpu), callback, arguments)?;
        if !self.store.data().done.is_empty() {
            for context in std::mem::take(&mut self.store.data_mut().done) {
                self.delete(context)?;
            }
        }
        Ok(result)
    }

    /// The only way into guest code: sets who host calls act on and how long this may take.
    fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        context: u32,
        (callback, cpu): (&'static str, Duration),
        function: &TypedFunc<P, R>,
        arguments: P,
    ) -> Result<R, VmError> {
        if self.dead {
            return Err(VmError::Dead);
        }
        let state = self.store.data_mut();
        state.enter(context);
        state.cpu = CpuMeter::new(cpu);
        self.store.set_epoch_deadline(ticks(UNMETERED));
        let result = function.call(&mut self.store, arguments);
        self.store.data_mut().stream = None;
        result.map_err(|error| self.die(callback, &error))
    }

    /// The guest did not come back: what of it may be told, and nobody enters it again.
    #[cold]
    fn die(&mut self, callback: &'static str, error: &wasmtime::Error) -> VmError {
        self.dead = true;
        let state = self.store.data();
        self.last_cpu = state.cpu.used((state.environment.cpu_clock)());
        state.wake_streams();
        if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
            return VmError::Deadline { callback, limit: state.cpu.limit() };
        }
        let memory = if state.limiter.refused {
            format!(" (memory limit of {} bytes reached)", self.module.limits.memory_bytes_max)
        } else {
            String::new()
        };
        VmError::Trap { callback, message: format!("{error:#}{memory}") }
    }
}

/// Called when a callback has run long enough to be looked at.
fn look(mut context: StoreContextMut<'_, VmState>) -> wasmtime::Result<UpdateDeadline> {
    let state = context.data_mut();
    let now = (state.environment.cpu_clock)();
    Ok(match state.cpu.left(now) {
        Some(left) => UpdateDeadline::Continue(ticks(left)),
        None => UpdateDeadline::Interrupt,
    })
}

impl Callbacks {
    fn of(instance: &Instance, store: &mut Store<VmState>) -> Self {
        Self {
            context_create: typed(instance, store, "proxy_on_context_create"),
            vm_start: typed(instance, store, "proxy_on_vm_start"),
            configure: typed(instance, store, "proxy_on_configure"),
            tick: typed(instance, store, "proxy_on_tick"),
            queue_ready: typed(instance, store, "proxy_on_queue_ready"),
            http_call_response: typed(instance, store, "proxy_on_http_call_response"),
            foreign_function: typed(instance, store, "proxy_on_foreign_function"),
            request_headers: headers(instance, store, "proxy_on_request_headers"),
            request_body: typed(instance, store, "proxy_on_request_body"),
            request_trailers: typed(instance, store, "proxy_on_request_trailers"),
            response_headers: headers(instance, store, "proxy_on_response_headers"),
            response_body: typed(instance, store, "proxy_on_response_body"),
            response_trailers: typed(instance, store, "proxy_on_response_trailers"),
            log: typed(instance, store, "proxy_on_log"),
            done: typed(instance, store, "proxy_on_done"),
            delete: typed(instance, store, "proxy_on_delete"),
        }
    }
}

fn typed<P: WasmParams, R: WasmResults>(
    instance: &Instance,
    store: &mut Store<VmState>,
    name: &str,
) -> Option<Callback<P, R>> {
    instance.get_typed_func(store, name).ok().map(Rc::new)
}

fn headers(instance: &Instance, store: &mut Store<VmState>, name: &str) -> Option<HeadersCallback> {
    typed(instance, store, name)
        .map(HeadersCallback::WithEnd)
        .or_else(|| typed(instance, store, name).map(HeadersCallback::WithoutEnd))
}
