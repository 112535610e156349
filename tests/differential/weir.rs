//! The scenarios in Weir: one proxy in this process, a listener for each.

use super::scenario::Scenario;
use super::transcript::{Host, Transcript, in_shares, observe};
use super::upstream::Upstream;
use crate::harness::{Proxy, Running};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

pub(super) fn run(scenarios: &[Scenario]) -> BTreeMap<String, Transcript> {
    in_shares(scenarios, run_share)
}

fn run_share(scenarios: &[&Scenario]) -> BTreeMap<String, Transcript> {
    let upstreams: Vec<Upstream> =
        scenarios.iter().map(|scenario| Upstream::start(scenario.answers.clone())).collect();
    let mut proxy = Proxy::with(&policy(scenarios, &upstreams)).drain(Duration::from_millis(200));
    for vm in vms(scenarios) {
        proxy = proxy.plugin(&format!("{vm}.wasm"), weir_fixtures::guest("recorder"));
    }
    let listeners = scenarios.iter().map(|scenario| scenario.listener()).collect();
    let weir = Weir { proxy: proxy.start(), listeners };
    observe(&weir, scenarios, &upstreams)
}

struct Weir {
    proxy: Running,
    listeners: Vec<String>,
}

impl Host for Weir {
    fn address(&self, number: usize) -> SocketAddr {
        self.proxy.address(&self.listeners[number])
    }

    fn log(&self, scenario: &Scenario) -> String {
        let file = self.proxy.folder().join(format!("{}.log", scenario.name));
        fs::read_to_string(file).unwrap_or_default()
    }
}

fn vms(scenarios: &[&Scenario]) -> BTreeSet<String> {
    let of = |scenario: &&Scenario| -> Vec<String> {
        (0..scenario.filters.len()).map(|position| scenario.vm(position)).collect()
    };
    scenarios.iter().flat_map(of).collect()
}

fn policy(scenarios: &[&Scenario], upstreams: &[Upstream]) -> String {
    let mut out = String::from(
        "apiVersion: weir.dev/v1\nkind: Proxy\nmetadata: {name: edge, namespace: default}\n\
         spec:\n  listeners:\n",
    );
    for (scenario, upstream) in scenarios.iter().zip(upstreams) {
        let name = scenario.listener();
        let listener = format!(
            "  - name: {name}\n    bind: 127.0.0.1:{{{name}}}\n    routes:\n    - plugins:"
        );
        out += &listener;
        out += if scenario.filters.is_empty() { " []\n" } else { "\n" };
        for (position, script) in scenario.filters.iter().enumerate() {
            let on_failure = if scenario.open.contains(&position) { "open" } else { "closed" };
            let name = scenario.filter_name(position);
            write!(
                out,
                "      - name: \"{name}\"\n        plugin: \"file:./{}.wasm\"\n        \
                 onFailure: {on_failure}\n        config: |\n          name {name}\n          \
                 record {{folder}}/{}.log\n",
                scenario.vm(position),
                scenario.name
            )
            .unwrap();
            for line in script.lines() {
                writeln!(out, "          {line}").unwrap();
            }
        }
        let port = upstream.port;
        writeln!(out, "      cluster: {{endpoints: [\"127.0.0.1:{port}\"]}}").unwrap();
    }
    out
}
