//! Parser events to a tree, with an explicit stack: depth costs no call stack.

use super::{Entry, Node, Scalar, Span, Value};
use crate::policy::diagnostic::{Diagnostics, codes};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// A policy file larger than this is not a policy file.
pub(crate) const SOURCE_BYTES_MAX: usize = 8 << 20;
/// Nesting of maps and lists in one document.
pub(crate) const DEPTH_MAX: usize = 128;
/// Nodes of one source, alias expansions included: what an alias bomb runs into.
pub(crate) const NODES_MAX: usize = 1_000_000;
/// Nodes that aliases alone may add.
pub(crate) const ALIAS_NODES_MAX: usize = 100_000;

/// Every document of a source, in order; empty documents are left out. What is wrong is reported;
/// the documents before a syntax error are still returned.
pub(crate) fn parse(source: u32, text: &str, diagnostics: &mut Diagnostics) -> Vec<Node> {
    let start = Span { source, line: 1, column: 1, length: 1 };
    if text.len() > SOURCE_BYTES_MAX {
        let message =
            format!("this file has {} bytes, the limit is {SOURCE_BYTES_MAX}", text.len());
        diagnostics.report(codes::LIMIT, start, message).help("split it into several files");
        return Vec::new();
    }
    let mut text = Cow::Borrowed(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut mended = 0;
    loop {
        let mut reader = Reader {
            source,
            text: &text,
            diagnostics,
            stack: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            alias_nodes: 0,
            documents: Vec::new(),
        };
        let Err(error) = reader.read() else { return reader.documents };
        match move_bracket(&text, error.marker().line()) {
            Some(moved) if mended < BRACKETS_MAX => text = Cow::Owned(moved),
            _ => {
                reader.syntax_error(&error);
                return reader.documents;
            }
        }
        mended += 1;
    }
}

/// Closing brackets that are moved in one file before the parser's complaint stands.
const BRACKETS_MAX: usize = 100;

/// YAML wants a closing bracket indented deeper than the key of its collection; readers in Go do
/// not mind, so Kubernetes documents have it below the key. The bracket of the line at fault is
/// moved to the end of the line before, by a rotation of characters that leaves the place of
/// everything else as it was.
fn move_bracket(text: &str, line: usize) -> Option<String> {
    let mut lines: Vec<&str> = text.split('\n').collect();
    let index = line.checked_sub(1)?;
    let at = *lines.get(index)?;
    let rest = at.trim_start();
    let bracket = rest.get(..1).filter(|first| ["]", "}"].contains(first))?;
    let before = *lines.get(index.checked_sub(1)?)?;
    if before.contains('#') {
        return None;
    }
    let (indent, rest) = (&at[..at.len() - rest.len()], &rest[1..]);
    let joined = format!("{before}{bracket}\n{indent}{rest}");
    lines.splice(index - 1..=index, [joined.as_str()]);
    Some(lines.join("\n"))
}

struct Reader<'a> {
    source: u32,
    text: &'a str,
    diagnostics: &'a mut Diagnostics,
    stack: Vec<Frame>,
    /// Finished anchored nodes with their size.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    alias_nodes: usize,
    documents: Vec<Node>,
}

struct Frame {
    span: Span,
    anchor: usize,
    /// Count of nodes when this one was opened; the difference at its end is its size.
    nodes_before: usize,
    kind: FrameKind,
}

enum FrameKind {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, keys: HashSet<String>, pending: Option<(String, Span)> },
}

/// The rest of the source cannot be read; the reason was reported.
struct Stop;

