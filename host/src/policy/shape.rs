//! What a document may contain, as tables, and the one walk that checks a tree against them.
//!
//! The walk reports every deviation at its own token: unknown fields (by load mode), wrong types,
//! missing and exclusive fields, values out of range, and fields that are accepted but not enforced
//! yet. Code that lowers a document afterwards may read it leniently: what it cannot read was
//! reported here. Conditions that tie several fields together live with their kind.

mod number;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use number::{duration, percentage};
pub(crate) use text::{Text, is_dns_label, is_dns_name};

use super::Mode;
use super::diagnostic::{Diagnostics, codes};
use super::document::{Entry, Node, Resolved, Span, Value};

/// The allowed form of one value.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Free form, handed on as JSON.
    Any,
    Boolean,
    Integer(i64, i64),
    Number(f64, f64),
    Text(Text),
    /// Go's syntax, at least one millisecond unless zero is allowed.
    Duration,
    /// A duration that may be zero.
    DurationOrZero,
    Choice(&'static [&'static str]),
    List(&'static Shape, Size),
    /// Keys are the author's.
    Map(&'static Shape, Keys),
    /// Keys are ours; of each group at most one may be given.
    Object(&'static [Field], &'static [&'static [&'static str]]),
}

/// How many items a list may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(pub(crate) usize, pub(crate) usize);

impl Size {
    pub(crate) const ANY: Self = Self(0, usize::MAX);
}

/// What the keys of a map must look like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Keys {
    Any,
    /// Label names: not empty, no wildcard.
    Labels,
    /// Names of ports.
    PortNames,
    /// Numbers of ports, at least one.
    PortNumbers,
}

#[derive(Debug)]
pub(crate) struct Field {
    name: &'static str,
    shape: &'static Shape,
    required: bool,
    nullable: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Enforced,
    /// Accepted, checked, and without effect in this version.
    Later,
    /// What to write instead.
    Deprecated(&'static str),
}

impl Field {
    pub(crate) const fn new(name: &'static str, shape: &'static Shape) -> Self {
        Self { name, shape, required: false, nullable: false, state: State::Enforced }
    }

    pub(crate) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(crate) const fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }

    pub(crate) const fn later(self) -> Self {
        Self { state: State::Later, ..self }
    }

    pub(crate) const fn deprecated(self, instead: &'static str) -> Self {
        Self { state: State::Deprecated(instead), ..self }
    }
}

pub(crate) const ANY: Shape = Shape::Any;
pub(crate) const BOOLEAN: Shape = Shape::Boolean;
pub(crate) const TEXT: Shape = Shape::Text(Text::Any);
pub(crate) const FILLED: Shape = Shape::Text(Text::Length(1, usize::MAX));
pub(crate) const TEXTS: Shape = Shape::List(&TEXT, Size::ANY);
pub(crate) const TEXT_MAP: Shape = Shape::Map(&TEXT, Keys::Any);
pub(crate) const DURATION: Shape = Shape::Duration;
pub(crate) const U32: Shape = Shape::Integer(0, u32::MAX as i64);
pub(crate) const I32: Shape = Shape::Integer(i32::MIN as i64, i32::MAX as i64);
pub(crate) const PORT: Shape = Shape::Integer(1, 65535);
pub(crate) const NUMBER: Shape = Shape::Number(f64::NEG_INFINITY, f64::INFINITY);

/// How unknown fields are taken in the document being checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strictness {
    pub(crate) mode: Mode,
    /// AuthorizationPolicy and its like: a typo there must never pass.
    pub(crate) security: bool,
}

/// Checks `node`, written under the key at `key`, against `shape`; `path` is what messages call it.
pub(crate) fn check(
    node: &Node,
    shape: &'static Shape,
    path: &str,
    strictness: Strictness,
    diagnostics: &mut Diagnostics,
) {
    let root = shape;
    let mut walk = Walk { root, strictness, later: false, diagnostics };
    walk.value(node, shape, path);
}

struct Walk<'a> {
    root: &'static Shape,
    strictness: Strictness,
    /// Inside a field that is not enforced: reported once, at its top.
    later: bool,
    diagnostics: &'a mut Diagnostics,
}

