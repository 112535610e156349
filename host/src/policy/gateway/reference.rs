//! References from one object to another, and the grants that let them cross namespaces.

use crate::policy::document::Node;
use crate::policy::kind::Kind;
use crate::policy::resource::Catalog;

pub(super) const GROUP: &str = "gateway.networking.k8s.io";

/// An object as another one names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    pub(super) group: &'a str,
    pub(super) kind: &'a str,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

impl<'a> Reference<'a> {
    /// `parentRefs[]` and `parentRef`: a Gateway unless it says otherwise.
    pub(super) fn to_parent(node: &'a Node, own_namespace: &'a str) -> Self {
        Self::read(node, own_namespace, (GROUP, "Gateway"))
    }

    /// `backendRefs[]`: a Service unless it says otherwise.
    pub(super) fn to_backend(node: &'a Node, own_namespace: &'a str) -> Self {
        Self::read(node, own_namespace, ("", "Service"))
    }

    fn read(node: &'a Node, own_namespace: &'a str, default: (&'a str, &'a str)) -> Self {
        Self {
            // An empty group is the core group, not the default.
            group: node.text_at("group").unwrap_or(default.0),
            kind: node.text_at("kind").unwrap_or(default.1),
            namespace: node.text_at("namespace").unwrap_or(own_namespace),
            name: node.text_at("name").unwrap_or_default(),
        }
    }

    pub(super) fn is_service(&self) -> bool {
        self.group.is_empty() && self.kind == "Service"
    }
}

impl std::fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// Whether a kind of ours in `namespace` may name `to`: in its own namespace always, elsewhere with
/// a ReferenceGrant there.
pub(super) fn permitted(
    catalog: &Catalog,
    kind: &str,
    namespace: &str,
    to: &Reference<'_>,
) -> bool {
    if to.namespace == namespace {
        return true;
    }
    let grants = catalog.of(Kind::ReferenceGrant).iter();
    grants.filter(|grant| grant.namespace == to.namespace).any(|grant| {
        let from = grant.spec.list("from").iter().any(|from| {
            from.text_at("group") == Some(GROUP)
                && from.text_at("kind") == Some(kind)
                && from.text_at("namespace") == Some(namespace)
        });
        let target = grant.spec.list("to").iter().any(|target| {
            // The core group is written as the empty text, which is not null.
            target.text_at("group").unwrap_or_default() == to.group
                && target.text_at("kind") == Some(to.kind)
                && target.text_at("name").is_none_or(|name| name.is_empty() || name == to.name)
        });
        from && target
    })
}
