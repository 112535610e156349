//! Header operations as the plugins `headers` and `split` write them in their configuration.
//!
//! Order is Envoy's (`header_parser.cc`): removals first, so that a header can be removed and added
//! anew; then `set`; then `add`. Values are computed before any of them is written. A value that
//! comes out empty changes nothing, as in Envoy.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    Error, Exchange, HeaderMap,
    format::{Format, Style, Subject},
};

/// Changes to the request and to the response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Headers {
    request: Operations,
    response: Operations,
}

impl Headers {
    /// Applies the request's part; during `on_request_headers`.
    pub fn apply_to_request(&self, exchange: &Exchange<'_>) {
        self.request.apply(exchange, exchange.request_headers());
    }

    /// Applies the response's part; during `on_response_headers`.
    pub fn apply_to_response(&self, exchange: &Exchange<'_>) {
        self.response.apply(exchange, exchange.response_headers());
    }
}

/// Changes to one header map, compiled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Operations {
    remove: Vec<String>,
    set: Vec<(String, Format)>,
    add: Vec<(String, Format)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Written {
    set: BTreeMap<String, String>,
    add: BTreeMap<String, String>,
    remove: Vec<String>,
}

impl<'de> Deserialize<'de> for Operations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Written::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl TryFrom<Written> for Operations {
    type Error = Error;

    fn try_from(written: Written) -> Result<Self, Error> {
        let remove = written.remove.iter().map(|name| removable(name));
        Ok(Self {
            remove: remove.collect::<Result<_, _>>()?,
            set: compile(&written.set)?,
            add: compile(&written.add)?,
        })
    }
}

fn compile(values: &BTreeMap<String, String>) -> Result<Vec<(String, Format)>, Error> {
    let values = values.iter().map(|(name, value)| {
        let format =
            Format::parse(value).map_err(|error| Error::new(format!("header {name}: {error}")))?;
        Ok((writable(name)?, format))
    });
    values.collect()
}

/// `host` and `:authority` are one thing; no other pseudo-header can be written.
fn writable(name: &str) -> Result<String, Error> {
    let name = valid(name)?;
    match name.as_str() {
        "host" | ":authority" => Ok(":authority".to_owned()),
        pseudo if pseudo.starts_with(':') => {
            Err(Error::new(format!("pseudo-header {pseudo} cannot be written")))
        }
        _ => Ok(name),
    }
}

fn removable(name: &str) -> Result<String, Error> {
    let name = valid(name)?;
    if name.starts_with(':') || name == "host" {
        return Err(Error::new(format!("header {name} cannot be removed")));
    }
    Ok(name)
}

/// RFC 9110 §5.6.2 token, after the colon of a pseudo-header; lower case.
fn valid(name: &str) -> Result<String, Error> {
    let token = name.strip_prefix(':').unwrap_or(name);
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if token.is_empty() || !token.bytes().all(is_token) {
        return Err(Error::new(format!("{name:?} is not a header name")));
    }
    Ok(name.to_ascii_lowercase())
}

impl Operations {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// Applies the changes to the map of the current direction. Refusals are logged.
    pub fn apply(&self, exchange: &Exchange<'_>, headers: HeaderMap<'_>) {
        for name in &self.remove {
            log_refusal(name, headers.remove(name));
        }
        let constant = |(_, format): &(String, Format)| format.as_literal().is_some();
        if self.set.iter().chain(&self.add).all(constant) {
            return self.write_constants(headers);
        }
        let subject = Subject::new(exchange, 0);
        let evaluate = |(name, format): &'_ (String, Format)| {
            let mut value = Vec::new();
            format.write(&subject, Style::Header, &mut value);
            (name.clone(), value)
        };
        let set: Vec<_> = self.set.iter().map(evaluate).collect();
        let add: Vec<_> = self.add.iter().map(evaluate).collect();
        for (name, value) in set.iter().filter(|(_, value)| !value.is_empty()) {
            log_refusal(name, headers.set(name, value));
        }
        for (name, value) in add.iter().filter(|(_, value)| !value.is_empty()) {
            log_refusal(name, add_line(headers, name, value));
        }
    }

    /// The common case, without a buffer.
    fn write_constants(&self, headers: HeaderMap<'_>) {
        for (name, format) in &self.set {
            if let Some(value @ [_, ..]) = format.as_literal() {
                log_refusal(name, headers.set(name, value));
            }
        }
        for (name, format) in &self.add {
            if let Some(value @ [_, ..]) = format.as_literal() {
                log_refusal(name, add_line(headers, name, value));
            }
        }
    }
}

/// An authority cannot have two lines; adding one rewrites it.
fn add_line(headers: HeaderMap<'_>, name: &str, value: &[u8]) -> crate::Result<()> {
    if name.starts_with(':') { headers.set(name, value) } else { headers.add(name, value) }
}

fn log_refusal(name: &str, result: crate::Result<()>) {
    if let Err(error) = result {
        crate::warn!("header {name}: {error}");
    }
}
