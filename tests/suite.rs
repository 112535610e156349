//! Every behaviour test in one binary: one link, one run, one line of counts.

mod authorization;
mod callouts;
mod faults;
mod harness;
mod hot_swap;
mod policy;
mod request_path;
mod routing;
mod telemetry;
mod tidy;
