//! Diagnostics as a person reads them, in the style of rustc.

use super::{Diagnostic, Severity};
use crate::policy::Source;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, renderer::DecorStyle};

/// Every diagnostic with its source line, in the order given.
pub(crate) fn render(diagnostics: &[Diagnostic], sources: &[Source], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&render_one(diagnostic, sources, &renderer));
        text.push_str("\n\n");
    }
    text
}

fn render_one(diagnostic: &Diagnostic, sources: &[Source], renderer: &Renderer) -> String {
    let Diagnostic { code, severity, place, length, message, help } = diagnostic;
    let level = match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::NotEnforced => Level::NOTE.with_name("not enforced yet"),
        Severity::Info => Level::INFO,
    };
    let title = level.primary_title(message.as_str()).id(code.id());
    let source = sources.iter().find(|source| source.name == place.source);
    let line = source.and_then(|source| source.text.lines().nth(place.line as usize - 1));
    let group = match line {
        Some(line) => title.element(
            Snippet::source(line)
                .line_start(place.line as usize)
                .path(place.source.as_str())
                .annotation(AnnotationKind::Primary.span(byte_range(line, place.column, *length))),
        ),
        None => title.elements(Vec::<annotate_snippets::Message<'_>>::new()),
    };
    let group = match help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    };
    renderer.render(&[group])
}

/// Characters to bytes; a position past the end of the line points at its end.
fn byte_range(line: &str, column: u32, length: u32) -> std::ops::Range<usize> {
    let offset = |characters: usize| {
        line.char_indices().nth(characters).map_or(line.len(), |(index, _)| index)
    };
    let start = column.saturating_sub(1) as usize;
    offset(start)..offset(start + length as usize)
}
