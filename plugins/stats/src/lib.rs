//! `builtin:stats`: Istio's standard metrics of HTTP requests.
//!
//! `istio_requests_total`, `istio_request_duration_milliseconds`, `istio_request_bytes` and
//! `istio_response_bytes`, with Istio's labels in Istio's order, written when the request is
//! complete. A label that nothing answers is `unknown`.
//!
//! Cost: everything that is the same for all requests of a configuration is computed once; what
//! differs is read in six or seven host calls, and the tuple of those values finds the four metric
//! numbers in a bounded cache, so that a series is defined once and then only incremented.

mod cache;
mod config;
mod label;
mod value;

use std::cell::RefCell;

use weir_sdk::{Exchange, Plugin, Setup};

use cache::Cache;
use config::Config;
use label::Label;
use value::Observed;

weir_sdk::export!(Stats, [on_log]);

pub struct Stats {
    metrics: Vec<Metric>,
    reporter: config::Reporter,
    /// Request and response expressions that any metric's labels use.
    expressions: Vec<value::Expression>,
    cache: RefCell<Cache>,
}

/// One enabled metric: what it records and under which labels.
struct Metric {
    kind: config::MetricName,
    labels: Vec<(String, Label)>,
}

impl Plugin for Stats {
    type Config = Config;
    type Stream = ();

    fn new(config: Config, _: &mut Setup) -> weir_sdk::Result<Self> {
        let mut expressions = Vec::new();
        let mut metrics = Vec::new();
        for kind in config::MetricName::ALL {
            if let Some(labels) = label::labels(&config, kind, &mut expressions)? {
                metrics.push(Metric { kind, labels });
            }
        }
        Ok(Self {
            metrics,
            reporter: config.reporter,
            expressions,
            cache: RefCell::new(Cache::new()),
        })
    }

    fn on_log(&self, _: &mut (), exchange: &mut Exchange<'_>) {
        if self.metrics.is_empty() {
            return;
        }
        let observed = Observed::read(exchange, self.reporter, &self.expressions);
        let Ok(mut cache) = self.cache.try_borrow_mut() else { return };
        cache.with_series(
            |key| observed.write_key(key),
            || self.define(&observed),
            |series| series.iter().for_each(|series| series.record(exchange)),
        );
    }
}

impl Stats {
    /// The series of these label values, one a metric; those the host refuses are left out.
    fn define(&self, observed: &Observed<'_>) -> Vec<cache::Series> {
        let define = |metric: &Metric| {
            let mut name = metric.kind.family().to_owned();
            let values: Vec<_> = metric
                .labels
                .iter()
                .map(|(name, label)| (name.as_str(), label.text(observed)))
                .collect();
            let labels = values.iter().map(|(name, value)| (*name, value.as_ref()));
            weir_sdk::metric::write_labels(labels, &mut name);
            match cache::Series::define(metric.kind, &name) {
                Ok(series) => Some(series),
                Err(error) => {
                    weir_sdk::debug!("{name}: {error}");
                    None
                }
            }
        };
        self.metrics.iter().filter_map(define).collect()
    }
}

#[cfg(test)]
mod tests;
