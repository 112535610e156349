//! A plan as text: stable between runs, one fact a line, made to be reviewed and compared.

use std::fmt::{self, Display, Formatter};
use weir::plan::Plan;
use weir::plan::chain::{FilterRef, OnFailure};
use weir::plan::listener::{Domain, Listener};
use weir::plan::matcher::{HeaderMatch, PathMatch, RouteMatch, StringMatch};
use weir::plan::route::Route;

/// Prints as text.
pub(super) struct Shown<'a>(pub(super) &'a Plan);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for listener in &self.0.listeners {
            show_listener(f, listener)?;
        }
        for cluster in self.0.clusters.values() {
            writeln!(f, "cluster {}", cluster.name)?;
            for endpoint in &cluster.endpoints {
                write!(f, "  endpoint {}", endpoint.address)?;
                if endpoint.weight != 1 {
                    write!(f, " weight {}", endpoint.weight)?;
                }
                for (name, value) in &endpoint.workload.labels {
                    write!(f, " {name}={value}")?;
                }
                writeln!(f)?;
            }
            if cluster.endpoints.is_empty() {
                writeln!(f, "  no endpoint: requests are answered with 503")?;
            }
        }
        Ok(())
    }
}

fn show_listener(f: &mut Formatter<'_>, listener: &Listener) -> fmt::Result {
    let role = format!("{:?}", listener.role).to_lowercase();
    write!(f, "listener {} {} {role}", listener.name, listener.bind)?;
    if listener.port != listener.bind.port() {
        write!(f, " for port {}", listener.port)?;
    }
    if let Some(principal) = listener.workload.principal() {
        write!(f, " as {principal}")?;
    }
    writeln!(f)?;
    for virtual_host in &listener.virtual_hosts {
        let domains: Vec<_> = virtual_host.domains.iter().map(domain).collect();
        writeln!(f, "  virtual host {}: {}", virtual_host.name, domains.join(" "))?;
        for route in &virtual_host.routes {
            show_route(f, route)?;
        }
    }
    if !listener.unmatched.is_empty() {
        writeln!(f, "  any other request: 404")?;
        show_chain(f, &listener.unmatched)?;
    }
    Ok(())
}

fn domain(domain: &Domain) -> String {
    match domain {
        Domain::Exact(host) => host.clone(),
        Domain::Suffix(suffix) => format!("*{suffix}"),
        Domain::Any => "*".to_owned(),
    }
}

fn show_route(f: &mut Formatter<'_>, route: &Route) -> fmt::Result {
    write!(f, "    route")?;
    if !route.name.is_empty() {
        write!(f, " {}", route.name)?;
    }
    if let Some(place) = &route.place {
        write!(f, " ({place})")?;
    }
    writeln!(f)?;
    for matcher in &route.matches {
        writeln!(f, "      when {}", conditions(matcher))?;
    }
    show_chain(f, &route.chain)?;
    if let Some(timeout) = route.timeout {
        writeln!(f, "      timeout {timeout:?}")?;
    }
    match &route.cluster {
        Some(cluster) => writeln!(f, "      to {cluster}"),
        None => writeln!(f, "      to what the chain says"),
    }
}

fn show_chain(f: &mut Formatter<'_>, chain: &[FilterRef]) -> fmt::Result {
    for filter in chain {
        let open = if filter.on_failure == OnFailure::Open { " (on failure: open)" } else { "" };
        let named = if filter.plugin.ends_with(&filter.name) {
            String::new()
        } else {
            format!(" {}", filter.name)
        };
        writeln!(f, "      filter {}{named}{open} {}", filter.plugin, filter.config)?;
    }
    Ok(())
}

fn conditions(matcher: &RouteMatch) -> String {
    let mut all = Vec::new();
    all.extend(matcher.path.as_ref().map(path));
    let fields = [
        ("method", &matcher.method),
        ("authority", &matcher.authority),
        ("scheme", &matcher.scheme),
    ];
    for (name, value) in fields {
        all.extend(value.as_ref().map(|value| format!("{name} {}", string(value))));
    }
    for HeaderMatch { name, value, invert } in &matcher.headers {
        let not = if *invert { "not " } else { "" };
        all.push(format!("{not}header {name} {}", string(value)));
    }
    for query in &matcher.query {
        all.push(format!("query {} {}", query.name, string(&query.value)));
    }
    if all.is_empty() { "anything".to_owned() } else { all.join(" and ") }
}

fn path(path: &PathMatch) -> String {
    let case = |ignore: &bool| if *ignore { " in any case" } else { "" };
    match path {
        PathMatch::Exact { value, ignore_case } => format!("path = {value}{}", case(ignore_case)),
        PathMatch::Prefix { value, ignore_case } => format!("path {value}*{}", case(ignore_case)),
        PathMatch::SegmentPrefix(value) => format!("path below {value}"),
        PathMatch::Regex(regex) => format!("path ~ {regex}"),
    }
}

fn string(value: &StringMatch) -> String {
    match value {
        StringMatch::Exact(value) => format!("= {value}"),
        StringMatch::Prefix(value) => format!("{value}*"),
        StringMatch::Regex(regex) => format!("~ {regex}"),
        StringMatch::Present => "present".to_owned(),
    }
}
