//! Fields of the specs of Sidecar, ProxyConfig and EnvoyFilter.

use crate::policy::shape::{
    ANY, BOOLEAN, DURATION, Field, I32, Keys, PORT, Shape, Size, TEXT, TEXT_MAP, TEXTS, Text, U32,
};

/// `Sidecar.spec`.
pub(crate) static SIDECAR_SPEC: Shape = Shape::Object(
    &[
        Field::new("egress", &Shape::List(&SIDECAR_EGRESS, Size::ANY)),
        Field::new("inboundConnectionPool", &SIDECAR_INBOUND_CONNECTION_POOL),
        Field::new("ingress", &Shape::List(&SIDECAR_INGRESS, Size::ANY)),
        Field::new("outboundTrafficPolicy", &SIDECAR_OUTBOUND_TRAFFIC_POLICY),
        Field::new("workloadSelector", &SIDECAR_WORKLOAD_SELECTOR),
    ],
    &[],
);

/// `workloadSelector`.
static SIDECAR_WORKLOAD_SELECTOR: Shape = Shape::Object(
    &[Field::new("labels", &Shape::Map(&Shape::Text(Text::LabelValue), Keys::Any))],
    &[],
);

/// `outboundTrafficPolicy`.
static SIDECAR_OUTBOUND_TRAFFIC_POLICY: Shape = Shape::Object(
    &[
        Field::new("egressProxy", &SIDECAR_EGRESS_PROXY),
        Field::new("mode", &Shape::Choice(&["REGISTRY_ONLY", "ALLOW_ANY"])),
    ],
    &[],
);

/// `outboundTrafficPolicy.egressProxy`.
static SIDECAR_EGRESS_PROXY: Shape = Shape::Object(
    &[
        Field::new("host", &TEXT).required(),
        Field::new("port", &SIDECAR_EGRESS_PROXY_PORT),
        Field::new("subset", &TEXT),
    ],
    &[],
);

/// `outboundTrafficPolicy.egressProxy.port`.
static SIDECAR_EGRESS_PROXY_PORT: Shape = Shape::Object(&[Field::new("number", &U32)], &[]);

/// `ingress[]`.
static SIDECAR_INGRESS: Shape = Shape::Object(
    &[
        Field::new("bind", &TEXT),
        Field::new("captureMode", &Shape::Choice(&["DEFAULT", "IPTABLES", "NONE"])),
        Field::new("connectionPool", &SIDECAR_INBOUND_CONNECTION_POOL),
        Field::new("defaultEndpoint", &TEXT),
        Field::new("port", &SIDECAR_EGRESS_PORT).required(),
        Field::new("tls", &SIDECAR_TLS),
    ],
    &[],
);

