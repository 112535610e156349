//! The VMs of one plugin generation on one worker.
//!
//! Streams share one VM. When it dies it is replaced at once from the compiled module, so that the
//! next stream finds a fresh one; streams of the dead one get their failure policy when they next
//! need it.

use super::VmError;
use super::environment::Environment;
use super::module::Module;
use super::vm::{RootSpec, SharedVm, Vm};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// A configuration in use: its root context is closed in the VM when nobody holds this any more.
pub struct Root {
    pub vms: Rc<Vms>,
    pub spec: RootSpec,
}

impl Drop for Root {
    fn drop(&mut self) {
        let current = self.vms.current.borrow().clone();
        if let Some(vm) = current
            && let Ok(mut vm) = vm.try_borrow_mut()
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
    current: RefCell<Option<Rc<SharedVm>>>,
}

impl Vms {
    /// Starts the first VM; root contexts come with [`lease`](Self::lease).
    pub fn start(module: &Arc<Module>, environment: Environment) -> Result<Rc<Self>, VmError> {
        let vm = Vm::start(module, environment.clone())?;
        let module = Arc::clone(module);
        Ok(Rc::new(Self { module, environment, current: RefCell::new(Some(vm)) }))
    }

    pub fn module(&self) -> &Arc<Module> {
        &self.module
    }

    /// Adds to `weir_plugin_failures_total`.
    pub fn count_failure(&self, error: &VmError) {
        let (plugin, kind) = (&self.module.plugin, error.kind());
        let name = format!("weir_plugin_failures_total{{plugin=\"{plugin}\",kind=\"{kind}\"}}");
        self.environment.registry.counter(&name).add(1);
    }

    /// A living VM and the root context of `spec` in it.
    pub fn lease(&self, spec: &RootSpec) -> Result<(Rc<SharedVm>, u32), VmError> {
        let present = self.current.borrow().clone().filter(|vm| !vm.borrow().is_dead());
        let vm = match present {
            Some(vm) => vm,
            None => {
                let vm = Vm::start(&self.module, self.environment.clone())?;
                self.current.replace(Some(Rc::clone(&vm)));
                vm
            }
        };
        let root = vm.borrow_mut().root(spec)?;
        Ok((vm, root))
    }
}
