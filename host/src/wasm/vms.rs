//! The VMs of one plugin generation on one worker.
//!
//! Streams share one VM. When it dies it is replaced at once from the compiled module, so that the
//! next stream finds a fresh one; streams of the dead one get their failure policy when they next
//! need it. A plugin whose failures take more of the worker's time than is fair is held back.

use super::VmError;
use super::environment::Environment;
use super::limits::{FailureBudget, LogBudget};
use super::module::Module;
use super::vm::{RootSpec, SharedVm, Vm};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
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
        if let Ok(mut vm) = current.try_borrow_mut()
            && !vm.is_dead()
        {
            // A trap while saying good-bye leaves a dead VM, which the next stream replaces.
            let _ = vm.close_root(&self.spec.config);
        }
    }
}

pub struct Vms {
    module: Arc<Module>,
    environment: Environment,
    current: RefCell<Rc<SharedVm>>,
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

    /// Whether `vm` is the one that streams are given.
    pub fn is_current(&self, vm: &Rc<SharedVm>) -> bool {
        Rc::ptr_eq(&self.current.borrow(), vm)
    }

    /// A callback failed: counts it in `weir_plugin_failures_total` and replaces a dead VM.
    ///
    /// `true` when this failure should be written down; that it happened to a stream of a VM that
    /// was dead before was told with its death.
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

    /// Starts a VM in place of `dead`, with the root contexts that want ticks; the others come back
    /// when a stream needs them.
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
            for spec in dead.borrow().ticking_roots() {
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
