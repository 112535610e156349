//! Fields of the specs of ServiceEntry and WorkloadEntry.

use crate::policy::shape::{
    FILLED, Field, Keys, PORT, Shape, Size, TEXT, TEXT_MAP, TEXTS, Text, U32,
};

/// `ServiceEntry.spec`.
pub(crate) static SERVICE_ENTRY_SPEC: Shape = Shape::Object(
    &[
        Field::new("addresses", &Shape::List(&Shape::Text(Text::Length(0, 64)), Size(0, 256))),
        Field::new("endpoints", &Shape::List(&SERVICE_ENTRY_ENDPOINTS, Size(0, 4096))),
        Field::new("exportTo", &TEXTS),
        Field::new("hosts", &Shape::List(&Shape::Text(Text::NotEverything), Size(1, 256)))
            .required(),
        Field::new("location", &Shape::Choice(&["MESH_EXTERNAL", "MESH_INTERNAL"])),
        Field::new("ports", &Shape::List(&SERVICE_ENTRY_PORTS, Size(0, 256))),
        Field::new(
            "resolution",
            &Shape::Choice(&["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]),
        ),
        Field::new("subjectAltNames", &TEXTS).later(),
        Field::new("workloadSelector", &SERVICE_ENTRY_WORKLOAD_SELECTOR),
    ],
    &[&["workloadSelector", "endpoints"]],
);

/// `workloadSelector`.
static SERVICE_ENTRY_WORKLOAD_SELECTOR: Shape = Shape::Object(
    &[Field::new("labels", &Shape::Map(&Shape::Text(Text::LabelValue), Keys::Any))],
    &[],
);

/// `ports[]`.
static SERVICE_ENTRY_PORTS: Shape = Shape::Object(
    &[
        Field::new("name", &Shape::Text(Text::Length(0, 256))).required(),
        Field::new("number", &PORT).required(),
        Field::new("protocol", &Shape::Text(Text::Length(0, 256))),
        Field::new("targetPort", &PORT),
    ],
    &[],
);

/// `endpoints[]`.
static SERVICE_ENTRY_ENDPOINTS: Shape = Shape::Object(
    &[
        Field::new("address", &Shape::Text(Text::Address)),
        Field::new("labels", &TEXT_MAP),
        Field::new("locality", &Shape::Text(Text::Length(0, 2048))).later(),
        Field::new("network", &Shape::Text(Text::Length(0, 2048))).later(),
        Field::new("ports", &Shape::Map(&PORT, Keys::PortNames)),
        Field::new("serviceAccount", &Shape::Text(Text::Length(0, 253))),
        Field::new("weight", &U32),
    ],
    &[],
);

/// `WorkloadEntry.spec`.
pub(crate) static WORKLOAD_ENTRY_SPEC: Shape = Shape::Object(
    &[
        Field::new("address", &Shape::Text(Text::Address)),
        Field::new("labels", &TEXT_MAP),
        Field::new("locality", &Shape::Text(Text::Length(0, 2048))).later(),
        Field::new("network", &Shape::Text(Text::Length(0, 2048))).later(),
        Field::new("ports", &Shape::Map(&PORT, Keys::PortNames)),
        Field::new("serviceAccount", &Shape::Text(Text::Length(0, 253))),
        Field::new("weight", &U32),
    ],
    &[],
);

/// `WorkloadGroup.spec`.
pub(crate) static WORKLOAD_GROUP_SPEC: Shape = Shape::Object(
    &[
        Field::new("metadata", &WORKLOAD_GROUP_METADATA),
        Field::new("probe", &WORKLOAD_GROUP_PROBE),
        Field::new("template", &WORKLOAD_GROUP_TEMPLATE).required(),
    ],
    &[],
);

/// `template`.
static WORKLOAD_GROUP_TEMPLATE: Shape = Shape::Object(
    &[
        Field::new("address", &Shape::Text(Text::Address)),
        Field::new("labels", &TEXT_MAP),
        Field::new("locality", &Shape::Text(Text::Length(0, 2048))),
        Field::new("network", &Shape::Text(Text::Length(0, 2048))),
        Field::new("ports", &Shape::Map(&PORT, Keys::PortNames)),
        Field::new("serviceAccount", &Shape::Text(Text::Length(0, 253))),
        Field::new("weight", &U32),
    ],
    &[],
);

/// `probe`.
static WORKLOAD_GROUP_PROBE: Shape = Shape::Object(
    &[
        Field::new("exec", &WORKLOAD_GROUP_EXEC),
        Field::new("failureThreshold", &Shape::Integer(0, i64::MAX)),
        Field::new("grpc", &WORKLOAD_GROUP_GRPC),
        Field::new("httpGet", &WORKLOAD_GROUP_HTTP_GET),
        Field::new("initialDelaySeconds", &Shape::Integer(0, i64::MAX)),
        Field::new("periodSeconds", &Shape::Integer(0, i64::MAX)),
        Field::new("successThreshold", &Shape::Integer(0, i64::MAX)),
        Field::new("tcpSocket", &WORKLOAD_GROUP_TCP_SOCKET),
        Field::new("timeoutSeconds", &Shape::Integer(0, i64::MAX)),
    ],
    &[&["httpGet", "tcpSocket", "exec", "grpc"]],
);

/// `probe.tcpSocket`.
static WORKLOAD_GROUP_TCP_SOCKET: Shape =
    Shape::Object(&[Field::new("host", &TEXT), Field::new("port", &PORT).required()], &[]);

/// `probe.httpGet`.
static WORKLOAD_GROUP_HTTP_GET: Shape = Shape::Object(
    &[
        Field::new("host", &TEXT),
        Field::new("httpHeaders", &Shape::List(&WORKLOAD_GROUP_HTTP_HEADERS, Size::ANY)),
        Field::new("path", &TEXT),
        Field::new("port", &PORT).required(),
        Field::new("scheme", &Shape::Text(Text::ProbeScheme)),
    ],
    &[],
);

/// `probe.httpGet.httpHeaders[]`.
static WORKLOAD_GROUP_HTTP_HEADERS: Shape = Shape::Object(
    &[Field::new("name", &Shape::Text(Text::HeaderName)), Field::new("value", &TEXT)],
    &[],
);

/// `probe.grpc`.
static WORKLOAD_GROUP_GRPC: Shape =
    Shape::Object(&[Field::new("port", &PORT), Field::new("service", &TEXT)], &[]);

/// `probe.exec`.
static WORKLOAD_GROUP_EXEC: Shape =
    Shape::Object(&[Field::new("command", &Shape::List(&FILLED, Size::ANY)).required()], &[]);

/// `metadata`.
static WORKLOAD_GROUP_METADATA: Shape =
    Shape::Object(&[Field::new("annotations", &TEXT_MAP), Field::new("labels", &TEXT_MAP)], &[]);
