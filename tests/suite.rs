//! Every behaviour test in one binary: one link, one run, one line of counts.

mod harness;
mod policy;
mod request_path;
mod tidy;
