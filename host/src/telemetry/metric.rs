//! Counters, gauges and histograms as atomics that any thread may bump without a lock.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// Upper bounds of Envoy's default histogram buckets; Istio's dashboards are built on them.
pub const BUCKETS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

#[derive(Debug)]
pub enum Metric {
    Counter(AtomicU64),
    Gauge(AtomicI64),
    Histogram(Box<Histogram>),
}

/// Cumulative counts are made when rendering; here each value lands in one bucket.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS.len() + 1],
    sum: AtomicU64,
}

impl Histogram {
    /// Records one whole value, in the unit the metric's name tells.
    pub fn observe(&self, value: u64) {
        let at = BUCKETS.partition_point(|bound| *bound < value as f64);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Relaxed);
        }
        self.sum.fetch_add(value, Relaxed);
    }

    /// Upper bound and number of values at or below it; the last bound is infinite.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let bounds = BUCKETS.iter().copied().chain([f64::INFINITY]);
        bounds.zip(&self.buckets).scan(0, |total, (bound, bucket)| {
            *total += bucket.load(Relaxed);
            Some((bound, *total))
        })
    }

    pub fn sum(&self) -> u64 {
        self.sum.load(Relaxed)
    }
}

impl Metric {
    pub fn counter() -> Self {
        Self::Counter(AtomicU64::new(0))
    }

    pub fn gauge() -> Self {
        Self::Gauge(AtomicI64::new(0))
    }

    pub fn histogram() -> Self {
        Self::Histogram(Box::default())
    }

    /// Adds to a counter or gauge; a histogram takes it as one value.
    pub fn add(&self, amount: i64) {
        match self {
            Self::Counter(value) => {
                value.fetch_add(amount.max(0) as u64, Relaxed);
            }
            Self::Gauge(value) => {
                value.fetch_add(amount, Relaxed);
            }
            Self::Histogram(histogram) => histogram.observe(amount.max(0) as u64),
        }
    }

    /// Sets a gauge, adds to a counter, records into a histogram: `proxy_record_metric` in Envoy.
    pub fn record(&self, amount: u64) {
        match self {
            Self::Gauge(value) => value.store(i64::try_from(amount).unwrap_or(i64::MAX), Relaxed),
            Self::Counter(value) => {
                value.fetch_add(amount, Relaxed);
            }
            Self::Histogram(histogram) => histogram.observe(amount),
        }
    }

    /// Value of a counter or gauge; a histogram has none.
    pub fn value(&self) -> Option<u64> {
        match self {
            Self::Counter(value) => Some(value.load(Relaxed)),
            Self::Gauge(value) => Some(value.load(Relaxed) as u64),
            Self::Histogram(_) => None,
        }
    }
}
