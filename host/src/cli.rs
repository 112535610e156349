//! The commands. Each prints for a person or, with `-o json`, for a program, and returns a sysexits
//! code: 0 fine, 1 it did not work, 64 usage, 65 a document is wrong.

mod check;
mod demo;
mod gateway;
mod plan;
mod run;
mod show;

use clap::{Parser, Subcommand, ValueEnum};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use weir::policy::{Mode, Options};
use weir::snapshot::source::Files;

const EXIT_FAILURE: u8 = 1;
const EXIT_USAGE: u8 = 64;
const EXIT_DATA: u8 = 65;

/// An L7 proxy whose every policy is a WebAssembly plugin.
#[derive(Parser)]
#[command(name = "weir", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What of its own work the program logs to stderr, e.g. `info` or `weir=debug`.
    #[arg(long, global = true, env = "WEIR_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
    /// How it logs.
    #[arg(long, global = true, default_value = "text")]
    log_format: LogFormat,
    /// Colours in reports.
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    color: Color,
}

#[derive(Subcommand)]
enum Command {
    /// Serve what documents say, and follow every change to them and to their plugins.
    #[command(after_help = run::EXAMPLES)]
    Run(run::Arguments),
    /// Check documents without serving them; exit code 65 when one is wrong.
    #[command(after_help = check::EXAMPLES)]
    Check(check::Arguments),
    /// Print what documents come to: each route, its chain of plugins, its cluster.
    #[command(after_help = plan::EXAMPLES)]
    Plan(plan::Arguments),
    /// Kubernetes Gateway API.
    #[command(subcommand)]
    Gateway(gateway::Command),
    /// Show the main job with nothing else installed: canary, faults, authorization, hot swap.
    Demo(DemoArguments),
    /// Print a completion script for a shell.
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
    /// Print the version.
    Version,
}

#[derive(clap::Args)]
struct DemoArguments {
    /// Send the traffic, print what was promised and what was seen; exit code 0 if all of it held.
    #[arg(long)]
    tour: bool,
    /// First port of the demo; the others keep their distance to it.
    #[arg(long, default_value_t = demo::workspace::Ports::BASE, value_name = "PORT")]
    port_base: u16,
}

/// Documents and how to read them, the same for every command.
#[derive(clap::Args)]
struct Documents {
    /// Files or folders with Istio, Gateway API, Kubernetes and native documents.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What to do with a field that is not where its kind wants it.
    #[arg(long, default_value = "compat")]
    mode: LoadMode,
    /// Namespace of documents that name none.
    #[arg(long, default_value = "default")]
    namespace: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum LoadMode {
    /// Apply it where it belongs, with a warning.
    Compat,
    /// Prune it, as an API server does, with a warning.
    Istio,
    /// Refuse it.
    Strict,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Text,
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// `NO_COLOR` is obeyed unless colours are asked for (https://no-color.org).
    fn on_stdout(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }
}

impl Documents {
    fn mode(&self) -> Mode {
        match self.mode {
            LoadMode::Compat => Mode::Compat,
            LoadMode::Istio => Mode::Istio,
            LoadMode::Strict => Mode::Strict,
        }
    }

    /// Reads every file and compiles it; a listener is not needed to check.
    fn load(&self) -> anyhow::Result<(Vec<weir::policy::Source>, weir::policy::Loaded)> {
        let builtins: Vec<_> = weir_plugins::builtins().map(|(name, _)| name).collect();
        let (sources, options) = self.sources()?;
        let loaded = weir::policy::load(&sources, &Options { builtins: &builtins, ..options });
        Ok((sources, loaded))
    }

    /// The text of every file, and how to read it.
    fn sources(&self) -> anyhow::Result<(Vec<weir::policy::Source>, Options<'static>)> {
        let texts = files(self.paths.clone(), None).texts()?.into_iter();
        let sources = texts
            .map(|text| weir::policy::Source { name: text.name, base: text.base, text: text.text })
            .collect();
        let options = Options {
            mode: self.mode(),
            namespace: self.namespace.clone(),
            require_listeners: false,
            ..Options::default()
        };
        Ok((sources, options))
    }
}

fn files(paths: Vec<PathBuf>, plugins: Option<PathBuf>) -> Files {
    Files { paths, plugins, builtin: weir_plugins::builtin }
}

/// Parses the command line and does what it says.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, with exit code 0.
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            let _ = error.print();
            return code.into();
        }
    };
    let color = cli.color.on_stdout();
    let quiet = matches!(&cli.command, Command::Demo(arguments) if arguments.tour);
    if let Err(error) = start_log(if quiet { "off" } else { &cli.log }, cli.log_format) {
        return failure(&error);
    }
    let done = match cli.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::run(&arguments, color),
        Command::Plan(arguments) => plan::run(&arguments, color),
        Command::Gateway(command) => gateway::run(command),
        Command::Demo(arguments) => run::demo(&arguments),
        Command::Completions { shell } => {
            let mut command = <Cli as clap::CommandFactory>::command();
            clap_complete::generate(shell, &mut command, "weir", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Version => print(&format!("weir {}\n", env!("CARGO_PKG_VERSION"))),
    };
    done.unwrap_or_else(|error| failure(&error))
}

fn failure(error: &anyhow::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "weir: {error:#}");
    EXIT_FAILURE.into()
}

/// Writes to stdout; a reader that went away (`| head`) is not an error.
fn print(text: &str) -> anyhow::Result<ExitCode> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn start_log(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .map_err(|error| anyhow::anyhow!("--log {filter}: {error}"))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}
