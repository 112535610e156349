//! Every kind that Istio, the Gateway API and Kubernetes serve, and what becomes of it here.

use super::gateway;
use super::istio::shape;
use super::native;
use super::shape::Shape;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Proxy,
    VirtualService,
    DestinationRule,
    Gateway,
    ServiceEntry,
    WorkloadEntry,
    WorkloadGroup,
    Sidecar,
    ProxyConfig,
    EnvoyFilter,
    AuthorizationPolicy,
    PeerAuthentication,
    RequestAuthentication,
    Telemetry,
    WasmPlugin,
    TrafficExtension,
    Service,
    Endpoints,
    EndpointSlice,
    Pod,
    Namespace,
    GatewayClass,
    /// Gateway API's; `Gateway` is Istio's.
    K8sGateway,
    ListenerSet,
    HttpRoute,
    GrpcRoute,
    ReferenceGrant,
    /// Known by name only.
    Other,
}

/// What becomes of a document of a kind.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Treatment {
    /// Checked against a table and lowered.
    Enforced(&'static Shape),
    /// Read leniently into the registry: Kubernetes' own objects have many fields of no concern.
    Registry,
    /// Checked where a table is known, reported, and without effect.
    NotEnforced(Option<&'static Shape>),
    /// Carries no policy.
    Ignored,
    /// Cannot work here; says why.
    Refused(&'static Shape, &'static str),
}

#[derive(Debug)]
pub(crate) struct KindRow {
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    pub(crate) group: &'static str,
    pub(crate) versions: &'static [&'static str],
    pub(crate) treatment: Treatment,
    /// A typo in it must never pass.
    pub(crate) security: bool,
}

const NETWORKING: &str = "networking.istio.io";
const NETWORKING_VERSIONS: &[&str] = &["v1", "v1beta1", "v1alpha3"];
const SECURITY: &str = "security.istio.io";
const SECURITY_VERSIONS: &[&str] = &["v1", "v1beta1"];
const TELEMETRY_VERSIONS: &[&str] = &["v1", "v1alpha1"];
const GATEWAY_API: &str = "gateway.networking.k8s.io";
const GATEWAY_API_VERSIONS: &[&str] = &["v1", "v1beta1", "v1alpha3", "v1alpha2"];
const GATEWAY_API_EXPERIMENTAL: &str = "gateway.networking.x-k8s.io";

const ENVOY_FILTER: &str =
    "EnvoyFilter patches Envoy's own configuration, and there is no Envoy here";

const fn enforced(
    kind: Kind,
    name: &'static str,
    shape: &'static Shape,
    group: &'static str,
    versions: &'static [&'static str],
) -> KindRow {
    let treatment = Treatment::Enforced(shape);
    KindRow { kind, name, group, versions, treatment, security: false }
}

const fn row(
    kind: Kind,
    name: &'static str,
    group: &'static str,
    versions: &'static [&'static str],
    treatment: Treatment,
) -> KindRow {
    KindRow { kind, name, group, versions, treatment, security: false }
}

const fn gateway_api_enforced(kind: Kind, name: &'static str, shape: &'static Shape) -> KindRow {
    enforced(kind, name, shape, GATEWAY_API, GATEWAY_API_VERSIONS)
}

const fn gateway_api(name: &'static str, group: &'static str) -> KindRow {
    row(Kind::Other, name, group, GATEWAY_API_VERSIONS, Treatment::NotEnforced(None))
}

const fn ignored(name: &'static str, group: &'static str) -> KindRow {
    row(Kind::Other, name, group, &[], Treatment::Ignored)
}

impl KindRow {
    const fn security(self) -> Self {
        Self { security: true, ..self }
    }
}

