//! Listeners of Gateways and ListenerSets, and whom they let in.

use super::reference::{GROUP, Reference};
use crate::plan::cluster::Workload;
use crate::policy::document::Node;
use crate::policy::kind::Kind;
use crate::policy::resource::{Catalog, Resource};
use std::collections::{BTreeMap, BTreeSet};

/// GEP-1762: proxies of one Gateway carry its name in this label.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

pub(crate) struct EdgeListener<'a> {
    pub(super) gateway: &'a Resource,
    /// The Gateway, or the ListenerSet that adds this listener to it.
    pub(super) owner: &'a Resource,
    pub(super) node: &'a Node,
    /// `sectionName` of references.
    pub(super) name: &'a str,
    pub(super) port: u16,
    /// Lower-case; `*` when any host is served.
    pub(super) hostname: String,
}

/// Every listener, and those that repeat port and hostname of an earlier one of their Gateway.
#[derive(Default)]
pub(super) struct Listeners<'a> {
    pub(super) all: Vec<EdgeListener<'a>>,
    pub(super) conflicting: Vec<EdgeListener<'a>>,
}

pub(super) fn read_all(catalog: &Catalog) -> Listeners<'_> {
    let mut listeners = Listeners::default();
    for gateway in catalog.of(Kind::K8sGateway) {
        let mut taken = BTreeSet::new();
        let sets = catalog.of(Kind::ListenerSet).iter();
        let mut sets: Vec<&Resource> =
            sets.filter(|set| is_set_of(set, gateway, catalog)).collect();
        sets.sort_by_cached_key(|set| (set.created().to_owned(), set.qualified()));
        for owner in std::iter::once(gateway).chain(sets) {
            for node in owner.spec.list("listeners") {
                let Some(listener) = read(gateway, owner, node) else { continue };
                if taken.insert((listener.port, listener.hostname.clone())) {
                    listeners.all.push(listener);
                } else {
                    listeners.conflicting.push(listener);
                }
            }
        }
    }
    listeners
}

fn read<'a>(
    gateway: &'a Resource,
    owner: &'a Resource,
    node: &'a Node,
) -> Option<EdgeListener<'a>> {
    let hostname = node.text_at("hostname").filter(|hostname| !hostname.is_empty());
    Some(EdgeListener {
        gateway,
        owner,
        node,
        name: node.text_at("name")?,
        port: node.get("port")?.port()?,
        hostname: hostname.unwrap_or("*").to_ascii_lowercase(),
    })
}

/// A ListenerSet that names the Gateway, in a namespace from which the Gateway takes them (by
/// default from none).
pub(super) fn is_set_of(set: &Resource, gateway: &Resource, catalog: &Catalog) -> bool {
    let Some(parent) = set.spec.get("parentRef") else { return false };
    let parent = Reference::to_parent(parent, &set.namespace);
    let named = parent.kind == "Gateway"
        && parent.namespace == gateway.namespace
        && parent.name == gateway.name;
    let namespaces = gateway.spec.at(&["allowedListeners", "namespaces"]);
    let from = Namespaces { node: namespaces, default: "None", own: &gateway.namespace };
    named && from.allow(&set.namespace, catalog)
}

/// A choice of namespaces: `from` and `selector`.
struct Namespaces<'a> {
    node: Option<&'a Node>,
    /// Of `from`.
    default: &'a str,
    own: &'a str,
}

impl Namespaces<'_> {
    fn allow(&self, namespace: &str, catalog: &Catalog) -> bool {
        let from = self.node.and_then(|node| node.text_at("from")).unwrap_or(self.default);
        match from {
            "All" => true,
            "Same" => namespace == self.own,
            "Selector" => self
                .node
                .and_then(|node| node.get("selector"))
                .is_some_and(|selector| selects(selector, &labels_of(namespace, catalog))),
            _ => false,
        }
    }
}

/// Labels of a namespace; Kubernetes itself adds its name.
fn labels_of(namespace: &str, catalog: &Catalog) -> BTreeMap<String, String> {
    let mut documents = catalog.of(Kind::Namespace).iter();
    let document = documents.find(|document| document.name == namespace);
    let mut labels = document.map(Resource::labels).unwrap_or_default();
    labels.insert("kubernetes.io/metadata.name".to_owned(), namespace.to_owned());
    labels
}

/// Kubernetes' label selector: every label and every expression must hold.
fn selects(selector: &Node, labels: &BTreeMap<String, String>) -> bool {
    let value = |key: &str| labels.get(key).map(String::as_str);
    selector.pairs("matchLabels").all(|(key, wanted)| value(key) == Some(wanted))
        && selector.list("matchExpressions").iter().all(|expression| {
            let found = value(expression.text_at("key").unwrap_or_default());
            let listed = || {
                let mut values = expression.list("values").iter();
                values.any(|wanted| found.is_some() && wanted.scalar_text() == found)
            };
            match expression.text_at("operator") {
                Some("In") => listed(),
                Some("NotIn") => !listed(),
                Some("Exists") => found.is_some(),
                Some("DoesNotExist") => found.is_none(),
                _ => false,
            }
        })
}

impl EdgeListener<'_> {
    pub(super) fn protocol(&self) -> &str {
        self.node.text_at("protocol").unwrap_or_default()
    }

    /// HTTP without TLS, the one protocol that is served.
    pub(super) fn is_plain(&self) -> bool {
        self.protocol() == "HTTP"
    }

    /// A workload with the label [`GATEWAY_NAME`] serves that Gateway of its own namespace, any
    /// other workload serves all of them.
    pub(super) fn is_served_by(&self, workload: &Workload) -> bool {
        match workload.labels.get(GATEWAY_NAME) {
            Some(name) => {
                *name == self.gateway.name && workload.namespace == self.gateway.namespace
            }
            None => true,
        }
    }

    /// Whether `parent` names the object that declares this listener. Listeners of a ListenerSet are
    /// reached through the set only.
    pub(super) fn is_of(&self, parent: &Reference<'_>) -> bool {
        parent.group == GROUP
            && parent.kind == self.owner.kind_name
            && parent.namespace == self.owner.namespace
            && parent.name == self.owner.name
    }

    /// `sectionName` and `port` of a `parentRefs[]` entry.
    pub(super) fn is_section(&self, parent: &Node) -> bool {
        let section = parent.text_at("sectionName").filter(|section| !section.is_empty());
        let port = parent.get("port").and_then(Node::port);
        section.is_none_or(|section| section == self.name)
            && port.is_none_or(|port| port == self.port)
    }

    /// `allowedRoutes`: the kind and the namespace of a route. Every kind of the protocol is
    /// allowed when none is named.
    pub(super) fn allows(&self, route: &Resource, catalog: &Catalog) -> bool {
        if !["HTTP", "HTTPS"].contains(&self.protocol()) {
            return false;
        }
        let allowed = self.node.get("allowedRoutes");
        let kinds = allowed.map_or(&[][..], |allowed| allowed.list("kinds"));
        let kind = kinds.is_empty()
            || kinds.iter().any(|kind| {
                kind.text_at("group").unwrap_or(GROUP) == GROUP
                    && kind.text_at("kind") == Some(route.kind_name)
            });
        let namespaces = allowed.and_then(|allowed| allowed.get("namespaces"));
        let from = Namespaces { node: namespaces, default: "Same", own: &self.owner.namespace };
        kind && from.allow(&route.namespace, catalog)
    }
}
