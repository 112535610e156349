//! The filters around the routes of a listener, in Istio's order: access log, metrics,
//! authentication, authorization, and the WasmPlugins at their phases.

use super::Compiler;
use crate::plan::chain::FilterRef;
use crate::plan::cluster::Workload;
use crate::policy::istio::wasm_plugin::Phase;
use crate::policy::istio::{authorization_policy, telemetry, wasm_plugin};

/// The side of the proxy a request passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Outbound,
    Inbound,
    Gateway,
}

impl Class {
    /// Istio's `WorkloadMode`: gateways act as clients of the mesh.
    pub(crate) fn in_mode(self, mode: Option<&str>) -> bool {
        match mode {
            Some("CLIENT") => self != Self::Inbound,
            Some("SERVER") => self == Self::Inbound,
            _ => true,
        }
    }
}

/// For whom and where a chain is put together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) workload: &'a Workload,
    pub(crate) class: Class,
    /// As policies name it.
    pub(crate) port: u16,
}

impl Surroundings<'_> {
    /// Everything that stands before the filters of a route.
    pub(crate) fn filters(&self, compiler: &mut Compiler<'_>) -> Vec<FilterRef> {
        let mut chain = Vec::new();
        chain.extend(telemetry::access_log(compiler, self));
        chain.extend(telemetry::stats(compiler, self));
        chain.extend(wasm_plugin::filters(compiler, self, Phase::Authn));
        chain.extend(wasm_plugin::filters(compiler, self, Phase::Authz));
        if self.class != Class::Outbound {
            chain.extend(authorization_policy::filter(compiler, self));
        }
        chain.extend(wasm_plugin::filters(compiler, self, Phase::Stats));
        chain.extend(wasm_plugin::filters(compiler, self, Phase::Unspecified));
        chain
    }
}
