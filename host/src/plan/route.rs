//! One rule of a virtual host: when it applies, its chain, and where the request goes.

use super::Place;
use super::chain::FilterRef;
use super::matcher::RouteMatch;
use serde::Serialize;
use std::time::Duration;

/// Envoy's answer (`cluster_not_found_response_code`), and so Istio's. Gateway API asks for 500.
pub const MISSING_CLUSTER_STATUS: u16 = 503;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// `%ROUTE_NAME%`; empty when the author gave none.
    pub name: String,
    /// Any of these; an empty list matches every request.
    pub matches: Vec<RouteMatch>,
    /// In request order; responses pass it backwards.
    pub chain: Vec<FilterRef>,
    /// Where a request goes that no filter answered or sent elsewhere. `None` when the chain always
    /// answers (redirect, direct response) or always picks (split).
    pub cluster: Option<String>,
    /// Status of requests whose cluster, the route's or one a filter chose, does not exist.
    pub missing_cluster_status: u16,
    /// Whole exchange, retries included. `None` is no limit.
    pub timeout: Option<Duration>,
    /// The document line this came from.
    pub place: Option<Place>,
}
