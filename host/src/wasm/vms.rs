//! The VMs of one plugin generation on one worker.
//!
//! The root VM has what root contexts start: ticks and queues. Streams share it, or have a pooled VM
//! each when the plugin declares that it keeps nothing across streams. A root VM that dies is
//! replaced at once from the compiled module, so that the next stream finds a fresh one; streams of
//! the dead one get their failure policy when they next need it. A plugin whose failures take more
//! of the worker's time than is fair is held back.

mod pool;

pub use pool::Lease;

use super::VmError;
use super::environment::Environment;
use super::limits::{FailureBudget, LogBudget};
use super::module::{Isolation, Module};
use super::vm::{RootSpec, SharedVm, Vm};
use pool::Pool;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// Failures of one plugin a worker writes down each second; all of them are counted.
const FAILURES_LOGGED_PER_SECOND: u32 = 10;

/// A configuration in use: its root context is closed in the VM when nobody holds this any more.
pub struct Root {
    pub vms: Rc<Vms>,
    pub spec: RootSpec,
}

impl Drop for Root {
    fn drop(&mut self) {
        self.vms.roots.borrow_mut().remove(&self.spec.config);
        let current = Rc::clone(&self.vms.current.borrow());
        for vm in self.vms.pool.free().into_iter().chain([current]) {
            if let Ok(mut vm) = vm.try_borrow_mut()
                && !vm.is_dead()
            {
                // A trap while saying good-bye leaves a dead VM, which is not used again.
                let _ = vm.close_root(&self.spec.config);
            }
        }
    }
}

pub struct Vms {
    module: Arc<Module>,
    environment: Environment,
    current: RefCell<Rc<SharedVm>>,
    pool: Pool,
    /// Pooled VMs that died, or did not start, and were not made up for.
    lost: Cell<u32>,
    /// Configurations in use.
    roots: RefCell<FxHashMap<Arc<str>, Weak<Root>>>,
    failures: RefCell<FailureBudget>,
    failure_log: RefCell<LogBudget>,
}

impl Vms {
    /// Starts the first VM; root contexts come with [`lease`](Self::lease).
    pub fn start(module: &Arc<Module>, environment: Environment) -> Result<Rc<Self>, VmError> {
        let vm = Vm::start(module, environment.clone())?;
        Ok(Rc::new(Self {
            module: Arc::clone(module),
            environment,
            current: RefCell::new(vm),
            pool: Pool::default(),
            lost: Cell::new(0),
            roots: RefCell::default(),
            failures: RefCell::new(FailureBudget::new()),
            failure_log: RefCell::new(LogBudget::new(FAILURES_LOGGED_PER_SECOND)),
        }))
    }

    pub fn module(&self) -> &Arc<Module> {
        &self.module
    }

    /// The use of a configuration; equal ones are the same, whichever snapshot asks.
    pub fn root(self: &Rc<Self>, spec: RootSpec) -> Rc<Root> {
        let present = self.roots.borrow().get(&spec.config).and_then(Weak::upgrade);
        present.unwrap_or_else(|| {
            let config = Arc::clone(&spec.config);
            let root = Rc::new(Root { vms: Rc::clone(self), spec });
            self.roots.borrow_mut().insert(config, Rc::downgrade(&root));
            root
        })
    }

    /// How many configurations are in use.
    pub fn roots(&self) -> usize {
        self.roots.borrow().len()
    }

    /// Whether `vm` runs this module: the root VM, one before it, or a pooled one.
    pub fn owns(&self, vm: &Rc<SharedVm>) -> bool {
        Arc::ptr_eq(&self.module, vm.borrow().module())
    }

    /// A callback failed: counts it in `weir_plugin_failures_total` and replaces a dead root VM. A
    /// pooled one is made up for when it comes back.
    ///
    /// `true` when this failure should be written down; that it happened to a stream of a VM that was
    /// dead before was told with its death.
    pub fn failed(&self, error: &VmError) -> bool {
        let (plugin, kind) = (&self.module.plugin, error.kind());
        let name = format!("weir_plugin_failures_total{{plugin=\"{plugin}\",kind=\"{kind}\"}}");
        self.environment.registry.counter(&name).add(1);
        if matches!(error, VmError::Dead | VmError::HeldBack) {
            return false;
        }
        let now = (self.environment.monotonic_clock)();
        let dead = Rc::clone(&self.current.borrow());
        if dead.borrow().is_dead() {
            let cost = dead.borrow().last_cpu();
            self.failures.borrow_mut().charge(now, cost);
            if let Err(error) = self.replace(&dead) {
                tracing::error!(plugin = &**plugin, %error, "plugin cannot be restarted");
            }
        }
        let grant = self.failure_log.borrow_mut().take(now);
        if grant.suppressed > 0 {
            let failures = grant.suppressed;
            tracing::warn!(plugin = &**plugin, failures, "failures not written down");
        }
        grant.write
    }

