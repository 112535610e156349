//! Fields of the specs of WasmPlugin and TrafficExtension.

use crate::policy::shape::{ANY, Field, I32, Keys, Shape, Size, TEXT, Text};

/// `WasmPlugin.spec`.
pub(crate) static WASM_PLUGIN_SPEC: Shape = Shape::Object(
    &[
        Field::new("failStrategy", &Shape::Choice(&["FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"])),
        Field::new(
            "imagePullPolicy",
            &Shape::Choice(&["UNSPECIFIED_POLICY", "IfNotPresent", "Always"]),
        )
        .later(),
        Field::new("imagePullSecret", &Shape::Text(Text::Length(1, 253))).later(),
        Field::new("match", &Shape::List(&WASM_PLUGIN_MATCH, Size::ANY)),
        Field::new("phase", &Shape::Choice(&["UNSPECIFIED_PHASE", "AUTHN", "AUTHZ", "STATS"])),
        Field::new("pluginConfig", &ANY),
        Field::new("pluginName", &Shape::Text(Text::Length(1, 256))),
        Field::new("priority", &I32).nullable(),
        Field::new("selector", &WASM_PLUGIN_SELECTOR),
        Field::new("sha256", &Shape::Text(Text::Sha256)),
        Field::new("targetRef", &WASM_PLUGIN_TARGET_REF).later(),
        Field::new("targetRefs", &Shape::List(&WASM_PLUGIN_TARGET_REF, Size(0, 16))).later(),
        Field::new("type", &Shape::Choice(&["UNSPECIFIED_PLUGIN_TYPE", "HTTP", "NETWORK"])),
        Field::new("url", &Shape::Text(Text::ModuleUrl)).required(),
        Field::new("verificationKey", &TEXT),
        Field::new("vmConfig", &WASM_PLUGIN_VM_CONFIG).later(),
    ],
    &[&["selector", "targetRef", "targetRefs"]],
);

/// `vmConfig`.
static WASM_PLUGIN_VM_CONFIG: Shape =
    Shape::Object(&[Field::new("env", &Shape::List(&WASM_PLUGIN_ENV, Size(0, 256)))], &[]);

/// `vmConfig.env[]`.
static WASM_PLUGIN_ENV: Shape = Shape::Object(
    &[
        Field::new("name", &Shape::Text(Text::Length(1, 256))).required(),
        Field::new("value", &Shape::Text(Text::Length(0, 2048))),
        Field::new("valueFrom", &Shape::Choice(&["INLINE", "HOST"])),
    ],
    &[],
);

/// `targetRef`.
static WASM_PLUGIN_TARGET_REF: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)),
        Field::new("kind", &Shape::Text(Text::KindName)).required(),
        Field::new("name", &Shape::Text(Text::Length(1, 253))).required(),
        Field::new("namespace", &Shape::Text(Text::OwnNamespace)),
    ],
    &[],
);

/// `selector`.
static WASM_PLUGIN_SELECTOR: Shape = Shape::Object(
    &[Field::new("matchLabels", &Shape::Map(&Shape::Text(Text::LabelValue), Keys::Labels))],
    &[],
);

/// `match[]`.
static WASM_PLUGIN_MATCH: Shape = Shape::Object(
    &[
        Field::new("mode", &Shape::Choice(&["UNDEFINED", "CLIENT", "SERVER", "CLIENT_AND_SERVER"])),
        Field::new("ports", &Shape::List(&WASM_PLUGIN_PORTS, Size::ANY)),
    ],
    &[],
);

/// `match[].ports[]`.
static WASM_PLUGIN_PORTS: Shape =
    Shape::Object(&[Field::new("number", &Shape::Integer(1, 65535)).required()], &[]);

