//! Path rewriting as the plugins `rewrite` and `redirect` write it in their configuration.
//!
//! Works on the path alone; the query is kept by the caller. Bytes that are not UTF-8 pass through
//! `full` and `prefix`; `regex` leaves such a path unchanged.

use std::borrow::Cow;

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::Error;

/// What to make of a path.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum PathRewrite {
    /// The whole path becomes this. May carry a query.
    Full(String),
    Prefix(Prefix),
    Regex(Substitution),
}

/// One prefix for another.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prefix {
    pub from: String,
    pub to: String,
    /// Compare without regard to ASCII case.
    #[serde(default)]
    pub ignore_case: bool,
    /// Gateway API's `ReplacePrefixMatch`: whole segments only, and slashes join right. Otherwise
    /// Istio's: any string prefix.
    #[serde(default)]
    pub segments: bool,
}

/// Every match of a pattern by a text with `\1` for groups; RE2 syntax as `regex-lite` knows it.
#[derive(Debug, Clone)]
pub struct Substitution {
    pattern: Regex,
    /// In `regex-lite`'s notation.
    replacement: String,
}

impl PathRewrite {
    /// The new path, without query unless the replacement itself carries one; `None` when a prefix
    /// or pattern does not match.
    pub fn apply<'p>(&'p self, path: &'p [u8]) -> Option<Cow<'p, [u8]>> {
        match self {
            Self::Full(full) => Some(Cow::Borrowed(full.as_bytes())),
            Self::Prefix(prefix) if prefix.segments => prefix.replace_segments(path),
            Self::Prefix(prefix) => {
                let rest = prefix.strip(prefix.from.as_bytes(), path)?;
                Some(Cow::Owned([prefix.to.as_bytes(), rest].concat()))
            }
            Self::Regex(substitution) => substitution.apply(path),
        }
    }
}

impl Prefix {
    fn strip<'p>(&self, from: &[u8], path: &'p [u8]) -> Option<&'p [u8]> {
        let (head, rest) = path.split_at_checked(from.len())?;
        let equal = if self.ignore_case { head.eq_ignore_ascii_case(from) } else { head == from };
        equal.then_some(rest)
    }

    /// Trailing slashes of both prefixes do not count; what follows is empty or begins with one.
    fn replace_segments<'p>(&self, path: &'p [u8]) -> Option<Cow<'p, [u8]>> {
        let from = self.from.strip_suffix('/').unwrap_or(&self.from);
        let to = self.to.strip_suffix('/').unwrap_or(&self.to);
        let rest = self.strip(from.as_bytes(), path)?;
        if !rest.is_empty() && !rest.starts_with(b"/") {
            return None;
        }
        let joined = [to.as_bytes(), rest].concat();
        Some(if joined.is_empty() { Cow::Borrowed(b"/") } else { Cow::Owned(joined) })
    }
}

impl Substitution {
    fn apply<'p>(&self, path: &'p [u8]) -> Option<Cow<'p, [u8]>> {
        let path = std::str::from_utf8(path).ok()?;
        if !self.pattern.is_match(path) {
            return None;
        }
        let replaced = self.pattern.replace_all(path, self.replacement.as_str());
        Some(Cow::Owned(replaced.into_owned().into_bytes()))
    }
}

impl<'de> Deserialize<'de> for Substitution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            pattern: String,
            substitution: String,
        }
        let written = Written::deserialize(deserializer)?;
        compile(&written.pattern, &written.substitution).map_err(D::Error::custom)
    }
}

/// Patterns are at most this long in Istio.
const PATTERN_BYTES_MAX: usize = 1024;

/// Compiled size allowed to one pattern; RE2's default program size is of this order.
const PROGRAM_BYTES_MAX: usize = 1 << 20;

fn compile(pattern: &str, substitution: &str) -> Result<Substitution, Error> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(Error::new(format!("pattern is longer than {PATTERN_BYTES_MAX} bytes")));
    }
    let pattern = RegexBuilder::new(pattern)
        .size_limit(PROGRAM_BYTES_MAX)
        .build()
        .map_err(|error| Error::new(format!("pattern: {error}")))?;
    let replacement = replacement(substitution, pattern.captures_len())?;
    Ok(Substitution { pattern, replacement })
}

/// RE2's `\0`..`\9` and `\\` in `regex-lite`'s `${0}` notation.
fn replacement(substitution: &str, groups: usize) -> Result<String, Error> {
    let mut out = String::with_capacity(substitution.len());
    let mut chars = substitution.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some('\\') => out.push('\\'),
                Some(digit) if digit.to_digit(10).is_some_and(|n| (n as usize) < groups) => {
                    out.extend(["${", digit.encode_utf8(&mut [0; 4]), "}"]);
                }
                Some(digit) if digit.is_ascii_digit() => {
                    return Err(Error::new(format!("substitution: no group \\{digit} in pattern")));
                }
                _ => return Err(Error::new("substitution: \\ must be followed by a digit or \\")),
            },
            c => out.push(c),
        }
    }
    Ok(out)
}
