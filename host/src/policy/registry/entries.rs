//! Services of ServiceEntry and WorkloadEntry documents.

use super::{Instance, Protocol, Service, ServicePort, protocol, workload_name};
use crate::plan::cluster::Workload;
use crate::policy::Options;
use crate::policy::document::Node;
use crate::policy::host;
use crate::policy::kind::Kind;
use crate::policy::resource::{Catalog, Resource};
use std::collections::BTreeMap;

pub(super) fn services(catalog: &Catalog, options: &Options<'_>) -> Vec<Service> {
    let entries = catalog.of(Kind::ServiceEntry).iter();
    entries.flat_map(|entry| of_entry(entry, catalog, options)).collect()
}

fn of_entry(entry: &Resource, catalog: &Catalog, options: &Options<'_>) -> Vec<Service> {
    let spec = &entry.spec;
    let ports: Vec<Port> = spec.list("ports").iter().filter_map(Port::of).collect();
    let mut instances: Vec<Instance> = spec
        .list("endpoints")
        .iter()
        .filter_map(|endpoint| instance(endpoint, &ports, &entry.namespace, "", options))
        .collect();
    if let Some(selector) = spec.at(&["workloadSelector", "labels"]) {
        instances.extend(selected(selector, entry, &ports, catalog, options));
    }
    let hosts = spec.texts("hosts");
    let own = |host: &str| {
        let undefined = instances.is_empty() && !spec.has("workloadSelector");
        let resolution = spec.text_at("resolution").unwrap_or("NONE");
        // Without endpoints the host itself is looked up. `NONE` forwards to the original
        // destination, which a proxy that is called by name only knows as that same host.
        if undefined && !host.starts_with('*') && resolution != "STATIC" {
            let ports = ports.iter().map(|port| (port.number, port.target)).collect();
            let workload = Workload { namespace: entry.namespace.clone(), ..Workload::default() };
            return vec![Instance { address: host.to_owned(), ports, weight: 1, workload }];
        }
        instances.clone()
    };
    hosts
        .iter()
        .map(|host| {
            let host = host::qualify(host, &entry.namespace, options);
            let (name, namespace) = host::service_of(&host, options)
                .unwrap_or((host.as_str(), entry.namespace.as_str()));
            Service {
                name: name.to_owned(),
                namespace: namespace.to_owned(),
                ports: ports.iter().map(Port::service_port).collect(),
                addresses: spec.texts("addresses").into_iter().map(str::to_owned).collect(),
                export_to: spec.texts("exportTo").into_iter().map(str::to_owned).collect(),
                instances: own(&host),
                span: entry.span,
                host,
            }
        })
        .collect()
}

pub(super) struct Port {
    pub(super) number: u16,
    pub(super) name: String,
    pub(super) target: u16,
    pub(super) protocol: Protocol,
}

impl Port {
    fn of(node: &Node) -> Option<Self> {
        let number = node.get("number")?.port()?;
        let name = node.text_at("name").unwrap_or_default().to_owned();
        let target = node.get("targetPort").and_then(Node::port).unwrap_or(number);
        let protocol = protocol(node.text_at("protocol").unwrap_or(&name));
        Some(Self { number, name, target, protocol })
    }

    fn service_port(&self) -> ServicePort {
        ServicePort { number: self.number, name: self.name.clone(), protocol: self.protocol }
    }
}

/// An inline endpoint or the spec of a WorkloadEntry.
pub(super) fn instance(
    endpoint: &Node,
    ports: &[Port],
    namespace: &str,
    name: &str,
    options: &Options<'_>,
) -> Option<Instance> {
    let address = endpoint.text_at("address")?;
    if address.starts_with("unix://") {
        return None;
    }
    let labels: BTreeMap<String, String> =
        endpoint.pairs("labels").map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let own_ports = endpoint.get("ports");
    let ports = ports.iter().map(|port| {
        let own = own_ports.and_then(|own| own.get(&port.name)).and_then(Node::port);
        (port.number, own.unwrap_or(port.target))
    });
    let name = if name.is_empty() { workload_name(&labels) } else { name.to_owned() };
    let workload = Workload {
        name,
        namespace: namespace.to_owned(),
        service_account: endpoint.text_at("serviceAccount").map(str::to_owned),
        trust_domain: options.trust_domain.clone(),
        labels,
    };
    Some(Instance {
        address: address.to_owned(),
        ports: ports.collect(),
        weight: endpoint.get("weight").and_then(Node::integer).map_or(1, weight),
        workload,
    })
}

fn weight(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(1).max(1)
}

/// WorkloadEntry and Pod documents of the namespace that carry the labels of a selector.
fn selected(
    selector: &Node,
    entry: &Resource,
    ports: &[Port],
    catalog: &Catalog,
    options: &Options<'_>,
) -> Vec<Instance> {
    let wanted = |labels: &BTreeMap<String, String>| {
        selector
            .entries()
            .iter()
            .all(|wanted| labels.get(&wanted.key).map(String::as_str) == wanted.node.scalar_text())
    };
    let workloads = catalog.of(Kind::WorkloadEntry).iter();
    let mut instances: Vec<Instance> = workloads
        .filter(|workload| workload.namespace == entry.namespace)
        .filter_map(|workload| {
            let name = workload.name.as_str();
            instance(&workload.spec, ports, &workload.namespace, name, options)
        })
        .filter(|instance| wanted(&instance.workload.labels))
        .collect();
    let pods = catalog.of(Kind::Pod).iter().filter(|pod| pod.namespace == entry.namespace);
    instances.extend(pods.filter(|pod| wanted(&pod.labels())).filter_map(|pod| {
        let address = super::kubernetes::pod_address(pod)?;
        let ports = ports.iter().map(|port| (port.number, port.target)).collect();
        let workload = super::kubernetes::pod_workload(pod, options);
        Some(Instance { address, ports, weight: 1, workload })
    }));
    instances
}
