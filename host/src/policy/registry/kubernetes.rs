//! Services of Kubernetes Service, EndpointSlice, Endpoints and Pod documents.

use super::{Instance, Protocol, Service, ServicePort, entries, protocol, workload_name};
use crate::plan::cluster::Workload;
use crate::policy::Options;
use crate::policy::document::Node;
use crate::policy::kind::Kind;
use crate::policy::resource::{Catalog, Resource};
use std::collections::BTreeMap;

pub(super) fn services(catalog: &Catalog, options: &Options<'_>) -> Vec<Service> {
    let services = catalog.of(Kind::Service).iter();
    services.map(|service| of_service(service, catalog, options)).collect()
}

struct Port {
    number: u16,
    name: String,
    /// A number, or the name of a container port.
    target: String,
    protocol: Protocol,
}

impl Port {
    fn of(node: &Node) -> Option<Self> {
        let number = node.get("port")?.port()?;
        let name = node.text_at("name").unwrap_or_default().to_owned();
        let target = node.get("targetPort").and_then(Node::scalar_text);
        let target = target.map_or_else(|| number.to_string(), str::to_owned);
        let hint =
            node.text_at("appProtocol").map(|hint| hint.trim_start_matches("kubernetes.io/"));
        let protocol = match hint {
            Some("h2c" | "ws") => Protocol::Http,
            Some(hint) => protocol(hint),
            None => protocol(&name),
        };
        Some(Self { number, name, target, protocol })
    }

    /// As a WorkloadEntry, whose ports go by the name of the service port, is asked for it.
    fn of_entry(&self) -> entries::Port {
        let target = self.target.parse().unwrap_or(self.number);
        entries::Port {
            number: self.number,
            name: self.name.clone(),
            target,
            protocol: self.protocol,
        }
    }
}

fn of_service(service: &Resource, catalog: &Catalog, options: &Options<'_>) -> Service {
    let spec = &service.spec;
    let ports: Vec<Port> = spec.list("ports").iter().filter_map(Port::of).collect();
    let addresses = spec.texts("clusterIPs").into_iter().chain(spec.text_at("clusterIP"));
    let mut addresses: Vec<String> =
        addresses.filter(|address| *address != "None").map(str::to_owned).collect();
    addresses.sort();
    addresses.dedup();
    let export_to = service.annotation("networking.istio.io/exportTo").unwrap_or_default();
    Service {
        host: format!("{}.{}.svc.{}", service.name, service.namespace, options.cluster_domain),
        name: service.name.clone(),
        namespace: service.namespace.clone(),
        ports: ports
            .iter()
            .map(|port| ServicePort {
                number: port.number,
                name: port.name.clone(),
                protocol: port.protocol,
            })
            .collect(),
        addresses,
        export_to: export_to
            .split(',')
            .map(str::trim)
            .filter(|target| !target.is_empty())
            .map(str::to_owned)
            .collect(),
        instances: instances(service, &ports, catalog, options),
        span: service.span,
    }
}

/// Explicit slices win over `Endpoints`, and those over what the selector finds among the pods.
fn instances(
    service: &Resource,
    ports: &[Port],
    catalog: &Catalog,
    options: &Options<'_>,
) -> Vec<Instance> {
    if let Some(external) = service.spec.text_at("externalName") {
        let workload = Workload { namespace: service.namespace.clone(), ..Workload::default() };
        let ports = ports.iter().map(|port| (port.number, port.number)).collect();
        return vec![Instance { address: external.to_owned(), ports, weight: 1, workload }];
    }
    let slices = catalog.of(Kind::EndpointSlice).iter().filter(|slice| {
        slice.namespace == service.namespace
            && slice.labels().get("kubernetes.io/service-name") == Some(&service.name)
    });
    let of_slices: Vec<_> =
        slices.flat_map(|slice| of_slice(slice, ports, catalog, options)).collect();
    if !of_slices.is_empty() {
        return of_slices;
    }
    let endpoints = catalog.of(Kind::Endpoints).iter();
    let mut endpoints =
        endpoints.filter(|endpoints| endpoints.qualified() == service.qualified()).peekable();
    if endpoints.peek().is_some() {
        return endpoints
            .flat_map(|endpoints| of_endpoints(endpoints, ports, catalog, options))
            .collect();
    }
    of_selector(service, ports, catalog, options)
}

/// Service port to endpoint port through the port list of a slice or subset.
fn mapped_ports(listed: &[Node], ports: &[Port]) -> BTreeMap<u16, u16> {
    let number_of = |node: &Node| node.get("port").and_then(Node::port);
    let mapped = ports.iter().filter_map(|port| {
        let named = |node: &&Node| node.text_at("name").unwrap_or_default() == port.name;
        let node = listed.iter().find(named).or(match listed {
            // One port on both sides needs no name.
            [only] if ports.len() == 1 => Some(only),
            _ => None,
        })?;
        Some((port.number, number_of(node)?))
    });
    mapped.collect()
}

