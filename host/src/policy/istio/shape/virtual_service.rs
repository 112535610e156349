//! Fields of `VirtualService.spec`.

use crate::policy::shape::{
    BOOLEAN, DURATION, Field, I32, Keys, NUMBER, Shape, Size, TEXT, TEXT_MAP, TEXTS, Text, U32,
};

/// `VirtualService.spec`.
pub(crate) static SPEC: Shape = Shape::Object(
    &[
        Field::new("exportTo", &TEXTS),
        Field::new("gateways", &TEXTS),
        Field::new("hosts", &TEXTS),
        Field::new("http", &Shape::List(&HTTP, Size::ANY)),
        Field::new("tcp", &Shape::List(&TCP, Size::ANY)).later(),
        Field::new("tls", &Shape::List(&TLS, Size::ANY)).later(),
    ],
    &[],
);

/// `tls[]`.
static TLS: Shape = Shape::Object(
    &[
        Field::new("match", &Shape::List(&TLS_MATCH, Size::ANY)).required(),
        Field::new("route", &Shape::List(&TCP_ROUTE, Size::ANY)),
    ],
    &[],
);

/// `tls[].match[]`.
static TLS_MATCH: Shape = Shape::Object(
    &[
        Field::new("destinationSubnets", &TEXTS),
        Field::new("gateways", &TEXTS),
        Field::new("port", &U32),
        Field::new("sniHosts", &TEXTS).required(),
        Field::new("sourceLabels", &TEXT_MAP),
        Field::new("sourceNamespace", &TEXT),
    ],
    &[],
);

/// `tcp[]`.
static TCP: Shape = Shape::Object(
    &[
        Field::new("match", &Shape::List(&TCP_MATCH, Size::ANY)),
        Field::new("route", &Shape::List(&TCP_ROUTE, Size::ANY)),
    ],
    &[],
);

/// `tcp[].route[]`.
static TCP_ROUTE: Shape = Shape::Object(
    &[Field::new("destination", &MIRROR).required(), Field::new("weight", &I32)],
    &[],
);

/// `tcp[].match[]`.
static TCP_MATCH: Shape = Shape::Object(
    &[
        Field::new("destinationSubnets", &TEXTS),
        Field::new("gateways", &TEXTS),
        Field::new("port", &U32),
        Field::new("sourceLabels", &TEXT_MAP),
        Field::new("sourceNamespace", &TEXT),
        Field::new("sourceSubnet", &TEXT),
    ],
    &[],
);

/// `http[]`.
static HTTP: Shape = Shape::Object(
    &[
        Field::new("corsPolicy", &CORS_POLICY).later(),
        Field::new("delegate", &DELEGATE),
        Field::new("directResponse", &DIRECT_RESPONSE),
        Field::new("fault", &FAULT),
        Field::new("headers", &HEADERS),
        Field::new("match", &Shape::List(&MATCH, Size::ANY)),
        Field::new("mirror", &MIRROR).later(),
        Field::new("mirror_percent", &U32).nullable().later(),
        Field::new("mirrorPercent", &U32).nullable().later(),
        Field::new("mirrorPercentage", &PERCENTAGE).later(),
        Field::new("mirrors", &Shape::List(&MIRRORS, Size::ANY)).later(),
        Field::new("name", &TEXT),
        Field::new("redirect", &REDIRECT),
        Field::new("retries", &RETRIES).later(),
        Field::new("rewrite", &REWRITE),
        Field::new("route", &Shape::List(&ROUTE, Size::ANY)),
        Field::new("timeout", &Shape::DurationOrZero),
    ],
    &[],
);

/// `http[].route[]`.
static ROUTE: Shape = Shape::Object(
    &[
        Field::new("destination", &MIRROR).required(),
        Field::new("headers", &HEADERS),
        Field::new("weight", &I32),
    ],
    &[],
);

/// `http[].rewrite`.
static REWRITE: Shape = Shape::Object(
    &[
        Field::new("authority", &TEXT),
        Field::new("uri", &TEXT),
        Field::new("uriRegexRewrite", &URI_REGEX_REWRITE),
    ],
    &[],
);

/// `http[].rewrite.uriRegexRewrite`.
static URI_REGEX_REWRITE: Shape =
    Shape::Object(&[Field::new("match", &TEXT), Field::new("rewrite", &TEXT)], &[]);

/// `http[].retries`.
static RETRIES: Shape = Shape::Object(
    &[
        Field::new("attempts", &I32),
        Field::new("backoff", &DURATION),
        Field::new("perTryTimeout", &DURATION),
        Field::new("retryIgnorePreviousHosts", &BOOLEAN).nullable(),
        Field::new("retryOn", &TEXT),
        Field::new("retryRemoteLocalities", &BOOLEAN).nullable(),
    ],
    &[],
);

