//! The table of the tour: promise, what was seen, whether it held.

use std::fmt;
use std::process::ExitCode;

/// One promise.
#[derive(Debug)]
pub(super) struct Row {
    promise: &'static str,
    seen: String,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Heading,
    Held,
    Broken,
}

impl Row {
    pub(super) fn heading() -> Self {
        Self { promise: "promise", seen: "seen".to_owned(), verdict: Verdict::Heading }
    }

    pub(super) fn new(promise: &'static str, seen: impl Into<String>, held: bool) -> Self {
        let verdict = if held { Verdict::Held } else { Verdict::Broken };
        Self { promise, seen: seen.into(), verdict }
    }

    /// A promise that could not even be tried.
    pub(super) fn broken(promise: &'static str, error: impl fmt::Display) -> Self {
        Self::new(promise, error.to_string(), false)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Heading => "ok",
            Verdict::Held => "yes",
            Verdict::Broken => "NO",
        };
        write!(f, "{:<44} | {:<58} | {verdict}", self.promise, self.seen)
    }
}

/// What the tour found. Prints as one line.
#[derive(Debug)]
pub(crate) struct Report {
    held: usize,
    promises: usize,
}

impl From<Vec<Row>> for Report {
    fn from(rows: Vec<Row>) -> Self {
        let held = rows.iter().filter(|row| row.verdict == Verdict::Held).count();
        Self { held, promises: rows.len() }
    }
}

impl Report {
    /// Nothing promised is nothing held.
    pub(crate) fn held(&self) -> bool {
        self.promises > 0 && self.held == self.promises
    }

    /// Success only if every promise held.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.held() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} promises held", self.held, self.promises)
    }
}

/// How often something happened, beside how often it should.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) hits: usize,
    pub(super) of: usize,
    /// 0 to 1.
    pub(super) expected: f64,
}

impl Share {
    /// Four standard deviations of the share of `of` independent draws.
    fn tolerance(&self) -> f64 {
        4.0 * (self.expected * (1.0 - self.expected) / self.of as f64).sqrt()
    }

    fn seen(&self) -> f64 {
        self.hits as f64 / self.of as f64
    }

    /// False for no draws at all.
    pub(super) fn is_expected(&self) -> bool {
        self.of > 0 && (self.seen() - self.expected).abs() <= self.tolerance()
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [seen, expected, tolerance] =
            [self.seen(), self.expected, self.tolerance()].map(|share| share * 100.0);
        write!(f, "{seen:.1} % of {} (may be {expected:.0} ± {tolerance:.1})", self.of)
    }
}
