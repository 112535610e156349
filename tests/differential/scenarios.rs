//! All scenarios, by what they are about.
//!
//! Callouts will be a further module: an upstream of their own, and the clusters to call, are what a
//! [`Scenario`] would need besides.

mod bodies;
mod chains;
mod failures;
mod headers;
mod matrix;
mod messages;
mod properties;
mod replies;
mod state;

use super::scenario::Scenario;

pub(super) fn all() -> Vec<Scenario> {
    let groups = [
        matrix::all(),
        chains::all(),
        replies::all(),
        bodies::all(),
        messages::all(),
        headers::all(),
        properties::all(),
        state::all(),
        failures::all(),
    ];
    groups.into_iter().flatten().map(Scenario::complete).collect()
}