/// `http[].redirect`.
static REDIRECT: Shape = Shape::Object(
    &[
        Field::new("authority", &TEXT),
        Field::new("derivePort", &Shape::Choice(&["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"])),
        Field::new("port", &U32),
        Field::new("prefixRewrite", &TEXT),
        Field::new("redirectCode", &U32),
        Field::new("scheme", &TEXT),
        Field::new("uri", &TEXT),
    ],
    &[&["port", "derivePort"]],
);

/// `http[].mirrors[]`.
static MIRRORS: Shape = Shape::Object(
    &[Field::new("destination", &MIRROR).required(), Field::new("percentage", &PERCENTAGE)],
    &[],
);

/// `http[].mirror`.
static MIRROR: Shape = Shape::Object(
    &[
        Field::new("host", &TEXT).required(),
        Field::new("port", &MIRROR_PORT),
        Field::new("subset", &TEXT),
    ],
    &[],
);

/// `http[].mirror.port`.
static MIRROR_PORT: Shape = Shape::Object(&[Field::new("number", &U32)], &[]);

/// `http[].match[]`.
static MATCH: Shape = Shape::Object(
    &[
        Field::new("authority", &ALLOW_ORIGINS),
        Field::new("gateways", &TEXTS),
        Field::new("headers", &Shape::Map(&ALLOW_ORIGINS, Keys::Any)),
        Field::new("ignoreUriCase", &BOOLEAN),
        Field::new("method", &ALLOW_ORIGINS),
        Field::new("name", &TEXT),
        Field::new("port", &U32),
        Field::new("queryParams", &Shape::Map(&ALLOW_ORIGINS, Keys::Any)),
        Field::new("scheme", &ALLOW_ORIGINS),
        Field::new("sourceLabels", &TEXT_MAP),
        Field::new("sourceNamespace", &TEXT),
        Field::new("statPrefix", &TEXT).later(),
        Field::new("uri", &ALLOW_ORIGINS),
        Field::new("withoutHeaders", &Shape::Map(&ALLOW_ORIGINS, Keys::Any)),
    ],
    &[],
);

/// `http[].headers`.
static HEADERS: Shape =
    Shape::Object(&[Field::new("request", &REQUEST), Field::new("response", &REQUEST)], &[]);

/// `http[].headers.request`.
static REQUEST: Shape = Shape::Object(
    &[Field::new("add", &TEXT_MAP), Field::new("remove", &TEXTS), Field::new("set", &TEXT_MAP)],
    &[],
);

/// `http[].fault`.
static FAULT: Shape =
    Shape::Object(&[Field::new("abort", &ABORT), Field::new("delay", &DELAY)], &[]);

/// `http[].fault.delay`.
static DELAY: Shape = Shape::Object(
    &[
        Field::new("exponentialDelay", &DURATION).later(),
        Field::new("fixedDelay", &DURATION),
        Field::new("percent", &I32).deprecated("write `percentage: {value: …}`"),
        Field::new("percentage", &PERCENTAGE),
    ],
    &[&["fixedDelay", "exponentialDelay"]],
);

/// `http[].fault.abort`.
static ABORT: Shape = Shape::Object(
    &[
        Field::new("grpcStatus", &TEXT),
        Field::new("http2Error", &TEXT).later(),
        Field::new("httpStatus", &I32),
        Field::new("percentage", &PERCENTAGE),
    ],
    &[&["httpStatus", "grpcStatus", "http2Error"]],
);

/// `http[].fault.abort.percentage`.
static PERCENTAGE: Shape = Shape::Object(&[Field::new("value", &NUMBER)], &[]);

/// `http[].directResponse`.
static DIRECT_RESPONSE: Shape =
    Shape::Object(&[Field::new("body", &BODY), Field::new("status", &U32).required()], &[]);

/// `http[].directResponse.body`.
static BODY: Shape = Shape::Object(
    &[Field::new("bytes", &Shape::Text(Text::Base64)), Field::new("string", &TEXT)],
    &[&["string", "bytes"]],
);

/// `http[].delegate`.
static DELEGATE: Shape =
    Shape::Object(&[Field::new("name", &TEXT), Field::new("namespace", &TEXT)], &[]);

/// `http[].corsPolicy`.
static CORS_POLICY: Shape = Shape::Object(
    &[
        Field::new("allowCredentials", &BOOLEAN).nullable(),
        Field::new("allowHeaders", &TEXTS),
        Field::new("allowMethods", &TEXTS),
        Field::new("allowOrigin", &TEXTS).deprecated("write `allowOrigins`"),
        Field::new("allowOrigins", &Shape::List(&ALLOW_ORIGINS, Size::ANY)),
        Field::new("exposeHeaders", &TEXTS),
        Field::new("maxAge", &DURATION),
        Field::new("unmatchedPreflights", &Shape::Choice(&["UNSPECIFIED", "FORWARD", "IGNORE"])),
    ],
    &[],
);

/// `http[].corsPolicy.allowOrigins[]`.
static ALLOW_ORIGINS: Shape = Shape::Object(
    &[Field::new("exact", &TEXT), Field::new("prefix", &TEXT), Field::new("regex", &TEXT)],
    &[&["exact", "prefix", "regex"]],
);
