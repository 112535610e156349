//! The services and who runs them, from every kind of document that says so.

mod entries;
mod kubernetes;

use super::Options;
use super::document::Span;
use super::host;
use super::resource::Catalog;
use crate::plan::cluster::{self, Address, Workload};
use std::collections::BTreeMap;

/// Every service by its fully qualified host.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    services: BTreeMap<String, Service>,
}

#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// Fully qualified, or a pattern `*.example.com`.
    pub(crate) host: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) ports: Vec<ServicePort>,
    /// Addresses that clients may use instead of the host.
    pub(crate) addresses: Vec<String>,
    pub(crate) export_to: Vec<String>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServicePort {
    pub(crate) number: u16,
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    /// Routed by Host here only if nothing else is left.
    Opaque,
}

/// One endpoint of a service.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    /// IP address or DNS name.
    pub(crate) address: String,
    /// Service port to endpoint port.
    pub(crate) ports: BTreeMap<u16, u16>,
    pub(crate) weight: u32,
    pub(crate) workload: Workload,
}

impl Registry {
    pub(crate) fn of(catalog: &Catalog, options: &Options<'_>) -> Self {
        let mut registry = Self::default();
        for service in kubernetes::services(catalog, options) {
            registry.add(service);
        }
        for service in entries::services(catalog, options) {
            registry.add(service);
        }
        registry
    }

    /// Documents that speak of one host complete each other.
    fn add(&mut self, service: Service) {
        let Some(known) = self.services.get_mut(&service.host) else {
            self.services.insert(service.host.clone(), service);
            return;
        };
        for port in service.ports {
            if !known.ports.iter().any(|other| other.number == port.number) {
                known.ports.push(port);
            }
        }
        known.addresses.extend(service.addresses);
        known.instances.extend(service.instances);
    }

    pub(crate) fn get(&self, host: &str) -> Option<&Service> {
        self.services.get(host)
    }

    /// The service a host names: itself, or the most specific pattern that covers it.
    pub(crate) fn find(&self, host: &str) -> Option<&Service> {
        self.services.get(host).or_else(|| {
            let patterns = self.services.values().filter(|service| service.host.starts_with('*'));
            patterns
                .filter(|service| host::covers(&service.host, host))
                .max_by_key(|service| host::specificity(&service.host))
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Service> {
        self.services.values()
    }

    pub(crate) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(String::as_str)
    }
}

impl Service {
    pub(crate) fn visible_from(&self, namespace: &str) -> bool {
        let export_to: Vec<&str> = self.export_to.iter().map(String::as_str).collect();
        host::exported(&export_to, &self.namespace, namespace)
    }

    pub(crate) fn has_port(&self, number: u16) -> bool {
        self.ports.iter().any(|port| port.number == number)
    }

    /// Ports that carry HTTP; when none is declared so, all of them.
    pub(crate) fn http_ports(&self) -> Vec<u16> {
        let numbers = |protocol: Option<Protocol>| -> Vec<u16> {
            let ports = self.ports.iter();
            let chosen = ports.filter(|port| protocol.is_none_or(|wanted| port.protocol == wanted));
            chosen.map(|port| port.number).collect()
        };
        let http = numbers(Some(Protocol::Http));
        if http.is_empty() { numbers(None) } else { http }
    }

    /// The port meant by a request that names none: 80 if there is one, else the first.
    pub(crate) fn default_port(&self) -> Option<u16> {
        let ports = self.http_ports();
        ports.iter().copied().find(|port| *port == 80).or_else(|| ports.first().copied())
    }

    pub(crate) fn cluster_service(&self) -> cluster::Service {
        cluster::Service {
            host: self.host.clone(),
            name: self.name.clone(),
            namespace: self.namespace.clone(),
        }
    }

    /// Endpoints of a port whose labels include all of `labels`.
    pub(crate) fn endpoints(
        &self,
        port: u16,
        labels: &BTreeMap<String, String>,
    ) -> Vec<cluster::Endpoint> {
        let matching = self.instances.iter().filter(|instance| {
            labels.iter().all(|(name, value)| instance.workload.labels.get(name) == Some(value))
        });
        let mut endpoints: Vec<cluster::Endpoint> = Vec::new();
        for instance in matching {
            let Some(port) = instance.ports.get(&port) else { continue };
            let address = address(&instance.address, *port);
            if !endpoints.iter().any(|known| known.address == address) {
                endpoints.push(cluster::Endpoint {
                    address,
                    weight: instance.weight.max(1),
                    workload: instance.workload.clone(),
                });
            }
        }
        endpoints
    }
}

/// An IP address becomes a socket address; anything else is resolved when connecting.
pub(crate) fn address(host: &str, port: u16) -> Address {
    match host.parse() {
        Ok(ip) => Address::Socket(std::net::SocketAddr::new(ip, port)),
        Err(_) => Address::Name { host: host.to_owned(), port },
    }
}

/// Istio's protocol names, and the prefixes of Kubernetes port names (`http-web`, `grpc`).
pub(crate) fn protocol(name: &str) -> Protocol {
    let name = name.to_ascii_lowercase();
    let first = if name.starts_with("grpc-web") {
        "grpc-web"
    } else {
        name.split('-').next().unwrap_or_default()
    };
    match first {
        "http" | "http2" | "grpc" | "grpc-web" | "http_proxy" => Protocol::Http,
        _ => Protocol::Opaque,
    }
}

/// What telemetry calls a workload that has no document of its own: what its labels say, else
/// `APP-VERSION`, the name its Deployment would have by Istio's own convention.
pub(crate) fn workload_name(labels: &BTreeMap<String, String>) -> String {
    if let Some(name) = labels.get("service.istio.io/workload-name") {
        return name.clone();
    }
    let app = labels.get("app").or_else(|| labels.get("app.kubernetes.io/name"));
    let version = labels.get("version").or_else(|| labels.get("app.kubernetes.io/version"));
    match (app, version) {
        (Some(app), Some(version)) => format!("{app}-{version}"),
        (Some(app), None) => app.clone(),
        _ => String::new(),
    }
}
