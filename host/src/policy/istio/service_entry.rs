//! Conditions on ServiceEntry, WorkloadEntry and WorkloadGroup beyond their tables.

use super::virtual_service::export_to;
use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::Node;
use crate::policy::resource::Resource;
use std::collections::BTreeSet;

pub(super) fn validate(entry: &Resource, diagnostics: &mut Diagnostics) {
    let spec = &entry.spec;
    export_to(entry, diagnostics);
    let endpoints = spec.list("endpoints");
    let resolution = spec.text_at("resolution").unwrap_or("NONE");
    if let Some(given) = spec.entry("endpoints")
        && resolution == "NONE"
    {
        let message =
            "resolution NONE goes to the address the caller used: endpoints have no place";
        let help = "write `resolution: STATIC` for addresses, `DNS` for names";
        diagnostics.report(codes::EXCLUSIVE_FIELDS, given.key_span, message).help(help);
    }
    if resolution == "DNS_ROUND_ROBIN" && endpoints.len() > 1 {
        let message = "resolution DNS_ROUND_ROBIN takes at most one endpoint";
        diagnostics.report(codes::INVALID_VALUE, spec.span, message);
    }
    for address in spec.list("addresses") {
        let network = address.text().is_some_and(|text| text.contains('/'));
        if network && !["NONE", "STATIC"].contains(&resolution) {
            let message = "a network as address needs resolution NONE or STATIC";
            diagnostics.report(codes::INVALID_VALUE, address.span, message);
        }
    }
    ports(spec, diagnostics);
    for endpoint in endpoints {
        validate_workload(endpoint, diagnostics);
        let address = endpoint.get("address");
        let by_name = address.and_then(Node::text).is_some_and(|text| {
            text.parse::<std::net::IpAddr>().is_err() && !text.starts_with("unix://")
        });
        if let (Some(address), true, "STATIC") = (address, by_name, resolution) {
            let message = "resolution STATIC takes addresses, not names";
            let help = "write `resolution: DNS`";
            diagnostics.report(codes::INVALID_VALUE, address.span, message).help(help);
        }
    }
}

fn ports(spec: &Node, diagnostics: &mut Diagnostics) {
    let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for port in spec.list("ports") {
        if let Some(name) = port.get("name")
            && !names.insert(name.scalar_text())
        {
            let message = "two ports have this name";
            diagnostics.report(codes::INVALID_VALUE, name.span, message);
        }
        if let Some(number) = port.get("number")
            && !numbers.insert(number.integer())
        {
            let message = "two ports have this number";
            diagnostics.report(codes::INVALID_VALUE, number.span, message);
        }
    }
}

/// An endpoint, wherever it is written.
pub(super) fn validate_workload(endpoint: &Node, diagnostics: &mut Diagnostics) {
    if endpoint.entry("address").is_none() && endpoint.entry("network").is_none() {
        let message = "an endpoint needs `address`";
        diagnostics.report(codes::MISSING_FIELD, endpoint.span, message);
    }
    socket_has_no_ports(endpoint, diagnostics);
}

fn socket_has_no_ports(endpoint: &Node, diagnostics: &mut Diagnostics) {
    let socket = endpoint.text_at("address").is_some_and(|text| text.starts_with("unix://"));
    if let (true, Some(entry)) = (socket, endpoint.entry("ports")) {
        let message = "a unix socket has no ports";
        diagnostics.report(codes::EXCLUSIVE_FIELDS, entry.key_span, message);
    }
}

pub(super) fn validate_group(group: &Resource, diagnostics: &mut Diagnostics) {
    if let Some(template) = group.spec.get("template") {
        socket_has_no_ports(template, diagnostics);
    }
}
