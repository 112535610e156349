//! All policies of a workload and the order in which they decide.

use std::fmt;

use weir_sdk::{Error, Result};

use crate::{
    config::{Action, Config, PolicyConfig},
    facts::Facts,
    rule::{Rule, Scope},
};

/// Every policy, compiled, by what it does.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    enforced: Set,
    shadow: Set,
    audit: Vec<Policy>,
}

#[derive(Debug, Default)]
struct Set {
    deny: Vec<Policy>,
    allow: Vec<Policy>,
}

#[derive(Debug)]
struct Policy {
    name: String,
    namespace: String,
    rules: Vec<Rule>,
}

/// A rule of a policy, as Envoy names it; `None` when no rule decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RuleName<'p>(Option<(&'p str, &'p str, usize)>);

impl fmt::Display for RuleName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((namespace, policy, rule)) => {
                write!(f, "ns[{namespace}]-policy[{policy}]-rule[{rule}]")
            }
            None => f.write_str("none"),
        }
    }
}

/// What the policies say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict<'p> {
    Allow,
    Deny(RuleName<'p>),
}

impl Policies {
    /// # Errors
    /// Names the policy, the rule and the field.
    pub(crate) fn compile(config: &Config) -> Result<Self> {
        let mut policies = Self::default();
        for policy in &config.policies {
            let compiled = Policy::compile(policy, &config.trust_domain)?;
            let set = if policy.dry_run { &mut policies.shadow } else { &mut policies.enforced };
            match policy.action {
                Action::Allow => set.allow.push(compiled),
                Action::Deny => set.deny.push(compiled),
                Action::Audit => policies.audit.push(compiled),
            }
        }
        Ok(policies)
    }

    pub(crate) fn enforce(&self, facts: &Facts<'_, '_>) -> Verdict<'_> {
        self.enforced.decide(facts)
    }

    /// What the dry runs would say, had they been the only policies.
    pub(crate) fn shadow(&self, facts: &Facts<'_, '_>) -> Verdict<'_> {
        self.shadow.decide(facts)
    }

    /// The first AUDIT rule that matches.
    pub(crate) fn audit(&self, facts: &Facts<'_, '_>) -> Option<RuleName<'_>> {
        first_match(&self.audit, facts).ok().flatten()
    }
}

impl Set {
    fn decide(&self, facts: &Facts<'_, '_>) -> Verdict<'_> {
        match self.try_decide(facts) {
            Ok(verdict) => verdict,
            Err(error) => {
                weir_sdk::error!("request denied, policies cannot be evaluated: {error}");
                Verdict::Deny(RuleName(None))
            }
        }
    }

    fn try_decide(&self, facts: &Facts<'_, '_>) -> Result<Verdict<'_>> {
        if let Some(rule) = first_match(&self.deny, facts)? {
            return Ok(Verdict::Deny(rule));
        }
        if self.allow.is_empty() || first_match(&self.allow, facts)?.is_some() {
            return Ok(Verdict::Allow);
        }
        Ok(Verdict::Deny(RuleName(None)))
    }
}

fn first_match<'p>(policies: &'p [Policy], facts: &Facts<'_, '_>) -> Result<Option<RuleName<'p>>> {
    for policy in policies {
        for (index, rule) in policy.rules.iter().enumerate() {
            if rule.matches(facts)? {
                return Ok(Some(RuleName(Some((&policy.namespace, &policy.name, index)))));
            }
        }
    }
    Ok(None)
}

impl Policy {
    fn compile(policy: &PolicyConfig, trust_domain: &str) -> Result<Self> {
        let place = format!("policy {}/{}", policy.namespace, policy.name);
        if policy.action == Action::Deny && policy.rules.is_empty() {
            return Err(Error::new(format!("{place}: a DENY policy needs rules")));
        }
        let scope = Scope { namespace: &policy.namespace, trust_domain };
        let rules = policy.rules.iter().enumerate().map(|(index, rule)| {
            Rule::compile(rule, scope)
                .map_err(|error| Error::new(format!("{place}: rules[{index}]: {error}")))
        });
        Ok(Self {
            name: policy.name.clone(),
            namespace: policy.namespace.clone(),
            rules: rules.collect::<Result<_>>()?,
        })
    }
}
