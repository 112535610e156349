//! Fields of `HTTPRoute.spec`.

use super::route::{
    BACKEND_REF, EXTENSION_REF, HEADERS, PARENT_REFS, REQUEST_HEADER_MODIFIER, REQUEST_MIRROR,
    SESSION_PERSISTENCE,
};
use crate::policy::shape::{BOOLEAN, Field, Shape, Size, TEXT, Text};

/// `HTTPRoute.spec`.
pub(crate) static SPEC: Shape = Shape::Object(
    &[
        Field::new("hostnames", &Shape::List(&Shape::Text(Text::HostPattern), Size(0, 16))),
        Field::new("parentRefs", &Shape::List(&PARENT_REFS, Size(0, 32))),
        Field::new("rules", &Shape::List(&RULES, Size(1, 16))),
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
        Field::new("retry", &RETRY).later(),
        Field::new("sessionPersistence", &SESSION_PERSISTENCE).later(),
        Field::new("timeouts", &TIMEOUTS),
    ],
    &[],
);

/// `rules[].timeouts`.
static TIMEOUTS: Shape = Shape::Object(
    &[
        Field::new("backendRequest", &Shape::DurationOrZero),
        Field::new("request", &Shape::DurationOrZero),
    ],
    &[],
);

/// `rules[].retry`.
static RETRY: Shape = Shape::Object(
    &[
        Field::new("attempts", &Shape::Integer(1, i64::MAX)),
        Field::new("backoff", &Shape::DurationOrZero),
        Field::new("codes", &Shape::List(&Shape::Integer(400, 599), Size::ANY)),
    ],
    &[],
);

/// `rules[].matches[]`.
static MATCHES: Shape = Shape::Object(
    &[
        Field::new("headers", &Shape::List(&HEADERS, Size(0, 16))),
        Field::new(
            "method",
            &Shape::Choice(&[
                "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
            ]),
        ),
        Field::new("path", &MATCHES_PATH),
        Field::new("queryParams", &Shape::List(&QUERY_PARAMS, Size(0, 16))),
    ],
    &[],
);

/// `rules[].matches[].queryParams[]`.
static QUERY_PARAMS: Shape = Shape::Object(
    &[
        Field::new("name", &Shape::Text(Text::Token)).required(),
        Field::new("type", &Shape::Choice(&["Exact", "RegularExpression"])),
        Field::new("value", &Shape::Text(Text::Length(1, 1024))).required(),
    ],
    &[],
);

/// `rules[].matches[].path`.
static MATCHES_PATH: Shape = Shape::Object(
    &[
        Field::new("type", &Shape::Choice(&["Exact", "PathPrefix", "RegularExpression"])),
        Field::new("value", &Shape::Text(Text::Length(0, 1024))),
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
        Field::new("cors", &CORS).later(),
        Field::new("extensionRef", &EXTENSION_REF),
        Field::new("externalAuth", &EXTERNAL_AUTH).later(),
        Field::new("requestHeaderModifier", &REQUEST_HEADER_MODIFIER),
        Field::new("requestMirror", &REQUEST_MIRROR).later(),
        Field::new("requestRedirect", &REQUEST_REDIRECT),
        Field::new("responseHeaderModifier", &REQUEST_HEADER_MODIFIER),
        Field::new(
            "type",
            &Shape::Choice(&[
                "RequestHeaderModifier",
                "ResponseHeaderModifier",
                "RequestMirror",
                "RequestRedirect",
                "URLRewrite",
                "ExtensionRef",
                "CORS",
                "ExternalAuth",
            ]),
        )
        .required(),
        Field::new("urlRewrite", &URL_REWRITE),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].urlRewrite`.
static URL_REWRITE: Shape = Shape::Object(
    &[Field::new("hostname", &Shape::Text(Text::Host)), Field::new("path", &PATH)],
    &[],
);

/// `rules[].backendRefs[].filters[].requestRedirect`.
static REQUEST_REDIRECT: Shape = Shape::Object(
    &[
        Field::new("hostname", &Shape::Text(Text::Host)),
        Field::new("path", &PATH),
        Field::new("port", &Shape::Integer(1, 65535)),
        Field::new("scheme", &Shape::Choice(&["http", "https"])),
        Field::new("statusCode", &Shape::Integer(301, 308)),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].requestRedirect.path`.
static PATH: Shape = Shape::Object(
    &[
        Field::new("replaceFullPath", &Shape::Text(Text::Length(0, 1024))),
        Field::new("replacePrefixMatch", &Shape::Text(Text::Length(0, 1024))),
        Field::new("type", &Shape::Choice(&["ReplaceFullPath", "ReplacePrefixMatch"])).required(),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].externalAuth`.
static EXTERNAL_AUTH: Shape = Shape::Object(
    &[
        Field::new("backendRef", &BACKEND_REF).required(),
        Field::new("forwardBody", &FORWARD_BODY),
        Field::new("grpc", &GRPC),
        Field::new("http", &HTTP),
        Field::new("protocol", &Shape::Choice(&["HTTP", "GRPC"])).required(),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].externalAuth.http`.
static HTTP: Shape = Shape::Object(
    &[
        Field::new("allowedHeaders", &Shape::List(&TEXT, Size(0, 64))),
        Field::new("allowedResponseHeaders", &Shape::List(&TEXT, Size(0, 64))),
        Field::new("path", &Shape::Text(Text::Length(0, 1024))),
    ],
    &[],
);

/// `rules[].backendRefs[].filters[].externalAuth.grpc`.
static GRPC: Shape =
    Shape::Object(&[Field::new("allowedHeaders", &Shape::List(&TEXT, Size(0, 64)))], &[]);

/// `rules[].backendRefs[].filters[].externalAuth.forwardBody`.
static FORWARD_BODY: Shape =
    Shape::Object(&[Field::new("maxSize", &Shape::Integer(0, i64::MAX))], &[]);

/// `rules[].backendRefs[].filters[].cors`.
static CORS: Shape = Shape::Object(
    &[
        Field::new("allowCredentials", &BOOLEAN),
        Field::new("allowHeaders", &Shape::List(&Shape::Text(Text::Token), Size(0, 64))),
        Field::new(
            "allowMethods",
            &Shape::List(
                &Shape::Choice(&[
                    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
                    "*",
                ]),
                Size(0, 9),
            ),
        ),
        Field::new("allowOrigins", &Shape::List(&Shape::Text(Text::Length(1, 253)), Size(0, 64))),
        Field::new("exposeHeaders", &Shape::List(&Shape::Text(Text::Token), Size(0, 64))),
        Field::new("maxAge", &Shape::Integer(1, i64::MAX)),
    ],
    &[],
);
