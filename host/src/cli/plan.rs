//! `weir plan`: what documents come to.

use super::show::Shown;
use super::{Documents, EXIT_DATA, Output, print};
use std::io::Write;
use std::process::ExitCode;

pub(super) const EXAMPLES: &str = "Examples:
  weir plan mesh/                   each route, its chain with every configuration, its cluster
  weir plan mesh/ -o json | jq '.listeners[].virtualHosts[].routes[].chain'";

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    documents: Documents,
    #[arg(short, long, default_value = "text")]
    output: Output,
}

pub(super) fn run(arguments: &Arguments, color: bool) -> anyhow::Result<ExitCode> {
    let (sources, loaded) = arguments.documents.load()?;
    let report = weir::policy::render(&loaded.diagnostics, &sources, color);
    std::io::stderr().write_all(report.as_bytes())?;
    let Some(plan) = loaded.plan else { return Ok(EXIT_DATA.into()) };
    match arguments.output {
        Output::Json => print(&format!("{}\n", serde_json::to_string_pretty(&plan)?)),
        Output::Text => print(&Shown(&plan).to_string()),
    }
}
