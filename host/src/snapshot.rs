//! A runnable plan: modules compiled, routes matched, clusters with their live state.
//!
//! A snapshot is immutable and shared by all workers; each worker adds its own VMs in a
//! [`LocalSnapshot`](local::LocalSnapshot). A request keeps the snapshot it began with.

pub mod build;
pub mod local;
pub mod router;
pub mod source;
pub mod watch;

use crate::plan::Plan;
use crate::plan::chain::FilterRef;
use crate::upstream::cluster::Cluster;
use crate::wasm::module::Module;
use router::Listener;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

pub struct Snapshot {
    /// Counts publications, from 1.
    pub version: u64,
    pub plan: Arc<Plan>,
    /// By the plan's plugin name.
    pub modules: BTreeMap<String, Arc<Module>>,
    /// Same order as in the plan.
    pub listeners: Vec<Arc<Listener>>,
    pub clusters: FxHashMap<Arc<str>, Arc<Cluster>>,
    /// Distinct filter chains; routes refer to them by index.
    pub chains: Vec<Vec<FilterRef>>,
}

/// Index into [`Snapshot::chains`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainId(pub(crate) usize);

impl Snapshot {
    /// The listener of this name, if the plan still has it.
    pub fn listener(&self, name: &str) -> Option<&Arc<Listener>> {
        self.listeners.iter().find(|listener| &*listener.name == name)
    }
}
