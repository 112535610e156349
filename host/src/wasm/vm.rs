//! One instance of a module on one thread, and the callbacks into it.
//!
//! A VM that trapped is dead: its memory may be torn, so it is never entered again.

use super::VmError;
use super::engine::deadline_ticks;
use super::environment::Environment;
use super::limits::{LogBudget, MemoryLimiter};
use super::module::Module;
use super::state::{ContextState, MetricTable, StreamState, VmState};
use crate::exchange::SharedExchange;
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{Instance, Store, Trap, TypedFunc, WasmParams, WasmResults};
use weir_abi::{Action, StreamType};

/// A VM and who may enter it: one call at a time, never across an `.await`.
pub type SharedVm = RefCell<Vm>;

/// A configuration of a module: one root context in each VM.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RootSpec {
    /// `plugin_name`, `plugin_root_id`. The first filter to bring this configuration names it.
    pub name: Arc<str>,
    pub config: Arc<str>,
}

/// `proxy_on_*_headers` lost its end-of-stream argument in 0.1.0.
enum HeadersCallback {
    WithoutEnd(TypedFunc<(u32, u32), u32>),
    WithEnd(TypedFunc<(u32, u32, u32), u32>),
}

struct Callbacks {
    context_create: Option<TypedFunc<(u32, u32), ()>>,
    vm_start: Option<TypedFunc<(u32, u32), u32>>,
    configure: Option<TypedFunc<(u32, u32), u32>>,
    tick: Option<TypedFunc<u32, ()>>,
    queue_ready: Option<TypedFunc<(u32, u32), ()>>,
    foreign_function: Option<TypedFunc<(u32, u32, u32), ()>>,
    request_headers: Option<HeadersCallback>,
    request_body: Option<TypedFunc<(u32, u32, u32), u32>>,
    request_trailers: Option<TypedFunc<(u32, u32), u32>>,
    response_headers: Option<HeadersCallback>,
    response_body: Option<TypedFunc<(u32, u32, u32), u32>>,
    response_trailers: Option<TypedFunc<(u32, u32), u32>>,
    log: Option<TypedFunc<u32, ()>>,
    done: Option<TypedFunc<u32, u32>>,
    delete: Option<TypedFunc<u32, ()>>,
}

pub struct Vm {
    store: Store<VmState>,
    callbacks: Callbacks,
    module: Arc<Module>,
    roots: FxHashMap<Arc<str>, u32>,
    next_context: u32,
    started: bool,
    dead: bool,
}

