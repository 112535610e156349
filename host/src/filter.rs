//! Drives a chain of plugins over an exchange. Never awaits; `http::request` has the loop that does.

pub mod chain;

use crate::plan::chain::OnFailure;
use crate::wasm::vms::Root;
use std::rc::Rc;

/// A `FilterRef` on one worker: the configuration to enter, and what a failure means.
pub struct Filter {
    pub root: Rc<Root>,
    pub on_failure: OnFailure,
}

/// The filters of a route in request order, shared by its streams.
pub type FilterList = Rc<[Filter]>;

#[cfg(test)]
mod tests;
