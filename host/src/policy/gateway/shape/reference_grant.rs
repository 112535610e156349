//! Fields of `ReferenceGrant.spec`.

use crate::policy::shape::{Field, Shape, Size, Text};

/// `ReferenceGrant.spec`.
pub(crate) static SPEC: Shape = Shape::Object(
    &[
        Field::new("from", &Shape::List(&FROM, Size(1, 16))).required(),
        Field::new("to", &Shape::List(&TO, Size(1, 16))).required(),
    ],
    &[],
);

/// `to[]`.
static TO: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)).required(),
        Field::new("kind", &Shape::Text(Text::KindName)).required(),
        Field::new("name", &Shape::Text(Text::Length(1, 253))),
    ],
    &[],
);

/// `from[]`.
static FROM: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)).required(),
        Field::new("kind", &Shape::Text(Text::KindName)).required(),
        Field::new("namespace", &Shape::Text(Text::Length(1, 63))).required(),
    ],
    &[],
);
