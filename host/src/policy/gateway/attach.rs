//! Which listeners a route is attached to, and with which hosts.

use super::listeners::EdgeListener;
use super::reference::Reference;
use crate::policy::document::Node;
use crate::policy::host;
use crate::policy::kind::Kind;
use crate::policy::resource::{Catalog, Resource};
use std::collections::{BTreeMap, BTreeSet};

/// Why a parent does not take a route; Gateway API's reasons of `Accepted: False`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejection {
    /// There is no such Gateway or ListenerSet, or it has no listener of this name or port.
    NoMatchingParent,
    /// Namespace or kind is not among `allowedRoutes`.
    NotAllowedByListeners,
    NoMatchingListenerHostname,
}

/// One listener that takes a route, with the hosts they have in common.
pub(super) struct Attachment<'l, 'a> {
    pub(super) listener: &'l EdgeListener<'a>,
    /// Each the narrower of a host of the route and the host of the listener.
    pub(super) hosts: Vec<String>,
}

/// The listeners among `listeners` that take a route through one entry of its `parentRefs`.
pub(super) fn judge<'l, 'a>(
    catalog: &Catalog,
    listeners: impl Iterator<Item = &'l EdgeListener<'a>>,
    route: &Resource,
    parent: &Node,
) -> Result<Vec<Attachment<'l, 'a>>, Rejection>
where
    'a: 'l,
{
    let reference = Reference::to_parent(parent, &route.namespace);
    let sections: Vec<_> = listeners
        .filter(|listener| listener.is_of(&reference) && listener.is_section(parent))
        .collect();
    if sections.is_empty() {
        return Err(Rejection::NoMatchingParent);
    }
    let mut allowing =
        sections.into_iter().filter(|listener| listener.allows(route, catalog)).peekable();
    if allowing.peek().is_none() {
        return Err(Rejection::NotAllowedByListeners);
    }
    let attached: Vec<_> = allowing
        .map(|listener| Attachment { listener, hosts: common_hosts(&listener.hostname, route) })
        .filter(|attachment| !attachment.hosts.is_empty())
        .collect();
    if attached.is_empty() {
        return Err(Rejection::NoMatchingListenerHostname);
    }
    Ok(attached)
}

fn common_hosts(listener: &str, route: &Resource) -> Vec<String> {
    let hostnames = route.spec.texts("hostnames");
    if hostnames.is_empty() {
        return vec![listener.to_owned()];
    }
    let mut hosts = Vec::new();
    for hostname in hostnames {
        let hostname = hostname.to_ascii_lowercase();
        if let Some(host) = host::intersection(listener, &hostname)
            && !hosts.iter().any(|known| known == host)
        {
            hosts.push(host.to_owned());
        }
    }
    hosts
}

/// HTTPRoutes and GRPCRoutes do not mix on a host of a listener: the older one keeps it.
#[derive(Default)]
pub(super) struct Claims<'a> {
    /// By listener and kind of route.
    taken: BTreeMap<(String, Kind), Vec<Claim<'a>>>,
}

/// A route and its hosts on a listener.
type Claim<'a> = (&'a Resource, BTreeSet<String>);

impl<'a> Claims<'a> {
    /// Gives hosts of a listener to a route, or names the route of another kind that has one of
    /// them. Routes must come in order of age.
    pub(super) fn take(
        &mut self,
        listener: &str,
        route: &'a Resource,
        hosts: &BTreeSet<String>,
    ) -> Result<(), &'a Resource> {
        let other = match route.kind {
            Kind::GrpcRoute => Kind::HttpRoute,
            _ => Kind::GrpcRoute,
        };
        let others = self.taken.get(&(listener.to_owned(), other)).into_iter().flatten();
        for (owner, taken) in others {
            let mut own = hosts.iter();
            let meets =
                |host: &String| taken.iter().any(|other| host::intersection(host, other).is_some());
            if own.any(meets) {
                return Err(owner);
            }
        }
        let own = self.taken.entry((listener.to_owned(), route.kind)).or_default();
        own.push((route, hosts.clone()));
        Ok(())
    }
}
