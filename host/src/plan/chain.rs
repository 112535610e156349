//! The plugins of a route, in order.

use serde::Serialize;
use std::sync::Arc;

/// One use of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FilterRef {
    /// `plugin_name` and `plugin_root_id` as the plugin sees them.
    pub name: String,
    /// Key in `Plan::plugins`.
    pub plugin: String,
    /// The bytes `proxy_on_configure` can read; JSON for the built-ins, opaque to the host.
    pub config: Arc<str>,
    pub on_failure: OnFailure,
}

/// What a request gets when its plugin fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum OnFailure {
    /// 503.
    #[default]
    Closed,
    /// The rest of the chain, without this plugin.
    Open,
}
