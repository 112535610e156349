//! Istio's labels: where each one's value comes from.

use std::borrow::Cow;

use weir_sdk::{Error, Result, attribute::workload};

use crate::{
    config::{Config, MetricName, Operation, Override, Reporter, TagOverride},
    value::{Expression, Observed},
};

/// What a label without value says.
pub(crate) const UNKNOWN: &str = "unknown";

/// Where a label's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Label {
    Fixed(String),
    /// A key of the other side's workload.
    Peer(&'static str),
    /// A key of the called service.
    Service(&'static str),
    Protocol,
    ResponseCode,
    GrpcStatus,
    ResponseFlags,
    SecurityPolicy,
    /// Index into the configuration's expressions.
    Expression(usize),
}

impl Label {
    pub(crate) fn text<'a>(&'a self, observed: &'a Observed<'_>) -> Cow<'a, str> {
        let bytes = match self {
            Self::Fixed(value) => return Cow::Borrowed(value),
            Self::Peer(key) => observed.peer(key),
            Self::Service(key) => observed.service(key),
            Self::Protocol => return Cow::Borrowed(if observed.grpc { "grpc" } else { "http" }),
            Self::ResponseCode => return Cow::Owned(observed.response_code.to_string()),
            Self::GrpcStatus => {
                return Cow::Owned(
                    observed.grpc_status.map(|code| code.to_string()).unwrap_or_default(),
                );
            }
            Self::ResponseFlags => observed.response_flags,
            Self::SecurityPolicy => {
                return Cow::Borrowed(match observed.mtls {
                    Some(true) => "mutual_tls",
                    Some(false) => "none",
                    None => UNKNOWN,
                });
            }
            Self::Expression(index) => return observed.expression(*index),
        };
        match bytes {
            None | Some([]) => Cow::Borrowed(UNKNOWN),
            Some(value) => String::from_utf8_lossy(value),
        }
    }
}

/// Istio's labels in Istio's order, with the side and the key they are about.
const LABELS: [(&str, Origin); 25] = [
    ("reporter", Origin::Reporter),
    ("source_workload", Origin::Source(workload::WORKLOAD)),
    ("source_canonical_service", Origin::Source(workload::CANONICAL_SERVICE)),
    ("source_canonical_revision", Origin::Source(workload::CANONICAL_REVISION)),
    ("source_workload_namespace", Origin::Source(workload::NAMESPACE)),
    ("source_principal", Origin::Source(workload::PRINCIPAL)),
    ("source_app", Origin::Source(workload::APP)),
    ("source_version", Origin::Source(workload::VERSION)),
    ("source_cluster", Origin::Source(workload::CLUSTER)),
    ("destination_workload", Origin::Destination(workload::WORKLOAD)),
    ("destination_workload_namespace", Origin::Destination(workload::NAMESPACE)),
    ("destination_principal", Origin::Destination(workload::PRINCIPAL)),
    ("destination_app", Origin::Destination(workload::APP)),
    ("destination_version", Origin::Destination(workload::VERSION)),
    ("destination_service", Origin::Service(workload::SERVICE)),
    ("destination_canonical_service", Origin::Destination(workload::CANONICAL_SERVICE)),
    ("destination_canonical_revision", Origin::Destination(workload::CANONICAL_REVISION)),
    ("destination_service_name", Origin::Service(workload::SERVICE_NAME)),
    ("destination_service_namespace", Origin::Service(workload::SERVICE_NAMESPACE)),
    ("destination_cluster", Origin::Destination(workload::CLUSTER)),
    ("request_protocol", Origin::Stream(Label::Protocol)),
    ("response_code", Origin::Stream(Label::ResponseCode)),
    ("grpc_response_status", Origin::Stream(Label::GrpcStatus)),
    ("response_flags", Origin::Stream(Label::ResponseFlags)),
    ("connection_security_policy", Origin::SecurityPolicy),
];

enum Origin {
    Reporter,
    Source(&'static str),
    Destination(&'static str),
    /// Of the called service: the host tells, on either side.
    Service(&'static str),
    Stream(Label),
    SecurityPolicy,
}

/// The labels of one metric after all overrides, `None` when it is disabled.
///
/// # Errors
/// An UPSERT without value or with an expression that is not supported.
pub(crate) fn labels(
    config: &Config,
    metric: MetricName,
    expressions: &mut Vec<Expression>,
) -> Result<Option<Vec<(String, Label)>>> {
    let mut labels: Vec<(String, Label)> =
        LABELS.iter().map(|(name, origin)| ((*name).to_owned(), origin.label(config))).collect();
    let mut disabled = false;
    let about = |change: &&Override| change.metric.is_none_or(|name| name == metric);
    for change in config.overrides.iter().filter(about) {
        disabled = change.disabled.unwrap_or(disabled);
        for (name, tag) in &change.tags {
            apply(name, tag, &mut labels, expressions)?;
        }
    }
    Ok((!disabled).then_some(labels))
}

fn apply(
    name: &str,
    tag: &TagOverride,
    labels: &mut Vec<(String, Label)>,
    expressions: &mut Vec<Expression>,
) -> Result<()> {
    if !is_label_name(name) {
        return Err(Error::new(format!("tag {name:?} is not a label name")));
    }
    let position = labels.iter().position(|(label, _)| label == name);
    if tag.operation == Operation::Remove {
        if let Some(position) = position {
            labels.remove(position);
        }
        return Ok(());
    }
    let value = tag.value.as_deref().ok_or_else(|| Error::new(format!("tag {name}: no value")))?;
    let label = Expression::parse(value)
        .map_err(|error| Error::new(format!("tag {name}: {error}")))?
        .into_label(expressions);
    match position.and_then(|position| labels.get_mut(position)) {
        Some(entry) => entry.1 = label,
        None => labels.push((name.to_owned(), label)),
    }
    Ok(())
}

fn is_label_name(name: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(rest) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

impl Origin {
    fn label(&self, config: &Config) -> Label {
        let own = |key| Label::Fixed(config.workload.get(key).unwrap_or(UNKNOWN).to_owned());
        match (self, config.reporter) {
            (Self::Reporter, Reporter::Source) => Label::Fixed("source".to_owned()),
            (Self::Reporter, Reporter::Destination) => Label::Fixed("destination".to_owned()),
            (Self::Source(key), Reporter::Source)
            | (Self::Destination(key), Reporter::Destination) => own(key),
            (Self::Source(key), Reporter::Destination)
            | (Self::Destination(key), Reporter::Source) => Label::Peer(key),
            (Self::Service(key), _) => Label::Service(key),
            (Self::Stream(label), _) => label.clone(),
            (Self::SecurityPolicy, Reporter::Source) => Label::Fixed(UNKNOWN.to_owned()),
            (Self::SecurityPolicy, Reporter::Destination) => Label::SecurityPolicy,
        }
    }
}
