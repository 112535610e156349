//! What the documents say about each other: parents, backends, grants and plugins that are not
//! there or do not fit. Each is a warning, because the rest of the route works without it.

use super::attach::{Rejection, judge};
use super::backends::{self, Unusable};
use super::reference::{GROUP, Reference};
use super::{Index, filters, listeners};
use crate::policy::diagnostic::codes;
use crate::policy::document::Node;
use crate::policy::kind::Kind;
use crate::policy::listener::Compiler;
use crate::policy::resource::Resource;
use crate::policy::shape::nearest;

pub(crate) fn check(compiler: &mut Compiler<'_>) {
    let index = compiler.index;
    for listener in &index.listeners.conflicting {
        let message = format!(
            "port {} and host {} belong to an earlier listener of Gateway {}; {} gets no traffic",
            listener.port,
            listener.hostname,
            listener.gateway.qualified(),
            listener.name
        );
        let help = "listeners of one Gateway differ in port or hostname";
        compiler.diagnostics.report(codes::HOST_TAKEN, listener.node.span, message).help(help);
    }
    for set in compiler.catalog.of(Kind::ListenerSet) {
        listener_set(compiler, set);
    }
    for &route in &index.routes {
        let mut grants = false;
        for parent in route.spec.list("parentRefs") {
            grants |= !Reference::to_parent(parent, &route.namespace).is_service();
            check_parent(compiler, index, route, parent);
        }
        if route.spec.list("parentRefs").is_empty() {
            let message = format!("{} {} names no parent", route.kind_name, route.qualified());
            let help = "name a Gateway, or a Service of the mesh, in spec.parentRefs";
            compiler.diagnostics.report(codes::NOT_ATTACHED, route.span, message).help(help);
        }
        for rule in route.spec.list("rules") {
            for backend in rule.list("backendRefs") {
                check_backend(compiler, route, backend, grants);
            }
            check_backend_filters(compiler, rule);
            for filter in filters::of_rule(rule) {
                check_extension(compiler, route, filter);
            }
        }
        if route.kind == Kind::GrpcRoute {
            let message = "gRPC needs HTTP/2, which is not served yet: this route takes requests \
                           over HTTP/1.1 only";
            compiler.diagnostics.report(codes::NOT_ENFORCED_PROTOCOL, route.span, message);
        }
    }
}

fn listener_set(compiler: &mut Compiler<'_>, set: &Resource) {
    let Some(node) = set.spec.get("parentRef") else { return };
    let catalog = compiler.catalog;
    let parent = Reference::to_parent(node, &set.namespace);
    let gateways = catalog.of(Kind::K8sGateway);
    let gateway = gateways.iter().find(|gateway| {
        gateway.namespace == parent.namespace
            && gateway.name == parent.name
            && parent.kind == "Gateway"
    });
    match gateway {
        None => report_missing_parent(compiler, node, &parent),
        Some(gateway) if !listeners::is_set_of(set, gateway, catalog) => {
            let message = format!(
                "Gateway {} takes no ListenerSets from namespace {}",
                gateway.qualified(),
                set.namespace
            );
            let help = "allow it there: spec.allowedListeners.namespaces.from";
            compiler.diagnostics.report(codes::NOT_ATTACHED, node.span, message).help(help);
        }
        Some(_) => {}
    }
}

fn check_parent(compiler: &mut Compiler<'_>, index: &Index<'_>, route: &Resource, node: &Node) {
    let parent = Reference::to_parent(node, &route.namespace);
    if parent.is_service() {
        let domain = &compiler.options.cluster_domain;
        let host = format!("{}.{}.svc.{domain}", parent.name, parent.namespace);
        if compiler.registry.get(&host).is_none() {
            let message = format!("no document defines the service {host}");
            let reported = compiler.diagnostics.report(codes::MISSING_SERVICE, node.span, message);
            if let Some(near) = nearest(&host, compiler.registry.hosts()) {
                reported.help(format!("did you mean `{near}`?"));
            }
        }
        return;
    }
    let known_kind = ["Gateway", "ListenerSet"].contains(&parent.kind);
    if parent.group != GROUP || !known_kind {
        let message = format!("routes do not attach to kind {} of `{}`", parent.kind, parent.group);
        let help = "a parent is a Gateway, a ListenerSet or a Service";
        compiler.diagnostics.report(codes::INVALID_REFERENCE, node.span, message).help(help);
        return;
    }
    let Err(rejection) = judge(compiler.catalog, index.listeners.all.iter(), route, node) else {
        return;
    };
    let what = format!("{} {}", route.kind_name, route.qualified());
    let (message, help) = match rejection {
        Rejection::NoMatchingParent if !exists(compiler, &parent) => {
            return report_missing_parent(compiler, node, &parent);
        }
        Rejection::NoMatchingParent => (
            format!("{parent} has no listener of this name and port; {what} is not attached to it"),
            "sectionName is the name of a listener, port its port",
        ),
        Rejection::NotAllowedByListeners => (
            format!("no listener of {parent} allows {what}"),
            "its listeners' allowedRoutes says which namespaces (by default its own) and kinds",
        ),
        Rejection::NoMatchingListenerHostname => (
            format!("no host of {what} is served by a listener of {parent}"),
            "hostnames of the route and hostname of the listener must have hosts in common",
        ),
    };
    compiler.diagnostics.report(codes::NOT_ATTACHED, node.span, message).help(help);
}

