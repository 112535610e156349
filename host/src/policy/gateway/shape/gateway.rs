//! Fields of the specs of GatewayClass, Gateway and ListenerSet.

use crate::policy::shape::{Field, Keys, Shape, Size, TEXT, TEXT_MAP, TEXTS, Text};

/// `GatewayClass.spec`.
pub(crate) static GATEWAY_CLASS_SPEC: Shape = Shape::Object(
    &[
        Field::new("controllerName", &Shape::Text(Text::Length(1, 253))).required(),
        Field::new("description", &Shape::Text(Text::Length(0, 64))),
        Field::new("parametersRef", &CLASS_PARAMETERS_REF),
    ],
    &[],
);

/// `parametersRef`.
static CLASS_PARAMETERS_REF: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)).required(),
        Field::new("kind", &Shape::Text(Text::KindName)).required(),
        Field::new("name", &Shape::Text(Text::Length(1, 253))).required(),
        Field::new("namespace", &Shape::Text(Text::Length(1, 63))),
    ],
    &[],
);

/// `Gateway.spec`.
pub(crate) static GATEWAY_SPEC: Shape = Shape::Object(
    &[
        Field::new("addresses", &Shape::List(&ADDRESSES, Size(0, 16))),
        Field::new("allowedListeners", &ALLOWED_LISTENERS),
        Field::new("defaultScope", &Shape::Choice(&["All", "None"])).later(),
        Field::new("gatewayClassName", &Shape::Text(Text::Length(1, 253))).required(),
        Field::new("infrastructure", &INFRASTRUCTURE),
        Field::new("listeners", &Shape::List(&LISTENERS, Size(1, 64))).required(),
        Field::new("tls", &TOP_TLS).later(),
    ],
    &[],
);

/// `tls`.
static TOP_TLS: Shape =
    Shape::Object(&[Field::new("backend", &BACKEND), Field::new("frontend", &FRONTEND)], &[]);

/// `tls.frontend`.
static FRONTEND: Shape = Shape::Object(
    &[
        Field::new("default", &DEFAULT).required(),
        Field::new("perPort", &Shape::List(&PER_PORT, Size(0, 64))),
    ],
    &[],
);

/// `tls.frontend.perPort[]`.
static PER_PORT: Shape = Shape::Object(
    &[
        Field::new("port", &Shape::Integer(1, 65535)).required(),
        Field::new("tls", &DEFAULT).required(),
    ],
    &[],
);

/// `tls.frontend.default`.
static DEFAULT: Shape = Shape::Object(&[Field::new("validation", &VALIDATION)], &[]);

/// `tls.frontend.default.validation`.
static VALIDATION: Shape = Shape::Object(
    &[
        Field::new("caCertificateRefs", &Shape::List(&CA_CERTIFICATE_REFS, Size(1, 16))).required(),
        Field::new("mode", &Shape::Choice(&["AllowValidOnly", "AllowInsecureFallback"])),
    ],
    &[],
);

/// `tls.frontend.default.validation.caCertificateRefs[]`.
static CA_CERTIFICATE_REFS: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)).required(),
        Field::new("kind", &Shape::Text(Text::KindName)).required(),
        Field::new("name", &Shape::Text(Text::Length(1, 253))).required(),
        Field::new("namespace", &Shape::Text(Text::Length(1, 63))),
    ],
    &[],
);

/// `tls.backend`.
static BACKEND: Shape = Shape::Object(&[Field::new("clientCertificateRef", &REFERENCE)], &[]);

/// `listeners[]`.
static LISTENERS: Shape = Shape::Object(
    &[
        Field::new("allowedRoutes", &ALLOWED_ROUTES),
        Field::new("hostname", &Shape::Text(Text::HostPattern)),
        Field::new("name", &Shape::Text(Text::Host)).required(),
        Field::new("port", &Shape::Integer(1, 65535)).required(),
        Field::new("protocol", &Shape::Text(Text::Length(1, 255))).required(),
        Field::new("tls", &TLS),
    ],
    &[],
);

