//! Fields of `Gateway.spec`.

use crate::policy::shape::{BOOLEAN, Field, Shape, Size, TEXT, TEXT_MAP, TEXTS, U32};

/// `Gateway.spec`.
pub(crate) static SPEC: Shape = Shape::Object(
    &[Field::new("selector", &TEXT_MAP), Field::new("servers", &Shape::List(&SERVERS, Size::ANY))],
    &[],
);

/// `servers[]`.
static SERVERS: Shape = Shape::Object(
    &[
        Field::new("bind", &TEXT).later(),
        Field::new("defaultEndpoint", &TEXT).later(),
        Field::new("hosts", &TEXTS).required(),
        Field::new("name", &TEXT),
        Field::new("port", &SERVERS_PORT).required(),
        Field::new("tls", &TLS),
    ],
    &[],
);

/// `servers[].tls`.
static TLS: Shape = Shape::Object(
    &[
        Field::new("caCertCredentialName", &TEXT),
        Field::new("caCertificates", &TEXT),
        Field::new("caCrl", &TEXT),
        Field::new("cipherSuites", &TEXTS),
        Field::new("credentialName", &TEXT),
        Field::new("credentialNames", &Shape::List(&TEXT, Size(1, 2))),
        Field::new("ecdhCurves", &TEXTS),
        Field::new("httpsRedirect", &BOOLEAN),
        Field::new("insecureSkipVerify", &BOOLEAN).nullable(),
        Field::new(
            "maxProtocolVersion",
            &Shape::Choice(&["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]),
        ),
        Field::new(
            "minProtocolVersion",
            &Shape::Choice(&["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]),
        ),
        Field::new(
            "mode",
            &Shape::Choice(&[
                "PASSTHROUGH",
                "SIMPLE",
                "MUTUAL",
                "AUTO_PASSTHROUGH",
                "ISTIO_MUTUAL",
                "OPTIONAL_MUTUAL",
            ]),
        ),
        Field::new("privateKey", &TEXT),
        Field::new("serverCertificate", &TEXT),
        Field::new("subjectAltNames", &TEXTS),
        Field::new("tlsCertificates", &Shape::List(&TLS_CERTIFICATES, Size(1, 2))),
        Field::new("verifyCertificateHash", &TEXTS),
        Field::new("verifyCertificateSpki", &TEXTS),
    ],
    &[&["tlsCertificates", "credentialNames"], &["credentialName", "credentialNames"]],
);

/// `servers[].tls.tlsCertificates[]`.
static TLS_CERTIFICATES: Shape = Shape::Object(
    &[
        Field::new("caCertificates", &TEXT),
        Field::new("privateKey", &TEXT),
        Field::new("serverCertificate", &TEXT),
    ],
    &[],
);

/// `servers[].port`.
static SERVERS_PORT: Shape = Shape::Object(
    &[
        Field::new("name", &TEXT).required(),
        Field::new("number", &U32).required(),
        Field::new("protocol", &TEXT).required(),
        Field::new("targetPort", &U32),
    ],
    &[],
);
