//! Fields of `DestinationRule.spec`.

use crate::policy::shape::{
    BOOLEAN, DURATION, Field, I32, Keys, Shape, Size, TEXT, TEXT_MAP, TEXTS, Text, U32,
};

/// `DestinationRule.spec`.
pub(crate) static SPEC: Shape = Shape::Object(
    &[
        Field::new("exportTo", &TEXTS),
        Field::new("host", &TEXT).required(),
        Field::new("subsets", &Shape::List(&SUBSETS, Size::ANY)),
        Field::new("trafficPolicy", &TOP_TRAFFIC_POLICY),
        Field::new("workloadSelector", &WORKLOAD_SELECTOR),
    ],
    &[],
);

/// `workloadSelector`.
static WORKLOAD_SELECTOR: Shape = Shape::Object(
    &[Field::new("matchLabels", &Shape::Map(&Shape::Text(Text::LabelValue), Keys::Labels))],
    &[],
);

/// `trafficPolicy`.
static TOP_TRAFFIC_POLICY: Shape = Shape::Object(
    &[
        Field::new("connectionPool", &TRAFFIC_POLICY_CONNECTION_POOL),
        Field::new("loadBalancer", &LOAD_BALANCER).later(),
        Field::new("outlierDetection", &OUTLIER_DETECTION).later(),
        Field::new("portLevelSettings", &Shape::List(&PORT_LEVEL_SETTINGS, Size(0, 4096))).later(),
        Field::new("proxyProtocol", &PROXY_PROTOCOL).later(),
        Field::new("retryBudget", &RETRY_BUDGET).later(),
        Field::new("tls", &TLS).later(),
        Field::new("tunnel", &TUNNEL).later(),
    ],
    &[],
);

/// `trafficPolicy.connectionPool`.
static TRAFFIC_POLICY_CONNECTION_POOL: Shape = Shape::Object(
    &[Field::new("http", &HTTP).later(), Field::new("tcp", &CONNECTION_POOL_TCP)],
    &[],
);

/// `trafficPolicy.connectionPool.tcp`.
static CONNECTION_POOL_TCP: Shape = Shape::Object(
    &[
        Field::new("connectTimeout", &DURATION),
        Field::new("idleTimeout", &TEXT).later(),
        Field::new("maxConnectionDuration", &DURATION).later(),
        Field::new("maxConnections", &I32).later(),
        Field::new("tcpKeepalive", &TCP_KEEPALIVE).later(),
    ],
    &[],
);

/// `subsets[]`.
static SUBSETS: Shape = Shape::Object(
    &[
        Field::new("labels", &TEXT_MAP),
        Field::new("name", &TEXT).required(),
        Field::new("trafficPolicy", &TRAFFIC_POLICY).later(),
    ],
    &[],
);

/// `subsets[].trafficPolicy`.
static TRAFFIC_POLICY: Shape = Shape::Object(
    &[
        Field::new("connectionPool", &CONNECTION_POOL),
        Field::new("loadBalancer", &LOAD_BALANCER),
        Field::new("outlierDetection", &OUTLIER_DETECTION),
        Field::new("portLevelSettings", &Shape::List(&PORT_LEVEL_SETTINGS, Size(0, 4096))),
        Field::new("proxyProtocol", &PROXY_PROTOCOL),
        Field::new("retryBudget", &RETRY_BUDGET),
        Field::new("tls", &TLS),
        Field::new("tunnel", &TUNNEL),
    ],
    &[],
);

/// `subsets[].trafficPolicy.tunnel`.
static TUNNEL: Shape = Shape::Object(
    &[
        Field::new("protocol", &TEXT),
        Field::new("targetHost", &TEXT).required(),
        Field::new("targetPort", &U32).required(),
    ],
    &[],
);

/// `subsets[].trafficPolicy.retryBudget`.
static RETRY_BUDGET: Shape = Shape::Object(
    &[
        Field::new("budgetInterval", &TEXT),
        Field::new("minRetryConcurrency", &U32),
        Field::new("percent", &Shape::Number(0.0, 100.0)).nullable(),
    ],
    &[],
);

/// `subsets[].trafficPolicy.proxyProtocol`.
static PROXY_PROTOCOL: Shape =
    Shape::Object(&[Field::new("version", &Shape::Choice(&["V1", "V2"]))], &[]);

