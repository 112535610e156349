//! What the admin endpoints tell about the configuration.

use crate::plan::Plan;
use crate::plan::plugin::PluginSource;
use crate::policy::diagnostic::Diagnostic;
use crate::snapshot::Snapshot;
use crate::snapshot::build::BuildError;
use crate::snapshot::source::Files;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Replaced as a whole at each reload.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// A snapshot serves on every worker.
    pub ready: bool,
    /// Number of the snapshot that serves.
    pub version: u64,
    /// Why the newest configuration does not serve; empty when it does.
    pub errors: Vec<String>,
    pub plugins: Vec<PluginStatus>,
    #[serde(skip)]
    pub plan: Arc<Plan>,
    #[serde(skip)]
    pub diagnostics: Vec<Diagnostic>,
}

/// One row of `/plugins`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginStatus {
    /// `builtin:NAME` or `file:PATH`.
    pub name: String,
    /// Where the bytes came from: `embedded` or a path.
    pub source: String,
    /// Counts the versions of this plugin that have served, from 1.
    pub generation: u64,
    pub sha256: String,
    pub abi: &'static str,
    /// Bytes of the module.
    pub size: usize,
    /// Routes and listeners whose chain has it.
    pub filters: usize,
    /// Why a newer version does not serve.
    pub error: Option<String>,
}

impl Status {
    /// After `snapshot` was published; generations go on from `previous`.
    pub fn published(
        previous: &Self,
        snapshot: &Snapshot,
        files: &Files,
        diagnostics: Vec<Diagnostic>,
    ) -> Self {
        let mut uses = BTreeMap::<&str, usize>::new();
        for filter in snapshot.chains.iter().flatten() {
            *uses.entry(&filter.plugin).or_default() += 1;
        }
        let row = |(name, module): (&String, &Arc<crate::wasm::module::Module>)| {
            let before = previous.plugins.iter().find(|row| row.name == *name);
            let sha256 = module.hash.to_string();
            PluginStatus {
                name: name.clone(),
                source: source(snapshot, name, files),
                generation: match before {
                    Some(before) if before.sha256 == sha256 => before.generation,
                    Some(before) => before.generation + 1,
                    None => 1,
                },
                sha256,
                abi: module.abi.as_str(),
                size: module.size,
                filters: uses.get(name.as_str()).copied().unwrap_or_default(),
                error: None,
            }
        };
        Self {
            ready: true,
            version: snapshot.version,
            errors: Vec::new(),
            plugins: snapshot.modules.iter().map(row).collect(),
            plan: Arc::clone(&snapshot.plan),
            diagnostics,
        }
    }

    /// After a configuration was refused: the old one serves on.
    pub fn refused(&self, errors: Vec<String>, build: &[BuildError]) -> Self {
        let mut status = Self { errors, ..self.clone() };
        for row in &mut status.plugins {
            let error = build.iter().find(|error| error.plugin() == Some(&row.name));
            row.error = error.map(ToString::to_string);
        }
        status
    }
}

fn source(snapshot: &Snapshot, plugin: &str, files: &Files) -> String {
    match snapshot.plan.plugins.get(plugin).map(|plugin| &plugin.source) {
        Some(PluginSource::File(path)) => path.display().to_string(),
        Some(PluginSource::Builtin(name)) => {
            let path = files.overriding_file(name);
            path.map_or_else(|| "embedded".to_owned(), |path| path.display().to_string())
        }
        None => String::new(),
    }
}
