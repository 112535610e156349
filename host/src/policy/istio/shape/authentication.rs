//! Fields of the specs of PeerAuthentication and RequestAuthentication.

use crate::policy::shape::{BOOLEAN, DURATION, FILLED, Field, Keys, Shape, Size, TEXT, Text};

/// `PeerAuthentication.spec`.
pub(crate) static PEER_AUTHENTICATION_SPEC: Shape = Shape::Object(
    &[
        Field::new("mtls", &PEER_AUTHENTICATION_MTLS),
        Field::new("portLevelMtls", &Shape::Map(&PEER_AUTHENTICATION_MTLS, Keys::PortNumbers)),
        Field::new("selector", &PEER_AUTHENTICATION_SELECTOR),
    ],
    &[],
);

/// `selector`.
static PEER_AUTHENTICATION_SELECTOR: Shape = Shape::Object(
    &[Field::new("matchLabels", &Shape::Map(&Shape::Text(Text::LabelValue), Keys::Labels))],
    &[],
);

/// `mtls`.
static PEER_AUTHENTICATION_MTLS: Shape = Shape::Object(
    &[Field::new("mode", &Shape::Choice(&["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]))],
    &[],
);

/// `RequestAuthentication.spec`.
pub(crate) static REQUEST_AUTHENTICATION_SPEC: Shape = Shape::Object(
    &[
        Field::new("jwtRules", &Shape::List(&REQUEST_AUTHENTICATION_JWT_RULES, Size(0, 4096))),
        Field::new("selector", &REQUEST_AUTHENTICATION_SELECTOR),
        Field::new("targetRef", &REQUEST_AUTHENTICATION_TARGET_REF),
        Field::new("targetRefs", &Shape::List(&REQUEST_AUTHENTICATION_TARGET_REF, Size(0, 16))),
    ],
    &[&["selector", "targetRef", "targetRefs"]],
);

/// `targetRef`.
static REQUEST_AUTHENTICATION_TARGET_REF: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)),
        Field::new("kind", &Shape::Text(Text::KindName)).required(),
        Field::new("name", &Shape::Text(Text::Length(1, 253))).required(),
        Field::new("namespace", &Shape::Text(Text::OwnNamespace)),
    ],
    &[],
);

/// `selector`.
static REQUEST_AUTHENTICATION_SELECTOR: Shape = Shape::Object(
    &[Field::new("matchLabels", &Shape::Map(&Shape::Text(Text::LabelValue), Keys::Labels))],
    &[],
);

/// `jwtRules[]`.
static REQUEST_AUTHENTICATION_JWT_RULES: Shape = Shape::Object(
    &[
        Field::new("audiences", &Shape::List(&FILLED, Size::ANY)),
        Field::new("forwardOriginalToken", &BOOLEAN),
        Field::new("fromCookies", &Shape::List(&FILLED, Size::ANY)),
        Field::new("fromHeaders", &Shape::List(&REQUEST_AUTHENTICATION_FROM_HEADERS, Size::ANY)),
        Field::new("fromParams", &Shape::List(&FILLED, Size::ANY)),
        Field::new("issuer", &FILLED),
        Field::new("jwks", &TEXT),
        Field::new("jwks_uri", &Shape::Text(Text::HttpUrl)),
        Field::new("jwksUri", &Shape::Text(Text::HttpUrl)),
        Field::new(
            "outputClaimToHeaders",
            &Shape::List(&REQUEST_AUTHENTICATION_OUTPUT_CLAIM_TO_HEADERS, Size::ANY),
        ),
        Field::new("outputPayloadToHeader", &TEXT),
        Field::new("presence", &Shape::Choice(&["OPTIONAL", "REQUIRED"])),
        Field::new("spaceDelimitedClaims", &Shape::List(&FILLED, Size(0, 64))),
        Field::new("timeout", &DURATION),
    ],
    &[&["jwksUri", "jwks_uri", "jwks"]],
);

/// `jwtRules[].outputClaimToHeaders[]`.
static REQUEST_AUTHENTICATION_OUTPUT_CLAIM_TO_HEADERS: Shape = Shape::Object(
    &[
        Field::new("claim", &FILLED).required(),
        Field::new("header", &Shape::Text(Text::HeaderName)).required(),
    ],
    &[],
);

/// `jwtRules[].fromHeaders[]`.
static REQUEST_AUTHENTICATION_FROM_HEADERS: Shape =
    Shape::Object(&[Field::new("name", &FILLED).required(), Field::new("prefix", &TEXT)], &[]);
