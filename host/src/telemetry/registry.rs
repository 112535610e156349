//! Every metric of the process by name and labels, and their Prometheus text.
//!
//! Plugins define metrics at run time under names that carry labels (`family{label="value"}`), of
//! any family and any label set, so the typed families of the metrics crates do not fit. Defining
//! takes a lock; bumping a metric one holds does not.

use super::metric::Metric;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, PoisonError};

/// Same family, other kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindMismatch;

#[derive(Default)]
struct Family {
    /// By labels as written between the braces.
    members: BTreeMap<String, Arc<Metric>>,
}

#[derive(Default)]
pub struct Registry {
    #[expect(clippy::disallowed_types, reason = "taken to define or render, never to count")]
    families: std::sync::Mutex<BTreeMap<String, Family>>,
}

impl Registry {
    /// The metric called `name`, made by `new` when it is not there yet.
    ///
    /// `name` is `family` or `family{label="value",…}`; characters Prometheus does not allow in a
    /// family become `_`. Labels that do not parse become part of the family.
    pub fn define(&self, name: &str, new: fn() -> Metric) -> Result<Arc<Metric>, KindMismatch> {
        let (family, labels) = split_name(name);
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        let members = &mut families.entry(family).or_default().members;
        let made = new();
        if let Some(other) = members.values().next()
            && std::mem::discriminant(&**other) != std::mem::discriminant(&made)
        {
            return Err(KindMismatch);
        }
        Ok(Arc::clone(members.entry(labels).or_insert_with(|| Arc::new(made))))
    }

    /// A counter of the host itself; its name is known to be sound and of one kind.
    pub fn counter(&self, name: &str) -> Arc<Metric> {
        self.define(name, Metric::counter)
            .unwrap_or_else(|KindMismatch| Arc::new(Metric::counter()))
    }

    /// A gauge of the host itself.
    pub fn gauge(&self, name: &str) -> Arc<Metric> {
        self.define(name, Metric::gauge).unwrap_or_else(|KindMismatch| Arc::new(Metric::gauge()))
    }

    /// Prometheus text exposition format 0.0.4.
    pub fn render(&self) -> String {
        let families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        for (name, family) in families.iter() {
            let kind = match family.members.values().next().map(|metric| &**metric) {
                Some(Metric::Counter(_)) => "counter",
                Some(Metric::Gauge(_)) => "gauge",
                Some(Metric::Histogram(_)) => "histogram",
                None => continue,
            };
            // Writing to a `String` cannot fail.
            let _ = writeln!(out, "# TYPE {name} {kind}");
            for (labels, metric) in &family.members {
                render_metric(&mut out, name, labels, metric);
            }
        }
        out
    }
}

fn render_metric(out: &mut String, name: &str, labels: &str, metric: &Metric) {
    let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let _ = match metric {
        Metric::Counter(value) => {
            writeln!(out, "{name}{braces} {}", value.load(std::sync::atomic::Ordering::Relaxed))
        }
        Metric::Gauge(value) => {
            writeln!(out, "{name}{braces} {}", value.load(std::sync::atomic::Ordering::Relaxed))
        }
        Metric::Histogram(histogram) => {
            let comma = if labels.is_empty() { "" } else { "," };
            let mut count = 0;
            for (bound, total) in histogram.cumulative() {
                let le = if bound.is_finite() { bound.to_string() } else { "+Inf".to_owned() };
                let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{le}\"}} {total}");
                count = total;
            }
            let _ = writeln!(out, "{name}_sum{braces} {}", histogram.sum());
            writeln!(out, "{name}_count{braces} {count}")
        }
    };
}

/// Family with only legal characters, and the labels between the braces when they are sound.
fn split_name(name: &str) -> (String, String) {
    let split =
        name.split_once('{').and_then(|(family, rest)| Some((family, rest.strip_suffix('}')?)));
    match split {
        Some((family, labels)) if labels_are_sound(labels) => (legal(family), labels.to_owned()),
        _ => (legal(name), String::new()),
    }
}

fn legal(family: &str) -> String {
    let digit_first = family.starts_with(|first: char| first.is_ascii_digit());
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == ':' { c } else { '_' };
    let legal = family.chars().map(allowed);
    if digit_first { std::iter::once('_').chain(legal).collect() } else { legal.collect() }
}

/// `name="value"` lists, with `\\`, `\"` and `\n` as the only escapes and no raw control byte.
fn labels_are_sound(labels: &str) -> bool {
    let mut rest = labels;
    loop {
        let Some((name, value)) = rest.split_once("=\"") else { return rest.is_empty() };
        let name_is_sound = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let Some(end) = value_end(value) else { return false };
        if !name_is_sound {
            return false;
        }
        let after = value.get(end + 1..).unwrap_or_default();
        match after.strip_prefix(',') {
            Some(next) if !next.is_empty() => rest = next,
            Some(_) => return false,
            None => return after.is_empty(),
        }
    }
}

/// Index of the closing quote.
fn value_end(value: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped && !matches!(c, '\\' | '"' | 'n') => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at),
            _ if c.is_control() => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
