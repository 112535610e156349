//! What a scalar means: the core schema of YAML 1.2.
//!
//! YAML 1.1's `yes`, `no`, `on` and octal `0777` stay text and decimal, as in every JSON-based
//! reader of these documents.

use super::Scalar;
use serde_json::Value as Json;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Resolved<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(&'a str),
}

impl Scalar {
    pub(crate) fn resolve(&self) -> Resolved<'_> {
        if !self.plain {
            return Resolved::Text(&self.text);
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
            "true" | "True" | "TRUE" => Resolved::Boolean(true),
            "false" | "False" | "FALSE" => Resolved::Boolean(false),
            text => integer(text)
                .map(Resolved::Integer)
                .or_else(|| number(text).map(Resolved::Number))
                .unwrap_or(Resolved::Text(text)),
        }
    }

    pub(super) fn to_json(&self) -> Json {
        match self.resolve() {
            Resolved::Null => Json::Null,
            Resolved::Boolean(value) => Json::Bool(value),
            Resolved::Integer(value) => Json::from(value),
            // A number JSON cannot hold (`.inf`) stays as it was written.
            Resolved::Number(value) => serde_json::Number::from_f64(value)
                .map_or_else(|| Json::from(self.text.clone()), Json::Number),
            Resolved::Text(text) => Json::from(text),
        }
    }
}

fn integer(text: &str) -> Option<i64> {
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return digits(hexadecimal, 16);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return digits(octal, 8);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn digits(text: &str, radix: u32) -> Option<i64> {
    text.chars()
        .all(|digit| digit.is_digit(radix))
        .then(|| i64::from_str_radix(text, radix).ok())?
}

fn number(text: &str) -> Option<f64> {
    match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" => return Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Some(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        _ => {}
    }
    // Rust also reads `inf`, `nan` and `infinity`; YAML does not.
    let numeric = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    if !text.bytes().all(numeric) || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