    /// A living VM and the root context of `spec` in it.
    pub fn lease(&self, spec: &RootSpec) -> Result<(Rc<SharedVm>, u32), VmError> {
        let current = Rc::clone(&self.current.borrow());
        let is_dead = current.borrow().is_dead();
        let vm = if is_dead { self.replace(&current)? } else { current };
        let root = vm.borrow_mut().root(spec)?;
        Ok((vm, root))
    }

    /// A living VM for one stream and the root context of `spec` in it.
    pub fn lease_stream(self: &Rc<Self>, spec: &RootSpec) -> Result<(Lease, u32), VmError> {
        match self.module.isolation {
            Isolation::Shared => {
                let (vm, root) = self.lease(spec)?;
                Ok((Lease::shared(vm), root))
            }
            Isolation::Pool => match self.pooled()? {
                Some(lease) => {
                    // Its ticks and queues are the root VM's, which has not made it yet if there are
                    // very many. This stream does not depend on them.
                    if !lease.borrow().has_root(spec)
                        && let Err(error) = self.lease(spec)
                        && self.failed(&error)
                    {
                        let plugin = &*self.module.plugin;
                        tracing::warn!(plugin, filter = &*spec.name, %error, "plugin failed");
                    }
                    let root = lease.borrow_mut().root(spec)?;
                    Ok((lease, root))
                }
                None => {
                    let (vm, root) = self.lease(spec)?;
                    Ok((Lease::shared(vm), root))
                }
            },
        }
    }

    /// Gives up pooled VMs that were not needed since the last call.
    pub fn trim(&self) {
        self.pool.trim();
    }

    /// VMs there are, the root VM included.
    pub fn count(&self) -> usize {
        self.pool.alive() + 1
    }

    /// A pooled VM, made now if none is free; `None` when the pool is exhausted.
    fn pooled(self: &Rc<Self>) -> Result<Option<Lease>, VmError> {
        while let Some(vm) = self.pool.take() {
            if !vm.borrow().is_dead() {
                return Ok(Some(Lease::pooled(vm, self)));
            }
            // It died while nobody had it: in the answer to a call, or saying good-bye.
            self.lose(&vm);
        }
        let clock = self.environment.monotonic_clock;
        let making_up = self.lost.get() > 0;
        if making_up && !self.failures.borrow_mut().allows(clock()) {
            return Err(VmError::HeldBack);
        }
        if !self.pool.grow() {
            return Ok(None);
        }
        let started = (self.environment.cpu_clock)();
        let vm = Vm::start(&self.module, self.environment.clone());
        if making_up || vm.is_err() {
            let cost = (self.environment.cpu_clock)().saturating_sub(started);
            self.failures.borrow_mut().charge(clock(), cost);
        }
        if vm.is_err() {
            self.pool.shrink();
        }
        let lost = self.lost.get();
        self.lost.set(if vm.is_err() { lost.saturating_add(1) } else { lost.saturating_sub(1) });
        let vm = vm?;
        vm.borrow_mut().set_pooled();
        Ok(Some(Lease::pooled(vm, self)))
    }

    /// A pooled VM's stream is over.
    fn give_back(&self, vm: &Rc<SharedVm>) {
        if !vm.borrow().is_dead() {
            // Configurations given up while this VM was lent. It may die of saying good-bye to them.
            let roots = self.roots.borrow();
            let _ = vm.borrow_mut().close_roots_but(|config| roots.contains_key(config));
        }
        if vm.borrow().is_dead() {
            self.lose(vm);
        } else {
            self.pool.put(Rc::clone(vm));
        }
    }

    /// A pooled VM is dead: what it died of counts as a failure's cost.
    fn lose(&self, vm: &Rc<SharedVm>) {
        self.pool.shrink();
        self.lost.set(self.lost.get().saturating_add(1));
        let now = (self.environment.monotonic_clock)();
        self.failures.borrow_mut().charge(now, vm.borrow().last_cpu());
    }

    /// Starts a VM in place of `dead`, with the root contexts that want ticks or listen to queues;
    /// the others come back when a stream needs them.
    fn replace(&self, dead: &Rc<SharedVm>) -> Result<Rc<SharedVm>, VmError> {
        let environment = &self.environment;
        let now = (environment.monotonic_clock)();
        if !self.failures.borrow_mut().allows(now) {
            return Err(VmError::HeldBack);
        }
        let started = (environment.cpu_clock)();
        let restarted = dead.borrow_mut().restart();
        if let Ok(vm) = &restarted {
            self.current.replace(Rc::clone(vm));
            for spec in dead.borrow().running_roots() {
                if let Err(error) = vm.borrow_mut().root(&spec) {
                    let plugin = &*self.module.plugin;
                    tracing::warn!(plugin, filter = &*spec.name, %error, "plugin failed");
                }
            }
        }
        let cost = (environment.cpu_clock)().saturating_sub(started);
        self.failures.borrow_mut().charge(now, cost);
        restarted
    }
}
