//! Fields of `Telemetry.spec`.

use crate::policy::shape::{BOOLEAN, DURATION, FILLED, Field, Keys, Shape, Size, TEXT, Text};

/// `Telemetry.spec`.
pub(crate) static SPEC: Shape = Shape::Object(
    &[
        Field::new("accessLogging", &Shape::List(&ACCESS_LOGGING, Size::ANY)),
        Field::new("metrics", &Shape::List(&METRICS, Size::ANY)),
        Field::new("selector", &SELECTOR),
        Field::new("targetRef", &TARGET_REF).later(),
        Field::new("targetRefs", &Shape::List(&TARGET_REF, Size(0, 16))).later(),
        Field::new("tracing", &Shape::List(&TRACING, Size::ANY)).later(),
    ],
    &[&["selector", "targetRef", "targetRefs"]],
);

/// `tracing[]`.
static TRACING: Shape = Shape::Object(
    &[
        Field::new("customTags", &Shape::Map(&CUSTOM_TAGS, Keys::Any)),
        Field::new("disableContextPropagation", &BOOLEAN).nullable(),
        Field::new("disableSpanReporting", &BOOLEAN).nullable(),
        Field::new("enableIstioTags", &BOOLEAN).nullable(),
        Field::new("match", &MATCH),
        Field::new("providers", &Shape::List(&PROVIDERS, Size::ANY)),
        Field::new("randomSamplingPercentage", &Shape::Number(0.0, 100.0)).nullable(),
        Field::new("useRequestIdForTraceSampling", &BOOLEAN).nullable(),
    ],
    &[],
);

/// `tracing[].customTags{}`.
static CUSTOM_TAGS: Shape = Shape::Object(
    &[
        Field::new("environment", &ENVIRONMENT),
        Field::new("formatter", &FORMATTER),
        Field::new("header", &ENVIRONMENT),
        Field::new("literal", &FORMATTER),
    ],
    &[&["literal", "environment", "header", "formatter"]],
);

/// `tracing[].customTags{}.formatter`.
static FORMATTER: Shape = Shape::Object(&[Field::new("value", &FILLED).required()], &[]);

/// `tracing[].customTags{}.environment`.
static ENVIRONMENT: Shape = Shape::Object(
    &[Field::new("defaultValue", &TEXT), Field::new("name", &FILLED).required()],
    &[],
);

/// `targetRef`.
static TARGET_REF: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)),
        Field::new("kind", &Shape::Text(Text::KindName)).required(),
        Field::new("name", &Shape::Text(Text::Length(1, 253))).required(),
        Field::new("namespace", &Shape::Text(Text::OwnNamespace)),
    ],
    &[],
);

/// `selector`.
static SELECTOR: Shape = Shape::Object(
    &[Field::new("matchLabels", &Shape::Map(&Shape::Text(Text::LabelValue), Keys::Labels))],
    &[],
);

/// `metrics[]`.
static METRICS: Shape = Shape::Object(
    &[
        Field::new("overrides", &Shape::List(&OVERRIDES, Size::ANY)),
        Field::new("providers", &Shape::List(&PROVIDERS, Size::ANY)),
        Field::new("reportingInterval", &DURATION).later(),
    ],
    &[],
);

/// `metrics[].overrides[]`.
static OVERRIDES: Shape = Shape::Object(
    &[
        Field::new("disabled", &BOOLEAN).nullable(),
        Field::new("match", &OVERRIDES_MATCH),
        Field::new("tagOverrides", &Shape::Map(&TAG_OVERRIDES, Keys::Any)),
    ],
    &[],
);

/// `metrics[].overrides[].tagOverrides{}`.
static TAG_OVERRIDES: Shape = Shape::Object(
    &[Field::new("operation", &Shape::Choice(&["UPSERT", "REMOVE"])), Field::new("value", &TEXT)],
    &[],
);

/// `metrics[].overrides[].match`.
static OVERRIDES_MATCH: Shape = Shape::Object(
    &[
        Field::new("customMetric", &FILLED),
        Field::new(
            "metric",
            &Shape::Choice(&[
                "ALL_METRICS",
                "REQUEST_COUNT",
                "REQUEST_DURATION",
                "REQUEST_SIZE",
                "RESPONSE_SIZE",
                "TCP_OPENED_CONNECTIONS",
                "TCP_CLOSED_CONNECTIONS",
                "TCP_SENT_BYTES",
                "TCP_RECEIVED_BYTES",
                "GRPC_REQUEST_MESSAGES",
                "GRPC_RESPONSE_MESSAGES",
            ]),
        ),
        Field::new("mode", &Shape::Choice(&["CLIENT_AND_SERVER", "CLIENT", "SERVER"])),
    ],
    &[&["metric", "customMetric"]],
);

/// `accessLogging[]`.
static ACCESS_LOGGING: Shape = Shape::Object(
    &[
        Field::new("disabled", &BOOLEAN).nullable(),
        Field::new("filter", &FILTER).later(),
        Field::new("match", &MATCH),
        Field::new("providers", &Shape::List(&PROVIDERS, Size::ANY)),
    ],
    &[],
);

/// `accessLogging[].providers[]`.
static PROVIDERS: Shape = Shape::Object(&[Field::new("name", &FILLED).required()], &[]);

/// `accessLogging[].match`.
static MATCH: Shape = Shape::Object(
    &[Field::new("mode", &Shape::Choice(&["CLIENT_AND_SERVER", "CLIENT", "SERVER"]))],
    &[],
);

/// `accessLogging[].filter`.
static FILTER: Shape = Shape::Object(&[Field::new("expression", &TEXT)], &[]);
