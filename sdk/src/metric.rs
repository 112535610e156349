//! Counters, gauges and histograms that the host keeps and exposes.
//!
//! A metric is one time series: name and label values. Labels travel in the name,
//! `family{label="value"}`, with Prometheus's escaping; Weir parses it, Envoy replaces the
//! punctuation. Defining the same series again gives the same number, so it is cheap to be sloppy
//! but cheaper to keep the handle. Values that the host refuses are dropped: telemetry never
//! fails a request.

use weir_abi::MetricType;

use crate::{
    Result,
    host::{self, Host},
};

/// A number that only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter(u32);

impl Counter {
    pub fn define(family: &str, labels: &[(&str, &str)]) -> Result<Self> {
        Self::define_encoded(&series_name(family, labels))
    }

    /// As [`Counter::define`] with a name made by [`series_name`].
    pub fn define_encoded(name: &str) -> Result<Self> {
        host::current().define_metric(MetricType::Counter, name).map(Self)
    }

    pub fn increment(&self) {
        self.add(1);
    }

    /// Nothing happens for 0, which Envoy refuses.
    pub fn add(&self, count: u32) {
        if count > 0 {
            _ = host::current().increment_metric(self.0, i64::from(count));
        }
    }
}

/// A number that goes up and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauge(u32);

impl Gauge {
    pub fn define(family: &str, labels: &[(&str, &str)]) -> Result<Self> {
        let name = series_name(family, labels);
        host::current().define_metric(MetricType::Gauge, &name).map(Self)
    }

    pub fn set(&self, value: u64) {
        _ = host::current().record_metric(self.0, value);
    }

    pub fn add(&self, offset: i64) {
        _ = host::current().increment_metric(self.0, offset);
    }
}

/// A distribution; the host owns the buckets (Envoy's for `*_milliseconds`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Histogram(u32);

impl Histogram {
    pub fn define(family: &str, labels: &[(&str, &str)]) -> Result<Self> {
        Self::define_encoded(&series_name(family, labels))
    }

    /// As [`Histogram::define`] with a name made by [`series_name`].
    pub fn define_encoded(name: &str) -> Result<Self> {
        host::current().define_metric(MetricType::Histogram, name).map(Self)
    }

    pub fn record(&self, value: u64) {
        _ = host::current().record_metric(self.0, value);
    }
}

/// `family{label="value",…}`, or `family` when there are no labels.
pub fn series_name(family: &str, labels: &[(&str, &str)]) -> String {
    let mut name = String::with_capacity(family.len() + labels.len() * 32);
    name.push_str(family);
    write_labels(labels.iter().copied(), &mut name);
    name
}

/// Appends `{label="value",…}`, or nothing when there are no labels. Escapes as Prometheus's text
/// format does: backslash, quote and newline.
pub fn write_labels<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>, out: &mut String) {
    let mut separator = '{';
    for (label, value) in labels {
        out.push(separator);
        separator = ',';
        out.push_str(label);
        out.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    if separator == ',' {
        out.push('}');
    }
}

#[cfg(test)]
mod tests;
