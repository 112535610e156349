//! Istio's kinds: their tables, the conditions beyond tables, and how each is lowered.

mod authentication;
pub(crate) mod authorization_policy;
pub(crate) mod destination_rule;
pub(crate) mod gateway;
pub(crate) mod misplaced;
pub(crate) mod scope;
mod service_entry;
pub(crate) mod shape;
pub(crate) mod telemetry;
pub(crate) mod virtual_service;
pub(crate) mod wasm_plugin;

use super::diagnostic::{Diagnostics, codes};
use super::document::{Node, Span};
use super::kind::{Kind, KindRow};
use super::resource::Resource;

/// Istio's limit for a regular expression, in characters.
const REGEX_LENGTH_MAX: usize = 1024;

/// Conditions that no table expresses, each as Istio's own validation has them.
pub(crate) fn validate(resource: &Resource, diagnostics: &mut Diagnostics) {
    match resource.kind {
        Kind::VirtualService => virtual_service::validate(resource, diagnostics),
        Kind::DestinationRule => destination_rule::validate(resource, diagnostics),
        Kind::AuthorizationPolicy => authorization_policy::validate(resource, diagnostics),
        Kind::PeerAuthentication => authentication::validate_peer(resource, diagnostics),
        Kind::RequestAuthentication => authentication::validate_request(resource, diagnostics),
        Kind::Telemetry => telemetry::validate(resource, diagnostics),
        Kind::Gateway => gateway::validate(resource, diagnostics),
        Kind::ServiceEntry => service_entry::validate(resource, diagnostics),
        Kind::WorkloadEntry => service_entry::validate_workload(&resource.spec, diagnostics),
        Kind::WorkloadGroup => service_entry::validate_group(resource, diagnostics),
        Kind::WasmPlugin => wasm_plugin::validate(resource, diagnostics),
        Kind::EnvoyFilter => wasm_plugin::validate_envoy_filter(resource, diagnostics),
        _ => {}
    }
}

/// The one report of a kind that is accepted without effect.
pub(crate) fn report_not_enforced(
    row: &KindRow,
    root: &Node,
    span: Span,
    diagnostics: &mut Diagnostics,
) {
    let span = root.get("kind").map_or(span, |kind| kind.span);
    let what = match row.kind {
        Kind::PeerAuthentication => authentication::peer_effect(root),
        Kind::RequestAuthentication => {
            "tokens are not verified and give no identity, so rules about request principals and \
             claims match nobody"
                .to_owned()
        }
        _ => "it has no effect".to_owned(),
    };
    let message = format!("{} is accepted but not enforced yet: {what}", row.name);
    diagnostics.report(codes::NOT_ENFORCED_KIND, span, message);
}

/// Why a regular expression cannot be used, if so.
pub(crate) fn regex_problem(pattern: &str) -> Option<String> {
    if pattern.is_empty() {
        return Some("a regular expression must not be empty".to_owned());
    }
    if pattern.chars().count() > REGEX_LENGTH_MAX {
        return Some(format!("a regular expression has at most {REGEX_LENGTH_MAX} characters"));
    }
    match regex::Regex::new(pattern) {
        Ok(_) => None,
        Err(regex::Error::Syntax(text)) => {
            // The last line of the report is the reason; the others repeat the pattern.
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Some(format!("`{pattern}` is not a regular expression: {reason}"))
        }
        Err(_) => Some(format!("`{pattern}` compiles to more than a match may cost")),
    }
}
