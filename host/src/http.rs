//! The data plane: sockets in, sockets out. `request::handle` is the function to read.

pub mod body;
mod callout;
pub mod canonical;
mod connection;
mod forwarded;
mod listener;
mod path;
mod request;
mod response;
mod stream;
mod ticking;
pub mod worker;
