//! Turns a plan into a snapshot: compiles what changed, reuses the rest, proves that every
//! configuration is accepted. Runs on the control thread; any failure leaves what serves alone.

use super::router::{Listener, Matcher, Route, VirtualHost};
use super::{ChainId, Snapshot};
use crate::plan;
use crate::plan::Plan;
use crate::plan::chain::FilterRef;
use crate::plan::listener::Role;
use crate::plan::plugin::{Plugin, PluginSource};
use crate::upstream::cluster::{Cluster, workload_pairs};
use crate::upstream::peers::Identity;
use crate::wasm::VmError;
use crate::wasm::engine::Engine;
use crate::wasm::environment::Environment;
use crate::wasm::module::{ContentHash, Module};
use crate::wasm::vm::{RootSpec, Vm};
use http::StatusCode;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use weir_abi::pairs;

/// Why a plan cannot be run.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BuildError {
    #[error("plugin {plugin}: cannot read {path}: {error}")]
    Read { plugin: String, path: String, error: String },
    #[error("plugin {plugin}: {error}")]
    Plugin { plugin: String, error: VmError },
    #[error("plugin {plugin}: filter {filter}: {error}")]
    Configure { plugin: String, filter: String, error: VmError },
    #[error("route {route}: {error}")]
    Regex { route: String, error: String },
}

impl BuildError {
    /// The plugin at fault, if it is one.
    pub fn plugin(&self) -> Option<&str> {
        match self {
            Self::Read { plugin, .. }
            | Self::Plugin { plugin, .. }
            | Self::Configure { plugin, .. } => Some(plugin),
            Self::Regex { .. } => None,
        }
    }
}

/// Bytes of a plugin, or the name of what cannot be read and why.
pub type ReadPlugin<'a> = dyn Fn(&PluginSource) -> Result<Vec<u8>, (String, io::Error)> + 'a;

/// What building needs from outside.
pub struct Builder<'a> {
    pub engine: &'a Engine,
    /// For the VMs that try configurations; they serve nothing.
    pub canary: &'a Environment,
    /// Bytes of a plugin; the error names a path and what went wrong with it.
    pub read: &'a ReadPlugin<'a>,
}

impl Builder<'_> {
    /// Builds `plan`. Modules with the same bytes and limits as in `previous` are taken over.
    pub fn build(
        &self,
        plan: Plan,
        previous: Option<&Snapshot>,
    ) -> Result<Snapshot, Vec<BuildError>> {
        let mut errors = Vec::new();
        let modules = self.modules(&plan, previous, &mut errors);
        let mut chains = Chains::default();
        let mut listeners = Vec::with_capacity(plan.listeners.len());
        for listener in &plan.listeners {
            listeners.push(Arc::new(compile_listener(listener, &mut chains, &mut errors)));
        }
        self.try_configurations(&modules, &chains.chains, previous, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let clusters = plan.clusters.values().map(|cluster| {
            let cluster = Arc::new(Cluster::new(cluster));
            (Arc::clone(&cluster.name), cluster)
        });
        Ok(Snapshot {
            version: previous.map_or(1, |previous| previous.version + 1),
            clusters: clusters.collect(),
            plan: Arc::new(plan),
            modules,
            listeners,
            chains: chains.chains,
        })
    }

    fn modules(
        &self,
        plan: &Plan,
        previous: Option<&Snapshot>,
        errors: &mut Vec<BuildError>,
    ) -> BTreeMap<String, Arc<Module>> {
        let mut modules = BTreeMap::new();
        for (name, plugin) in &plan.plugins {
            match self.module(plugin, previous) {
                Ok(module) => {
                    modules.insert(name.clone(), module);
                }
                Err(error) => errors.push(error),
            }
        }
        modules
    }

    fn module(
        &self,
        plugin: &Plugin,
        previous: Option<&Snapshot>,
    ) -> Result<Arc<Module>, BuildError> {
        let bytes = (self.read)(&plugin.source).map_err(|(path, error)| BuildError::Read {
            plugin: plugin.name.clone(),
            path,
            error: error.to_string(),
        })?;
        let hash = ContentHash::of(&bytes);
        let same = previous.and_then(|previous| previous.modules.get(&plugin.name));
        if let Some(module) = same.filter(|it| it.hash == hash && it.limits == plugin.limits) {
            return Ok(Arc::clone(module));
        }
        Module::compile(self.engine, &plugin.name, &bytes, plugin.limits.clone())
            .map(Arc::new)
            .map_err(|error| BuildError::Plugin { plugin: plugin.name.clone(), error })
    }

    /// Configures every new (module, configuration) once, away from the workers.
    fn try_configurations(
        &self,
        modules: &BTreeMap<String, Arc<Module>>,
        chains: &[Vec<FilterRef>],
        previous: Option<&Snapshot>,
        errors: &mut Vec<BuildError>,
    ) {
        let proven: BTreeSet<_> = previous
            .map(|previous| configurations(&previous.modules, &previous.chains).collect())
            .unwrap_or_default();
        let mut wanted = BTreeMap::<&str, Vec<&FilterRef>>::new();
        let mut seen = BTreeSet::new();
        for filter in chains.iter().flatten() {
            let Some(module) = modules.get(&filter.plugin) else { continue };
            let key = (filter.plugin.as_str(), module.hash.to_string(), &*filter.config);
            if !proven.contains(&key) && seen.insert(key) {
                wanted.entry(filter.plugin.as_str()).or_default().push(filter);
            }
        }
        for (plugin, filters) in wanted {
            let Some(module) = modules.get(plugin) else { continue };
            errors.extend(self.try_module(module, &filters));
        }
    }

    fn try_module(&self, module: &Arc<Module>, filters: &[&FilterRef]) -> Vec<BuildError> {
        let plugin = module.plugin.to_string();
        let mut errors = Vec::new();
        let mut living = None;
        for filter in filters {
            // Not in one that an earlier configuration killed: that says nothing about this one.
            let started = living.take().map_or_else(|| Vm::start(module, self.canary.clone()), Ok);
            let vm = match started {
                Ok(vm) => vm,
                Err(error) => {
                    errors.push(BuildError::Plugin { plugin, error });
                    return errors;
                }
            };
            let name = filter.name.as_str().into();
            let spec = RootSpec { name, config: Arc::clone(&filter.config) };
            let tried = vm.borrow_mut().root(&spec);
            if let Err(error) = tried {
                let (plugin, filter) = (plugin.clone(), filter.name.clone());
                errors.push(BuildError::Configure { plugin, filter, error });
            }
            living = Some(vm).filter(|vm| !vm.borrow().is_dead());
        }
        errors
    }
}

