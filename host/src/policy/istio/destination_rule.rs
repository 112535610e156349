//! DestinationRule: subsets of a service, and the policy of connections to it.
//!
//! Which rule holds depends on the caller: its own namespace comes first, then the service's, then
//! the root namespace; the first of them with a match decides alone.

mod validate;

pub(crate) use validate::validate;

use super::scope;
use crate::plan::cluster::Workload;
use crate::policy::Options;
use crate::policy::document::{Node, Span};
use crate::policy::host;
use crate::policy::kind::Kind;
use crate::policy::resource::{Catalog, Resource};
use crate::policy::shape::duration;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Subset {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// Of its name.
    pub(crate) span: Span,
}

/// What holds for calls to one service.
#[derive(Debug, Default)]
pub(crate) struct Effective {
    pub(crate) subsets: Vec<Subset>,
    pub(crate) connect_timeout: Option<Duration>,
}

pub(crate) fn subsets(rule: &Resource) -> Vec<Subset> {
    let subsets = rule.spec.list("subsets").iter().filter_map(|subset| {
        let name = subset.get("name")?;
        let labels = subset.pairs("labels");
        Some(Subset {
            name: name.text()?.to_owned(),
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            span: name.span,
        })
    });
    subsets.collect()
}

/// The rules that hold when `client` calls the service `host` of `namespace`. Several rules of one
/// namespace for the same host add up: the first of a subset name wins, and the first policy.
pub(crate) fn for_service(
    catalog: &Catalog,
    host: &str,
    namespace: &str,
    client: &Workload,
    options: &Options<'_>,
) -> Effective {
    let mut namespaces = vec![client.namespace.as_str(), namespace, &options.root_namespace];
    namespaces.dedup();
    let rules = namespaces.into_iter().find_map(|candidate| {
        let rules = matching(catalog, host, candidate, client, options);
        (!rules.is_empty()).then_some(rules)
    });
    let mut effective = Effective::default();
    for rule in rules.into_iter().flatten() {
        for subset in subsets(rule) {
            if !effective.subsets.iter().any(|known| known.name == subset.name) {
                effective.subsets.push(subset);
            }
        }
        let timeout = rule.spec.at(&["trafficPolicy", "connectionPool", "tcp", "connectTimeout"]);
        let timeout = timeout.and_then(Node::text).and_then(duration);
        effective.connect_timeout = effective.connect_timeout.or(timeout);
    }
    effective
}

/// Rules of a namespace with the most specific host that covers the service.
fn matching<'a>(
    catalog: &'a Catalog,
    service: &str,
    namespace: &str,
    client: &Workload,
    options: &Options<'_>,
) -> Vec<&'a Resource> {
    let host_of = |rule: &Resource| {
        host::qualify(rule.spec.text_at("host").unwrap_or_default(), namespace, options)
    };
    let visible = |rule: &&Resource| {
        let selector = rule.spec.at(&["workloadSelector", "matchLabels"]);
        rule.namespace == namespace
            && host::exported(&rule.spec.texts("exportTo"), namespace, &client.namespace)
            && (selector.is_none()
                || (namespace == client.namespace && scope::has_labels(selector, client)))
            && host::covers(&host_of(rule), service)
    };
    let rules: Vec<_> = catalog.of(Kind::DestinationRule).iter().filter(visible).collect();
    let best = rules
        .iter()
        .map(|rule| host_of(rule))
        .max_by(|one, other| host::specificity(one).cmp(&host::specificity(other)));
    rules.into_iter().filter(|rule| Some(host_of(rule)) == best).collect()
}
