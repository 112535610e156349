//! Builds every plugin folder to `wasm32-wasip1` in one nested cargo and embeds the modules.
//!
//! The nested build has its own target directory (under `OUT_DIR`, so no lock is shared with the
//! outer cargo) and none of the outer build's flags: instrumentation, wrappers and clippy concern
//! the proxy, not the bytes that ship inside it. A missing target is installed with rustup.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

const TARGET: &str = "wasm32-wasip1";

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
    let plugins_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    for watched in ["../sdk", "../Cargo.toml", "../Cargo.lock", "."] {
        println!("cargo:rerun-if-changed={watched}");
    }
    let plugins = plugin_folders(&plugins_dir).map_err(|e| format!("read plugins/: {e}"))?;
    install_target()?;
    let target_dir = out_dir.join("wasm");
    build(&plugins_dir, &target_dir, &plugins)?;
    let modules = target_dir.join(TARGET).join("plugin");
    let embedded = embed(&plugins, &modules)?;
    let file = out_dir.join("embedded.rs");
    fs::write(&file, embedded).map_err(|e| format!("write {}: {e}", file.display()))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|e| format!("{name}: {e}"))
}

/// Names of the sub-folders that hold a crate, sorted.
fn plugin_folders(plugins_dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(plugins_dir)? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn install_target() -> Result<(), String> {
    if has_target()? {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    if added.is_ok_and(|status| status.success()) && has_target()? {
        return Ok(());
    }
    Err(format!(
        "the built-in plugins need the Rust target {TARGET}, and it could not be installed.\n\
         Type this, then build again:\n\n    rustup target add {TARGET}"
    ))
}

fn has_target() -> Result<bool, String> {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(&rustc)
        .args(["--print", "sysroot"])
        .output()
        .map_err(|e| format!("run {rustc}: {e}"))?;
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(Path::new(&sysroot).join("lib/rustlib").join(TARGET).join("lib").is_dir())
}

fn build(plugins_dir: &Path, target_dir: &Path, plugins: &[String]) -> Result<(), String> {
    if plugins.is_empty() {
        return Ok(());
    }
    let mut cargo = Command::new(variable("CARGO")?);
    scrub(&mut cargo);
    cargo
        .current_dir(plugins_dir)
        .args(["build", "--profile", "plugin", "--target", TARGET])
        .arg("--target-dir")
        .arg(target_dir);
    for plugin in plugins {
        cargo.arg("--package").arg(format!("weir-plugin-{plugin}"));
    }
    let status = cargo.status().map_err(|e| format!("run cargo: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("building the plugins: {status}")) }
}

/// Takes the outer build out of the environment; keeps where cargo and rustup live, and how they
/// reach the network.
fn scrub(cargo: &mut Command) {
    const KEPT: &[&str] = &["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTRIES_"];
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let outer = name.starts_with("CARGO") && !KEPT.iter().any(|kept| name.starts_with(kept))
            || name.starts_with("RUSTC")
            || name.starts_with("CLIPPY")
            || matches!(name, "RUSTFLAGS" | "RUSTDOCFLAGS" | "TARGET" | "HOST" | "OUT_DIR")
            || matches!(name, "PROFILE" | "DEBUG" | "OPT_LEVEL" | "NUM_JOBS" | "MAKEFLAGS");
        if outer {
            cargo.env_remove(name);
        }
    }
}

fn embed(plugins: &[String], modules: &Path) -> Result<String, String> {
    let mut source = "static EMBEDDED: &[(&str, &[u8])] = &[\n".to_owned();
    for plugin in plugins {
        let file = format!("weir_plugin_{}.wasm", plugin.replace('-', "_"));
        let module = modules.join(file);
        if !module.is_file() {
            return Err(format!("plugin {plugin}: {} was not built", module.display()));
        }
        source += &format!("    ({plugin:?}, include_bytes!({module:?})),\n");
    }
    Ok(source + "];\n")
}
