//! The plugin runtime: compiled modules, VMs, contexts, and the host calls a guest may make.
//!
//! Sans-io: a callback goes in, an [`Action`](weir_abi::Action) and queued
//! [`Event`](crate::exchange::Event)s come out. Nothing here opens a socket or awaits.

pub mod cache;
pub mod callouts;
pub mod engine;
pub mod environment;
mod imports;
mod limits;
mod memory;
pub mod module;
pub mod shared;
mod state;
pub mod ticks;
pub mod vm;
pub mod vms;

use std::time::Duration;

/// What went wrong inside or on the way into a plugin.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VmError {
    /// The bytes are not a module this host can run.
    #[error("{0}")]
    Module(String),
    /// No VM could be made: pool or memory exhausted.
    #[error("cannot start a VM: {0}")]
    Instantiate(String),
    #[error("{callback} trapped: {message}")]
    Trap { callback: &'static str, message: String },
    #[error("{callback} used more than {limit:?} of CPU")]
    Deadline { callback: &'static str, limit: Duration },
    /// `proxy_on_vm_start` or `proxy_on_configure` answered false.
    #[error("{callback} refused its configuration{}", reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    Refused {
        callback: &'static str,
        /// The last error the plugin logged meanwhile.
        reason: Option<String>,
    },
    /// The VM died in another stream's callback.
    #[error("the VM has failed before")]
    Dead,
    /// Its failures take too much of the worker's time; it is started again when they took less.
    #[error("held back after too many failures")]
    HeldBack,
}

impl VmError {
    /// Value of the `kind` label of `weir_plugin_failures_total`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Module(_) => "module",
            Self::Instantiate(_) => "instantiate",
            Self::Trap { .. } => "trap",
            Self::Deadline { .. } => "deadline",
            Self::Refused { .. } => "refused",
            Self::Dead => "dead",
            Self::HeldBack => "held_back",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