/// `ingress[].tls`.
static SIDECAR_TLS: Shape = Shape::Object(
    &[
        Field::new("caCertCredentialName", &TEXT),
        Field::new("caCertificates", &TEXT),
        Field::new("caCrl", &TEXT),
        Field::new("cipherSuites", &TEXTS),
        Field::new("credentialName", &TEXT),
        Field::new("credentialNames", &Shape::List(&TEXT, Size(1, 2))),
        Field::new("ecdhCurves", &TEXTS),
        Field::new("httpsRedirect", &BOOLEAN),
        Field::new("insecureSkipVerify", &BOOLEAN).nullable(),
        Field::new(
            "maxProtocolVersion",
            &Shape::Choice(&["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]),
        ),
        Field::new(
            "minProtocolVersion",
            &Shape::Choice(&["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]),
        ),
        Field::new(
            "mode",
            &Shape::Choice(&[
                "PASSTHROUGH",
                "SIMPLE",
                "MUTUAL",
                "AUTO_PASSTHROUGH",
                "ISTIO_MUTUAL",
                "OPTIONAL_MUTUAL",
            ]),
        ),
        Field::new("privateKey", &TEXT),
        Field::new("serverCertificate", &TEXT),
        Field::new("subjectAltNames", &TEXTS),
        Field::new("tlsCertificates", &Shape::List(&SIDECAR_TLS_CERTIFICATES, Size(1, 2))),
        Field::new("verifyCertificateHash", &TEXTS),
        Field::new("verifyCertificateSpki", &TEXTS),
    ],
    &[&["tlsCertificates", "credentialNames"], &["credentialName", "credentialNames"]],
);

/// `ingress[].tls.tlsCertificates[]`.
static SIDECAR_TLS_CERTIFICATES: Shape = Shape::Object(
    &[
        Field::new("caCertificates", &TEXT),
        Field::new("privateKey", &TEXT),
        Field::new("serverCertificate", &TEXT),
    ],
    &[],
);

/// `inboundConnectionPool`.
static SIDECAR_INBOUND_CONNECTION_POOL: Shape =
    Shape::Object(&[Field::new("http", &SIDECAR_HTTP), Field::new("tcp", &SIDECAR_TCP)], &[]);

/// `inboundConnectionPool.tcp`.
static SIDECAR_TCP: Shape = Shape::Object(
    &[
        Field::new("connectTimeout", &DURATION),
        Field::new("idleTimeout", &TEXT),
        Field::new("maxConnectionDuration", &DURATION),
        Field::new("maxConnections", &I32),
        Field::new("tcpKeepalive", &SIDECAR_TCP_KEEPALIVE),
    ],
    &[],
);

/// `inboundConnectionPool.tcp.tcpKeepalive`.
static SIDECAR_TCP_KEEPALIVE: Shape = Shape::Object(
    &[Field::new("interval", &DURATION), Field::new("probes", &U32), Field::new("time", &DURATION)],
    &[],
);

/// `inboundConnectionPool.http`.
static SIDECAR_HTTP: Shape = Shape::Object(
    &[
        Field::new("h2UpgradePolicy", &Shape::Choice(&["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"])),
        Field::new("http1MaxPendingRequests", &I32),
        Field::new("http2KeepAlive", &SIDECAR_HTTP2_KEEP_ALIVE),
        Field::new("http2MaxRequests", &I32),
        Field::new("idleTimeout", &DURATION),
        Field::new("maxConcurrentStreams", &I32),
        Field::new("maxRequestsPerConnection", &I32),
        Field::new("maxRetries", &I32),
        Field::new("useClientProtocol", &BOOLEAN),
    ],
    &[],
);

/// `inboundConnectionPool.http.http2KeepAlive`.
static SIDECAR_HTTP2_KEEP_ALIVE: Shape =
    Shape::Object(&[Field::new("interval", &DURATION), Field::new("timeout", &DURATION)], &[]);

/// `egress[]`.
static SIDECAR_EGRESS: Shape = Shape::Object(
    &[
        Field::new("bind", &TEXT),
        Field::new("captureMode", &Shape::Choice(&["DEFAULT", "IPTABLES", "NONE"])),
        Field::new("hosts", &TEXTS).required(),
        Field::new("port", &SIDECAR_EGRESS_PORT),
    ],
    &[],
);

/// `egress[].port`.
static SIDECAR_EGRESS_PORT: Shape = Shape::Object(
    &[
        Field::new("name", &TEXT),
        Field::new("number", &U32),
        Field::new("protocol", &TEXT),
        Field::new("targetPort", &U32),
    ],
    &[],
);

/// `ProxyConfig.spec`.
pub(crate) static PROXY_CONFIG_SPEC: Shape = Shape::Object(
    &[
        Field::new("concurrency", &Shape::Integer(0, i64::MAX)).nullable(),
        Field::new(
            "environmentVariables",
            &Shape::Map(&Shape::Text(Text::Length(0, 2048)), Keys::Any),
        ),
        Field::new("image", &PROXY_CONFIG_IMAGE),
        Field::new("selector", &PROXY_CONFIG_SELECTOR),
    ],
    &[],
);

/// `selector`.
static PROXY_CONFIG_SELECTOR: Shape = Shape::Object(
    &[Field::new("matchLabels", &Shape::Map(&Shape::Text(Text::LabelValue), Keys::Labels))],
    &[],
);

/// `image`.
static PROXY_CONFIG_IMAGE: Shape = Shape::Object(&[Field::new("imageType", &TEXT)], &[]);

/// `EnvoyFilter.spec`.
pub(crate) static ENVOY_FILTER_SPEC: Shape = Shape::Object(
    &[
        Field::new("configPatches", &Shape::List(&ENVOY_FILTER_CONFIG_PATCHES, Size::ANY)),
        Field::new("priority", &I32),
        Field::new("targetRefs", &Shape::List(&ENVOY_FILTER_TARGET_REFS, Size(0, 16))),
        Field::new("workloadSelector", &ENVOY_FILTER_WORKLOAD_SELECTOR),
    ],
    &[&["workloadSelector", "targetRefs"]],
);

/// `workloadSelector`.
static ENVOY_FILTER_WORKLOAD_SELECTOR: Shape = Shape::Object(
    &[Field::new("labels", &Shape::Map(&Shape::Text(Text::LabelValue), Keys::Any))],
    &[],
);

/// `targetRefs[]`.
static ENVOY_FILTER_TARGET_REFS: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)),
        Field::new("kind", &Shape::Text(Text::KindName)).required(),
        Field::new("name", &Shape::Text(Text::Length(1, 253))).required(),
        Field::new("namespace", &Shape::Text(Text::OwnNamespace)),
    ],
    &[],
);

/// `configPatches[]`.
static ENVOY_FILTER_CONFIG_PATCHES: Shape = Shape::Object(
    &[
        Field::new(
            "applyTo",
            &Shape::Choice(&[
                "INVALID",
                "LISTENER",
                "FILTER_CHAIN",
                "NETWORK_FILTER",
                "HTTP_FILTER",
                "ROUTE_CONFIGURATION",
                "VIRTUAL_HOST",
                "HTTP_ROUTE",
                "CLUSTER",
                "EXTENSION_CONFIG",
                "BOOTSTRAP",
                "LISTENER_FILTER",
            ]),
        ),
        Field::new("match", &ENVOY_FILTER_MATCH),
        Field::new("patch", &ENVOY_FILTER_PATCH),
    ],
    &[],
);

