//! AuthorizationPolicy: which requests a workload takes.
//!
//! Rules keep Istio's own shape on their way to the `authz` plugin; here it is decided which
//! policies apply, and everything is refused whose loss would open access.

mod validate;

pub(crate) use validate::validate;

use super::scope;
use crate::plan::chain::FilterRef;
use crate::policy::diagnostic::codes;
use crate::policy::kind::Kind;
use crate::policy::listener::{Compiler, Surroundings};
use crate::policy::resource::Resource;
use serde_json::{Map, Value as Json, json};

/// The `authz` filter of a workload; none when no policy applies to it.
pub(crate) fn filter(
    compiler: &mut Compiler<'_>,
    surroundings: &Surroundings<'_>,
) -> Option<FilterRef> {
    let applying: Vec<&Resource> = compiler
        .catalog
        .of(Kind::AuthorizationPolicy)
        .iter()
        .filter(|policy| scope::applies(policy, surroundings.workload, compiler.options))
        .collect();
    if applying.is_empty() {
        return None;
    }
    let policies: Vec<Json> = applying.iter().map(|policy| config(compiler, policy)).collect();
    let trust_domain = &compiler.options.trust_domain;
    let config = json!({"policies": policies, "trustDomain": trust_domain});
    Some(compiler.builder.builtin("authz", &config))
}

fn config(compiler: &mut Compiler<'_>, policy: &Resource) -> Json {
    let spec = &policy.spec;
    let mut action = spec.text_at("action").unwrap_or("ALLOW");
    if action == "CUSTOM" {
        let span = spec.get("action").map_or(policy.span, |action| action.span);
        let message = "action CUSTOM is not enforced yet: until its provider can be asked, every \
                       request its rules match is denied";
        let help = "use ALLOW or DENY rules, or a plugin at phase AUTHZ";
        compiler.diagnostics.report(codes::CUSTOM_DENIED, span, message).help(help);
        action = "DENY";
    }
    let mut config = Map::new();
    config.insert("name".to_owned(), json!(policy.name));
    config.insert("namespace".to_owned(), json!(policy.namespace));
    config.insert("action".to_owned(), json!(action));
    if policy.annotation("istio.io/dry-run").as_deref() == Some("true") {
        config.insert("dryRun".to_owned(), json!(true));
    }
    if let Some(rules) = spec.get("rules") {
        config.insert("rules".to_owned(), rules.to_json());
    }
    Json::Object(config)
}
