//! `builtin:split`: sends each request to one of several clusters, by relative weight.
//!
//! The chosen entry's header operations apply to this request and to its response. The draw is
//! independent for each request; nothing is remembered between them.

use serde::Deserialize;
use weir_sdk::{EndOfStream, Error, Exchange, Flow, Plugin, Reply, Setup, headers::Headers};

weir_sdk::export!(Split, [on_request_headers, on_response_headers]);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    clusters: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    /// Relative; the sum need not be 100.
    #[serde(default)]
    weight: u32,
    #[serde(default)]
    headers: Headers,
}

pub struct Split {
    clusters: Vec<Entry>,
    total: u64,
}

impl Plugin for Split {
    type Config = Config;
    /// Index of the chosen entry.
    type Stream = Option<u32>;

    fn new(config: Config, _: &mut Setup) -> weir_sdk::Result<Self> {
        let clusters = config.clusters;
        let total: u64 = clusters.iter().map(|entry| u64::from(entry.weight)).sum();
        if clusters.is_empty() {
            return Err(Error::new("clusters is empty"));
        }
        if total == 0 && clusters.len() > 1 {
            return Err(Error::new("the weights of the clusters sum up to 0"));
        }
        Ok(Self { clusters, total })
    }

    fn on_request_headers(
        &self,
        chosen: &mut Option<u32>,
        exchange: &mut Exchange<'_>,
        _: EndOfStream,
    ) -> Flow {
        let index = self.pick(exchange);
        *chosen = u32::try_from(index).ok();
        let Some(entry) = self.clusters.get(index) else { return Flow::Continue };
        if let Err(error) = exchange.select_cluster(&entry.name) {
            weir_sdk::error!("cluster {} not selected: {error}", entry.name);
            return exchange.reply(&Reply::new(503).details("cluster_not_selected"));
        }
        entry.headers.apply_to_request(exchange);
        Flow::Continue
    }

    fn on_response_headers(
        &self,
        chosen: &mut Option<u32>,
        exchange: &mut Exchange<'_>,
        _: EndOfStream,
    ) -> Flow {
        let entry = chosen.and_then(|index| self.clusters.get(index as usize));
        if let Some(entry) = entry {
            entry.headers.apply_to_response(exchange);
        }
        Flow::Continue
    }
}

impl Split {
    /// Index of an entry; one of weight 0 only when it is the only one.
    fn pick(&self, exchange: &Exchange<'_>) -> usize {
        if self.clusters.len() == 1 {
            return 0;
        }
        let mut draw = exchange.draw_below(self.total);
        for (index, entry) in self.clusters.iter().enumerate() {
            match draw.checked_sub(u64::from(entry.weight)) {
                Some(rest) => draw = rest,
                None => return index,
            }
        }
        0
    }
}

#[cfg(test)]
mod tests;
