//! Which workloads a policy is about: its namespace, the root namespace, and its selector.

use crate::plan::cluster::Workload;
use crate::policy::Options;
use crate::policy::document::Node;
use crate::policy::resource::Resource;

/// Whether a policy with `spec.selector.matchLabels` applies to a workload: it must be of the
/// workload's namespace or of the root namespace, and every label must be there.
pub(crate) fn applies(policy: &Resource, workload: &Workload, options: &Options<'_>) -> bool {
    let near = policy.namespace == workload.namespace || policy.namespace == options.root_namespace;
    near && !has_target(policy) && selects(&policy.spec, workload)
}

/// `targetRefs` bind a policy to waypoints and Gateway API gateways, of which none is served yet.
fn has_target(policy: &Resource) -> bool {
    policy.spec.has("targetRef") || policy.spec.has("targetRefs")
}

pub(crate) fn has_selector(policy: &Resource) -> bool {
    policy.spec.at(&["selector", "matchLabels"]).is_some_and(|labels| !labels.entries().is_empty())
}

fn selects(spec: &Node, workload: &Workload) -> bool {
    spec.get("selector").is_none_or(|selector| has_labels(selector.get("matchLabels"), workload))
}

/// Whether a workload carries every label of a map.
pub(crate) fn has_labels(labels: Option<&Node>, workload: &Workload) -> bool {
    let labels = labels.map_or(&[][..], Node::entries);
    labels.iter().all(|label| {
        workload.labels.get(&label.key).map(String::as_str) == label.node.scalar_text()
    })
}

/// A list of policies by level, from the widest to the narrowest, of which each level has the
/// oldest only: root namespace, namespace, workload.
pub(crate) fn levels<'a>(
    policies: &'a [Resource],
    workload: &Workload,
    options: &Options<'_>,
) -> Vec<&'a Resource> {
    let applying = |selector: bool, namespace: &str| {
        policies.iter().find(|policy| {
            policy.namespace == namespace
                && has_selector(policy) == selector
                && applies(policy, workload, options)
        })
    };
    let root = applying(false, &options.root_namespace);
    let namespace = (workload.namespace != options.root_namespace)
        .then(|| applying(false, &workload.namespace))
        .flatten();
    let workload = applying(true, &workload.namespace);
    root.into_iter().chain(namespace).chain(workload).collect()
}
