//! Istio's string forms: `*` presence, `*x` suffix, `x*` prefix, anything else exact.
//!
//! A star in the middle is an ordinary character. Matching works on bytes and takes linear time.

/// One string form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Any value that is not empty.
    Present,
    Exact(Vec<u8>),
    Prefix(Vec<u8>),
    Suffix(Vec<u8>),
    /// Every star stands for anything; of namespaces, where Istio makes a regex of it.
    Glob(Vec<u8>),
}

impl Pattern {
    /// The form of a text. `implied` comes before exact values and prefixes (`spiffe://`).
    pub(crate) fn parse(text: &str, implied: &str) -> Self {
        if text == "*" {
            return Self::Present;
        }
        if let Some(suffix) = text.strip_prefix('*') {
            return Self::Suffix(suffix.into());
        }
        match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix([implied, prefix].concat().into()),
            None => Self::Exact([implied, text].concat().into()),
        }
    }

    /// The same form in lower case, for values that are compared in lower case.
    #[must_use]
    pub(crate) fn to_lowercase(&self) -> Self {
        match self {
            Self::Present => Self::Present,
            Self::Exact(text) => Self::Exact(text.to_ascii_lowercase()),
            Self::Prefix(text) => Self::Prefix(text.to_ascii_lowercase()),
            Self::Suffix(text) => Self::Suffix(text.to_ascii_lowercase()),
            Self::Glob(text) => Self::Glob(text.to_ascii_lowercase()),
        }
    }

    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Present => !value.is_empty(),
            Self::Exact(text) => value == text,
            Self::Prefix(text) => value.starts_with(text),
            Self::Suffix(text) => value.ends_with(text),
            Self::Glob(text) => glob(text, value),
        }
    }
}

/// Whether stars in `pattern` can be filled so that it becomes `value`. The parts between stars
/// are found leftmost first, which is enough: only the last must reach the end.
fn glob(pattern: &[u8], value: &[u8]) -> bool {
    let mut parts = pattern.split(|byte| *byte == b'*');
    let Some(mut rest) = parts.next().and_then(|first| value.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let Some(at) = rest.windows(part.len()).position(|window| window == part) else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
