//! The configuration as the policy compiler writes it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Whose side of the connection reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reporter {
    Source,
    Destination,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub reporter: Reporter,
    /// The proxy's own side.
    #[serde(default)]
    pub workload: Workload,
    #[serde(default)]
    pub overrides: Vec<Override>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workload {
    pub workload: Option<String>,
    pub namespace: Option<String>,
    pub principal: Option<String>,
    pub app: Option<String>,
    pub version: Option<String>,
    pub cluster: Option<String>,
    pub canonical_service: Option<String>,
    pub canonical_revision: Option<String>,
}

impl Workload {
    /// A field by the key it has in `weir.source` and `weir.destination`.
    pub fn get(&self, key: &str) -> Option<&str> {
        use weir_sdk::attribute::workload as keys;
        let field = match key {
            keys::WORKLOAD => &self.workload,
            keys::NAMESPACE => &self.namespace,
            keys::PRINCIPAL => &self.principal,
            keys::APP => &self.app,
            keys::VERSION => &self.version,
            keys::CLUSTER => &self.cluster,
            keys::CANONICAL_SERVICE => &self.canonical_service,
            keys::CANONICAL_REVISION => &self.canonical_revision,
            _ => return None,
        };
        field.as_deref().filter(|value| !value.is_empty())
    }
}

/// A change to one metric, or to all of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    pub metric: Option<MetricName>,
    /// Absent leaves what an earlier override said.
    pub disabled: Option<bool>,
    #[serde(default)]
    pub tags: BTreeMap<String, TagOverride>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagOverride {
    pub operation: Operation,
    pub value: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    Upsert,
    Remove,
}

/// The metrics, by their names without `istio_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricName {
    RequestsTotal,
    RequestDurationMilliseconds,
    RequestBytes,
    ResponseBytes,
}

impl MetricName {
    pub const ALL: [Self; 4] = [
        Self::RequestsTotal,
        Self::RequestDurationMilliseconds,
        Self::RequestBytes,
        Self::ResponseBytes,
    ];

    pub const fn family(self) -> &'static str {
        match self {
            Self::RequestsTotal => "istio_requests_total",
            Self::RequestDurationMilliseconds => "istio_request_duration_milliseconds",
            Self::RequestBytes => "istio_request_bytes",
            Self::ResponseBytes => "istio_response_bytes",
        }
    }
}
