//! Every behaviour test in one binary: one link, one run, one line of counts.
#![cfg(test)] // clippy then knows every module here as a test

mod authorization;
mod broken_streams;
mod callout_faults;
mod callouts;
mod cli;
mod differential;
mod faults;
mod gateway_api;
mod harness;
mod hot_swap;
mod plugin_body;
mod plugin_fault;
mod plugin_headers;
mod plugin_isolation;
mod plugin_lifecycle;
mod plugin_property;
mod plugin_script;
mod policy;
mod refusals;
mod registry;
mod request_path;
mod routing;
mod shared;
mod telemetry;
mod tidy;
