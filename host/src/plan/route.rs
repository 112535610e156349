//! One rule of a virtual host: when it applies, its chain, and where the request goes.

use super::Place;
use super::chain::FilterRef;
use super::matcher::RouteMatch;
use serde::Serialize;
use std::time::Duration;

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
    /// Whole exchange, retries included. `None` is no limit.
    pub timeout: Option<Duration>,
    /// The document line this came from.
    pub place: Option<Place>,
}
