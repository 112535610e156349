//! Tables of fields, one module a kind: names, types, bounds and exclusions as the experimental
//! channel of Gateway API 1.6 declares them, and which of them have no effect here yet.

pub(crate) mod gateway;
pub(crate) mod grpc_route;
pub(crate) mod http_route;
pub(crate) mod reference_grant;
mod route;
