//! VirtualService: which requests go where, and what happens to them on the way.
//!
//! Rules stay in the order of the document. A rule that no caller at this place can match (another
//! gateway, other labels, another port) is left out; what follows a rule that takes everything is
//! left out too.

mod action;
mod delegate;
mod header_values;
mod matches;
mod percentages;
mod validate;

pub(crate) use matches::is_catch_all;
pub(crate) use validate::{export_to, validate};

use crate::plan::chain::FilterRef;
use crate::plan::cluster::Workload;
use crate::plan::route::Route;
use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::Node;
use crate::policy::kind::Kind;
use crate::policy::listener::Compiler;
use crate::policy::resource::{Catalog, Resource};
use crate::policy::shape::nearest;
use std::borrow::Cow;

/// Where routes are put together: for whom, behind which gateway, on which port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) workload: &'a Workload,
    /// `namespace/name`; `None` in the mesh.
    pub(crate) gateway: Option<&'a str>,
    pub(crate) port: u16,
}

/// One rule with the namespace in which its short names are meant.
struct Rule<'a> {
    node: Cow<'a, Node>,
    namespace: &'a str,
}

/// Whether a VirtualService is about the mesh and has hosts (a delegate has none).
pub(crate) fn in_mesh(resource: &Resource) -> bool {
    let gateways = resource.spec.texts("gateways");
    gateways.is_empty() || gateways.contains(&"mesh")
}

/// Whether a VirtualService names a gateway, as `namespace/name` or as `name` in its own namespace.
pub(crate) fn names_gateway(resource: &Resource, gateway: &str) -> bool {
    let gateways = resource.spec.texts("gateways");
    gateways.iter().any(|name| gateway_name(name, &resource.namespace) == gateway)
}

/// `namespace/name` of a gateway as a VirtualService of `namespace` writes it. The legacy form is
/// the host name of a service, `name.namespace.svc…`.
pub(crate) fn gateway_name(text: &str, namespace: &str) -> String {
    if text.contains('/') {
        return text.to_owned();
    }
    let mut parts = text.split('.');
    match (parts.next(), parts.next()) {
        (Some(name), Some(namespace)) => format!("{namespace}/{name}"),
        _ => format!("{namespace}/{text}"),
    }
}

/// Gateways that VirtualServices name and no document defines.
pub(crate) fn check_gateways(catalog: &Catalog, diagnostics: &mut Diagnostics) {
    let known: Vec<String> = catalog.of(Kind::Gateway).iter().map(Resource::qualified).collect();
    for resource in catalog.of(Kind::VirtualService) {
        for node in resource.spec.list("gateways") {
            let Some(text) = node.text().filter(|text| *text != "mesh") else { continue };
            let name = gateway_name(text, &resource.namespace);
            if known.contains(&name) {
                continue;
            }
            let message = format!("no document defines the Gateway {name}");
            let reported = diagnostics.report(codes::MISSING_GATEWAY, node.span, message);
            if let Some(near) = nearest(&name, known.iter().map(String::as_str)) {
                reported.help(format!("did you mean `{near}`?"));
            }
        }
    }
}

/// The routes of a VirtualService at a site, each behind `chain`.
pub(crate) fn routes(
    compiler: &mut Compiler<'_>,
    resource: &Resource,
    site: &Site<'_>,
    chain: &[FilterRef],
) -> Vec<Route> {
    let mut routes = Vec::new();
    for rule in delegate::rules(compiler.catalog, resource, compiler.diagnostics) {
        let Some(matchings) = matches::of_rule(&rule.node, site) else { continue };
        let catch_all = matchings.is_empty()
            || matchings.iter().any(|matching| is_catch_all(&matching.conditions));
        routes.extend(action::lower(compiler, &rule, matchings, site, chain));
        // A gateway merges the rules of several documents; the sort there needs all of them.
        if catch_all {
            break;
        }
    }
    routes
}