impl Walk<'_> {
    fn value(&mut self, node: &Node, shape: &'static Shape, path: &str) {
        match shape {
            Shape::Any => {}
            Shape::List(of, size) => self.list(node, of, *size, path),
            Shape::Map(of, keys) => self.map(node, of, *keys, path),
            Shape::Object(fields, exclusive) => self.object(node, fields, exclusive, path),
            _ => self.scalar(node, shape, path),
        }
    }

    fn scalar(&mut self, node: &Node, shape: &'static Shape, path: &str) {
        let Value::Scalar(scalar) = &node.value else { return self.wrong_type(node, shape, path) };
        let problem = match (shape, scalar.resolve()) {
            (Shape::Boolean, Resolved::Boolean(_)) => None,
            (Shape::Integer(min, max), Resolved::Integer(value)) => {
                number::out_of_range(value, *min, *max)
            }
            (Shape::Number(min, max), Resolved::Integer(value)) => {
                number::number_out_of_range(value as f64, *min, *max)
            }
            (Shape::Number(min, max), Resolved::Number(value)) => {
                number::number_out_of_range(value, *min, *max)
            }
            (Shape::Text(rule), Resolved::Text(text)) => rule.problem(text),
            (Shape::Duration, Resolved::Text(text)) => number::duration_problem(text, false),
            (Shape::DurationOrZero, Resolved::Text(text)) => number::duration_problem(text, true),
            (Shape::Choice(choices), Resolved::Text(text)) if choices.contains(&text) => None,
            (Shape::Choice(choices), Resolved::Text(text)) => {
                return self.not_a_choice(node.span, text, choices, path);
            }
            _ => return self.wrong_type(node, shape, path),
        };
        if let Some(problem) = problem {
            let found = match scalar.text.as_str() {
                "" => String::new(),
                text => format!(", found `{text}`"),
            };
            let message = format!("`{path}` {problem}{found}");
            self.diagnostics.report(codes::INVALID_VALUE, node.span, message);
        }
    }

    fn not_a_choice(&mut self, span: Span, text: &str, choices: &[&str], path: &str) {
        let allowed = choices.join(", ");
        let message = format!("`{text}` is not a value of `{path}`");
        let help = match nearest(text, choices.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? Allowed: {allowed}"),
            None => format!("allowed: {allowed}"),
        };
        self.diagnostics.report(codes::INVALID_VALUE, span, message).help(help);
    }

    fn wrong_type(&mut self, node: &Node, shape: &Shape, path: &str) {
        let message = format!("`{path}` must be {}, found {}", shape.noun(), node.type_name());
        let help = match (shape, &node.value) {
            (Shape::Text(_) | Shape::Choice(_), Value::Scalar(scalar)) if !node.is_null() => {
                Some(format!("quote it: \"{}\"", scalar.text))
            }
            (Shape::Integer(..) | Shape::Number(..) | Shape::Boolean, Value::Scalar(scalar))
                if !scalar.plain =>
            {
                Some(format!("remove the quotes: {}", scalar.text))
            }
            (Shape::List(..), Value::Map(_)) => Some("begin the item with `- `".to_owned()),
            (Shape::List(..), Value::Scalar(scalar)) if !node.is_null() => {
                Some(format!("write [{}]", scalar.text))
            }
            (Shape::Object(fields, _), Value::Scalar(scalar)) if !node.is_null() => {
                likely_field(fields).map(|name| format!("write {{{name}: {}}}", scalar.text))
            }
            (Shape::Duration | Shape::DurationOrZero, Value::Scalar(scalar)) => {
                let seconds = format!("{}s", scalar.text);
                duration(&seconds).map(|_| format!("for seconds write {seconds}"))
            }
            _ => None,
        };
        let reported = self.diagnostics.report(codes::WRONG_TYPE, node.span, message);
        if let Some(help) = help {
            reported.help(help);
        }
    }

    fn list(&mut self, node: &Node, of: &'static Shape, size: Size, path: &str) {
        let Value::List(items) = &node.value else {
            return self.wrong_type(node, &Shape::List(&ANY, Size::ANY), path);
        };
        if items.len() < size.0 || items.len() > size.1 {
            let wanted = if items.len() < size.0 { "at least" } else { "at most" };
            let limit = if items.len() < size.0 { size.0 } else { size.1 };
            let message =
                format!("`{path}` must have {wanted} {limit} item(s), found {}", items.len());
            self.diagnostics.report(codes::INVALID_VALUE, node.span, message);
        }
        for (index, item) in items.iter().enumerate() {
            self.value(item, of, &format!("{path}[{index}]"));
        }
    }

    fn map(&mut self, node: &Node, of: &'static Shape, keys: Keys, path: &str) {
        let Value::Map(entries) = &node.value else {
            return self.wrong_type(node, &Shape::Map(&ANY, Keys::Any), path);
        };
        if keys == Keys::PortNumbers && entries.is_empty() {
            let message = format!("`{path}` must name at least one port");
            self.diagnostics.report(codes::INVALID_VALUE, node.span, message);
        }
        for entry in entries {
            if let Some(problem) = keys.problem(&entry.key) {
                let message = format!("{problem}, found `{}`", entry.key);
                self.diagnostics.report(codes::INVALID_VALUE, entry.key_span, message);
            }
            self.value(&entry.node, of, &format!("{path}.{}", entry.key));
        }
    }

    fn object(&mut self, node: &Node, fields: &'static [Field], exclusive: &[&[&str]], path: &str) {
        let Value::Map(entries) = &node.value else {
            return self.wrong_type(node, &Shape::Object(fields, &[]), path);
        };
        for entry in entries {
            match fields.iter().find(|field| field.name == entry.key) {
                Some(field) => self.field(entry, field, &format!("{path}.{}", entry.key)),
                None => self.unknown_field(entry, fields, path),
            }
        }
        for field in fields.iter().filter(|field| field.required) {
            if node.entry(field.name).is_none() {
                let message = format!("`{path}.{}` is required", field.name);
                self.diagnostics.report(codes::MISSING_FIELD, node.span, message);
            }
        }
        for group in exclusive {
            let mut given = entries.iter().filter(|entry| group.contains(&entry.key.as_str()));
            if let (Some(first), Some(second)) = (given.next(), given.next()) {
                let message =
                    format!("`{}` and `{}` of `{path}` exclude each other", first.key, second.key);
                self.diagnostics
                    .report(codes::EXCLUSIVE_FIELDS, second.key_span, message)
                    .help(format!("keep one of {}", group.join(", ")));
            }
        }
    }

    fn field(&mut self, entry: &Entry, field: &'static Field, path: &str) {
        if entry.node.is_null() && field.nullable {
            return;
        }
        let was_later = self.later;
        match field.state {
            State::Later if !was_later => {
                let message = format!("`{path}` is accepted but not enforced yet");
                self.diagnostics.report(codes::NOT_ENFORCED_FIELD, entry.key_span, message);
                self.later = true;
            }
            State::Deprecated(instead) => {
                let message = format!("`{path}` is deprecated");
                let reported = self.diagnostics.report(codes::DEPRECATED, entry.key_span, message);
                reported.help(instead);
            }
            State::Later | State::Enforced => {}
        }
        self.value(&entry.node, field.shape, path);
        self.later = was_later;
    }

    fn unknown_field(&mut self, entry: &Entry, fields: &'static [Field], path: &str) {
        let Strictness { mode, security } = self.strictness;
        let refused = security || mode == Mode::Strict;
        let (code, done) = if refused {
            let why = if security { "; in a security policy that is always an error" } else { "" };
            (codes::UNKNOWN_FIELD_STRICT, why)
        } else {
            (codes::UNKNOWN_FIELD, "; it is ignored")
        };
        let message = format!("unknown field `{}` in `{path}`{done}", entry.key);
        let reported = self.diagnostics.report(code, entry.key_span, message);
        if let Some(near) = nearest(&entry.key, fields.iter().map(|field| field.name)) {
            reported.help(format!("did you mean `{near}`?"));
        } else if let Some(home) = self.root.path_of(&entry.key, "spec") {
            reported.help(format!("there is a field of this name at `{home}`"));
        } else if !fields.is_empty() {
            let names: Vec<_> = fields.iter().map(|field| field.name).collect();
            reported.help(format!("known fields: {}", names.join(", ")));
        }
    }
}

