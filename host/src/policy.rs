//! YAML documents in, a [`Plan`] out: the policy compiler.
//!
//! A pure function of the text it is given: no file is opened and no name is resolved here. It
//! never stops at the first problem; everything that is wrong, doubtful or without effect comes
//! back as a [`Diagnostic`] with its place. What runs is decided by the plan alone.

mod builder;
pub mod diagnostic;
mod document;
pub mod gateway;
mod host;
mod istio;
mod kind;
mod listener;
mod native;
mod registry;
mod resource;
mod shape;
#[cfg(test)]
mod tests;

use crate::plan::Plan;
use diagnostic::{Diagnostic, Diagnostics, codes};
use document::Span;
use resource::Catalog;
use std::path::PathBuf;

/// One text to load.
#[derive(Debug, Clone)]
pub struct Source {
    /// As shown in diagnostics, e.g. a path.
    pub name: String,
    /// Relative plugin paths start here.
    pub base: PathBuf,
    /// YAML, one document or many; JSON is YAML.
    pub text: String,
}

/// How deviations from a kind's definition are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Known misplacements are applied where they belong, other unknown fields are ignored; each
    /// is one warning.
    #[default]
    Compat,
    /// As an API server: unknown fields are pruned, with a warning.
    Istio,
    /// As `kubectl` and `istioctl`: an unknown field is an error.
    Strict,
}

#[derive(Debug, Clone)]
pub struct Options<'a> {
    pub mode: Mode,
    /// Namespace of documents that name none.
    pub namespace: String,
    /// Namespace whose policies hold for the whole mesh.
    pub root_namespace: String,
    /// SPIFFE trust domain of workloads.
    pub trust_domain: String,
    /// DNS suffix of services, after `.svc.`.
    pub cluster_domain: String,
    /// Names of known built-in plugins.
    pub builtins: &'a [&'a str],
    /// Without a listener there is nothing to run: an error if set, else the policies are compiled
    /// for an implicit outbound listener.
    pub require_listeners: bool,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            mode: Mode::Compat,
            namespace: "default".to_owned(),
            root_namespace: "istio-system".to_owned(),
            trust_domain: "cluster.local".to_owned(),
            cluster_domain: "cluster.local".to_owned(),
            builtins: &[],
            require_listeners: false,
        }
    }
}

/// What came of a load.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// `None` when any diagnostic is an error.
    pub plan: Option<Plan>,
    /// By source, line and column.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles all sources into one plan.
pub fn load(sources: &[Source], options: &Options<'_>) -> Loaded {
    let mut diagnostics = Diagnostics::default();
    let catalog = read(sources, options, &mut diagnostics);
    if options.require_listeners && catalog.of(kind::Kind::Proxy).is_empty() {
        let start = Span { source: 0, line: 1, column: 1, length: 1 };
        diagnostics
            .report(codes::NO_PROXY, start, "no document of kind Proxy says where to listen")
            .help("add one: apiVersion: weir.dev/v1, kind: Proxy, spec.listeners");
    }
    let plan = listener::compile(&catalog, sources, options, &mut diagnostics);
    let plan = (!diagnostics.has_errors()).then_some(plan);
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    Loaded { plan, diagnostics: diagnostics.finish(&names) }
}

fn read(sources: &[Source], options: &Options<'_>, diagnostics: &mut Diagnostics) -> Catalog {
    let mut catalog = Catalog::default();
    for (index, source) in (0_u32..).zip(sources) {
        for document in document::parse(index, &source.text, diagnostics) {
            resource::admit(document, options, &mut catalog, diagnostics);
        }
    }
    catalog.settle(diagnostics);
    catalog
}

/// Diagnostics as a person reads them: code, place, the source line underlined, and the help.
pub fn render(diagnostics: &[Diagnostic], sources: &[Source], color: bool) -> String {
    diagnostic::render(diagnostics, sources, color)
}
