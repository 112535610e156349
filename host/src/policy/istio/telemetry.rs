//! Telemetry: what is logged and counted, mesh-wide, for a namespace, or for a workload.
//!
//! A narrower level replaces the providers of a wider one and inherits what it leaves out. Without
//! any document metrics are on and the access log is off, as Istio ships.

mod tags;
mod validate;

pub(crate) use validate::validate;

use super::scope;
use crate::plan::chain::FilterRef;
use crate::plan::cluster::Workload;
use crate::policy::document::Node;
use crate::policy::kind::Kind;
use crate::policy::listener::{Class, Compiler, Surroundings};
use crate::policy::resource::Resource;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;

fn levels<'a>(
    compiler: &Compiler<'a>,
    surroundings: &Surroundings<'_>,
    section: &str,
) -> Vec<&'a Node> {
    let policies = compiler.catalog.of(Kind::Telemetry);
    let levels = scope::levels(policies, surroundings.workload, compiler.options);
    levels.into_iter().filter_map(|policy: &Resource| policy.spec.get(section)).collect()
}

fn provider_names(entry: &Node) -> Vec<String> {
    let providers = entry.list("providers").iter().filter_map(|item| item.text_at("name"));
    providers.map(str::to_ascii_lowercase).collect()
}

/// Name of Istio's default access log provider.
const ENVOY: &str = "envoy";
/// Name of Istio's default metrics provider.
const PROMETHEUS: &str = "prometheus";

/// The `accesslog` filter, if logging is on here.
pub(crate) fn access_log(
    compiler: &mut Compiler<'_>,
    surroundings: &Surroundings<'_>,
) -> Option<FilterRef> {
    let mut active: BTreeSet<String> = BTreeSet::new();
    for section in levels(compiler, surroundings, "accessLogging") {
        let inherited = std::mem::take(&mut active);
        let named: BTreeSet<String> = section.items().iter().flat_map(provider_names).collect();
        if named.is_empty() {
            active.clone_from(&inherited);
        }
        for entry in section.items() {
            if !surroundings.class.in_mode(entry.at(&["match", "mode"]).and_then(Node::text)) {
                continue;
            }
            let names = provider_names(entry);
            let names = if names.is_empty() { inherited.iter().cloned().collect() } else { names };
            let disabled = entry.get("disabled").and_then(Node::boolean).unwrap_or(false);
            for name in names {
                if disabled {
                    active.remove(&name);
                } else {
                    active.insert(name);
                }
            }
        }
    }
    let config = json!({"path": "/dev/stdout"});
    active.contains(ENVOY).then(|| compiler.builder.builtin("accesslog", &config))
}

/// The `stats` filter, unless metrics are off here.
pub(crate) fn stats(
    compiler: &mut Compiler<'_>,
    surroundings: &Surroundings<'_>,
) -> Option<FilterRef> {
    let mut on = true;
    let mut overrides = Vec::new();
    for section in levels(compiler, surroundings, "metrics") {
        let named: BTreeSet<String> = section.items().iter().flat_map(provider_names).collect();
        if !named.is_empty() {
            on = named.contains(PROMETHEUS);
        }
        for entry in section.items() {
            let names = provider_names(entry);
            if !names.is_empty() && !names.iter().any(|name| name == PROMETHEUS) {
                continue;
            }
            for change in entry.list("overrides") {
                let mode = change.at(&["match", "mode"]).and_then(Node::text);
                if surroundings.class.in_mode(mode) {
                    overrides.extend(metric_override(change));
                }
            }
        }
    }
    if !on {
        return None;
    }
    let reporter = if surroundings.class == Class::Inbound { "destination" } else { "source" };
    let mut config = json!({"reporter": reporter, "workload": own_side(surroundings.workload)});
    if let (Some(config), false) = (config.as_object_mut(), overrides.is_empty()) {
        config.insert("overrides".to_owned(), json!(overrides));
    }
    Some(compiler.builder.builtin("stats", &config))
}

/// What metrics call this proxy's own workload.
fn own_side(workload: &Workload) -> Json {
    let label = |names: &[&str]| names.iter().find_map(|name| workload.labels.get(*name)).cloned();
    let canonical = label(&["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]);
    let revision =
        label(&["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"]);
    let name = Some(workload.name.clone()).filter(|name| !name.is_empty());
    let fields = [
        ("workload", name.clone()),
        ("namespace", Some(workload.namespace.clone())),
        ("app", label(&["app"])),
        ("version", label(&["version"])),
        ("canonical_service", canonical.or(name)),
        ("canonical_revision", Some(revision.unwrap_or_else(|| "latest".to_owned()))),
    ];
    let given =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    Json::Object(given.collect())
}

/// Istio's enumeration and the metric it stands for; `None` for those that HTTP never makes.
fn metric_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "REQUEST_COUNT" => "requests_total",
        "REQUEST_DURATION" => "request_duration_milliseconds",
        "REQUEST_SIZE" => "request_bytes",
        "RESPONSE_SIZE" => "response_bytes",
        _ => return None,
    })
}

fn metric_override(change: &Node) -> Option<Json> {
    let mut config = Map::new();
    if change.at(&["match", "customMetric"]).is_some() {
        return None;
    }
    match change.at(&["match", "metric"]).and_then(Node::text) {
        None | Some("ALL_METRICS") => config.insert("metric".to_owned(), Json::Null),
        Some(metric) => config.insert("metric".to_owned(), json!(metric_name(metric)?)),
    };
    if change.get("disabled").and_then(Node::boolean) == Some(true) {
        config.insert("disabled".to_owned(), json!(true));
    }
    let tags = change.get("tagOverrides").map_or(&[][..], Node::entries).iter();
    let tags: Map<String, Json> =
        tags.filter_map(|tag| Some((tag.key.clone(), tags::config(&tag.node)?))).collect();
    if !tags.is_empty() {
        config.insert("tags".to_owned(), Json::Object(tags));
    }
    (config.len() > 1).then_some(Json::Object(config))
}