fn of_slice(
    slice: &Resource,
    ports: &[Port],
    catalog: &Catalog,
    options: &Options<'_>,
) -> Vec<Instance> {
    let mapped = mapped_ports(slice.root.list("ports"), ports);
    let ready = |endpoint: &&Node| {
        endpoint.at(&["conditions", "ready"]).and_then(Node::boolean).unwrap_or(true)
    };
    let mut instances = Vec::new();
    for endpoint in slice.root.list("endpoints").iter().filter(ready) {
        let workload = target_workload(endpoint, &slice.namespace, catalog, options);
        instances.extend(endpoint.texts("addresses").into_iter().map(|address| Instance {
            address: address.to_owned(),
            ports: mapped.clone(),
            weight: 1,
            workload: workload.clone(),
        }));
    }
    instances
}

fn of_endpoints(
    endpoints: &Resource,
    ports: &[Port],
    catalog: &Catalog,
    options: &Options<'_>,
) -> Vec<Instance> {
    let mut instances = Vec::new();
    for subset in endpoints.root.list("subsets") {
        let mapped = mapped_ports(subset.list("ports"), ports);
        for address in subset.list("addresses") {
            let Some(ip) = address.text_at("ip") else { continue };
            instances.push(Instance {
                address: ip.to_owned(),
                ports: mapped.clone(),
                weight: 1,
                workload: target_workload(address, &endpoints.namespace, catalog, options),
            });
        }
    }
    instances
}

/// The pod that an endpoint's `targetRef` names, else the pod with its address.
fn target_workload(
    endpoint: &Node,
    namespace: &str,
    catalog: &Catalog,
    options: &Options<'_>,
) -> Workload {
    let target = endpoint.at(&["targetRef", "name"]).and_then(Node::text);
    let ip = endpoint.text_at("ip").or_else(|| endpoint.texts("addresses").first().copied());
    let mut pods = catalog.of(Kind::Pod).iter().filter(|pod| pod.namespace == namespace);
    let pod = pods.find(|pod| match target {
        Some(target) => pod.name == target,
        None => ip.is_some() && pod_address(pod).as_deref() == ip,
    });
    match pod {
        Some(pod) => pod_workload(pod, options),
        None => Workload {
            namespace: namespace.to_owned(),
            trust_domain: options.trust_domain.clone(),
            ..Workload::default()
        },
    }
}

fn of_selector(
    service: &Resource,
    ports: &[Port],
    catalog: &Catalog,
    options: &Options<'_>,
) -> Vec<Instance> {
    let selector: Vec<(&str, &str)> = service.spec.pairs("selector").collect();
    if selector.is_empty() {
        return Vec::new();
    }
    let pods = catalog.of(Kind::Pod).iter().filter(|pod| {
        let labels = pod.labels();
        pod.namespace == service.namespace
            && selector.iter().all(|(key, value)| labels.get(*key).is_some_and(|has| has == value))
    });
    let pods = pods.filter_map(|pod| {
        let ports = ports.iter().filter_map(|port| {
            let target = port.target.parse().ok().or_else(|| container_port(pod, &port.target))?;
            Some((port.number, target))
        });
        Some(Instance {
            address: pod_address(pod)?,
            ports: ports.collect(),
            weight: 1,
            workload: pod_workload(pod, options),
        })
    });
    let listed: Vec<entries::Port> = ports.iter().map(Port::of_entry).collect();
    let entries = catalog.of(Kind::WorkloadEntry).iter();
    let entries =
        entries.filter(|entry| entry.namespace == service.namespace).filter_map(|entry| {
            entries::instance(&entry.spec, &listed, &entry.namespace, &entry.name, options)
        });
    // Istio lets the selector of a Service find WorkloadEntries, as it finds pods.
    let carries = |instance: &Instance| {
        let labels = &instance.workload.labels;
        selector.iter().all(|(key, value)| labels.get(*key).is_some_and(|has| has == value))
    };
    pods.chain(entries.filter(carries)).collect()
}

fn container_port(pod: &Resource, name: &str) -> Option<u16> {
    let containers = pod.spec.list("containers").iter();
    let mut ports = containers.flat_map(|container| container.list("ports"));
    let port = ports.find(|port| port.text_at("name") == Some(name))?;
    port.get("containerPort")?.port()
}

pub(super) fn pod_address(pod: &Resource) -> Option<String> {
    pod.root.at(&["status", "podIP"]).and_then(Node::text).map(str::to_owned)
}

pub(super) fn pod_workload(pod: &Resource, options: &Options<'_>) -> Workload {
    let labels = pod.labels();
    let account = pod.spec.text_at("serviceAccountName").unwrap_or("default");
    Workload {
        name: pod_owner(pod).unwrap_or_else(|| match workload_name(&labels) {
            name if name.is_empty() => pod.name.clone(),
            name => name,
        }),
        namespace: pod.namespace.clone(),
        service_account: Some(account.to_owned()),
        trust_domain: options.trust_domain.clone(),
        labels,
    }
}

/// The Deployment behind a ReplicaSet (its name without the hash), or another owner as it is.
fn pod_owner(pod: &Resource) -> Option<String> {
    let owners = pod.root.at(&["metadata", "ownerReferences"])?;
    let owner = owners.items().first()?;
    let name = owner.text_at("name")?;
    if owner.text_at("kind") == Some("ReplicaSet") {
        return Some(name.rsplit_once('-').map_or(name, |(deployment, _)| deployment).to_owned());
    }
    Some(name.to_owned())
}