impl Shape {
    fn noun(&self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Boolean => "true or false",
            Self::Integer(..) => "an integer",
            Self::Number(..) => "a number",
            Self::Text(_) | Self::Choice(_) => "text",
            Self::Duration | Self::DurationOrZero => "a duration such as `5s`",
            Self::List(..) => "a list",
            Self::Map(..) | Self::Object(..) => "a map",
        }
    }

    /// Where in this kind a field of that name lives, nearest the top.
    fn path_of(&'static self, name: &str, path: &str) -> Option<String> {
        let mut level = vec![(path.to_owned(), self)];
        // The deepest table has fewer levels than this; the bound only documents that.
        for _ in 0..12 {
            let mut below = Vec::new();
            for (path, shape) in level {
                match shape {
                    Self::Object(fields, _) => {
                        if fields.iter().any(|field| field.name == name) {
                            return Some(format!("{path}.{name}"));
                        }
                        below.extend(
                            fields
                                .iter()
                                .map(|field| (format!("{path}.{}", field.name), field.shape)),
                        );
                    }
                    Self::List(of, _) => below.push((format!("{path}[]"), of)),
                    _ => {}
                }
            }
            level = below;
        }
        None
    }
}

impl Keys {
    fn problem(self, key: &str) -> Option<&'static str> {
        let broken = match self {
            Self::Any => return None,
            Self::Labels if key.is_empty() => return Some("a label name must not be empty"),
            Self::Labels if key.contains('*') => "a label name must not have a wildcard",
            Self::PortNames if !text::is_port_name(key) => "this is not the name of a port",
            Self::PortNumbers if !key.parse().is_ok_and(|port: u16| port > 0) => {
                "a port is a number from 1 to 65535"
            }
            Self::Labels | Self::PortNames | Self::PortNumbers => return None,
        };
        Some(broken)
    }
}

/// The field that a bare value most likely stands for: `uri: /a` is `{exact: /a}`.
fn likely_field(fields: &[Field]) -> Option<&'static str> {
    const LIKELY: [&str; 5] = ["exact", "value", "host", "number", "name"];
    let given = |name: &&str| fields.iter().any(|field| field.name == *name);
    LIKELY.into_iter().find(given)
}

/// The closest of some names, if it is close enough to have been meant.
pub(crate) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_ascii_lowercase();
    // One letter wrong in a short name is less alike than it reads: `url` for `uri`.
    let similarity = |name: &str| {
        let name = name.to_ascii_lowercase();
        let slip = name.len() == text.len() && name.len() > 2;
        let close = slip && strsim::levenshtein(&name, &text) == 1;
        strsim::jaro_winkler(&text, &name).max(if close { 0.86 } else { 0.0 })
    };
    names
        .map(|name| (similarity(name), name))
        .filter(|(similarity, _)| *similarity > 0.85)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}
