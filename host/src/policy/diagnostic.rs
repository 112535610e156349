//! What is wrong with a document, where, and how to write it instead.

pub mod codes;
mod report;

pub use codes::Code;
pub(crate) use report::render;

use super::document::Span;
use crate::plan::Place;
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// There is no plan.
    Error,
    /// The plan may not be what the author meant.
    Warning,
    /// Accepted and understood, but without effect in this version.
    NotEnforced,
    /// Worth knowing.
    Info,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::NotEnforced => "not enforced",
            Self::Info => "info",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    pub place: Place,
    /// Characters to underline, from `place` on.
    pub length: u32,
    /// What is wrong and what was done about it.
    pub message: String,
    /// How to write it.
    pub help: Option<String>,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, severity, place, message, help, .. } = self;
        write!(f, "{place}: {}[{}]: {message}", severity.as_str(), code.id())?;
        help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

/// Collects findings while documents are read; nothing stops at the first one.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    found: Vec<(Span, Diagnostic)>,
}

impl Diagnostics {
    /// Adds a finding with the severity of its code; the returned value takes the help text.
    pub(crate) fn report(
        &mut self,
        code: Code,
        span: Span,
        message: impl Into<String>,
    ) -> Reported<'_> {
        let place = Place { source: String::new(), line: span.line, column: span.column };
        let diagnostic = Diagnostic {
            code,
            severity: code.severity(),
            place,
            length: span.length,
            message: message.into(),
            help: None,
        };
        self.found.push((span, diagnostic));
        Reported(self.found.last_mut().map(|(_, diagnostic)| diagnostic))
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|(_, diagnostic)| diagnostic.severity == Severity::Error)
    }

    /// Count of errors so far: compared before and after a step to see whether it found any.
    pub(crate) fn errors(&self) -> usize {
        self.found.iter().filter(|(_, found)| found.severity == Severity::Error).count()
    }

    /// Sorted by source, line and column; equal findings once.
    pub(crate) fn finish(mut self, source_names: &[&str]) -> Vec<Diagnostic> {
        self.found.sort_by_key(|(span, found)| {
            (span.source, span.line, span.column, found.severity, found.code)
        });
        self.found.dedup_by(|later, earlier| {
            // A field that was moved to several rules is one field to its author.
            let same = later.0 == earlier.0 && later.1.code == earlier.1.code;
            same && (later.1 == earlier.1 || later.1.severity == Severity::NotEnforced)
        });
        self.found
            .into_iter()
            .map(|(span, mut found)| {
                let name = source_names.get(span.source as usize).copied().unwrap_or_default();
                found.place.source = name.to_owned();
                found
            })
            .collect()
    }
}

/// The finding just added.
pub(crate) struct Reported<'a>(Option<&'a mut Diagnostic>);

impl Reported<'_> {
    pub(crate) fn help(self, help: impl Into<String>) {
        if let Some(diagnostic) = self.0 {
            diagnostic.help = Some(help.into());
        }
    }
}
