//! YAML text as a tree in which every node remembers where it was written.
//!
//! The tree is what every check and every lowering reads, so that each message can point at the
//! token it speaks of. Hostile input is bounded here (size, depth, node count, alias expansion);
//! nothing in this module knows any kind of document.

mod parse;
mod scalar;
#[cfg(test)]
mod tests;

pub(crate) use parse::parse;
pub(crate) use scalar::Resolved;

use serde_json::Value as Json;

/// Where a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    /// Index into the sources given to `policy::load`.
    pub(crate) source: u32,
    /// 1-based.
    pub(crate) line: u32,
    /// 1-based, in characters.
    pub(crate) column: u32,
    /// In characters; at least 1.
    pub(crate) length: u32,
}

/// One value with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A scalar as written; what it means is decided by [`Scalar::resolve`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Not quoted and not a block: may be a number, a boolean or null.
    pub(crate) plain: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

impl Node {
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value of a key; `None` when this is no map, the key is missing or its value is null.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node).filter(|node| !node.is_null())
    }

    /// Follows a path of keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Empty unless this is a map.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Scalar(_) | Value::List(_) => &[],
        }
    }

    /// Empty unless this is a list.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            Value::Scalar(_) | Value::Map(_) => &[],
        }
    }

    /// Items of the list under `key`, empty when there is none.
    pub(crate) fn list(&self, key: &str) -> &[Node] {
        self.get(key).map_or(&[], Node::items)
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if matches!(scalar.resolve(), Resolved::Null))
    }

    fn resolve(&self) -> Option<Resolved<'_>> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar.resolve()),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self.resolve()? {
            Resolved::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar whatever its type: `1` and `"1"` read the same.
    pub(crate) fn scalar_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.resolve()? {
            Resolved::Boolean(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        match self.resolve()? {
            Resolved::Integer(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match self.resolve()? {
            Resolved::Integer(value) => Some(value as f64),
            Resolved::Number(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.integer().and_then(|value| u16::try_from(value).ok()).filter(|port| *port > 0)
    }

    pub(crate) fn text_at(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Node::text)
    }

    /// Texts of the list under `key`; other items are left out (they were reported before).
    pub(crate) fn texts(&self, key: &str) -> Vec<&str> {
        self.list(key).iter().filter_map(Node::text).collect()
    }

    /// The map under `key` as pairs of text.
    pub(crate) fn pairs(&self, key: &str) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.get(key).map_or(&[][..], Node::entries);
        entries.iter().filter_map(|entry| Some((entry.key.as_str(), entry.node.scalar_text()?)))
    }

    /// The same value as JSON; keys sorted, so that equal configurations are equal text.
    pub(crate) fn to_json(&self) -> Json {
        match &self.value {
            Value::Scalar(scalar) => scalar.to_json(),
            Value::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(entries) => Json::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect(),
            ),
        }
    }

    /// What a reader would call this value.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.resolve() {
            None if matches!(self.value, Value::List(_)) => "a list",
            None => "a map",
            Some(Resolved::Null) => "nothing",
            Some(Resolved::Boolean(_)) => "a boolean",
            Some(Resolved::Integer(_)) => "an integer",
            Some(Resolved::Number(_)) => "a number",
            Some(Resolved::Text(_)) => "text",
        }
    }
}
