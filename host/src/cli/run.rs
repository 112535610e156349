//! `weir run` and `weir demo`: a server until a signal ends it.

use super::demo::guide::Guide;
use super::demo::tour::tour;
use super::demo::workspace::{Ports, prepare};
use super::demo::{Running, origin};
use super::{DemoArguments, Documents, EXIT_DATA, files, print};
use anyhow::Context;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use weir::policy::Mode;
use weir::server::{self, Options, ServerError};

pub(super) const EXAMPLES: &str = "Examples:
  weir run policies/quickstart          serve a folder, follow every change to it
  weir run proxy.yaml mesh/ --workers 4 a file and a folder, four threads
  weir run mesh/ --plugins my-plugins   my-plugins/fault.wasm replaces the built-in fault
  curl http://127.0.0.1:15000/plugins   what serves, and why something does not";

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    documents: Documents,
    /// Where the admin endpoints listen: /ready /metrics /plan /plugins.
    #[arg(long, default_value = "127.0.0.1:15000", value_name = "ADDR")]
    admin: SocketAddr,
    /// Worker threads; default one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Folder where a file named as a built-in, e.g. `fault.wasm`, replaces it.
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// Folder of compiled modules; `off` compiles at every start.
    #[arg(long, env = "WEIR_MODULE_CACHE", value_name = "DIR")]
    module_cache: Option<PathBuf>,
    /// How long requests in flight may take when stopping, in seconds.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    drain: u64,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if let Some(folder) = arguments.plugins.as_ref().filter(|folder| !folder.is_dir()) {
        anyhow::bail!("--plugins {}: not a folder", folder.display());
    }
    let mode = arguments.documents.mode();
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let options = Options {
        files: files(arguments.documents.paths, arguments.plugins),
        builtins: weir_plugins::builtins().map(|(name, _)| name).collect(),
        mode,
        namespace: arguments.documents.namespace,
        workers: arguments.workers.map_or_else(cores, usize::from),
        module_cache: module_cache(arguments.module_cache),
        admin: arguments.admin,
        drain: Duration::from_secs(arguments.drain),
        signals: true,
    };
    match server::start(options) {
        Ok(running) => {
            tracing::info!(admin = %running.admin(), "serving");
            running.join();
            Ok(ExitCode::SUCCESS)
        }
        Err(ServerError::Policy(report)) => {
            let _ = std::io::stderr().write_all(report.as_bytes());
            Ok(EXIT_DATA.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// `$XDG_CACHE_HOME/weir`, or below the home folder; none for a user without either.
pub(super) fn module_cache(asked: Option<PathBuf>) -> Option<PathBuf> {
    let from = |variable| std::env::var_os(variable).filter(|value| !value.is_empty());
    // Commands without the option obey its variable too.
    match asked.or_else(|| from("WEIR_MODULE_CACHE").map(PathBuf::from)) {
        Some(folder) if folder.as_os_str() == "off" => None,
        Some(folder) => Some(folder),
        None => from("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(from("HOME")?).join(".cache")))
            .map(|cache| cache.join("weir")),
    }
}

pub(super) fn demo(arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    let ports = Ports::from_base(arguments.port_base)?;
    let workspace = prepare(ports)?;
    if arguments.tour {
        // Thousands of lines would bury the table.
        workspace.silence_access_log()?;
    }
    for (version, address) in ["v1", "v2"].into_iter().zip(ports.origins()) {
        origin::spawn(version, address).with_context(|| format!("origin {version}"))?;
    }
    let running = workspace.running();
    let server = server::start(Options {
        files: files(vec![running.policies.clone()], Some(running.plugins.clone())),
        builtins: weir_plugins::builtins().map(|(name, _)| name).collect(),
        mode: Mode::Compat,
        namespace: "default".to_owned(),
        workers: 2,
        module_cache: module_cache(None),
        admin: running.admin,
        drain: Duration::from_secs(5),
        signals: !arguments.tour,
    })?;
    let code = if arguments.tour {
        let report = tour(&running);
        print(&format!("\n{report}\n"))?;
        server.stop();
        report.exit_code()
    } else {
        guide(&running)?;
        server.join();
        ExitCode::SUCCESS
    };
    workspace.remove()?;
    Ok(code)
}

fn guide(running: &Running) -> anyhow::Result<ExitCode> {
    print(&format!("{}\n", Guide(running)))
}
