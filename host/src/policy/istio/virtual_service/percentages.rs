//! Shares of traffic: `percentage.value`, and the older `percent`.

use crate::policy::diagnostic::{Diagnostics, codes};
use crate::policy::document::Node;
use crate::policy::shape::percentage;

/// In per cent; a fault without one hits nobody.
pub(super) fn of(fault: &Node) -> f64 {
    let value = fault.at(&["percentage", "value"]).and_then(Node::number);
    value.or_else(|| fault.get("percent").and_then(Node::number)).unwrap_or(0.0)
}

pub(super) fn validate(node: Option<&Node>, diagnostics: &mut Diagnostics) {
    let Some(node) = node else { return };
    let Some(value) = node.number() else { return };
    if !percentage(value) {
        let message = format!("a percentage is 0 or from 0.0001 to 100, found {value}");
        diagnostics.report(codes::INVALID_VALUE, node.span, message);
    } else if value > 0.0 && value < 1.0 {
        let message = format!("{value} means {value} %, one request in {:.0}", 100.0 / value);
        let help = format!("for {} % write {}", value * 100.0, value * 100.0);
        diagnostics.report(codes::SMALL_PERCENTAGE, node.span, message).help(help);
    }
}