/// `subsets[].trafficPolicy.portLevelSettings[]`.
static PORT_LEVEL_SETTINGS: Shape = Shape::Object(
    &[
        Field::new("connectionPool", &CONNECTION_POOL),
        Field::new("loadBalancer", &LOAD_BALANCER),
        Field::new("outlierDetection", &OUTLIER_DETECTION),
        Field::new("port", &PORT_LEVEL_SETTINGS_PORT),
        Field::new("tls", &TLS),
    ],
    &[],
);

/// `subsets[].trafficPolicy.portLevelSettings[].tls`.
static TLS: Shape = Shape::Object(
    &[
        Field::new("caCertificates", &TEXT),
        Field::new("caCrl", &TEXT),
        Field::new("clientCertificate", &TEXT),
        Field::new("credentialName", &TEXT),
        Field::new("insecureSkipVerify", &BOOLEAN).nullable(),
        Field::new("mode", &Shape::Choice(&["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"])),
        Field::new("privateKey", &TEXT),
        Field::new("sni", &TEXT),
        Field::new("subjectAltNames", &TEXTS),
    ],
    &[],
);

/// `subsets[].trafficPolicy.portLevelSettings[].port`.
static PORT_LEVEL_SETTINGS_PORT: Shape = Shape::Object(&[Field::new("number", &U32)], &[]);

/// `subsets[].trafficPolicy.outlierDetection`.
static OUTLIER_DETECTION: Shape = Shape::Object(
    &[
        Field::new("baseEjectionTime", &DURATION),
        Field::new("consecutive5xxErrors", &U32).nullable(),
        Field::new("consecutiveErrors", &I32),
        Field::new("consecutiveGatewayErrors", &U32).nullable(),
        Field::new("consecutiveLocalOriginFailures", &U32).nullable(),
        Field::new("interval", &DURATION),
        Field::new("maxEjectionPercent", &I32),
        Field::new("minHealthPercent", &I32),
        Field::new(
            "outlierDetectionHttpErrorCodes",
            &Shape::List(&Shape::Integer(100, 599), Size::ANY),
        ),
        Field::new("splitExternalLocalOriginErrors", &BOOLEAN),
    ],
    &[],
);

/// `subsets[].trafficPolicy.loadBalancer`.
static LOAD_BALANCER: Shape = Shape::Object(
    &[
        Field::new("backendUtilization", &BACKEND_UTILIZATION),
        Field::new("consistentHash", &CONSISTENT_HASH),
        Field::new("localityLbSetting", &LOCALITY_LB_SETTING),
        Field::new(
            "simple",
            &Shape::Choice(&[
                "UNSPECIFIED",
                "LEAST_CONN",
                "RANDOM",
                "PASSTHROUGH",
                "ROUND_ROBIN",
                "LEAST_REQUEST",
            ]),
        ),
        Field::new("warmup", &WARMUP),
        Field::new("warmupDurationSecs", &DURATION),
        Field::new("zoneAwareLbSetting", &ZONE_AWARE_LB_SETTING),
    ],
    &[&["simple", "consistentHash", "backendUtilization"]],
);

/// `subsets[].trafficPolicy.loadBalancer.zoneAwareLbSetting`.
static ZONE_AWARE_LB_SETTING: Shape = Shape::Object(
    &[
        Field::new("enabled", &BOOLEAN).nullable(),
        Field::new("failover", &Shape::List(&FAILOVER, Size::ANY)),
        Field::new("failoverPriority", &TEXTS),
        Field::new("minClusterSize", &Shape::Integer(1, 4294967295)).nullable(),
    ],
    &[],
);

/// `subsets[].trafficPolicy.loadBalancer.warmup`.
static WARMUP: Shape = Shape::Object(
    &[
        Field::new("aggression", &Shape::Number(0.0, f64::INFINITY)).nullable(),
        Field::new("duration", &DURATION).required(),
        Field::new("minimumPercent", &Shape::Number(0.0, 100.0)).nullable(),
    ],
    &[],
);

/// `subsets[].trafficPolicy.loadBalancer.localityLbSetting`.
static LOCALITY_LB_SETTING: Shape = Shape::Object(
    &[
        Field::new("distribute", &Shape::List(&DISTRIBUTE, Size::ANY)),
        Field::new("enabled", &BOOLEAN).nullable(),
        Field::new("failover", &Shape::List(&FAILOVER, Size::ANY)),
        Field::new("failoverPriority", &TEXTS),
    ],
    &[],
);

/// `subsets[].trafficPolicy.loadBalancer.localityLbSetting.failover[]`.
static FAILOVER: Shape = Shape::Object(&[Field::new("from", &TEXT), Field::new("to", &TEXT)], &[]);

