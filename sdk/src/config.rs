//! The plugin's JSON configuration, with errors that say where.

mod location;

use serde::de::DeserializeOwned;

use crate::Error;

/// Parses a configuration; no bytes at all are `{}`.
///
/// # Errors
/// Names the JSON path, line and column: `policies[0].rules[1]: unknown field …`.
pub(crate) fn parse<C: DeserializeOwned>(bytes: &[u8]) -> Result<C, Error> {
    let bytes = if bytes.trim_ascii().is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| {
        let path = location::path_at(bytes, error.line(), error.column());
        Error::new(format!("configuration: {path}: {error}"))
    })
}

#[cfg(test)]
mod tests;
