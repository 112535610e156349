//! The listener in front of the application.

use super::{CONNECT_TIMEOUT, Class, Compiler, Surroundings};
use crate::plan::cluster::{self, Cluster, Endpoint};
use crate::plan::listener::{Domain, Listener, VirtualHost};
use crate::plan::route::{MISSING_CLUSTER_STATUS, Route};
use crate::policy::native::ListenerSpec;
use crate::policy::registry::{self, Instance, Registry};

pub(super) fn fill(compiler: &mut Compiler<'_>, listener: &mut Listener, spec: &ListenerSpec<'_>) {
    let surroundings =
        Surroundings { workload: &listener.workload, class: Class::Inbound, port: listener.port };
    let chain = surroundings.filters(compiler);
    let service = service(compiler.registry, listener);
    let cluster = spec.app.as_ref().map(|(host, port)| {
        let workload = listener.workload.clone();
        let address = registry::address(host, *port);
        // Two proxies of one process may stand for the same port: the application tells them apart.
        let name = format!("inbound|{}||", listener.port);
        let name = match compiler.builder.plan.clusters.get(&name) {
            Some(_) => format!("{name}{}", listener.name),
            None => name,
        };
        compiler.builder.cluster(Cluster {
            name,
            service,
            endpoints: vec![Endpoint { address, weight: 1, workload }],
            connect_timeout: CONNECT_TIMEOUT,
        })
    });
    let route = Route {
        name: "default".to_owned(),
        matches: Vec::new(),
        chain: chain.clone(),
        cluster,
        missing_cluster_status: MISSING_CLUSTER_STATUS,
        timeout: None,
        place: Some(compiler.place(spec.span)),
    };
    listener.unmatched = chain;
    listener.virtual_hosts = vec![VirtualHost {
        name: format!("inbound|http|{}", listener.port),
        domains: vec![Domain::Any],
        routes: vec![route],
    }];
}

/// The service that callers know this workload by: the one with an endpoint at the bound address, else
/// one whose endpoints carry the workload's labels and listen on its port.
fn service(registry: &Registry, listener: &Listener) -> Option<cluster::Service> {
    let Listener { bind, port, workload, .. } = listener;
    let bound_here = |instance: &Instance| {
        let here = instance.address.parse() == Ok(bind.ip());
        here && instance.ports.values().any(|port| *port == bind.port())
    };
    let same_workload = |instance: &Instance| {
        let labels = &instance.workload.labels;
        let ports = instance.ports.iter();
        !labels.is_empty()
            && instance.workload.namespace == workload.namespace
            && labels.iter().all(|(name, value)| workload.labels.get(name) == Some(value))
            && ports.into_iter().any(|(outer, inner)| outer == port || inner == port)
    };
    let with = |matches: &dyn Fn(&Instance) -> bool| {
        registry.iter().find(|service| service.instances.iter().any(matches))
    };
    Some(with(&bound_here).or_else(|| with(&same_workload))?.cluster_service())
}
