//! Which listeners a route is attached to, and with which hosts.

use super::listeners::EdgeListener;
use super::reference::Reference;
use crate::policy::document::Node;
use crate::policy::host;
use crate::policy::resource::{Catalog, Resource};

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