/// `TrafficExtension.spec`.
pub(crate) static TRAFFIC_EXTENSION_SPEC: Shape = Shape::Object(
    &[
        Field::new("lua", &TRAFFIC_EXTENSION_LUA),
        Field::new("match", &Shape::List(&TRAFFIC_EXTENSION_MATCH, Size::ANY)),
        Field::new("phase", &Shape::Choice(&["UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"])),
        Field::new("priority", &I32).nullable(),
        Field::new("selector", &TRAFFIC_EXTENSION_SELECTOR),
        Field::new("targetRefs", &Shape::List(&TRAFFIC_EXTENSION_TARGET_REFS, Size(0, 16))),
        Field::new("wasm", &TRAFFIC_EXTENSION_WASM),
    ],
    &[&["wasm", "lua"], &["selector", "targetRefs"]],
);

/// `wasm`.
static TRAFFIC_EXTENSION_WASM: Shape = Shape::Object(
    &[
        Field::new("failStrategy", &Shape::Choice(&["FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"])),
        Field::new(
            "imagePullPolicy",
            &Shape::Choice(&["UNSPECIFIED_POLICY", "IfNotPresent", "Always"]),
        ),
        Field::new("imagePullSecret", &Shape::Text(Text::Length(1, 253))),
        Field::new("pluginConfig", &ANY),
        Field::new("pluginName", &Shape::Text(Text::Length(1, 256))),
        Field::new("sha256", &Shape::Text(Text::Sha256)),
        Field::new("type", &Shape::Choice(&["UNSPECIFIED_PLUGIN_TYPE", "HTTP", "NETWORK"])),
        Field::new("url", &Shape::Text(Text::ModuleUrl)).required(),
        Field::new("verificationKey", &TEXT),
        Field::new("vmConfig", &TRAFFIC_EXTENSION_VM_CONFIG),
    ],
    &[],
);

/// `wasm.vmConfig`.
static TRAFFIC_EXTENSION_VM_CONFIG: Shape =
    Shape::Object(&[Field::new("env", &Shape::List(&TRAFFIC_EXTENSION_ENV, Size(0, 256)))], &[]);

/// `wasm.vmConfig.env[]`.
static TRAFFIC_EXTENSION_ENV: Shape = Shape::Object(
    &[
        Field::new("name", &Shape::Text(Text::Length(1, 256))).required(),
        Field::new("value", &Shape::Text(Text::Length(0, 2048))),
        Field::new("valueFrom", &Shape::Choice(&["INLINE", "HOST"])),
    ],
    &[],
);

/// `targetRefs[]`.
static TRAFFIC_EXTENSION_TARGET_REFS: Shape = Shape::Object(
    &[
        Field::new("group", &Shape::Text(Text::ApiGroup)),
        Field::new("kind", &Shape::Text(Text::KindName)).required(),
        Field::new("name", &Shape::Text(Text::Length(1, 253))).required(),
        Field::new("namespace", &Shape::Text(Text::OwnNamespace)),
    ],
    &[],
);

/// `selector`.
static TRAFFIC_EXTENSION_SELECTOR: Shape = Shape::Object(
    &[Field::new("matchLabels", &Shape::Map(&Shape::Text(Text::LabelValue), Keys::Labels))],
    &[],
);

/// `match[]`.
static TRAFFIC_EXTENSION_MATCH: Shape = Shape::Object(
    &[
        Field::new("mode", &Shape::Choice(&["UNDEFINED", "CLIENT", "SERVER", "CLIENT_AND_SERVER"])),
        Field::new("ports", &Shape::List(&TRAFFIC_EXTENSION_PORTS, Size::ANY)),
    ],
    &[],
);

/// `match[].ports[]`.
static TRAFFIC_EXTENSION_PORTS: Shape =
    Shape::Object(&[Field::new("number", &Shape::Integer(1, 65535)).required()], &[]);

/// `lua`.
static TRAFFIC_EXTENSION_LUA: Shape = Shape::Object(
    &[Field::new("inlineCode", &Shape::Text(Text::Length(1, 65536))).required()],
    &[],
);
