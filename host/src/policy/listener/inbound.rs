//! The listener in front of the application.

use super::{CONNECT_TIMEOUT, Class, Compiler, Surroundings};
use crate::plan::cluster::{Cluster, Endpoint};
use crate::plan::listener::{Domain, Listener, VirtualHost};
use crate::plan::route::{MISSING_CLUSTER_STATUS, Route};
use crate::policy::native::ListenerSpec;
use crate::policy::registry;

pub(super) fn fill(compiler: &mut Compiler<'_>, listener: &mut Listener, spec: &ListenerSpec<'_>) {
    let surroundings =
        Surroundings { workload: &listener.workload, class: Class::Inbound, port: listener.port };
    let chain = surroundings.filters(compiler);
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
            service: None,
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