/// `configPatches[].patch`.
static ENVOY_FILTER_PATCH: Shape = Shape::Object(
    &[
        Field::new("filterClass", &Shape::Choice(&["UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"])),
        Field::new(
            "operation",
            &Shape::Choice(&[
                "INVALID",
                "MERGE",
                "ADD",
                "REMOVE",
                "INSERT_BEFORE",
                "INSERT_AFTER",
                "INSERT_FIRST",
                "REPLACE",
                "MERGE_AND_REPLACE_LIST",
            ]),
        ),
        Field::new("value", &ANY),
    ],
    &[],
);

/// `configPatches[].match`.
static ENVOY_FILTER_MATCH: Shape = Shape::Object(
    &[
        Field::new("cluster", &ENVOY_FILTER_CLUSTER),
        Field::new(
            "context",
            &Shape::Choice(&["ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"]),
        ),
        Field::new("listener", &ENVOY_FILTER_LISTENER),
        Field::new("proxy", &ENVOY_FILTER_PROXY),
        Field::new("routeConfiguration", &ENVOY_FILTER_ROUTE_CONFIGURATION),
        Field::new("waypoint", &ENVOY_FILTER_WAYPOINT),
    ],
    &[&["listener", "routeConfiguration", "cluster", "waypoint"]],
);

/// `configPatches[].match.waypoint`.
static ENVOY_FILTER_WAYPOINT: Shape = Shape::Object(
    &[
        Field::new("filter", &ENVOY_FILTER_FILTER),
        Field::new("portNumber", &PORT),
        Field::new("route", &ENVOY_FILTER_SUB_FILTER),
    ],
    &[],
);

/// `configPatches[].match.routeConfiguration`.
static ENVOY_FILTER_ROUTE_CONFIGURATION: Shape = Shape::Object(
    &[
        Field::new("gateway", &TEXT),
        Field::new("name", &TEXT),
        Field::new("portName", &TEXT),
        Field::new("portNumber", &U32),
        Field::new("vhost", &ENVOY_FILTER_VHOST),
    ],
    &[],
);

/// `configPatches[].match.routeConfiguration.vhost`.
static ENVOY_FILTER_VHOST: Shape = Shape::Object(
    &[
        Field::new("domainName", &TEXT),
        Field::new("name", &TEXT),
        Field::new("route", &ENVOY_FILTER_ROUTE),
    ],
    &[],
);

/// `configPatches[].match.routeConfiguration.vhost.route`.
static ENVOY_FILTER_ROUTE: Shape = Shape::Object(
    &[
        Field::new("action", &Shape::Choice(&["ANY", "ROUTE", "REDIRECT", "DIRECT_RESPONSE"])),
        Field::new("name", &TEXT),
    ],
    &[],
);

/// `configPatches[].match.proxy`.
static ENVOY_FILTER_PROXY: Shape =
    Shape::Object(&[Field::new("metadata", &TEXT_MAP), Field::new("proxyVersion", &TEXT)], &[]);

/// `configPatches[].match.listener`.
static ENVOY_FILTER_LISTENER: Shape = Shape::Object(
    &[
        Field::new("filterChain", &ENVOY_FILTER_FILTER_CHAIN),
        Field::new("listenerFilter", &TEXT),
        Field::new("name", &TEXT),
        Field::new("portName", &TEXT),
        Field::new("portNumber", &U32),
    ],
    &[],
);

/// `configPatches[].match.listener.filterChain`.
static ENVOY_FILTER_FILTER_CHAIN: Shape = Shape::Object(
    &[
        Field::new("applicationProtocols", &TEXT),
        Field::new("destinationPort", &U32),
        Field::new("filter", &ENVOY_FILTER_FILTER),
        Field::new("name", &TEXT),
        Field::new("sni", &TEXT),
        Field::new("transportProtocol", &TEXT),
        Field::new("transportSocket", &TEXT),
    ],
    &[],
);

/// `configPatches[].match.listener.filterChain.filter`.
static ENVOY_FILTER_FILTER: Shape = Shape::Object(
    &[Field::new("name", &TEXT), Field::new("subFilter", &ENVOY_FILTER_SUB_FILTER)],
    &[],
);

/// `configPatches[].match.listener.filterChain.filter.subFilter`.
static ENVOY_FILTER_SUB_FILTER: Shape = Shape::Object(&[Field::new("name", &TEXT)], &[]);

/// `configPatches[].match.cluster`.
static ENVOY_FILTER_CLUSTER: Shape = Shape::Object(
    &[
        Field::new("name", &TEXT),
        Field::new("portNumber", &U32),
        Field::new("service", &TEXT),
        Field::new("subset", &TEXT),
    ],
    &[],
);
