//! Every document resolved: what the proxy does, as data.
//!
//! Names are filled in, defaults applied, references followed. A `Plan` is compared, printed and
//! turned into a snapshot; it is never read back from text (it is not `Deserialize`) and nothing
//! here does I/O.

pub mod chain;
pub mod cluster;
pub mod listener;
pub mod matcher;
pub mod plugin;
pub mod route;

use serde::Serialize;
use std::collections::BTreeMap;

/// The whole of what one process serves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// In order of declaration; `name` is unique.
    pub listeners: Vec<listener::Listener>,
    /// By name. A route or plugin may name a cluster that is not here: that is answered with
    /// `Route::missing_cluster_status` and the flag NC.
    pub clusters: BTreeMap<String, cluster::Cluster>,
    /// By name. Every `FilterRef::plugin` is a key of this map.
    pub plugins: BTreeMap<String, plugin::Plugin>,
}

/// Where in the sources something was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    pub source: String,
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}
