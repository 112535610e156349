//! Tables of fields, one module a kind: names, types, bounds and exclusions as the custom resource
//! definitions of Istio 1.31 declare them, and which of them have no effect here yet.

pub(crate) mod authentication;
pub(crate) mod authorization_policy;
pub(crate) mod destination_rule;
pub(crate) mod gateway;
pub(crate) mod service_entry;
pub(crate) mod sidecar;
pub(crate) mod telemetry;
pub(crate) mod virtual_service;
pub(crate) mod wasm_plugin;
