//! Path templates: `{*}` is one segment, `{**}` at the end is everything that follows.

use weir_sdk::{Error, Result};

/// A compiled template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    segments: Vec<Segment>,
    /// Ends in `{**}`.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(Vec<u8>),
    Any,
}

impl Template {
    /// Compiles a path that has `{*}` or `{**}`; `None` for other paths.
    ///
    /// # Errors
    /// Text and braces in one segment, or `{**}` before the end.
    pub(crate) fn parse(path: &str) -> Result<Option<Self>> {
        if !path.contains("{*}") && !path.contains("{**}") {
            return Ok(None);
        }
        let malformed = |what: &str| Error::new(format!("path template {path:?}: {what}"));
        let rest = path.strip_prefix('/').ok_or_else(|| malformed("does not begin with /"))?;
        let (mut segments, mut open) = (Vec::new(), false);
        for segment in rest.split('/') {
            if open {
                return Err(malformed("{**} is not last"));
            }
            match segment {
                "{*}" => segments.push(Segment::Any),
                "{**}" => open = true,
                literal if literal.bytes().any(|byte| b"{}*".contains(&byte)) => {
                    return Err(malformed("a segment is either {*}, {**} or plain text"));
                }
                literal => segments.push(Segment::Literal(literal.into())),
            }
        }
        Ok(Some(Self { segments, open }))
    }

    /// Whether a path without query is of this form. `{*}` wants at least one character; `{**}`
    /// wants its slash but nothing after it.
    pub(crate) fn matches(&self, path: &[u8]) -> bool {
        let Some(rest) = path.strip_prefix(b"/") else { return false };
        let mut given = rest.split(|byte| *byte == b'/');
        for segment in &self.segments {
            let matched = match (segment, given.next()) {
                (_, None) => false,
                (Segment::Any, Some(text)) => !text.is_empty(),
                (Segment::Literal(literal), Some(text)) => literal == text,
            };
            if !matched {
                return false;
            }
        }
        given.next().is_some() == self.open
    }
}

#[cfg(test)]
mod tests;
