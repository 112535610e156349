//! Metric numbers by label values.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use weir_sdk::{
    Exchange, Result, attribute,
    metric::{Counter, Histogram},
};

use crate::config::MetricName;

/// Label tuples kept. When full everything is forgotten: the host knows the series by name and
/// answers with the same numbers, so that costs time, never a count.
const TUPLES_MAX: usize = 1024;

/// One time series of one metric.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Series {
    Requests(Counter),
    Duration(Histogram),
    RequestBytes(Histogram),
    ResponseBytes(Histogram),
}

impl Series {
    pub(crate) fn define(metric: MetricName, name: &str) -> Result<Self> {
        Ok(match metric {
            MetricName::RequestsTotal => Self::Requests(Counter::define_encoded(name)?),
            MetricName::RequestDurationMilliseconds => {
                Self::Duration(Histogram::define_encoded(name)?)
            }
            MetricName::RequestBytes => Self::RequestBytes(Histogram::define_encoded(name)?),
            MetricName::ResponseBytes => Self::ResponseBytes(Histogram::define_encoded(name)?),
        })
    }

    /// Records this request; what the host does not tell is not recorded.
    pub(crate) fn record(&self, exchange: &Exchange<'_>) {
        let record = |histogram: &Histogram, value: Option<u64>| {
            if let Some(value) = value {
                histogram.record(value);
            }
        };
        match self {
            Self::Requests(counter) => counter.increment(),
            Self::Duration(histogram) => {
                let duration_ns = exchange.u64(&attribute::REQUEST_DURATION);
                record(histogram, duration_ns.map(|duration_ns| duration_ns / 1_000_000));
            }
            Self::RequestBytes(histogram) => {
                record(histogram, exchange.u64(&attribute::REQUEST_TOTAL_SIZE));
            }
            Self::ResponseBytes(histogram) => {
                record(histogram, exchange.u64(&attribute::RESPONSE_TOTAL_SIZE));
            }
        }
    }
}

/// Series by label values.
pub(crate) struct Cache {
    series: HashMap<Vec<u8>, Vec<Series>, BuildHasherDefault<KeyHasher>>,
    key: Vec<u8>,
}

impl Cache {
    pub(crate) const fn new() -> Self {
        Self { series: HashMap::with_hasher(BuildHasherDefault::new()), key: Vec::new() }
    }

    /// Uses the series of a key, defining them the first time. A hit allocates nothing.
    pub(crate) fn with_series(
        &mut self,
        write_key: impl FnOnce(&mut Vec<u8>),
        define: impl FnOnce() -> Vec<Series>,
        apply: impl FnOnce(&[Series]),
    ) {
        self.key.clear();
        write_key(&mut self.key);
        if let Some(series) = self.series.get(self.key.as_slice()) {
            return apply(series);
        }
        if self.series.len() >= TUPLES_MAX {
            self.series.clear();
        }
        let series = define();
        apply(&series);
        self.series.insert(self.key.clone(), series);
    }
}

/// Eight bytes a step; the bound on entries keeps chosen collisions harmless.
#[derive(Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut tail = [0; 8];
        for (to, from) in tail.iter_mut().zip(rest) {
            *to = *from;
        }
        for word in words.iter().chain([&tail]) {
            let mixed = (self.0.rotate_left(5) ^ u64::from_le_bytes(*word)) ^ rest.len() as u64;
            self.0 = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }
}
