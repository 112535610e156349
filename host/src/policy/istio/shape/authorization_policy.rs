//! Fields of `AuthorizationPolicy.spec`.

use crate::policy::shape::{Field, Keys, Shape, Size, TEXT, TEXTS, Text};

/// `AuthorizationPolicy.spec`.
pub(crate) static SPEC: Shape = Shape::Object(
    &[
        Field::new("action", &Shape::Choice(&["ALLOW", "DENY", "AUDIT", "CUSTOM"])),
        Field::new("provider", &PROVIDER),
        Field::new("rules", &Shape::List(&RULES, Size(0, 512))),
        Field::new("selector", &SELECTOR),
        Field::new("targetRef", &TARGET_REF).later(),
        Field::new("targetRefs", &Shape::List(&TARGET_REF, Size(0, 16))).later(),
    ],
    &[&["selector", "targetRef", "targetRefs"]],
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

/// `rules[]`.
static RULES: Shape = Shape::Object(
    &[
        Field::new("from", &Shape::List(&FROM, Size(0, 512))),
        Field::new("to", &Shape::List(&TO, Size::ANY)),
        Field::new("when", &Shape::List(&WHEN, Size::ANY)),
    ],
    &[],
);

/// `rules[].when[]`.
static WHEN: Shape = Shape::Object(
    &[
        Field::new("key", &TEXT).required(),
        Field::new("notValues", &TEXTS),
        Field::new("values", &TEXTS),
    ],
    &[],
);

/// `rules[].to[]`.
static TO: Shape = Shape::Object(&[Field::new("operation", &OPERATION)], &[]);

/// `rules[].to[].operation`.
static OPERATION: Shape = Shape::Object(
    &[
        Field::new("hosts", &TEXTS),
        Field::new("methods", &TEXTS),
        Field::new("notHosts", &TEXTS),
        Field::new("notMethods", &TEXTS),
        Field::new("notPaths", &TEXTS),
        Field::new("notPorts", &TEXTS),
        Field::new("paths", &TEXTS),
        Field::new("ports", &TEXTS),
    ],
    &[],
);

/// `rules[].from[]`.
static FROM: Shape = Shape::Object(&[Field::new("source", &SOURCE)], &[]);

/// `rules[].from[].source`.
static SOURCE: Shape = Shape::Object(
    &[
        Field::new("ipBlocks", &TEXTS),
        Field::new("namespaces", &TEXTS),
        Field::new("notIpBlocks", &TEXTS),
        Field::new("notNamespaces", &TEXTS),
        Field::new("notPrincipals", &TEXTS),
        Field::new("notRemoteIpBlocks", &TEXTS),
        Field::new("notRequestPrincipals", &TEXTS),
        Field::new(
            "notServiceAccounts",
            &Shape::List(&Shape::Text(Text::Length(0, 320)), Size(0, 16)),
        ),
        Field::new("notTrustDomains", &TEXTS),
        Field::new("principals", &TEXTS),
        Field::new("remoteIpBlocks", &TEXTS),
        Field::new("requestPrincipals", &TEXTS),
        Field::new(
            "serviceAccounts",
            &Shape::List(&Shape::Text(Text::Length(0, 320)), Size(0, 16)),
        ),
        Field::new("trustDomains", &TEXTS),
    ],
    &[],
);

/// `provider`.
static PROVIDER: Shape = Shape::Object(&[Field::new("name", &TEXT)], &[]);
