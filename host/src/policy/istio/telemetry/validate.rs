//! Conditions on a Telemetry document beyond its table, and what of it has no effect yet.

use super::{ENVOY, PROMETHEUS, metric_name, tags};
use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::Node;
use crate::policy::resource::Resource;

/// Providers that Istio defines without any mesh configuration.
const PREDEFINED: [&str; 3] = [ENVOY, PROMETHEUS, "stackdriver"];

pub(crate) fn validate(telemetry: &Resource, diagnostics: &mut Diagnostics) {
    let spec = &telemetry.spec;
    for (section, enforced) in
        [("accessLogging", Some(ENVOY)), ("metrics", Some(PROMETHEUS)), ("tracing", None)]
    {
        for entry in spec.list(section) {
            for provider in entry.list("providers").iter().filter_map(|item| item.get("name")) {
                check_provider(provider, section, enforced, diagnostics);
            }
        }
    }
    for entry in spec.list("metrics") {
        for change in entry.list("overrides") {
            check_override(change, diagnostics);
        }
    }
}

fn check_provider(
    node: &Node,
    section: &str,
    enforced: Option<&str>,
    diagnostics: &mut Diagnostics,
) {
    let name = node.text().unwrap_or_default().to_ascii_lowercase();
    if !PREDEFINED.contains(&name.as_str()) {
        let message = format!(
            "provider `{name}` is not one that Istio defines: without an extensionProviders entry \
             of that name {section} is off there without a word"
        );
        let help = match section {
            "tracing" => "Weir has no tracing yet; spans of this provider are not sent".to_owned(),
            _ => format!("defined without configuration: {}", PREDEFINED.join(", ")),
        };
        diagnostics.report(codes::UNKNOWN_PROVIDER, node.span, message).help(help);
    } else if enforced.is_some_and(|enforced| enforced != name) {
        let message = format!("provider `{name}` of {section} is not served yet");
        diagnostics.report(codes::NOT_ENFORCED_FIELD, node.span, message);
    }
}

fn check_override(change: &Node, diagnostics: &mut Diagnostics) {
    if let Some(metric) = change.at(&["match", "customMetric"]) {
        let message = "custom metrics are not enforced yet";
        diagnostics.report(codes::NOT_ENFORCED_FIELD, metric.span, message);
    }
    if let Some(metric) = change.at(&["match", "metric"])
        && let Some(name) = metric.text()
        && name != "ALL_METRICS"
        && metric_name(name).is_none()
    {
        let message = format!("metric {name} is not emitted yet");
        diagnostics.report(codes::NOT_ENFORCED_FIELD, metric.span, message);
    }
    for tag in change.get("tagOverrides").map_or(&[][..], Node::entries) {
        let operation = tag.node.text_at("operation").unwrap_or("UPSERT");
        let value = tag.node.get("value");
        match (operation, value) {
            ("REMOVE", Some(value)) => {
                let message = "`value` has no place beside operation REMOVE";
                diagnostics.report(codes::EXCLUSIVE_FIELDS, value.span, message);
            }
            ("UPSERT", value)
                if tag.node.has("operation")
                    && value.is_none_or(|value| value.text() == Some("")) =>
            {
                let message = "operation UPSERT needs `value`";
                diagnostics.report(codes::MISSING_FIELD, tag.key_span, message);
            }
            _ => {}
        }
        if let Some(value) = value
            && value.text().is_some_and(|text| !text.is_empty() && !tags::is_supported(text))
        {
            let message = "this expression is not enforced yet; the tag keeps its own value";
            let help = "supported: a string such as \"x\", or an attribute such as request.host";
            diagnostics.report(codes::NOT_ENFORCED_FIELD, value.span, message).help(help);
        }
    }
}
