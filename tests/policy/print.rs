//! A plan as text that is short enough to review.

use std::fmt::Write as _;
use weir::plan::Plan;
use weir::plan::chain::FilterRef;
use weir::plan::listener::{Domain, Listener};
use weir::plan::matcher::{PathMatch, RouteMatch, StringMatch};
use weir::plan::route::{MISSING_CLUSTER_STATUS, Route};

pub(crate) fn plan(plan: &Plan) -> String {
    let mut text = String::new();
    for one in &plan.listeners {
        listener(&mut text, one);
    }
    for cluster in plan.clusters.values() {
        let _ = writeln!(text, "cluster {} (connect {:?})", cluster.name, cluster.connect_timeout);
        for endpoint in &cluster.endpoints {
            let workload = &endpoint.workload;
            let _ = writeln!(
                text,
                "  {} weight {} workload {}/{} account {} labels {:?}",
                endpoint.address,
                endpoint.weight,
                workload.namespace,
                workload.name,
                workload.service_account.as_deref().unwrap_or("-"),
                workload.labels,
            );
        }
    }
    for plugin in plan.plugins.keys() {
        let _ = writeln!(text, "plugin {plugin}");
    }
    text
}

fn listener(text: &mut String, listener: &Listener) {
    let Listener { name, bind, role, port, workload, .. } = listener;
    let principal = workload.principal().unwrap_or_else(|| "nobody".to_owned());
    let _ = writeln!(text, "listener {name} on {bind}, {role:?}, port {port}, for {principal}");
    for host in &listener.virtual_hosts {
        let domains: Vec<String> = host.domains.iter().map(domain).collect();
        let _ = writeln!(text, "  host {}: {}", host.name, domains.join(" "));
        for one in &host.routes {
            route(text, one);
        }
    }
    let _ = writeln!(text, "  unmatched");
    chain(text, &listener.unmatched);
}

fn domain(domain: &Domain) -> String {
    match domain {
        Domain::Exact(name) => name.clone(),
        Domain::Suffix(suffix) => format!("*{suffix}"),
        Domain::Any => "*".to_owned(),
    }
}

fn route(text: &mut String, route: &Route) {
    let name = if route.name.is_empty() { String::new() } else { format!(" {}", route.name) };
    let line = route.place.as_ref().map_or(0, |place| place.line);
    let _ = writeln!(text, "    route{name} (line {line})");
    for matching in &route.matches {
        let _ = writeln!(text, "      when {}", conditions(matching));
    }
    chain(text, &route.chain);
    if let Some(timeout) = route.timeout {
        let _ = writeln!(text, "      timeout {timeout:?}");
    }
    if route.missing_cluster_status != MISSING_CLUSTER_STATUS {
        let _ = writeln!(text, "      without cluster {}", route.missing_cluster_status);
    }
    let _ =
        writeln!(text, "      to {}", route.cluster.as_deref().unwrap_or("whom the chain says"));
}

fn chain(text: &mut String, chain: &[FilterRef]) {
    for filter in chain {
        let FilterRef { name, plugin, config, on_failure } = filter;
        let _ = writeln!(text, "      {name} = {plugin} {on_failure:?} {config}");
    }
}

fn conditions(matching: &RouteMatch) -> String {
    let mut parts = Vec::new();
    parts.extend(matching.path.as_ref().map(|path| match path {
        PathMatch::Exact { value, ignore_case } => {
            format!("path = {value}{}", if *ignore_case { " (any case)" } else { "" })
        }
        PathMatch::Prefix { value, ignore_case } => {
            format!("path ^ {value}{}", if *ignore_case { " (any case)" } else { "" })
        }
        PathMatch::SegmentPrefix(value) => format!("path / {value}"),
        PathMatch::Regex(regex) => format!("path ~ {regex}"),
    }));
    let fields = [
        ("method", &matching.method),
        ("authority", &matching.authority),
        ("scheme", &matching.scheme),
    ];
    for (name, value) in fields {
        parts.extend(value.as_ref().map(|value| format!("{name} {}", string(value))));
    }
    for header in &matching.headers {
        let not = if header.invert { "not " } else { "" };
        parts.push(format!("{not}header {} {}", header.name, string(&header.value)));
    }
    for query in &matching.query {
        parts.push(format!("query {} {}", query.name, string(&query.value)));
    }
    parts.join(", ")
}

fn string(value: &StringMatch) -> String {
    match value {
        StringMatch::Exact(value) => format!("= {value}"),
        StringMatch::Prefix(value) => format!("^ {value}"),
        StringMatch::Regex(value) => format!("~ {value}"),
        StringMatch::Present => "present".to_owned(),
    }
}