fn configurations<'a>(
    modules: &'a BTreeMap<String, Arc<Module>>,
    chains: &'a [Vec<FilterRef>],
) -> impl Iterator<Item = (&'a str, String, &'a str)> {
    chains.iter().flatten().filter_map(|filter| {
        let module = modules.get(&filter.plugin)?;
        Some((filter.plugin.as_str(), module.hash.to_string(), &*filter.config))
    })
}

/// Distinct chains, in order of first use.
#[derive(Default)]
struct Chains {
    chains: Vec<Vec<FilterRef>>,
    /// By a hash of the content; collisions are compared.
    by_hash: FxHashMap<u64, Vec<usize>>,
}

impl Chains {
    fn intern(&mut self, chain: &[FilterRef]) -> ChainId {
        use std::hash::{Hash, Hasher};
        let mut hasher = rustc_hash::FxHasher::default();
        for filter in chain {
            (&filter.name, &filter.plugin, &filter.config, filter.on_failure).hash(&mut hasher);
        }
        let candidates = self.by_hash.entry(hasher.finish()).or_default();
        let same = |index: &&usize| self.chains.get(**index).is_some_and(|it| it == chain);
        if let Some(index) = candidates.iter().find(same) {
            return ChainId(*index);
        }
        candidates.push(self.chains.len());
        self.chains.push(chain.to_vec());
        ChainId(self.chains.len() - 1)
    }
}

fn compile_listener(
    listener: &plan::listener::Listener,
    chains: &mut Chains,
    errors: &mut Vec<BuildError>,
) -> Listener {
    let workload = &listener.workload;
    let acts_for_workload = matches!(listener.role, Role::Outbound | Role::Gateway);
    let labels = workload.labels.iter();
    let mut node_metadata = Vec::new();
    pairs::encode(
        labels.map(|(name, value)| (name.as_bytes(), value.as_bytes())),
        &mut node_metadata,
    );
    let mut compiled = Listener {
        name: listener.name.as_str().into(),
        bind: listener.bind,
        port: listener.port,
        role: listener.role,
        identity: acts_for_workload.then(|| Identity {
            principal: workload.principal().map(|name| format!("spiffe://{name}").into()),
            workload: workload_pairs(workload),
        }),
        node_id: format!("{}.{}", workload.name, workload.namespace).into(),
        node_metadata: node_metadata.into(),
        exact: FxHashMap::default(),
        suffixes: Vec::new(),
        any: None,
        virtual_hosts: Vec::with_capacity(listener.virtual_hosts.len()),
        unmatched: chains.intern(&listener.unmatched),
    };
    for (index, virtual_host) in listener.virtual_hosts.iter().enumerate() {
        for domain in &virtual_host.domains {
            compiled.insert_domain(domain, index);
        }
        let mut routes = Vec::with_capacity(virtual_host.routes.len());
        for route in &virtual_host.routes {
            match compile_route(route, chains) {
                Ok(route) => routes.push(route),
                Err(error) => errors.push(BuildError::Regex {
                    route: route
                        .place
                        .as_ref()
                        .map_or_else(|| route.name.clone(), ToString::to_string),
                    error: error.to_string(),
                }),
            }
        }
        compiled
            .virtual_hosts
            .push(VirtualHost { name: virtual_host.name.as_str().into(), routes });
    }
    compiled.suffixes.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
    compiled
}

fn compile_route(route: &plan::route::Route, chains: &mut Chains) -> Result<Route, regex::Error> {
    Ok(Route {
        name: route.name.as_str().into(),
        matches: route.matches.iter().map(Matcher::compile).collect::<Result<_, _>>()?,
        chain: chains.intern(&route.chain),
        cluster: route.cluster.as_deref().map(Into::into),
        missing_cluster_status: StatusCode::from_u16(route.missing_cluster_status)
            .unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
        timeout: route.timeout,
    })
}