impl Reader<'_> {
    fn read(&mut self) -> Result<(), ScanError> {
        let mut parser = Parser::new_from_str(self.text);
        while let Some(event) = parser.next_event() {
            let (event, span) = event?;
            if self.event(event, &span).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn span(&self, span: &saphyr_parser::Span) -> Span {
        // A collection's span is its first token; a multi-line scalar is underlined on one line.
        let length = if span.end.line() == span.start.line() { span.len() } else { 1 };
        Span {
            source: self.source,
            line: u32::try_from(span.start.line()).unwrap_or(u32::MAX).max(1),
            column: u32::try_from(span.start.col() + 1).unwrap_or(u32::MAX),
            length: u32::try_from(length).unwrap_or(u32::MAX).max(1),
        }
    }

    fn syntax_error(&mut self, error: &ScanError) {
        let marker = saphyr_parser::Span::empty(*error.marker());
        let span = self.span(&marker);
        let line = self.text.lines().nth(span.line.saturating_sub(1) as usize).unwrap_or("");
        let indent = &line[..line.len() - line.trim_start().len()];
        if indent.contains('\t') {
            let column = indent.chars().take_while(|c| *c != '\t').count() as u32 + 1;
            let at = Span { column, length: 1, ..span };
            let message = "a tab indents this line; YAML allows spaces only";
            self.diagnostics.report(codes::SYNTAX, at, message).help("replace the tab with spaces");
            return;
        }
        let message = format!("not valid YAML: {}", error.info());
        let reported = self.diagnostics.report(codes::SYNTAX, span, message);
        if line.contains("{{") {
            reported.help("this is a template: render it first");
        }
    }

    fn event(&mut self, event: Event<'_>, at: &saphyr_parser::Span) -> Result<(), Stop> {
        let span = self.span(at);
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                self.count(1, span)?;
                // A mapping key is not a value; it waits for one.
                let scalar = Scalar { text: text.into_owned(), plain };
                self.place(Node { span, value: Value::Scalar(scalar) }, anchor, 1)
            }
            Event::SequenceStart(anchor, _) => self.open(span, anchor, FrameKind::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                let kind =
                    FrameKind::Map { entries: Vec::new(), keys: HashSet::new(), pending: None };
                self.open(span, anchor, kind)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Stop> {
        self.nodes += nodes;
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        self.diagnostics.report(
            codes::LIMIT,
            span,
            format!("this file has more than {NODES_MAX} values"),
        );
        Err(Stop)
    }

    fn open(&mut self, span: Span, anchor: usize, kind: FrameKind) -> Result<(), Stop> {
        if self.stack.len() >= DEPTH_MAX {
            let message = format!("nested more than {DEPTH_MAX} levels deep");
            self.diagnostics.report(codes::LIMIT, span, message);
            return Err(Stop);
        }
        if self.is_key_position() {
            return self.key_error(span);
        }
        self.count(1, span)?;
        self.stack.push(Frame { span, anchor, nodes_before: self.nodes, kind });
        Ok(())
    }

    fn is_key_position(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { kind: FrameKind::Map { pending: None, .. }, .. }))
    }

    fn key_error(&mut self, span: Span) -> Result<(), Stop> {
        self.diagnostics
            .report(codes::SYNTAX, span, "a key must be plain text, not a map or a list")
            .help("`{{ … }}` is a template: render it first");
        Err(Stop)
    }

    fn close(&mut self) -> Result<(), Stop> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let value = match frame.kind {
            FrameKind::List(items) => Value::List(items),
            FrameKind::Map { entries, .. } => Value::Map(merge(entries)),
        };
        let size = self.nodes - frame.nodes_before + 1;
        self.place(Node { span: frame.span, value }, frame.anchor, size)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Stop> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            let message = "this alias stands inside the very value that it repeats";
            self.diagnostics.report(codes::SYNTAX, span, message);
            return Err(Stop);
        };
        let (mut node, size) = (node.clone(), *size);
        node.span = span;
        self.alias_nodes += size;
        if self.alias_nodes > ALIAS_NODES_MAX {
            let message = format!("aliases expand to more than {ALIAS_NODES_MAX} values");
            self.diagnostics.report(codes::LIMIT, span, message).help("write the values out");
            return Err(Stop);
        }
        if self.is_key_position() && !matches!(node.value, Value::Scalar(_)) {
            return self.key_error(span);
        }
        if self.stack.len() + depth(&node) > DEPTH_MAX {
            let message = format!("nested more than {DEPTH_MAX} levels deep through aliases");
            self.diagnostics.report(codes::LIMIT, span, message);
            return Err(Stop);
        }
        self.count(size, span)?;
        self.place(node, 0, size)
    }

    /// Puts a finished node into the open collection, or ends the document with it.
    fn place(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Stop> {
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.stack.last_mut().map(|frame| &mut frame.kind) {
            None => {
                if !node.is_null() {
                    self.documents.push(node);
                }
            }
            Some(FrameKind::List(items)) => items.push(node),
            Some(FrameKind::Map { entries, keys, pending }) => match pending.take() {
                None => {
                    let key = node.scalar_text().unwrap_or_default().to_owned();
                    *pending = Some((key, node.span));
                }
                Some((key, key_span)) => {
                    if keys.insert(key.clone()) {
                        entries.push(Entry { key, key_span, node });
                    } else {
                        let first = entries.iter().find(|entry| entry.key == key);
                        let line = first.map_or(0, |entry| entry.key_span.line);
                        let message = format!("`{key}` is given twice; first at line {line}");
                        self.diagnostics
                            .report(codes::DUPLICATE_KEY, key_span, message)
                            .help("remove one of the two");
                    }
                }
            },
        }
        Ok(())
    }
}

/// Levels of collections below and including this node; trees are at most `DEPTH_MAX` deep.
fn depth(node: &Node) -> usize {
    let below = match &node.value {
        Value::Scalar(_) => return 0,
        Value::List(items) => items.iter().map(depth).max(),
        Value::Map(entries) => entries.iter().map(|entry| depth(&entry.node)).max(),
    };
    1 + below.unwrap_or(0)
}

/// The merge key `<<` of YAML 1.1, which Kubernetes' readers still honour: its entries fill in the
/// keys that the map itself does not have.
fn merge(mut entries: Vec<Entry>) -> Vec<Entry> {
    let Some(index) = entries.iter().position(|entry| entry.key == "<<") else { return entries };
    let merged = entries.remove(index).node;
    let sources = match merged.value {
        Value::Map(map) => vec![map],
        Value::List(items) => items
            .into_iter()
            .filter_map(|item| match item.value {
                Value::Map(map) => Some(map),
                Value::Scalar(_) | Value::List(_) => None,
            })
            .collect(),
        Value::Scalar(_) => Vec::new(),
    };
    for entry in sources.into_iter().flatten() {
        if !entries.iter().any(|own| own.key == entry.key) {
            entries.push(entry);
        }
    }
    entries
}
