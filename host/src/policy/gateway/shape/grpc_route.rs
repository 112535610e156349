//! Fields of `GRPCRoute.spec`.

use crate::policy::shape::{Field, Shape, Size, TEXT, Text};

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

/// `rules[].sessionPersistence`.
static SESSION_PERSISTENCE: Shape = Shape::Object(
    &[
        Field::new("absoluteTimeout", &Shape::DurationOrZero),
        Field::new("cookie", &COOKIE),
        Field::new("header", &HEADER),
        Field::new("type", &Shape::Choice(&["Cookie", "Header"])),
    ],
    &[],
);

/// `rules[].sessionPersistence.header`.
static HEADER: Shape =
    Shape::Object(&[Field::new("name", &Shape::Text(Text::Token)).required()], &[]);

/// `rules[].sessionPersistence.cookie`.
static COOKIE: Shape = Shape::Object(
    &[
        Field::new("lifetimeType", &Shape::Choice(&["Permanent", "Session"])),
        Field::new("name", &Shape::Text(Text::Token)),
        Field::new("path", &Shape::Text(Text::Length(0, 1024))),
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

/// `rules[].matches[].headers[]`.
static HEADERS: Shape = Shape::Object(
    &[
        Field::new("name", &Shape::Text(Text::Token)).required(),
        Field::new("type", &Shape::Choice(&["Exact", "RegularExpression"])),
        Field::new("value", &Shape::Text(Text::Length(1, 4096))).required(),
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

/// `rules[].backendRefs[].filters[].requestMirror`.
static REQUEST_MIRROR: Shape = Shape::Object(
    &[
        Field::new("backendRef", &BACKEND_REF).required(),
        Field::new("fraction", &FRACTION),
        Field::new("percent", &Shape::Integer(0, 100)),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].requestMirror.fraction`.
static FRACTION: Shape = Shape::Object(
    &[
        Field::new("denominator", &Shape::Integer(1, i64::MAX)),
        Field::new("numerator", &Shape::Integer(0, i64::MAX)).required(),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].requestMirror.backendRef`.
static BACKEND_REF: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)),
        Field::new("kind", &Shape::Text(Text::KindName)),
        Field::new("name", &Shape::Text(Text::Length(1, 253))).required(),
        Field::new("namespace", &Shape::Text(Text::Length(1, 63))),
        Field::new("port", &Shape::Integer(1, 65535)),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].requestHeaderModifier`.
static REQUEST_HEADER_MODIFIER: Shape = Shape::Object(
    &[
        Field::new("add", &Shape::List(&ADD, Size(0, 16))),
        Field::new("remove", &Shape::List(&TEXT, Size(0, 16))),
        Field::new("set", &Shape::List(&ADD, Size(0, 16))),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].requestHeaderModifier.add[]`.
static ADD: Shape = Shape::Object(
    &[
        Field::new("name", &Shape::Text(Text::Token)).required(),
        Field::new("value", &Shape::Text(Text::Length(1, 4096))).required(),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].extensionRef`.
static EXTENSION_REF: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)).required(),
        Field::new("kind", &Shape::Text(Text::KindName)).required(),
        Field::new("name", &Shape::Text(Text::Length(1, 253))).required(),
    ],
    &[],
);

/// `parentRefs[]`.
static PARENT_REFS: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)),
        Field::new("kind", &Shape::Text(Text::KindName)),
        Field::new("name", &Shape::Text(Text::Length(1, 253))).required(),
        Field::new("namespace", &Shape::Text(Text::Length(1, 63))),
        Field::new("port", &Shape::Integer(1, 65535)),
        Field::new("sectionName", &Shape::Text(Text::Host)),
    ],
    &[],
);
