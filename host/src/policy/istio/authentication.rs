//! PeerAuthentication and RequestAuthentication: checked in full, not enforced yet.

use super::scope;
use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::Node;
use crate::policy::resource::Resource;

/// What a reader must know while mutual TLS is not terminated here.
pub(super) fn peer_effect(root: &Node) -> String {
    match root.at(&["spec", "mtls", "mode"]).and_then(Node::text) {
        Some("STRICT") => {
            "connections stay plain text and only callers that this process stands for are \
             known, so a rule about principals or namespaces matches nobody else"
                .to_owned()
        }
        _ => "mutual TLS is not terminated".to_owned(),
    }
}

pub(super) fn validate_peer(policy: &Resource, diagnostics: &mut Diagnostics) {
    if let Some(entry) = policy.spec.entry("portLevelMtls")
        && !scope::has_selector(policy)
    {
        let message = "`portLevelMtls` needs a selector: ports are those of a workload";
        diagnostics.report(codes::MISSING_FIELD, entry.key_span, message);
    }
    let strict = policy.spec.at(&["mtls", "mode"]);
    if let Some(mode) = strict
        && mode.text() == Some("STRICT")
        && !scope::has_selector(policy)
    {
        let message = "STRICT also refuses callers outside the mesh, health probes among them";
        diagnostics.report(codes::MESH_MTLS, mode.span, message);
    }
    if let Some(entry) = policy.spec.entry("selector")
        && scope::has_selector(policy)
    {
        let message = format!(
            "with a selector this is about workloads of {}, not about the whole namespace",
            policy.namespace
        );
        let help = "remove the selector to cover the namespace";
        diagnostics.report(codes::WORKLOAD_SCOPE, entry.key_span, message).help(help);
    }
}

pub(super) fn validate_request(policy: &Resource, diagnostics: &mut Diagnostics) {
    for rule in policy.spec.list("jwtRules") {
        if !["issuer", "jwksUri", "jwks_uri", "jwks"].iter().any(|name| rule.entry(name).is_some())
        {
            let message = "a token rule needs `issuer` or `jwksUri`";
            diagnostics.report(codes::MISSING_FIELD, rule.span, message);
        }
    }
}
