//! `weir gateway status`: the conditions a controller would write, computed from files.

use super::{Documents, LoadMode, Output, print};
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use weir::policy::gateway::status;

pub(super) const EXAMPLES: &str = "Examples:
  weir gateway status -f edge/              each condition with its reason, as YAML
  weir gateway status -f edge/ -o json | jq '.[] | select(.kind == \"HTTPRoute\")'";

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Print the status of Gateways, ListenerSets and routes: what is accepted, attached, served.
    #[command(after_help = EXAMPLES)]
    Status(Arguments),
}

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Files or folders with Gateway API, Kubernetes and native documents.
    #[arg(short, long = "filename", required = true, num_args = 1.., value_name = "PATH")]
    file: Vec<PathBuf>,
    /// Namespace of documents that name none.
    #[arg(long, default_value = "default")]
    namespace: String,
    #[arg(short, long, default_value = "text")]
    output: Output,
}

pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    let Command::Status(Arguments { file, namespace, output }) = command;
    let documents = Documents { paths: file, mode: LoadMode::Compat, namespace };
    let (sources, options) = documents.sources()?;
    let objects = status::of(&sources, &options);
    match output {
        Output::Json => print(&format!("{}\n", serde_json::to_string_pretty(&objects)?)),
        Output::Text => {
            let mut text = String::new();
            for object in &objects {
                text.push_str("---\n");
                if let Value::Object(fields) = serde_json::to_value(object)? {
                    write_map(&mut text, &fields, 0);
                }
            }
            print(&text)
        }
    }
}

/// Block style; a map in a list begins beside its dash.
fn write_map(text: &mut String, map: &Map<String, Value>, indent: usize) {
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 || indent == 0 || text.ends_with('\n') {
            let _ = write!(text, "{:indent$}", "");
        }
        let _ = write!(text, "{key}:");
        write_value(text, value, indent);
    }
}

fn write_value(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            write_map(text, map, indent + 2);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            for item in items {
                let _ = write!(text, "{:indent$}-", "");
                match item {
                    Value::Object(map) if !map.is_empty() => {
                        text.push(' ');
                        write_map(text, map, indent + 2);
                    }
                    other => write_value(text, other, indent + 2),
                }
            }
        }
        // Names are plain; what YAML would read as anything else is quoted.
        Value::String(word) if is_plain(word) => {
            let _ = writeln!(text, " {word}");
        }
        other => {
            let _ = writeln!(text, " {other}");
        }
    }
}

fn is_plain(word: &str) -> bool {
    let first = word.starts_with(|first: char| first.is_ascii_alphabetic());
    let reads_otherwise = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    first
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "-./".contains(c))
        && !reads_otherwise.contains(&word.to_ascii_lowercase().as_str())
}
