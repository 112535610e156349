//! `weir check`: everything that is wrong with documents and their plugins, at once.

use super::run::module_cache;
use super::{Documents, EXIT_DATA, Output, files, print};
use std::path::PathBuf;
use std::process::ExitCode;
use weir::plan::Place;
use weir::policy::diagnostic::{Diagnostic, Severity, codes};
use weir::server::trial;
use weir::snapshot::build::BuildError;

pub(super) const EXAMPLES: &str = "Examples:
  weir check mesh/                  every finding, with its place and how to write it
  weir check mesh/ --mode strict    an unknown field is an error, as for kubectl
  weir check mesh/ -o json          for programs";

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    documents: Documents,
    /// Folder where a file named as a built-in replaces it, as for `weir run`.
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    #[arg(short, long, default_value = "text")]
    output: Output,
}

pub(super) fn run(arguments: &Arguments, color: bool) -> anyhow::Result<ExitCode> {
    let (sources, mut loaded) = arguments.documents.load()?;
    if let Some(plan) = &loaded.plan {
        let files = files(arguments.documents.paths.clone(), arguments.plugins.clone());
        let refusals = trial::refusals(plan, &files, module_cache(None))?;
        loaded.diagnostics.extend(refusals.into_iter().map(refusal));
    }
    let found = &loaded.diagnostics;
    match arguments.output {
        Output::Json => print(&format!("{}\n", serde_json::to_string_pretty(found)?))?,
        Output::Text => {
            print(&weir::policy::render(found, &sources, color))?;
            print(&summary(found, sources.len()))?
        }
    };
    let wrong = found.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    Ok(if wrong { EXIT_DATA.into() } else { ExitCode::SUCCESS })
}

/// What a plugin said, at the route that has it.
fn refusal((place, error): (Option<Place>, BuildError)) -> Diagnostic {
    let unknown = || Place { source: "plan".to_owned(), line: 1, column: 1 };
    Diagnostic {
        code: codes::PLUGIN_REFUSED,
        severity: Severity::Error,
        place: place.unwrap_or_else(unknown),
        length: 1,
        message: error.to_string(),
        help: None,
    }
}

fn summary(found: &[Diagnostic], files: usize) -> String {
    let count = |severity| found.iter().filter(|it| it.severity == severity).count();
    let plural =
        |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    format!(
        "{} checked: {}, {}, {} not enforced yet\n",
        plural(files, "file"),
        plural(count(Severity::Error), "error"),
        plural(count(Severity::Warning), "warning"),
        count(Severity::NotEnforced),
    )
}
