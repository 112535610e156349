//! Plugins and configurations tried on VMs that serve nothing: before publication, and for
//! `weir check`.

use super::ServerError;
use crate::http::worker::thread_cpu;
use crate::plan::chain::FilterRef;
use crate::plan::{Place, Plan};
use crate::snapshot::Snapshot;
use crate::snapshot::build::{BuildError, Builder};
use crate::snapshot::source::Files;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::registry::Registry;
use crate::wasm::cache::Cache;
use crate::wasm::callouts::Callouts;
use crate::wasm::engine::Engine;
use crate::wasm::environment::Environment;
use crate::wasm::ticks::TickSchedule;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Builds `plan`, each new configuration tried once. Takes as long as compiling does.
pub(super) fn build(
    plan: Plan,
    previous: Option<&Snapshot>,
    engine: &Engine,
    files: &Files,
    access_log: AccessLog,
) -> Result<Snapshot, Vec<BuildError>> {
    let canary = Environment {
        // What a trial counts is nobody's business.
        registry: Arc::default(),
        access_log,
        shared: Arc::default(),
        callouts: Callouts::new(),
        ticks: TickSchedule::new(),
        wall_clock: SystemTime::now,
        monotonic_clock: Instant::now,
        cpu_clock: thread_cpu,
        entropy: fastrand::fill,
    };
    let clusters = plan.clusters.keys().map(|name| name.as_str().into());
    canary.callouts.set_clusters(clusters.collect());
    let read = |source: &_| files.plugin(source);
    Builder { engine, canary: &canary, read: &read }.build(plan, previous)
}

/// Why plugins of a plan could not serve, each with the route that has them, if that is known.
pub fn refusals(
    plan: &Plan,
    files: &Files,
    module_cache: Option<PathBuf>,
) -> Result<Vec<(Option<Place>, BuildError)>, ServerError> {
    let start = |error: &dyn std::fmt::Display| ServerError::Start(error.to_string());
    // Without a cache this takes longer and finds the same.
    let cache = module_cache.and_then(|folder| Cache::open(folder).ok());
    let engine = Engine::new(cache).map_err(|error| start(&error))?;
    let log = AccessLog::start(&Registry::default()).map_err(|error| start(&error))?;
    let built = build(plan.clone(), None, &engine, files, log);
    let errors = built.err().unwrap_or_default();
    Ok(errors.into_iter().map(|error| (place(plan, &error), error)).collect())
}

/// The first route whose chain has the plugin, or the filter, at fault.
fn place(plan: &Plan, error: &BuildError) -> Option<Place> {
    let plugin = error.plugin()?;
    let at_fault = |filter: &FilterRef| {
        let filter_name = match error {
            BuildError::Configure { filter, .. } => Some(filter),
            _ => None,
        };
        filter.plugin == plugin && filter_name.is_none_or(|name| *name == filter.name)
    };
    let hosts = plan.listeners.iter().flat_map(|listener| &listener.virtual_hosts);
    let mut routes = hosts.flat_map(|host| &host.routes);
    routes.find(|route| route.chain.iter().any(at_fault))?.place.clone()
}
