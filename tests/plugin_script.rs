//! Chains of the `probe` guest: the documents for them, and what they wrote down.

use crate::harness::{Proxy, Running, wait_until};

/// One filter of a chain.
pub(crate) struct Filter {
    pub(crate) name: String,
    /// File beside the documents.
    pub(crate) module: String,
    pub(crate) config: String,
    pub(crate) open: bool,
}

impl Filter {
    /// The probe with a script; it traces under `name`.
    pub(crate) fn probe(name: &str, script: &str) -> Self {
        let config = format!("name {name}\ntrace {{folder}}/access.log\n{script}");
        Self { name: name.into(), module: "probe.wasm".into(), config, open: false }
    }

    pub(crate) fn module(name: &str) -> Self {
        let (module, config) = (format!("{name}.wasm"), String::new());
        Self { name: name.into(), module, config, open: false }
    }

    pub(crate) fn open(mut self) -> Self {
        self.open = true;
        self
    }
}

/// A route for each chain: the last takes every path, those before `/0`, `/1` and so on.
pub(crate) fn policy(chains: &[Vec<Filter>]) -> String {
    let mut out = String::from(
        "apiVersion: weir.dev/v1\nkind: Proxy\nmetadata: {name: edge, namespace: default}\nspec:\n  \
         listeners:\n  - name: main\n    bind: 127.0.0.1:{main}\n    routes:\n",
    );
    for (index, chain) in chains.iter().enumerate() {
        let last = index + 1 == chains.len();
        let prefix = if last { "/".to_owned() } else { format!("/{index}") };
        out += &format!("    - match: {{path: {{prefix: {prefix}}}}}\n");
        out += if chain.is_empty() { "" } else { "      plugins:\n" };
        for filter in chain {
            out += &format!(
                "      - name: {}\n        plugin: \"file:./{}\"\n        onFailure: {}\n        config: |\n",
                filter.name,
                filter.module,
                if filter.open { "open" } else { "closed" }
            );
            for line in filter.config.lines().chain(filter.config.is_empty().then_some("-")) {
                out += &format!("          {line}\n");
            }
        }
        out += "      cluster: {endpoints: [\"127.0.0.1:{v1}\"]}\n";
    }
    out
}

/// A proxy on one worker whose chain is these scripts, as filters `p0`, `p1` and so on. Its origin
/// `v1` has to be given.
pub(crate) fn probes(scripts: &[&str]) -> Proxy {
    let named = scripts.iter().enumerate();
    let chain = named.map(|(at, script)| Filter::probe(&format!("p{at}"), script)).collect();
    with_probe(&policy(&[chain]))
}

pub(crate) fn with_probe(policy: &str) -> Proxy {
    Proxy::with(policy).plugin("probe.wasm", weir_fixtures::guest("probe"))
}

/// What the filters wrote about streams, once `last` is among it. Configurations are left out: they
/// are tried on a VM apart before they serve.
#[track_caller]
pub(crate) fn trace(proxy: &Running, last: &str) -> Vec<String> {
    let lines = || -> Vec<String> {
        let all = proxy.log().into_iter();
        all.filter(|line| !line.contains(" configure") && !line.contains(" root ")).collect()
    };
    wait_until(&format!("`{last}` is traced"), || lines().iter().any(|line| line == last));
    lines()
}

/// The line that starts so, without that start.
#[track_caller]
pub(crate) fn told<'a>(trace: &'a [String], start: &str) -> &'a str {
    let found = trace.iter().find_map(|line| line.strip_prefix(start));
    found.unwrap_or_else(|| panic!("no `{start}…` in {trace:#?}"))
}