fn exists(compiler: &Compiler<'_>, parent: &Reference<'_>) -> bool {
    let kind = if parent.kind == "Gateway" { Kind::K8sGateway } else { Kind::ListenerSet };
    let mut documents = compiler.catalog.of(kind).iter();
    documents.any(|known| known.namespace == parent.namespace && known.name == parent.name)
}

fn report_missing_parent(compiler: &mut Compiler<'_>, node: &Node, parent: &Reference<'_>) {
    let kind = if parent.kind == "Gateway" { Kind::K8sGateway } else { Kind::ListenerSet };
    let known: Vec<String> = compiler.catalog.of(kind).iter().map(Resource::qualified).collect();
    let message = format!("no document defines the {parent}");
    let span = node.get("name").map_or(node.span, |name| name.span);
    let reported = compiler.diagnostics.report(codes::MISSING_GATEWAY, span, message);
    let name = format!("{}/{}", parent.namespace, parent.name);
    if let Some(near) = nearest(&name, known.iter().map(String::as_str)) {
        reported.help(format!("did you mean `{near}`?"));
    }
}

fn check_backend(compiler: &mut Compiler<'_>, route: &Resource, backend: &Node, grants: bool) {
    let known = (compiler.catalog, compiler.registry);
    let resolved = backends::resolve(known, route, backend, grants, compiler.options);
    let Err(unusable) = resolved else { return };
    let reference = Reference::to_backend(backend, &route.namespace);
    let (code, message, help) = match &unusable {
        Unusable::InvalidKind => (
            codes::INVALID_REFERENCE,
            format!("kind {} of `{}` cannot be a backend", reference.kind, reference.group),
            Some("a backend is a Service".to_owned()),
        ),
        Unusable::RefNotPermitted => (
            codes::NOT_PERMITTED,
            format!("no ReferenceGrant lets {} {} use {reference}", route.kind_name, route.name),
            Some(format!(
                "add one in namespace {}: from {GROUP} {} of namespace {}, to Service {}",
                reference.namespace, route.kind_name, route.namespace, reference.name
            )),
        ),
        Unusable::BackendNotFound(host) => (
            codes::MISSING_SERVICE,
            format!("no document defines the service {host}"),
            nearest(host, compiler.registry.hosts()).map(|near| format!("did you mean `{near}`?")),
        ),
        Unusable::PortNotFound(ports) => {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            (
                codes::MISSING_SERVICE,
                format!("{reference} does not have this port"),
                Some(format!("its ports: {}", ports.join(", "))),
            )
        }
    };
    let message = format!("{message}; its share of the requests gets {}", backends::MISSING_STATUS);
    let reported = compiler.diagnostics.report(code, backends::span(backend, &unusable), message);
    if let Some(help) = help {
        reported.help(help);
    }
}

/// With several backends only header modifiers can be told apart by backend.
fn check_backend_filters(compiler: &mut Compiler<'_>, rule: &Node) {
    let backends = rule.list("backendRefs");
    if backends.len() < 2 {
        return;
    }
    for filter in backends.iter().flat_map(|backend| backend.list("filters")) {
        let fields = ["requestRedirect", "urlRewrite", "extensionRef"].iter();
        for entry in fields.filter_map(|field| filter.entry(field)) {
            let message = format!("`{}` of one of several backends is not enforced yet", entry.key);
            compiler.diagnostics.report(codes::NOT_ENFORCED_FIELD, entry.key_span, message);
        }
    }
}

fn check_extension(compiler: &mut Compiler<'_>, route: &Resource, filter: &Node) {
    let Some(reference) = filter.get("extensionRef") else { return };
    let catalog = compiler.catalog;
    let problem = match filters::plugin(filter, &route.namespace) {
        None => "a filter of this kind is not known".to_owned(),
        Some(named) => {
            let mut plugins = catalog.of(Kind::WasmPlugin).iter();
            let name = format!("{}/{}", named.namespace, named.name);
            if plugins.any(|plugin| plugin.qualified() == name) {
                return;
            }
            format!("no document defines the WasmPlugin {name}")
        }
    };
    let message = format!("{problem}; requests of this rule get {}", backends::MISSING_STATUS);
    let help = "name a WasmPlugin (group extensions.istio.io) of the route's namespace";
    compiler.diagnostics.report(codes::INVALID_REFERENCE, reference.span, message).help(help);
}
