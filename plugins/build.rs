//! Builds every plugin folder to `wasm32-wasip1` in one nested cargo and embeds the modules.

mod guest;

use guest::{Guests, variable};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Cargo shows the stderr of a failed build script.
            eprintln!("\n{message}\n");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    for watched in ["../sdk", "../Cargo.toml", "../Cargo.lock", "."] {
        println!("cargo:rerun-if-changed={watched}");
    }
    let folder = variable("CARGO_MANIFEST_DIR")?.into();
    Guests { folder, package_prefix: "weir-plugin-", profile: "plugin" }.embed()
}
