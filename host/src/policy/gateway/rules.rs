//! Rules of HTTPRoutes and GRPCRoutes as routes of the plan, one for each match.

use super::backends::{Backends, MISSING_STATUS};
use super::{filters, grpc, http};
use crate::plan::chain::FilterRef;
use crate::plan::matcher::RouteMatch;
use crate::plan::route::Route;
use crate::policy::document::{Node, Value};
use crate::policy::kind::Kind;
use crate::policy::listener::Compiler;
use crate::policy::resource::Resource;
use crate::policy::shape::duration;
use std::borrow::Cow;
use std::time::Duration;

/// Where routes are put together.
#[derive(Clone, Copy)]
pub(super) struct Site<'s> {
    /// Of the listener as its Gateway declares it, or of the service.
    pub(super) port: u16,
    /// What stands before the filters of each rule.
    pub(super) chain: &'s [FilterRef],
    /// Whether backends in other namespaces need a ReferenceGrant. In the mesh they do not: the
    /// caller could call them without a route just as well.
    pub(super) grants: bool,
}

/// Greater goes first: what a match compares, field by field, as its kind of route has it.
pub(super) type Rank = [usize; 5];

/// A match of a rule with its standing among all rules of a host.
pub(super) struct Ranked {
    pub(super) rank: Rank,
    pub(super) route: Route,
}

/// What a match asks for.
pub(super) struct Matching {
    pub(super) rank: Rank,
    pub(super) conditions: RouteMatch,
    /// The prefix that `ReplacePrefixMatch` replaces.
    pub(super) prefix: Option<String>,
}

/// The routes of a document, in order of writing.
pub(super) fn of_document(
    compiler: &mut Compiler<'_>,
    document: &Resource,
    site: &Site<'_>,
) -> Vec<Ranked> {
    let mut routes = Vec::new();
    for rule in &*rules(document) {
        routes.extend(of_rule(compiler, document, rule, site));
    }
    routes
}

/// A route without rules has one that takes everything.
fn rules(document: &Resource) -> Cow<'_, [Node]> {
    match document.spec.list("rules") {
        [] => Cow::Owned(vec![Node { span: document.span, value: Value::Map(Vec::new()) }]),
        rules => Cow::Borrowed(rules),
    }
}

fn of_rule(
    compiler: &mut Compiler<'_>,
    document: &Resource,
    rule: &Node,
    site: &Site<'_>,
) -> Vec<Ranked> {
    let matchings = match document.kind {
        Kind::GrpcRoute => grpc::matchings(rule),
        _ => http::matchings(rule),
    };
    let backends = Backends::of(compiler, document, rule, site);
    let mut routes = Vec::new();
    for Matching { rank, conditions, prefix } in matchings {
        let mut chain = site.chain.to_vec();
        let at = filters::At { namespace: &document.namespace, port: site.port, prefix };
        chain.extend(filters::lower(compiler, rule, &backends, &at));
        let everything = conditions == RouteMatch::default();
        let route = Route {
            name: rule.text_at("name").unwrap_or_default().to_owned(),
            matches: if everything { Vec::new() } else { vec![conditions] },
            chain,
            cluster: backends.cluster.clone(),
            missing_cluster_status: MISSING_STATUS,
            timeout: timeout(rule),
            place: Some(compiler.place(rule.span)),
        };
        routes.push(Ranked { rank, route });
    }
    routes
}

/// The shorter of `timeouts.request` and `timeouts.backendRequest`: without retries both bound the
/// one attempt. Zero is no limit.
fn timeout(rule: &Node) -> Option<Duration> {
    let timeouts = rule.get("timeouts")?;
    let given = ["request", "backendRequest"].into_iter();
    let given = given.filter_map(|name| timeouts.text_at(name).and_then(duration));
    given.filter(|timeout| !timeout.is_zero()).min()
}
