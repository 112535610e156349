//! `builtin:authz`: Istio's AuthorizationPolicy.
//!
//! Policies that apply to the workload come together in one configuration. A request that any DENY
//! policy matches is denied; else, when there are ALLOW policies, one must match. AUDIT policies
//! and dry runs only leave a log line and a count. Rules are compiled at configure time; a request
//! reads the header map once and every other attribute at most once.
//!
//! Fails closed: what the host refuses to tell denies the request, what merely has no value just
//! does not match.

mod address;
mod config;
mod facts;
mod pattern;
mod policy;
mod rule;
mod template;

use weir_sdk::{EndOfStream, Exchange, Flow, Plugin, Reply, Setup, metric::Counter};

use config::Config;
use facts::Facts;
use policy::{Policies, Verdict};

weir_sdk::export!(Authz, [on_request_headers]);

pub struct Authz {
    policies: Policies,
    denied: Counter,
    audited: Counter,
    shadow_denied: Counter,
}

impl Plugin for Authz {
    type Config = Config;
    type Stream = ();

    fn new(config: Config, setup: &mut Setup) -> weir_sdk::Result<Self> {
        Ok(Self {
            policies: Policies::compile(&config)?,
            denied: setup.counter("weir_authz_denied_total")?,
            audited: setup.counter("weir_authz_audited_total")?,
            shadow_denied: setup.counter("weir_authz_shadow_denied_total")?,
        })
    }

    fn on_request_headers(&self, _: &mut (), exchange: &mut Exchange<'_>, _: EndOfStream) -> Flow {
        let facts = Facts::new(exchange);
        if let Some(audit) = self.policies.audit(&facts) {
            self.audited.increment();
            weir_sdk::debug!("request audited by {audit}");
        }
        if let Verdict::Deny(policy) = self.policies.shadow(&facts) {
            self.shadow_denied.increment();
            weir_sdk::debug!("dry run: request would be denied, matched policy {policy}");
        }
        let Verdict::Deny(policy) = self.policies.enforce(&facts) else { return Flow::Continue };
        self.denied.increment();
        weir_sdk::debug!("request denied, matched policy {policy}");
        let details = format!("rbac_access_denied_matched_policy[{policy}]");
        let content_type = [("content-type", b"text/plain".as_slice())];
        exchange.reply(
            &Reply::new(403)
                .headers(content_type.into_iter())
                .body(b"RBAC: access denied".as_slice())
                .details(details),
        )
    }
}

#[cfg(test)]
mod tests;
