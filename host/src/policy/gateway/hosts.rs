//! Virtual hosts of one bound port: routes of all listeners there, merged by host.
//!
//! A request belongs to the listener with the most specific hostname that covers its Host, and to
//! no other (listener isolation). Within a listener, rules of the most specific host of a route come
//! first, then the precedence of the matches decides, then age, name and position.

use super::attach::{Attachment, Claims, judge};
use super::listeners::EdgeListener;
use super::rules::{self, Ranked, Site};
use crate::plan::chain::FilterRef;
use crate::plan::route::Route;
use crate::policy::diagnostic::codes;
use crate::policy::host;
use crate::policy::listener::Compiler;
use crate::policy::resource::Resource;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// One port of one proxy.
pub(crate) struct Edge<'l, 'a> {
    pub(crate) listeners: Vec<&'l EdgeListener<'a>>,
    pub(crate) port: u16,
    /// What stands before the filters of each rule.
    pub(crate) chain: &'l [FilterRef],
}

/// Routes by host pattern. A host of a listener without routes has none, so that its requests do
/// not reach a listener that is less specific.
pub(crate) fn hosts(
    compiler: &mut Compiler<'_>,
    edge: &Edge<'_, '_>,
) -> BTreeMap<String, Vec<Route>> {
    let mut of_listeners: BTreeMap<&str, Hosts> = BTreeMap::new();
    for listener in &edge.listeners {
        of_listeners.entry(&listener.hostname).or_default();
    }
    let patterns: Vec<&str> = of_listeners.keys().copied().collect();
    let mut documents: Vec<Vec<Ranked>> = Vec::new();
    let mut claims = Claims::default();
    let index = compiler.index;
    for &route in &index.routes {
        let mut places = places(compiler, edge, route);
        places.retain(|listener, hosts| match claims.take(listener, route, hosts) {
            Ok(()) => true,
            Err(owner) => {
                report_shared(compiler, route, owner);
                false
            }
        });
        if places.is_empty() {
            continue;
        }
        for (listener, hosts) in places {
            let Some(of_listener) = of_listeners.get_mut(listener.as_str()) else { continue };
            let own = hosts.into_iter().filter(|host| !is_isolated(host, &listener, &patterns));
            for host in own {
                of_listener.add(host, documents.len());
            }
        }
        let site = Site { port: edge.port, chain: edge.chain, grants: true };
        documents.push(rules::of_document(compiler, route, &site));
    }
    let mut merged = BTreeMap::new();
    for (pattern, hosts) in of_listeners {
        let names: BTreeSet<&str> = hosts.names().chain([pattern]).collect();
        for name in names {
            merged.insert(name.to_owned(), hosts.routes(name, &documents));
        }
    }
    merged
}

/// Hostname of a listener and the hosts a route has there; several `parentRefs` may lead to one.
type Places = BTreeMap<String, BTreeSet<String>>;

fn places(compiler: &Compiler<'_>, edge: &Edge<'_, '_>, route: &Resource) -> Places {
    let mut places = Places::new();
    for parent in route.spec.list("parentRefs") {
        let listeners = edge.listeners.iter().copied();
        let attached = judge(compiler.catalog, listeners, route, parent).unwrap_or_default();
        for Attachment { listener, hosts } in attached {
            places.entry(listener.hostname.clone()).or_default().extend(hosts);
        }
    }
    places
}

fn report_shared(compiler: &mut Compiler<'_>, route: &Resource, owner: &Resource) {
    let message = format!(
        "{} {} has these hosts on the same listener and is older; this {} is not attached there",
        owner.kind_name,
        owner.qualified(),
        route.kind_name
    );
    let help = "HTTPRoutes and GRPCRoutes do not share a host: give one of them another";
    compiler.diagnostics.report(codes::HOST_TAKEN, route.span, message).help(help);
}

/// Whether another listener takes all requests for a host, being more specific.
fn is_isolated(host: &str, listener: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|other| {
        host::covers(other, host) && host::specificity(other) > host::specificity(listener)
    })
}

/// Routes of one listener hostname, by host: indexes of documents.
#[derive(Default)]
struct Hosts {
    exact: BTreeMap<String, Vec<usize>>,
    wildcards: BTreeMap<String, Vec<usize>>,
}

impl Hosts {
    fn add(&mut self, host: String, document: usize) {
        let map = if host.starts_with('*') { &mut self.wildcards } else { &mut self.exact };
        map.entry(host).or_default().push(document);
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.exact.keys().chain(self.wildcards.keys()).map(String::as_str)
    }

    /// Every rule that a request for `name` may meet, in order of precedence.
    fn routes(&self, name: &str, documents: &[Vec<Ranked>]) -> Vec<Route> {
        let exact = self.exact.get_key_value(name);
        let covering = self.wildcards.iter().filter(|(host, _)| host::covers(host, name));
        let mut meeting = Vec::new();
        for (host, indexes) in exact.into_iter().chain(covering) {
            let ranked = indexes.iter().filter_map(|index| documents.get(*index)).flatten();
            meeting.extend(ranked.map(|ranked| (host::specificity(host), ranked)));
        }
        // Stable: documents are in order of age and name, their rules in order of writing.
        meeting.sort_by_key(|(specificity, ranked)| (Reverse(*specificity), Reverse(ranked.rank)));
        meeting.into_iter().map(|(_, ranked)| ranked.route.clone()).collect()
    }
}
