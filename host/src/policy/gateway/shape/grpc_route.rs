//! Fields of `GRPCRoute.spec`.

use super::route::{
    EXTENSION_REF, HEADERS, PARENT_REFS, REQUEST_HEADER_MODIFIER, REQUEST_MIRROR,
    SESSION_PERSISTENCE,
};
use crate::policy::shape::{Field, Shape, Size, Text};

/// `GRPCRoute.spec`.
pub(crate) static SPEC: Shape = Shape::Object(
    &[
        Field::new("hostnames", &Shape::List(&Shape::Text(Text::HostPattern), Size(0, 16))),
        Field::new("parentRefs", &Shape::List(&PARENT_REFS, Size(0, 32))),
        Field::new("rules", &Shape::List(&RULES, Size(0, 16))),
        Field::new("useDefaultGateways", &Shape::Choice(&["All", "None"])).later(),
    ],
    &[],
);

/// `rules[]`.
static RULES: Shape = Shape::Object(
    &[
        Field::new("backendRefs", &Shape::List(&BACKEND_REFS, Size(0, 16))),
        Field::new("filters", &Shape::List(&FILTERS, Size(0, 16))),
        Field::new("matches", &Shape::List(&MATCHES, Size(0, 64))),
        Field::new("name", &Shape::Text(Text::Host)),
        Field::new("sessionPersistence", &SESSION_PERSISTENCE).later(),
    ],
    &[],
);

/// `rules[].matches[]`.
static MATCHES: Shape = Shape::Object(
    &[Field::new("headers", &Shape::List(&HEADERS, Size(0, 16))), Field::new("method", &METHOD)],
    &[],
);

/// `rules[].matches[].method`.
static METHOD: Shape = Shape::Object(
    &[
        Field::new("method", &Shape::Text(Text::Length(0, 1024))),
        Field::new("service", &Shape::Text(Text::Length(0, 1024))),
        Field::new("type", &Shape::Choice(&["Exact", "RegularExpression"])),
    ],
    &[],
);

/// `rules[].backendRefs[]`.
static BACKEND_REFS: Shape = Shape::Object(
    &[
        Field::new("filters", &Shape::List(&FILTERS, Size(0, 16))),
        Field::new("group", &Shape::Text(Text::ApiGroup)),
        Field::new("kind", &Shape::Text(Text::KindName)),
        Field::new("name", &Shape::Text(Text::Length(1, 253))).required(),
        Field::new("namespace", &Shape::Text(Text::Length(1, 63))),
        Field::new("port", &Shape::Integer(1, 65535)),
        Field::new("weight", &Shape::Integer(0, 1000000)),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[]`.
static FILTERS: Shape = Shape::Object(
    &[
        Field::new("extensionRef", &EXTENSION_REF),
        Field::new("requestHeaderModifier", &REQUEST_HEADER_MODIFIER),
        Field::new("requestMirror", &REQUEST_MIRROR).later(),
        Field::new("responseHeaderModifier", &REQUEST_HEADER_MODIFIER),
        Field::new(
            "type",
            &Shape::Choice(&[
                "ResponseHeaderModifier",
                "RequestHeaderModifier",
                "RequestMirror",
                "ExtensionRef",
            ]),
        )
        .required(),
    ],
    &[],
);
