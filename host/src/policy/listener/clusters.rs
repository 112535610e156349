//! Clusters of the registry's services, and the names routes use for them.

use super::{CONNECT_TIMEOUT, Compiler};
use crate::plan::cluster::{Cluster, Workload};
use crate::policy::diagnostic::codes;
use crate::policy::document::Span;
use crate::policy::host;
use crate::policy::istio::destination_rule;
use crate::policy::kind::Kind;
use crate::policy::registry::Service;
use crate::policy::shape::nearest;
use std::collections::BTreeMap;

/// Istio's spelling of the cluster of a service port or of a subset of it.
pub(crate) fn cluster_name(port: u16, subset: &str, host: &str) -> String {
    format!("outbound|{port}|{subset}|{host}")
}

/// Adds the clusters of every service that `workload` may call, subsets included.
pub(super) fn add_services(compiler: &mut Compiler<'_>, workload: &Workload) {
    let registry = compiler.registry;
    compiler.clusters.clear();
    for service in registry.iter().filter(|service| service.visible_from(&workload.namespace)) {
        let rule = destination_rule::for_service(
            compiler.catalog,
            &service.host,
            &service.namespace,
            workload,
            compiler.options,
        );
        let mut subsets = vec![(String::new(), BTreeMap::new())];
        subsets.extend(rule.subsets.into_iter().map(|subset| (subset.name, subset.labels)));
        let connect_timeout = rule.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        for port in &service.ports {
            for (subset, labels) in &subsets {
                let name = cluster_name(port.number, subset, &service.host);
                let mut cluster = Cluster {
                    name: name.clone(),
                    service: Some(service.cluster_service()),
                    endpoints: service.endpoints(port.number, labels),
                    connect_timeout,
                };
                let known = compiler.builder.plan.clusters.get(&name);
                if known.is_some_and(|known| *known != cluster) {
                    // Other rules hold for this workload than for the one that came first.
                    cluster.name = format!("{name}@{}/{}", workload.namespace, workload.name);
                }
                let in_plan = compiler.builder.cluster(cluster);
                compiler.clusters.insert(name, in_plan);
            }
        }
    }
}

impl Compiler<'_> {
    /// Name of the cluster behind a destination written at `span`. The cluster may not exist:
    /// Istio answers 503 NC then, and so does the router; here the author is told.
    pub(crate) fn destination(
        &mut self,
        host: &str,
        port: u16,
        subset: Option<&str>,
        span: Span,
    ) -> String {
        let Some(service) = self.registry.find(host) else {
            self.report_missing(host, span);
            return cluster_name(port, subset.unwrap_or_default(), host);
        };
        let name = cluster_name(port, subset.unwrap_or_default(), &service.host);
        if let Some(in_plan) = self.clusters.get(&name) {
            return in_plan.clone();
        }
        if !service.has_port(port) {
            let ports: Vec<_> = service.ports.iter().map(|port| port.number.to_string()).collect();
            let message = format!("{host} has no port {port}; requests get 503");
            let help = format!("its ports: {}", ports.join(", "));
            self.diagnostics.report(codes::MISSING_SERVICE, span, message).help(help);
        } else if let Some(subset) = subset {
            self.report_missing_subset(host, subset, span);
        } else {
            self.report_missing(host, span);
        }
        self.nowhere(name)
    }

    /// A destination whose port follows from nothing: Istio takes the port of the listener, which
    /// the service does not have.
    pub(crate) fn ambiguous_destination(&mut self, host: &str, port: u16, span: Span) -> String {
        let message =
            format!("{host} has several ports and none of them is {port}; requests get 503");
        let help = "choose one: destination.port.number";
        self.diagnostics.report(codes::AMBIGUOUS_PORT, span, message).help(help);
        self.nowhere(cluster_name(port, "", host))
    }

    /// A name that no cluster has, even if another proxy of this process has one of that name.
    fn nowhere(&self, name: String) -> String {
        if self.builder.plan.clusters.contains_key(&name) { format!("{name}@none") } else { name }
    }

    /// The cluster of a service port for the proxy being compiled.
    pub(crate) fn service_cluster(&self, port: u16, host: &str) -> String {
        let name = cluster_name(port, "", host);
        self.clusters.get(&name).cloned().unwrap_or(name)
    }

    fn report_missing(&mut self, host: &str, span: Span) {
        if !self.missing.insert(host.to_owned()) {
            return;
        }
        let message = format!("no document defines the service {host}; requests to it get 503");
        let reported = self.diagnostics.report(codes::MISSING_SERVICE, span, message);
        match nearest(host, self.registry.hosts()) {
            Some(near) => reported.help(format!("did you mean `{near}`?")),
            None => reported.help("define it: kind ServiceEntry, or a Kubernetes Service"),
        }
    }

    fn report_missing_subset(&mut self, host: &str, subset: &str, span: Span) {
        let message = format!("{host} has no subset {subset}; requests get 503");
        self.diagnostics
            .report(codes::MISSING_SUBSET, span, message)
            .help("define it in a DestinationRule: spec.subsets[].name and labels");
    }
}

/// Services that nobody runs.
pub(super) fn check_services(compiler: &mut Compiler<'_>) {
    for service in compiler.registry.iter().filter(|service| !service.host.contains('*')) {
        if service.instances.is_empty() {
            let message = format!("no document says who runs {}; requests get 503", service.host);
            let help = "give it endpoints: ServiceEntry endpoints, EndpointSlice, or Pods and \
                        WorkloadEntries that its selector finds";
            compiler.diagnostics.report(codes::NO_ENDPOINTS, service.span, message).help(help);
        }
    }
}

/// What a DestinationRule says about services that are not there or select nobody.
pub(super) fn check_destination_rules(compiler: &mut Compiler<'_>) {
    for rule in compiler.catalog.of(Kind::DestinationRule) {
        let Some(node) = rule.spec.get("host") else { continue };
        let host =
            host::qualify(node.text().unwrap_or_default(), &rule.namespace, compiler.options);
        if host.starts_with('*') {
            continue;
        }
        let Some(service) = compiler.registry.find(&host) else {
            compiler.report_missing(&host, node.span);
            continue;
        };
        for subset in destination_rule::subsets(rule) {
            if !has_endpoints(service, &subset.labels) {
                let message = format!(
                    "no endpoint of {host} carries the labels of subset {}; requests get 503",
                    subset.name
                );
                compiler.diagnostics.report(codes::MISSING_WORKLOAD, subset.span, message).help(
                    "label the endpoints: ServiceEntry endpoints[].labels, WorkloadEntry or Pod",
                );
            }
        }
    }
}

fn has_endpoints(service: &Service, labels: &BTreeMap<String, String>) -> bool {
    service.ports.iter().any(|port| !service.endpoints(port.number, labels).is_empty())
}
