//! From the documents to listeners: one `plan::listener::Listener` for each bound address of each
//! Proxy document.

mod clusters;
mod filters;
mod gateway;
mod inbound;
mod outbound;

pub(crate) use filters::{Class, Surroundings};

use super::builder::PlanBuilder;
use super::diagnostic::{Diagnostics, codes};
use super::document::Span;
use super::gateway as gateway_api;
use super::istio::virtual_service;
use super::kind::Kind;
use super::native::{self, ListenerSpec};
use super::registry::Registry;
use super::resource::{Catalog, Resource};
use super::{Options, Source};
use crate::plan::cluster::Workload;
use crate::plan::listener::{Listener, Role};
use crate::plan::{Place, Plan};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Istio's default for `connectionPool.tcp.connectTimeout`.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What every lowering reads and writes.
pub(crate) struct Compiler<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) registry: &'a Registry,
    pub(crate) index: &'a gateway_api::Index<'a>,
    pub(crate) sources: &'a [Source],
    pub(crate) options: &'a Options<'a>,
    pub(crate) builder: PlanBuilder,
    pub(crate) diagnostics: &'a mut Diagnostics,
    /// Clusters that the proxy being compiled may use: Istio's name and the name in the plan.
    clusters: BTreeMap<String, String>,
    /// Hosts already reported as missing: once is enough.
    missing: BTreeSet<String>,
}

impl Compiler<'_> {
    pub(crate) fn place(&self, span: Span) -> Place {
        let source = self.sources.get(span.source as usize);
        Place {
            source: source.map(|source| source.name.clone()).unwrap_or_default(),
            line: span.line,
            column: span.column,
        }
    }

    /// A path named in the document at `span`.
    pub(crate) fn file(&self, span: Span, path: &str) -> PathBuf {
        let base = self.sources.get(span.source as usize).map(|source| source.base.as_path());
        native::resolve_path(base.unwrap_or_else(|| "".as_ref()), path)
    }
}

/// Compiles everything; problems go to `diagnostics` and leave gaps in the plan.
pub(crate) fn compile(
    catalog: &Catalog,
    sources: &[Source],
    options: &Options<'_>,
    diagnostics: &mut Diagnostics,
) -> Plan {
    let registry = Registry::of(catalog, options);
    let index = gateway_api::Index::of(catalog);
    let builder = PlanBuilder::default();
    let mut compiler = Compiler {
        catalog,
        registry: &registry,
        index: &index,
        sources,
        options,
        builder,
        diagnostics,
        clusters: BTreeMap::new(),
        missing: BTreeSet::new(),
    };
    let mut taken = Taken::default();
    for proxy in catalog.of(Kind::Proxy) {
        let workload = native::workload(proxy, options);
        clusters::add_services(&mut compiler, &workload);
        for spec in native::listeners(proxy) {
            lower(&mut compiler, proxy, &workload, &spec, &mut taken);
        }
    }
    if catalog.of(Kind::Proxy).is_empty() && !options.require_listeners {
        implicit(&mut compiler);
    }
    clusters::check_services(&mut compiler);
    clusters::check_destination_rules(&mut compiler);
    gateway_api::check(&mut compiler);
    virtual_service::check_gateways(catalog, compiler.diagnostics);
    compiler.builder.plan
}

/// Names and addresses already in use.
#[derive(Default)]
struct Taken {
    names: BTreeSet<String>,
    addresses: BTreeMap<SocketAddr, String>,
}

impl Taken {
    /// Port 0 is any free port, as often as one likes.
    fn add(&mut self, listener: &Listener, span: Span, diagnostics: &mut Diagnostics) -> bool {
        let Listener { name, bind, .. } = listener;
        let problem = if !self.names.insert(name.clone()) {
            Some(format!("there are two listeners `{name}`"))
        } else if bind.port() == 0 {
            None
        } else {
            let other = self.addresses.insert(*bind, name.clone());
            other.map(|other| format!("{bind} is bound by listener `{other}` already"))
        };
        let fresh = problem.is_none();
        if let Some(problem) = problem {
            diagnostics.report(codes::DUPLICATE_LISTENER, span, problem);
        }
        fresh
    }
}

fn lower(
    compiler: &mut Compiler<'_>,
    proxy: &Resource,
    workload: &Workload,
    spec: &ListenerSpec<'_>,
    taken: &mut Taken,
) {
    let name = format!("{}/{}", proxy.name, spec.name);
    let mut listeners = Vec::new();
    if let (Role::Gateway, ports) = (spec.role, &spec.ports) {
        for (port, bind) in ports {
            let name = format!("{name}/{port}");
            match gateway::lower(compiler, workload, name, *port, *bind) {
                Some(listener) => listeners.push(listener),
                None => gateway::report_closed(compiler, workload, (*port, *bind), spec.span),
            }
        }
    } else if spec.bind.is_none() && spec.role == Role::Routes {
        // Its address was refused; what its routes say is checked all the same.
        native::lower(compiler, proxy, spec);
    } else if let Some(bind) = spec.bind {
        let port = spec.port.unwrap_or_else(|| bind.port());
        let workload = workload.clone();
        let mut listener = Listener {
            name,
            bind,
            role: spec.role,
            port,
            workload,
            virtual_hosts: Vec::new(),
            unmatched: Vec::new(),
        };
        match spec.role {
            Role::Routes => listener.virtual_hosts = native::lower(compiler, proxy, spec),
            Role::Outbound => outbound::fill(compiler, &mut listener),
            Role::Inbound => inbound::fill(compiler, &mut listener, spec),
            Role::Gateway => {}
        }
        listeners.push(listener);
    }
    for listener in listeners {
        if taken.add(&listener, spec.span, compiler.diagnostics) {
            compiler.builder.plan.listeners.push(listener);
        }
    }
}

/// Policies without a Proxy document: compiled as a caller in the default namespace sees them.
fn implicit(compiler: &mut Compiler<'_>) {
    if compiler.sources.is_empty() {
        return;
    }
    let start = Span { source: 0, line: 1, column: 1, length: 1 };
    let message = "no document of kind Proxy: compiled for an outbound listener `outbound` on \
                   127.0.0.1:15001";
    let help = "add a Proxy document to run these policies";
    compiler.diagnostics.report(codes::IMPLICIT_LISTENER, start, message).help(help);
    let workload = Workload {
        namespace: compiler.options.namespace.clone(),
        trust_domain: compiler.options.trust_domain.clone(),
        ..Workload::default()
    };
    clusters::add_services(compiler, &workload);
    let mut listener = Listener {
        name: "outbound".to_owned(),
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 15001)),
        role: Role::Outbound,
        port: 15001,
        workload,
        virtual_hosts: Vec::new(),
        unmatched: Vec::new(),
    };
    outbound::fill(compiler, &mut listener);
    compiler.builder.plan.listeners.push(listener);
}