/// `subsets[].trafficPolicy.loadBalancer.localityLbSetting.distribute[]`.
static DISTRIBUTE: Shape = Shape::Object(
    &[Field::new("from", &TEXT), Field::new("to", &Shape::Map(&U32, Keys::Any))],
    &[],
);

/// `subsets[].trafficPolicy.loadBalancer.consistentHash`.
static CONSISTENT_HASH: Shape = Shape::Object(
    &[
        Field::new("httpCookie", &HTTP_COOKIE),
        Field::new("httpHeaderName", &TEXT),
        Field::new("httpQueryParameterName", &TEXT),
        Field::new("maglev", &MAGLEV),
        Field::new("minimumRingSize", &Shape::Integer(0, i64::MAX)),
        Field::new("ringHash", &RING_HASH),
        Field::new("useSourceIp", &BOOLEAN),
    ],
    &[
        &["httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"],
        &["ringHash", "maglev"],
    ],
);

/// `subsets[].trafficPolicy.loadBalancer.consistentHash.ringHash`.
static RING_HASH: Shape =
    Shape::Object(&[Field::new("minimumRingSize", &Shape::Integer(0, i64::MAX))], &[]);

/// `subsets[].trafficPolicy.loadBalancer.consistentHash.maglev`.
static MAGLEV: Shape = Shape::Object(&[Field::new("tableSize", &Shape::Integer(0, i64::MAX))], &[]);

/// `subsets[].trafficPolicy.loadBalancer.consistentHash.httpCookie`.
static HTTP_COOKIE: Shape = Shape::Object(
    &[
        Field::new("attributes", &Shape::List(&ATTRIBUTES, Size::ANY)),
        Field::new("name", &TEXT).required(),
        Field::new("path", &TEXT),
        Field::new("ttl", &TEXT),
    ],
    &[],
);

/// `subsets[].trafficPolicy.loadBalancer.consistentHash.httpCookie.attributes[]`.
static ATTRIBUTES: Shape =
    Shape::Object(&[Field::new("name", &TEXT).required(), Field::new("value", &TEXT)], &[]);

/// `subsets[].trafficPolicy.loadBalancer.backendUtilization`.
static BACKEND_UTILIZATION: Shape = Shape::Object(
    &[
        Field::new("errorUtilizationPenaltyPercent", &U32),
        Field::new("metricNamesForComputingUtilization", &TEXTS),
        Field::new("weightExpirationPeriod", &TEXT),
        Field::new("weightStabilizationPeriod", &TEXT),
        Field::new("weightUpdatePeriod", &TEXT),
    ],
    &[],
);

/// `subsets[].trafficPolicy.connectionPool`.
static CONNECTION_POOL: Shape =
    Shape::Object(&[Field::new("http", &HTTP), Field::new("tcp", &TCP)], &[]);

/// `subsets[].trafficPolicy.connectionPool.tcp`.
static TCP: Shape = Shape::Object(
    &[
        Field::new("connectTimeout", &DURATION),
        Field::new("idleTimeout", &TEXT),
        Field::new("maxConnectionDuration", &DURATION),
        Field::new("maxConnections", &I32),
        Field::new("tcpKeepalive", &TCP_KEEPALIVE),
    ],
    &[],
);

/// `subsets[].trafficPolicy.connectionPool.tcp.tcpKeepalive`.
static TCP_KEEPALIVE: Shape = Shape::Object(
    &[Field::new("interval", &DURATION), Field::new("probes", &U32), Field::new("time", &DURATION)],
    &[],
);

/// `subsets[].trafficPolicy.connectionPool.http`.
static HTTP: Shape = Shape::Object(
    &[
        Field::new("h2UpgradePolicy", &Shape::Choice(&["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"])),
        Field::new("http1MaxPendingRequests", &I32),
        Field::new("http2KeepAlive", &HTTP2_KEEP_ALIVE),
        Field::new("http2MaxRequests", &I32),
        Field::new("idleTimeout", &DURATION),
        Field::new("maxConcurrentStreams", &I32),
        Field::new("maxRequestsPerConnection", &I32),
        Field::new("maxRetries", &I32),
        Field::new("useClientProtocol", &BOOLEAN),
    ],
    &[],
);

/// `subsets[].trafficPolicy.connectionPool.http.http2KeepAlive`.
static HTTP2_KEEP_ALIVE: Shape =
    Shape::Object(&[Field::new("interval", &DURATION), Field::new("timeout", &DURATION)], &[]);
