//! `weir check`: everything that is wrong with documents, at once.

use super::{Documents, EXIT_DATA, Output, print};
use std::process::ExitCode;
use weir::policy::diagnostic::{Diagnostic, Severity};

pub(super) const EXAMPLES: &str = "Examples:
  weir check mesh/                  every finding, with its place and how to write it
  weir check mesh/ --mode strict    an unknown field is an error, as for kubectl
  weir check mesh/ -o json          for programs";

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    documents: Documents,
    #[arg(short, long, default_value = "text")]
    output: Output,
}

pub(super) fn run(arguments: &Arguments, color: bool) -> anyhow::Result<ExitCode> {
    let (sources, loaded) = arguments.documents.load()?;
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
