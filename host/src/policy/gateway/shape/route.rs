//! Fields that HTTPRoute and GRPCRoute share.

use crate::policy::shape::{Field, Shape, Size, TEXT, Text};

/// `rules[].sessionPersistence`.
pub(super) static SESSION_PERSISTENCE: Shape = Shape::Object(
    &[
        Field::new("absoluteTimeout", &Shape::DurationOrZero),
        Field::new("cookie", &COOKIE),
        Field::new("header", &HEADER),
        Field::new("type", &Shape::Choice(&["Cookie", "Header"])),
    ],
    &[],
);

/// `rules[].sessionPersistence.header`.
pub(super) static HEADER: Shape =
    Shape::Object(&[Field::new("name", &Shape::Text(Text::Token)).required()], &[]);

/// `rules[].sessionPersistence.cookie`.
pub(super) static COOKIE: Shape = Shape::Object(
    &[
        Field::new("lifetimeType", &Shape::Choice(&["Permanent", "Session"])),
        Field::new("name", &Shape::Text(Text::Token)),
        Field::new("path", &Shape::Text(Text::Length(0, 1024))),
    ],
    &[],
);

/// `rules[].matches[].headers[]`.
pub(super) static HEADERS: Shape = Shape::Object(
    &[
        Field::new("name", &Shape::Text(Text::Token)).required(),
        Field::new("type", &Shape::Choice(&["Exact", "RegularExpression"])),
        Field::new("value", &Shape::Text(Text::Length(1, 4096))).required(),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].requestMirror`.
pub(super) static REQUEST_MIRROR: Shape = Shape::Object(
    &[
        Field::new("backendRef", &BACKEND_REF).required(),
        Field::new("fraction", &FRACTION),
        Field::new("percent", &Shape::Integer(0, 100)),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].requestMirror.fraction`.
pub(super) static FRACTION: Shape = Shape::Object(
    &[
        Field::new("denominator", &Shape::Integer(1, i64::MAX)),
        Field::new("numerator", &Shape::Integer(0, i64::MAX)).required(),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].externalAuth.backendRef`.
pub(super) static BACKEND_REF: Shape = Shape::Object(
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
pub(super) static REQUEST_HEADER_MODIFIER: Shape = Shape::Object(
    &[
        Field::new("add", &Shape::List(&ADD, Size(0, 16))),
        Field::new("remove", &Shape::List(&TEXT, Size(0, 16))),
        Field::new("set", &Shape::List(&ADD, Size(0, 16))),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].requestHeaderModifier.add[]`.
pub(super) static ADD: Shape = Shape::Object(
    &[
        Field::new("name", &Shape::Text(Text::Token)).required(),
        Field::new("value", &Shape::Text(Text::Length(1, 4096))).required(),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].extensionRef`.
pub(super) static EXTENSION_REF: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)).required(),
        Field::new("kind", &Shape::Text(Text::KindName)).required(),
        Field::new("name", &Shape::Text(Text::Length(1, 253))).required(),
    ],
    &[],
);

/// `parentRefs[]`.
pub(super) static PARENT_REFS: Shape = Shape::Object(
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
