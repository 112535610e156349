//! A snapshot on one worker: the shared part, and this thread's VMs.

use super::{ChainId, Snapshot};
use crate::filter::{Filter, FilterList};
use crate::plan::chain::FilterRef;
use crate::wasm::VmError;
use crate::wasm::environment::Environment;
use crate::wasm::vm::{RootSpec, SharedVm};
use crate::wasm::vms::{Root, Vms};
use rustc_hash::FxHashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Root contexts configured while preparing, for each plugin; the others when first needed, so
/// that ten thousand configurations do not stall a worker. All of them were tried beforehand.
const EAGER_ROOTS_MAX: usize = 64;

/// Held by every stream that began with it; the VMs that only it uses die with the last of them.
pub struct LocalSnapshot {
    pub shared: Arc<Snapshot>,
    chains: Vec<FilterList>,
    plugins: FxHashMap<String, Rc<Vms>>,
}

impl LocalSnapshot {
    /// Starts the VMs this worker lacks. VMs and root contexts that `previous` has are shared.
    pub fn prepare(
        shared: &Arc<Snapshot>,
        previous: Option<&Self>,
        environment: &Environment,
    ) -> Result<Self, VmError> {
        let mut plugins = FxHashMap::default();
        for (name, module) in &shared.modules {
            let present = previous.and_then(|previous| previous.plugins.get(name));
            let vms = match present.filter(|vms| Arc::ptr_eq(vms.module(), module)) {
                Some(vms) => Rc::clone(vms),
                None => Vms::start(module, environment.clone())?,
            };
            plugins.insert(name.clone(), vms);
        }
        let mut local = Self {
            shared: Arc::clone(shared),
            chains: Vec::with_capacity(shared.chains.len()),
            plugins,
        };
        for chain in &shared.chains {
            let mut filters = Vec::with_capacity(chain.len());
            for filter in chain {
                let Some(vms) = local.plugins.get(&filter.plugin) else { continue };
                let root = root(vms, filter)?;
                filters.push(Filter { root, on_failure: filter.on_failure });
            }
            local.chains.push(filters.into());
        }
        Ok(local)
    }

    pub fn chain(&self, id: ChainId) -> FilterList {
        self.chains.get(id.0).cloned().unwrap_or_default()
    }

    /// Gives up pooled VMs that were not needed lately.
    pub fn trim(&self) {
        self.plugins.values().for_each(|vms| vms.trim());
    }

    /// The VMs that `vm` belongs to, while streams are given them.
    pub fn owner(&self, vm: &Rc<SharedVm>) -> Option<&Rc<Vms>> {
        self.plugins.values().find(|vms| vms.owns(vm))
    }
}

/// The use of a filter's configuration, its root context ready unless there are very many.
fn root(vms: &Rc<Vms>, filter: &FilterRef) -> Result<Rc<Root>, VmError> {
    let name = filter.name.as_str().into();
    let root = vms.root(RootSpec { name, config: Arc::clone(&filter.config) });
    if vms.roots() <= EAGER_ROOTS_MAX {
        match vms.lease(&root.spec) {
            // It crashes under the present configuration: no reason to refuse the next.
            Ok(_) | Err(VmError::HeldBack) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(root)
}
