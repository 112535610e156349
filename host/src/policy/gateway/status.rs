//! What a controller would write into `status`: conditions with Gateway API's reasons.
//!
//! For reading and for comparison; nothing that is served depends on it. Conditions that need what
//! is not served yet are left out (certificates) or false with a reason (protocols).

use super::attach::{Claims, Rejection, judge};
use super::backends::{self, Unusable};
use super::listeners::EdgeListener;
use super::reference::{GROUP, Reference};
use super::{Index, filters};
use crate::policy::diagnostic::Diagnostics;
use crate::policy::document::Node;
use crate::policy::kind::Kind;
use crate::policy::native;
use crate::policy::registry::Registry;
use crate::policy::resource::{Catalog, Resource};
use crate::policy::{self, Options, Source};
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// `controllerName` of the parents in the status of routes.
pub const CONTROLLER: &str = "weir.dev/gateway";

/// One object with the status it would have.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub metadata: Metadata,
    pub status: Status,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Metadata {
    pub namespace: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Status {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Of Gateways and ListenerSets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<Listener>,
    /// Of routes; parents of the mesh are not among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<Parent>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `True` or `False`.
    pub status: &'static str,
    pub reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    pub name: String,
    pub supported_kinds: Vec<RouteKind>,
    /// Routes that are attached, served or not.
    pub attached_routes: usize,
    pub conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RouteKind {
    pub group: &'static str,
    pub kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Parent {
    pub parent_ref: Json,
    pub controller_name: &'static str,
    pub conditions: Vec<Condition>,
}

/// Status of every Gateway API object, by kind, then in order of age. Documents that are wrong have
/// what could be read of them.
pub fn of(sources: &[Source], options: &Options<'_>) -> Vec<Object> {
    let catalog = policy::read(sources, options, &mut Diagnostics::default());
    let registry = Registry::of(&catalog, options);
    let index = Index::of(&catalog);
    let known = Known { catalog: &catalog, registry: &registry, index: &index, options };
    let (routes, attached) = known.routes();
    let classes = catalog.of(Kind::GatewayClass).iter().map(|class| {
        let conditions = vec![condition("Accepted", Ok("Accepted"))];
        object(class, Status { conditions, ..Status::default() })
    });
    let mut objects: Vec<Object> = classes.collect();
    for kind in [Kind::K8sGateway, Kind::ListenerSet] {
        for owner in catalog.of(kind) {
            objects.push(known.listeners(owner, &attached));
        }
    }
    objects.extend(routes);
    objects
}

fn object(resource: &Resource, status: Status) -> Object {
    let (namespace, name) = (resource.namespace.clone(), resource.name.clone());
    Object {
        api_version: "gateway.networking.k8s.io/v1",
        kind: resource.kind_name,
        metadata: Metadata { namespace, name },
        status,
    }
}

/// A reason for or against.
fn condition(kind: &'static str, outcome: Result<&'static str, &'static str>) -> Condition {
    let (status, reason) = match outcome {
        Ok(reason) => ("True", reason),
        Err(reason) => ("False", reason),
    };
    Condition { kind, status, reason }
}

struct Known<'k, 'a> {
    catalog: &'k Catalog,
    registry: &'k Registry,
    index: &'k Index<'a>,
    options: &'k Options<'a>,
}

/// Routes of each listener, by the listener's key.
type Attached = BTreeMap<String, usize>;

fn key(listener: &EdgeListener<'_>) -> String {
    let EdgeListener { owner, gateway, name, .. } = listener;
    format!("{} {} {} {name}", owner.kind_name, owner.qualified(), gateway.qualified())
}

impl Known<'_, '_> {
    fn routes(&self) -> (Vec<Object>, Attached) {
        let mut attached = Attached::new();
        let mut claims = Claims::default();
        let mut objects = Vec::new();
        for &route in &self.index.routes {
            let mut own = BTreeSet::new();
            let mut parents = Vec::new();
            let references = route.spec.list("parentRefs").iter();
            for node in
                references.filter(|it| !Reference::to_parent(it, &route.namespace).is_service())
            {
                let accepted = self.accepted(route, node, &mut claims, &mut own);
                parents.push(Parent {
                    parent_ref: node.to_json(),
                    controller_name: CONTROLLER,
                    conditions: vec![
                        condition("Accepted", accepted),
                        condition("ResolvedRefs", self.resolved(route)),
                    ],
                });
            }
            for listener in own {
                *attached.entry(listener).or_default() += 1;
            }
            objects.push(object(route, Status { parents, ..Status::default() }));
        }
        (objects, attached)
    }

    /// Whether one parent takes a route; the listeners that do are added to `own`.
    fn accepted<'r>(
        &self,
        route: &'r Resource,
        parent: &Node,
        claims: &mut Claims<'r>,
        own: &mut BTreeSet<String>,
    ) -> Result<&'static str, &'static str> {
        let listeners = self.index.listeners.all.iter();
        let attachments =
            judge(self.catalog, listeners, route, parent).map_err(|rejection| match rejection {
                Rejection::NoMatchingParent => "NoMatchingParent",
                Rejection::NotAllowedByListeners => "NotAllowedByListeners",
                Rejection::NoMatchingListenerHostname => "NoMatchingListenerHostname",
            })?;
        let mut accepted = false;
        for attachment in attachments {
            let key = key(attachment.listener);
            let hosts = attachment.hosts.into_iter().collect();
            if own.contains(&key) || claims.take(&key, route, &hosts).is_ok() {
                own.insert(key);
                accepted = true;
            }
        }
        // The hosts belong to an older route of the other kind.
        if accepted { Ok("Accepted") } else { Err("NotAllowedByListeners") }
    }

    fn resolved(&self, route: &Resource) -> Result<&'static str, &'static str> {
        for rule in route.spec.list("rules") {
            for backend in rule.list("backendRefs") {
                let known = (self.catalog, self.registry);
                let resolved = backends::resolve(known, route, backend, true, self.options);
                resolved.map_err(|unusable| match unusable {
                    Unusable::InvalidKind => "InvalidKind",
                    Unusable::RefNotPermitted => "RefNotPermitted",
                    Unusable::BackendNotFound(_) | Unusable::PortNotFound(_) => "BackendNotFound",
                })?;
            }
            for filter in filters::of_rule(rule).filter(|filter| filter.has("extensionRef")) {
                let named = filters::plugin(filter, &route.namespace).ok_or("InvalidKind")?;
                let mut plugins = self.catalog.of(Kind::WasmPlugin).iter();
                let found = plugins
                    .any(|plugin| plugin.namespace == named.namespace && plugin.name == named.name);
                if !found {
                    return Err("FilterNotFound");
                }
            }
        }
        Ok("ResolvedRefs")
    }

    /// Status of a Gateway or a ListenerSet.
    fn listeners(&self, owner: &Resource, attached: &Attached) -> Object {
        let of_owner = |listener: &&EdgeListener<'_>| std::ptr::eq(listener.owner, owner);
        let all = self.index.listeners.all.iter().filter(of_owner);
        let conflicting = self.index.listeners.conflicting.iter().filter(of_owner);
        let mut listeners: Vec<Listener> = all
            .map(|listener| self.listener(listener, attached, false))
            .chain(conflicting.map(|listener| self.listener(listener, attached, true)))
            .collect();
        let position = |name: &str| {
            let declared = owner.spec.list("listeners").iter();
            declared.map(|node| node.text_at("name")).position(|it| it == Some(name))
        };
        listeners.sort_by_key(|listener| position(&listener.name));
        let is = |listener: &&Listener, kind: &str| {
            listener.conditions.iter().any(|it| it.kind == kind && it.status == "True")
        };
        let valid = listeners.iter().filter(|listener| is(listener, "Accepted")).count();
        let accepted = match valid {
            // A ListenerSet that no Gateway takes has no listener here.
            0 if listeners.is_empty() && owner.kind == Kind::ListenerSet => Err("NotAllowed"),
            0 => Err("ListenersNotValid"),
            valid if valid < listeners.len() => Ok("ListenersNotValid"),
            _ => Ok("Accepted"),
        };
        let served = listeners.iter().any(|listener| is(&listener, "Programmed"));
        let programmed = match (accepted.is_ok(), served) {
            (true, true) => Ok("Programmed"),
            (true, false) => Err("Pending"),
            (false, _) => Err("Invalid"),
        };
        let conditions = vec![condition("Accepted", accepted), condition("Programmed", programmed)];
        object(owner, Status { conditions, listeners, parents: Vec::new() })
    }

    fn listener(
        &self,
        listener: &EdgeListener<'_>,
        attached: &Attached,
        conflicting: bool,
    ) -> Listener {
        let (supported_kinds, kinds_known) = supported_kinds(listener);
        let accepted = match (conflicting, listener.is_plain()) {
            (true, _) => Err("HostnameConflict"),
            (false, false) => Err("UnsupportedProtocol"),
            (false, true) => Ok("Accepted"),
        };
        let resolved = if kinds_known { Ok("ResolvedRefs") } else { Err("InvalidRouteKinds") };
        let programmed = match (accepted, resolved) {
            (Ok(_), Ok(_)) if self.is_bound(listener) => Ok("Programmed"),
            // No Proxy binds its port.
            (Ok(_), Ok(_)) => Err("Pending"),
            _ => Err("Invalid"),
        };
        let mut conditions = vec![condition("Accepted", accepted)];
        if conflicting {
            conditions.push(condition("Conflicted", Ok("HostnameConflict")));
        }
        // Certificates are not looked at yet.
        if !kinds_known || !listener.node.has("tls") {
            conditions.push(condition("ResolvedRefs", resolved));
        }
        conditions.push(condition("Programmed", programmed));
        let count = if conflicting { None } else { attached.get(&key(listener)) };
        Listener {
            name: listener.name.to_owned(),
            supported_kinds,
            attached_routes: count.copied().unwrap_or_default(),
            conditions,
        }
    }

    fn is_bound(&self, listener: &EdgeListener<'_>) -> bool {
        self.catalog.of(Kind::Proxy).iter().any(|proxy| {
            listener.is_served_by(&native::workload(proxy, self.options))
                && native::listeners(proxy)
                    .iter()
                    .any(|spec| spec.ports.iter().any(|(port, _)| *port == listener.port))
        })
    }
}

/// Kinds of routes a listener takes, and whether all that it names are among them.
fn supported_kinds(listener: &EdgeListener<'_>) -> (Vec<RouteKind>, bool) {
    const HTTP: [RouteKind; 2] = [
        RouteKind { group: GROUP, kind: "HTTPRoute" },
        RouteKind { group: GROUP, kind: "GRPCRoute" },
    ];
    let of_protocol: &[RouteKind] = match listener.protocol() {
        "HTTP" | "HTTPS" => &HTTP,
        _ => &[],
    };
    let kinds = listener.node.at(&["allowedRoutes", "kinds"]).map_or(&[][..], Node::items);
    if kinds.is_empty() {
        return (of_protocol.to_vec(), true);
    }
    let find = |node: &Node| {
        let group = node.text_at("group").unwrap_or(GROUP);
        let kind = node.text_at("kind");
        let mut known = of_protocol.iter().copied();
        known.find(|known| known.group == group && Some(known.kind) == kind)
    };
    let supported: Vec<RouteKind> = kinds.iter().filter_map(find).collect();
    let known = supported.len() == kinds.len();
    (supported, known)
}
