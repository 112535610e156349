//! The `weir` program: command line in, exit code out. Everything else is in the library.

mod cli;

use std::process::ExitCode;

/// One heap per thread: a request is born and dies on one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
