//! A snapshot on one worker: the shared part, and this thread's VMs.

use super::{ChainId, Snapshot};
use crate::filter::{Filter, FilterList};
use crate::wasm::VmError;
use crate::wasm::environment::Environment;
use crate::wasm::module::ContentHash;
use crate::wasm::vm::RootSpec;
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
    roots: FxHashMap<(ContentHash, String, Arc<str>), Rc<Root>>,
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
            roots: FxHashMap::default(),
        };
        for chain in &shared.chains {
            let mut filters = Vec::with_capacity(chain.len());
            for filter in chain {
                let Some(vms) = local.plugins.get(&filter.plugin).cloned() else { continue };
                let root = local.root(&vms, filter, previous)?;
                filters.push(Filter { root, on_failure: filter.on_failure });
            }
            local.chains.push(filters.into());
        }
        Ok(local)
    }

    pub fn chain(&self, id: ChainId) -> FilterList {
        self.chains.get(id.0).cloned().unwrap_or_default()
    }

    fn root(
        &mut self,
        vms: &Rc<Vms>,
        filter: &crate::plan::chain::FilterRef,
        previous: Option<&Self>,
    ) -> Result<Rc<Root>, VmError> {
        let key = (vms.module().hash, filter.plugin.clone(), Arc::clone(&filter.config));
        if let Some(root) = self.roots.get(&key) {
            return Ok(Rc::clone(root));
        }
        let kept = previous
            .and_then(|previous| previous.roots.get(&key))
            .filter(|root| Rc::ptr_eq(&root.vms, vms));
        let root = match kept {
            Some(root) => Rc::clone(root),
            None => {
                let spec = RootSpec {
                    name: filter.name.as_str().into(),
                    config: Arc::clone(&filter.config),
                };
                if self.roots.len() < EAGER_ROOTS_MAX {
                    vms.lease(&spec)?;
                }
                Rc::new(Root { vms: Rc::clone(vms), spec })
            }
        };
        self.roots.insert(key, Rc::clone(&root));
        Ok(root)
    }
}
