//! Collects the plan while listeners are compiled: interns plugins and configurations.

use crate::plan::Plan;
use crate::plan::chain::{FilterRef, OnFailure};
use crate::plan::cluster::Cluster;
use crate::plan::plugin::{Limits, Plugin, PluginSource};
use serde_json::Value as Json;
use std::collections::HashMap;
use std::sync::Arc;

#[derive(Default)]
pub(crate) struct PlanBuilder {
    pub(crate) plan: Plan,
    /// Ten thousand routes with the same chain hold each configuration once.
    configs: HashMap<String, Arc<str>>,
}

impl PlanBuilder {
    /// A use of one of our own plugins; it bears the plugin's name.
    pub(crate) fn builtin(&mut self, name: &str, config: &Json) -> FilterRef {
        let source = PluginSource::Builtin(name.to_owned());
        self.filter(name, source, config.to_string(), OnFailure::Closed)
    }

    pub(crate) fn filter(
        &mut self,
        name: &str,
        source: PluginSource,
        config: String,
        on_failure: OnFailure,
    ) -> FilterRef {
        let plugin = match &source {
            PluginSource::Builtin(name) => format!("builtin:{name}"),
            PluginSource::File(path) => format!("file:{}", path.display()),
        };
        if !self.plan.plugins.contains_key(&plugin) {
            let limits = Limits::default();
            let entry = Plugin { name: plugin.clone(), source, limits };
            self.plan.plugins.insert(plugin.clone(), entry);
        }
        let config = match self.configs.get(&config) {
            Some(config) => Arc::clone(config),
            None => {
                let shared: Arc<str> = Arc::from(config.as_str());
                self.configs.insert(config, Arc::clone(&shared));
                shared
            }
        };
        FilterRef { name: name.to_owned(), plugin, config, on_failure }
    }

    /// Adds a cluster and gives its name back.
    pub(crate) fn cluster(&mut self, cluster: Cluster) -> String {
        let name = cluster.name.clone();
        self.plan.clusters.entry(name.clone()).or_insert(cluster);
        name
    }
}