/// `listeners[].tls`.
static TLS: Shape = Shape::Object(
    &[
        Field::new("certificateRefs", &Shape::List(&REFERENCE, Size(0, 64))),
        Field::new("mode", &Shape::Choice(&["Terminate", "Passthrough"])),
        Field::new("options", &Shape::Map(&Shape::Text(Text::Length(0, 4096)), Keys::Any)),
    ],
    &[],
);

/// `listeners[].tls.certificateRefs[]` and `parentRef` of a ListenerSet.
static REFERENCE: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)),
        Field::new("kind", &Shape::Text(Text::KindName)),
        Field::new("name", &Shape::Text(Text::Length(1, 253))).required(),
        Field::new("namespace", &Shape::Text(Text::Length(1, 63))),
    ],
    &[],
);

/// `listeners[].allowedRoutes`.
static ALLOWED_ROUTES: Shape = Shape::Object(
    &[
        Field::new("kinds", &Shape::List(&KINDS, Size(0, 8))),
        Field::new("namespaces", &ALLOWED_ROUTES_NAMESPACES),
    ],
    &[],
);

/// `listeners[].allowedRoutes.namespaces`.
static ALLOWED_ROUTES_NAMESPACES: Shape = Shape::Object(
    &[
        Field::new("from", &Shape::Choice(&["All", "Selector", "Same"])),
        Field::new("selector", &SELECTOR),
    ],
    &[],
);

/// `listeners[].allowedRoutes.kinds[]`.
static KINDS: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)),
        Field::new("kind", &Shape::Text(Text::KindName)).required(),
    ],
    &[],
);

/// `infrastructure`.
static INFRASTRUCTURE: Shape = Shape::Object(
    &[
        Field::new("annotations", &Shape::Map(&Shape::Text(Text::Length(0, 4096)), Keys::Any)),
        Field::new("labels", &Shape::Map(&Shape::Text(Text::Length(0, 63)), Keys::Any)),
        Field::new("parametersRef", &PARAMETERS_REF),
    ],
    &[],
);

/// `infrastructure.parametersRef`.
static PARAMETERS_REF: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)).required(),
        Field::new("kind", &Shape::Text(Text::KindName)).required(),
        Field::new("name", &Shape::Text(Text::Length(1, 253))).required(),
    ],
    &[],
);

/// `allowedListeners`.
static ALLOWED_LISTENERS: Shape = Shape::Object(&[Field::new("namespaces", &NAMESPACES)], &[]);

/// `allowedListeners.namespaces`.
static NAMESPACES: Shape = Shape::Object(
    &[
        Field::new("from", &Shape::Choice(&["All", "Selector", "Same", "None"])),
        Field::new("selector", &SELECTOR),
    ],
    &[],
);

/// `allowedListeners.namespaces.selector`.
static SELECTOR: Shape = Shape::Object(
    &[
        Field::new("matchExpressions", &Shape::List(&MATCH_EXPRESSIONS, Size::ANY)),
        Field::new("matchLabels", &TEXT_MAP),
    ],
    &[],
);

/// `allowedListeners.namespaces.selector.matchExpressions[]`.
static MATCH_EXPRESSIONS: Shape = Shape::Object(
    &[
        Field::new("key", &TEXT).required(),
        Field::new("operator", &TEXT).required(),
        Field::new("values", &TEXTS),
    ],
    &[],
);

/// `addresses[]`.
static ADDRESSES: Shape = Shape::Object(
    &[
        Field::new("type", &Shape::Text(Text::Length(1, 253))),
        Field::new("value", &Shape::Text(Text::Length(0, 253))),
    ],
    &[],
);

/// `ListenerSet.spec`.
pub(crate) static LISTENER_SET_SPEC: Shape = Shape::Object(
    &[
        Field::new("listeners", &Shape::List(&LISTENERS, Size(1, 64))).required(),
        Field::new("parentRef", &REFERENCE).required(),
    ],
    &[],
);