static KINDS: &[KindRow] = &[
    enforced(Kind::Proxy, "Proxy", &native::SHAPE, "weir.dev", &["v1"]),
    enforced(
        Kind::VirtualService,
        "VirtualService",
        &shape::virtual_service::SPEC,
        NETWORKING,
        NETWORKING_VERSIONS,
    ),
    enforced(
        Kind::DestinationRule,
        "DestinationRule",
        &shape::destination_rule::SPEC,
        NETWORKING,
        NETWORKING_VERSIONS,
    ),
    enforced(Kind::Gateway, "Gateway", &shape::gateway::SPEC, NETWORKING, NETWORKING_VERSIONS),
    enforced(
        Kind::ServiceEntry,
        "ServiceEntry",
        &shape::service_entry::SERVICE_ENTRY_SPEC,
        NETWORKING,
        NETWORKING_VERSIONS,
    ),
    enforced(
        Kind::WorkloadEntry,
        "WorkloadEntry",
        &shape::service_entry::WORKLOAD_ENTRY_SPEC,
        NETWORKING,
        NETWORKING_VERSIONS,
    ),
    row(
        Kind::WorkloadGroup,
        "WorkloadGroup",
        NETWORKING,
        NETWORKING_VERSIONS,
        Treatment::NotEnforced(Some(&shape::service_entry::WORKLOAD_GROUP_SPEC)),
    ),
    row(
        Kind::Sidecar,
        "Sidecar",
        NETWORKING,
        NETWORKING_VERSIONS,
        Treatment::NotEnforced(Some(&shape::sidecar::SIDECAR_SPEC)),
    ),
    row(
        Kind::ProxyConfig,
        "ProxyConfig",
        NETWORKING,
        &["v1beta1"],
        Treatment::NotEnforced(Some(&shape::sidecar::PROXY_CONFIG_SPEC)),
    ),
    row(
        Kind::EnvoyFilter,
        "EnvoyFilter",
        NETWORKING,
        &["v1alpha3"],
        Treatment::Refused(&shape::sidecar::ENVOY_FILTER_SPEC, ENVOY_FILTER),
    ),
    enforced(
        Kind::AuthorizationPolicy,
        "AuthorizationPolicy",
        &shape::authorization_policy::SPEC,
        SECURITY,
        SECURITY_VERSIONS,
    )
    .security(),
    row(
        Kind::PeerAuthentication,
        "PeerAuthentication",
        SECURITY,
        SECURITY_VERSIONS,
        Treatment::NotEnforced(Some(&shape::authentication::PEER_AUTHENTICATION_SPEC)),
    )
    .security(),
    row(
        Kind::RequestAuthentication,
        "RequestAuthentication",
        SECURITY,
        SECURITY_VERSIONS,
        Treatment::NotEnforced(Some(&shape::authentication::REQUEST_AUTHENTICATION_SPEC)),
    )
    .security(),
    enforced(
        Kind::Telemetry,
        "Telemetry",
        &shape::telemetry::SPEC,
        "telemetry.istio.io",
        TELEMETRY_VERSIONS,
    ),
    enforced(
        Kind::WasmPlugin,
        "WasmPlugin",
        &shape::wasm_plugin::WASM_PLUGIN_SPEC,
        "extensions.istio.io",
        &["v1alpha1"],
    ),
    row(
        Kind::TrafficExtension,
        "TrafficExtension",
        "extensions.istio.io",
        &["v1alpha1"],
        Treatment::NotEnforced(Some(&shape::wasm_plugin::TRAFFIC_EXTENSION_SPEC)),
    ),
    row(Kind::Service, "Service", "", &["v1"], Treatment::Registry),
    row(Kind::Endpoints, "Endpoints", "", &["v1"], Treatment::Registry),
    row(Kind::Pod, "Pod", "", &["v1"], Treatment::Registry),
    row(Kind::Namespace, "Namespace", "", &["v1"], Treatment::Registry),
    row(
        Kind::EndpointSlice,
        "EndpointSlice",
        "discovery.k8s.io",
        &["v1", "v1beta1"],
        Treatment::Registry,
    ),
    gateway_api_enforced(
        Kind::GatewayClass,
        "GatewayClass",
        &gateway::shape::gateway::GATEWAY_CLASS_SPEC,
    ),
    gateway_api_enforced(Kind::K8sGateway, "Gateway", &gateway::shape::gateway::GATEWAY_SPEC),
    gateway_api_enforced(
        Kind::ListenerSet,
        "ListenerSet",
        &gateway::shape::gateway::LISTENER_SET_SPEC,
    ),
    gateway_api_enforced(Kind::HttpRoute, "HTTPRoute", &gateway::shape::http_route::SPEC),
    gateway_api_enforced(Kind::GrpcRoute, "GRPCRoute", &gateway::shape::grpc_route::SPEC),
    // A typo in a grant could open what it is to keep closed.
    gateway_api_enforced(
        Kind::ReferenceGrant,
        "ReferenceGrant",
        &gateway::shape::reference_grant::SPEC,
    )
    .security(),
    gateway_api("TLSRoute", GATEWAY_API),
    gateway_api("TCPRoute", GATEWAY_API),
    gateway_api("UDPRoute", GATEWAY_API),
    gateway_api("BackendTLSPolicy", GATEWAY_API),
    gateway_api("XListenerSet", GATEWAY_API_EXPERIMENTAL),
    gateway_api("XBackend", GATEWAY_API_EXPERIMENTAL),
    gateway_api("XBackendTrafficPolicy", GATEWAY_API_EXPERIMENTAL),
    gateway_api("XMesh", GATEWAY_API_EXPERIMENTAL),
    row(Kind::Other, "Ingress", "networking.k8s.io", &["v1"], Treatment::NotEnforced(None)),
    row(Kind::Other, "NetworkPolicy", "networking.k8s.io", &["v1"], Treatment::NotEnforced(None)),
    ignored("IngressClass", "networking.k8s.io"),
    ignored("ConfigMap", ""),
    ignored("Secret", ""),
    ignored("ServiceAccount", ""),
    ignored("PersistentVolume", ""),
    ignored("PersistentVolumeClaim", ""),
    ignored("Node", ""),
    ignored("Event", ""),
    ignored("LimitRange", ""),
    ignored("ResourceQuota", ""),
    ignored("ReplicationController", ""),
    ignored("IstioOperator", "install.istio.io"),
];

/// Groups of which no kind carries policy.
const IGNORED_GROUPS: &[&str] = &[
    "apps",
    "batch",
    "autoscaling",
    "policy",
    "rbac.authorization.k8s.io",
    "apiextensions.k8s.io",
    "admissionregistration.k8s.io",
    "storage.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "certificates.k8s.io",
    "apiregistration.k8s.io",
    "node.k8s.io",
    "kustomize.config.k8s.io",
];

/// What is known of an `apiVersion` and `kind`.
pub(crate) enum Found {
    Row(&'static KindRow),
    /// A kind without policy.
    Ignored,
    /// The kind exists, but not in this version; these are served.
    Version(&'static KindRow),
    /// Perhaps this one was meant.
    Unknown(Option<&'static KindRow>),
}

pub(crate) fn find(api_version: &str, kind: &str) -> Found {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    match KINDS.iter().find(|row| row.group == group && row.name == kind) {
        Some(row) if row.versions.is_empty() || row.versions.contains(&version) => Found::Row(row),
        Some(row) => Found::Version(row),
        None if IGNORED_GROUPS.contains(&group) => Found::Ignored,
        None => {
            let near = super::shape::nearest(kind, KINDS.iter().map(|row| row.name));
            Found::Unknown(KINDS.iter().find(|row| Some(row.name) == near))
        }
    }
}
