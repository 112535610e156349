//! One nested cargo that builds guest crates to Wasm, shared by the build scripts that embed them.
//!
//! The nested build has its own target directory (under `OUT_DIR`, so no lock is shared with the
//! outer cargo) and none of the outer build's flags: instrumentation, wrappers and clippy concern
//! the proxy, not the bytes that run inside it. A missing target is installed with rustup.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-wasip1";

/// Guest crates of one workspace.
pub(crate) struct Guests {
    /// Where cargo is started: a folder of their workspace. Each sub-folder with a manifest is one
    /// guest.
    pub(crate) folder: PathBuf,
    /// Package of a guest is this and the name of its folder.
    pub(crate) package_prefix: &'static str,
    /// Cargo profile.
    pub(crate) profile: &'static str,
}

impl Guests {
    /// Builds every guest and writes `embedded.rs` with their bytes into `OUT_DIR`.
    pub(crate) fn embed(&self) -> Result<(), String> {
        let out_dir = PathBuf::from(variable("OUT_DIR")?);
        let names = crate_folders(&self.folder)
            .map_err(|e| format!("read {}: {e}", self.folder.display()))?;
        install_target(&out_dir)?;
        let target_dir = out_dir.join("wasm");
        self.build(&target_dir, &names)?;
        let modules = target_dir.join(TARGET).join(self.profile);
        let embedded = self.embedded(&names, &modules)?;
        let file = out_dir.join("embedded.rs");
        fs::write(&file, embedded).map_err(|e| format!("write {}: {e}", file.display()))
    }

    fn build(&self, target_dir: &Path, names: &[String]) -> Result<(), String> {
        if names.is_empty() {
            return Ok(());
        }
        let mut cargo = Command::new(variable("CARGO")?);
        scrub(&mut cargo);
        cargo
            .current_dir(&self.folder)
            .args(["build", "--profile", self.profile, "--target", TARGET])
            .arg("--target-dir")
            .arg(target_dir);
        for name in names {
            cargo.arg("--package").arg(format!("{}{name}", self.package_prefix));
        }
        let status = cargo.status().map_err(|e| format!("run cargo: {e}"))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("building {}: {status}", self.folder.display()))
        }
    }

    fn embedded(&self, names: &[String], modules: &Path) -> Result<String, String> {
        let mut source = "static EMBEDDED: &[(&str, &[u8])] = &[\n".to_owned();
        for name in names {
            let file = format!("{}{name}.wasm", self.package_prefix).replace('-', "_");
            let module = modules.join(file);
            if !module.is_file() {
                return Err(format!("guest {name}: {} was not built", module.display()));
            }
            source += &format!("    ({name:?}, include_bytes!({module:?})),\n");
        }
        Ok(source + "];\n")
    }
}

pub(crate) fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|e| format!("{name}: {e}"))
}

/// Names of the sub-folders that hold a crate, sorted.
fn crate_folders(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Several crates of a build need the target at the same time, and rustup cannot install it twice at
/// once: who comes second waits, then finds it.
fn install_target(out_dir: &Path) -> Result<(), String> {
    // `OUT_DIR` is `PROFILE/build/CRATE/out`.
    let shared = out_dir.ancestors().nth(3).unwrap_or(out_dir).join("weir-target.lock");
    let locked = fs::File::create(&shared).and_then(|file| file.lock().map(|()| file));
    // Held until this returns.
    let _lock = locked.map_err(|e| format!("lock {}: {e}", shared.display()))?;
    if has_target()? {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    if added.is_ok_and(|status| status.success()) && has_target()? {
        return Ok(());
    }
    Err(format!(
        "the plugins need the Rust target {TARGET}, and it could not be installed.\n\
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
