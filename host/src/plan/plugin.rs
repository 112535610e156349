//! A module to load, and what it may use.

use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plugin {
    /// Key in `Plan::plugins`: `builtin:NAME` or `file:PATH`.
    pub name: String,
    pub source: PluginSource,
    pub limits: Limits,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PluginSource {
    /// Embedded in the program, unless a plugin folder holds a file of this name.
    Builtin(String),
    /// Absolute, or relative to the working directory.
    File(PathBuf),
}

/// What one VM may use. Reaching a limit fails the plugin's call, never the proxy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Linear memory of one VM.
    pub memory_bytes_max: u64,
    /// CPU of one callback of a stream.
    pub callback_cpu_max: Duration,
    /// CPU of start-up and configuration.
    pub configure_cpu_max: Duration,
    /// Body bytes a stream may hold back in one direction.
    pub body_bytes_max: u64,
    /// Metrics one plugin may define.
    pub metrics_max: u32,
    /// Keys and values a plugin may keep in shared data, over all VMs.
    pub shared_data_bytes_max: u64,
    /// Items waiting in one shared queue.
    pub queue_items_max: u32,
    /// HTTP calls of one VM on their way at once.
    pub callouts_max: u32,
    /// Log lines a second from one VM.
    pub log_lines_per_second_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 32 << 20,
            callback_cpu_max: Duration::from_millis(20),
            configure_cpu_max: Duration::from_secs(2),
            body_bytes_max: 1 << 20,
            metrics_max: 10_000,
            shared_data_bytes_max: 16 << 20,
            queue_items_max: 1_024,
            callouts_max: 1_024,
            log_lines_per_second_max: 1_000,
        }
    }
}
