//! A header or trailer map of the stream.

use weir_abi::{
    MapType,
    pairs::{self, Pairs},
};

use crate::{
    Result,
    host::{self, Host, Scope},
};

/// Headers or trailers of one direction: a multi-map in wire order, names in lower case, values
/// bytes. Each method is one host call; to look at many lines take [`HeaderMap::all`] once.
#[derive(Clone, Copy)]
pub struct HeaderMap<'s> {
    scope: &'s Scope,
    map: MapType,
}

impl<'s> HeaderMap<'s> {
    pub(crate) const fn new(scope: &'s Scope, map: MapType) -> Self {
        Self { scope, map }
    }

    /// Value of the first line of this name. `Ok(None)` when there is none; an error when the host
    /// does not let the map be read in this callback.
    pub fn try_get(&self, name: &str) -> Result<Option<&'s [u8]>> {
        host::current().value(self.scope, self.map, name)
    }

    /// Value of the first line of this name; `None` too when the map cannot be read.
    pub fn get(&self, name: &str) -> Option<&'s [u8]> {
        self.try_get(name).ok().flatten()
    }

    /// As [`HeaderMap::get`]; `None` too when the value is not UTF-8.
    pub fn get_str(&self, name: &str) -> Option<&'s str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// Every line, in order.
    ///
    /// # Errors
    /// The host does not let the map be read in this callback, or sent something malformed.
    pub fn try_all(&self) -> Result<Pairs<'s>> {
        let bytes = host::current().pairs(self.scope, self.map)?;
        pairs::decode(bytes).map_err(|error| crate::Error::new(format!("header map: {error:?}")))
    }

    /// Every line, in order; none when the map cannot be read.
    pub fn all(&self) -> Pairs<'s> {
        self.try_all().unwrap_or(Pairs::EMPTY)
    }

    /// Values of all lines of this name, in order. `name` in lower case.
    pub fn values<'n>(&self, name: &'n str) -> impl Iterator<Item = &'s [u8]> + use<'s, 'n> {
        self.all().filter(move |(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
    }

    /// Replaces every line of this name by one.
    pub fn set(&self, name: &str, value: &[u8]) -> Result<()> {
        host::current().replace_value(self.map, name, value)
    }

    /// As [`HeaderMap::set`], for changes that the plugin can do without: a refusal is logged.
    pub fn set_or_log(&self, name: &str, value: &[u8]) {
        if let Err(error) = self.set(name, value) {
            crate::warn!("header {name} not set: {error}");
        }
    }

    /// Appends a line.
    pub fn add(&self, name: &str, value: &[u8]) -> Result<()> {
        host::current().add_value(self.map, name, value)
    }

    /// Removes every line of this name; fine when there is none.
    pub fn remove(&self, name: &str) -> Result<()> {
        host::current().remove_value(self.map, name)
    }

    /// `:path`, with query.
    pub fn path(&self) -> Option<&'s [u8]> {
        self.get(":path")
    }

    pub fn method(&self) -> Option<&'s [u8]> {
        self.get(":method")
    }

    pub fn authority(&self) -> Option<&'s [u8]> {
        self.get(":authority")
    }

    pub fn scheme(&self) -> Option<&'s [u8]> {
        self.get(":scheme")
    }

    /// `:status` of a response.
    pub fn status(&self) -> Option<u16> {
        self.get_str(":status")?.parse().ok()
    }
}