impl Vm {
    /// Instantiates the module and runs its start functions.
    pub fn start(module: &Arc<Module>, environment: Environment) -> Result<Rc<SharedVm>, VmError> {
        let limits = &module.limits;
        let state = VmState {
            plugin: Arc::clone(&module.plugin),
            abi: module.abi,
            environment,
            limits: limits.clone(),
            memory: None,
            allocate: None,
            limiter: MemoryLimiter::new(limits),
            log_budget: LogBudget::new(limits.log_lines_per_second_max),
            vm: Weak::new(),
            contexts: FxHashMap::default(),
            effective: 0,
            stream: None,
            configuration: None,
            done: Vec::new(),
            metrics: MetricTable::default(),
            next_timer: 1,
            scratch: Vec::new(),
            last_error: None,
        };
        let mut store = Store::new(&module.engine.wasmtime, state);
        store.limiter(|state| &mut state.limiter);
        store.set_epoch_deadline(deadline_ticks(limits.configure_cpu_max));
        let instance = module
            .pre
            .instantiate(&mut store)
            .map_err(|error| VmError::Instantiate(format!("{error:#}")))?;
        store.data_mut().memory = instance.get_memory(&mut store, "memory");
        let allocate = instance
            .get_typed_func(&mut store, "proxy_on_memory_allocate")
            .or_else(|_| instance.get_typed_func(&mut store, "malloc"));
        store.data_mut().allocate = allocate.ok();
        let callbacks = Callbacks::of(&instance, &mut store);
        let mut vm = Self {
            store,
            callbacks,
            module: Arc::clone(module),
            roots: FxHashMap::default(),
            next_context: 1,
            started: false,
            dead: false,
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

    /// The root context of a configuration, created and configured when this VM first needs it.
    pub fn root(&mut self, spec: &RootSpec) -> Result<u32, VmError> {
        if let Some(root) = self.roots.get(&spec.config) {
            return Ok(*root);
        }
        let root = self.create_context(ContextState::Root { name: Arc::clone(&spec.name) });
        let cpu = self.module.limits.configure_cpu_max;
        if let Some(create) = self.callbacks.context_create.clone() {
            self.call(root, "proxy_on_context_create", cpu, &create, (root, 0))?;
        }
        if !std::mem::replace(&mut self.started, true)
            && let Some(start) = self.callbacks.vm_start.clone()
        {
            if self.call(root, "proxy_on_vm_start", cpu, &start, (root, 0))? == 0 {
                self.dead = true;
                return Err(self.refusal("proxy_on_vm_start"));
            }
        }
        if let Some(configure) = self.callbacks.configure.clone() {
            let config = Bytes::from(spec.config.as_bytes().to_vec());
            let len = config.len() as u32;
            self.store.data_mut().configuration = Some(config);
            let accepted = self.call(root, "proxy_on_configure", cpu, &configure, (root, len));
            self.store.data_mut().configuration = None;
            if accepted? == 0 {
                self.store.data_mut().contexts.remove(&root);
                return Err(self.refusal("proxy_on_configure"));
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

    pub fn on_tick(&mut self, root: u32) -> Result<(), VmError> {
        let Some(callback) = self.callbacks.tick.clone() else { return Ok(()) };
        self.call_stream(root, "proxy_on_tick", &callback, root)
    }

    /// A queue this root registered has got an item.
    pub fn on_queue_ready(&mut self, root: u32, token: u32) -> Result<(), VmError> {
        let Some(callback) = self.callbacks.queue_ready.clone() else { return Ok(()) };
        self.call_stream(root, "proxy_on_queue_ready", &callback, (root, token))
    }

    pub fn on_log(&mut self, stream: u32) -> Result<(), VmError> {
        let Some(callback) = self.callbacks.log.clone() else { return Ok(()) };
        self.call_stream(stream, "proxy_on_log", &callback, stream)
    }

    /// Ends a context: `proxy_on_done`, then `proxy_on_delete` at once or when the plugin calls
    /// `proxy_done`.
    pub fn close(&mut self, context: u32) -> Result<(), VmError> {
        if let Some(callback) = self.callbacks.done.clone()
            && self.call_stream(context, "proxy_on_done", &callback, context)? == 0
        {
            return Ok(());
        }
        self.delete(context)
    }

    /// Forgets a root context that no chain uses any more.
    pub fn close_root(&mut self, config: &str) -> Result<(), VmError> {
        match self.roots.remove(config) {
            Some(root) => self.close(root),
            None => Ok(()),
        }
    }

    fn delete(&mut self, context: u32) -> Result<(), VmError> {
        let deleted = match self.callbacks.delete.clone() {
            Some(callback) => self.call_stream(context, "proxy_on_delete", &callback, context),
            None => Ok(()),
        };
        self.store.data_mut().contexts.remove(&context);
        deleted
    }

    /// `_initialize` then `main`, or `_start`: whichever the toolchain made.
    fn initialize(&mut self, instance: &Instance) -> Result<(), VmError> {
        let cpu = self.module.limits.configure_cpu_max;
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut self.store, "_initialize") {
            self.call(0, "_initialize", cpu, &initialize, ())?;
            if let Ok(main) = instance.get_typed_func::<(u32, u32), u32>(&mut self.store, "main") {
                self.call(0, "main", cpu, &main, (0, 0))?;
            }
        } else if let Ok(start) = instance.get_typed_func::<(), ()>(&mut self.store, "_start") {
            self.call(0, "_start", cpu, &start, ())?;
        }
        Ok(())
    }

    fn create_context(&mut self, state: ContextState) -> u32 {
        let context = self.next_context;
        self.next_context = self.next_context.wrapping_add(1).max(1);
        self.store.data_mut().contexts.insert(context, state);
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
        let result = self.call(context, name, cpu, callback, arguments)?;
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
        callback: &'static str,
        cpu: Duration,
        function: &TypedFunc<P, R>,
        arguments: P,
    ) -> Result<R, VmError> {
        if self.dead {
            return Err(VmError::Dead);
        }
        self.store.data_mut().enter(context);
        self.store.set_epoch_deadline(deadline_ticks(cpu));
        let result = function.call(&mut self.store, arguments);
        self.store.data_mut().stream = None;
        result.map_err(|error| {
            self.dead = true;
            if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
                return VmError::Deadline { callback, limit: cpu };
            }
            let memory = if self.store.data().limiter.refused {
                format!(" (memory limit of {} bytes reached)", self.module.limits.memory_bytes_max)
            } else {
                String::new()
            };
            VmError::Trap { callback, message: format!("{error:#}{memory}") }
        })
    }
}

impl Callbacks {
    fn of(instance: &Instance, store: &mut Store<VmState>) -> Self {
        Self {
            context_create: typed(instance, store, "proxy_on_context_create"),
            vm_start: typed(instance, store, "proxy_on_vm_start"),
            configure: typed(instance, store, "proxy_on_configure"),
            tick: typed(instance, store, "proxy_on_tick"),
            queue_ready: typed(instance, store, "proxy_on_queue_ready"),
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
) -> Option<TypedFunc<P, R>> {
    instance.get_typed_func(store, name).ok()
}

fn headers(instance: &Instance, store: &mut Store<VmState>, name: &str) -> Option<HeadersCallback> {
    typed(instance, store, name)
        .map(HeadersCallback::WithEnd)
        .or_else(|| typed(instance, store, name).map(HeadersCallback::WithoutEnd))
}
