//! Where Weir is not Envoy, on purpose.

/// One scenario that ends differently.
pub(super) struct Deliberate {
    pub(super) scenario: &'static str,
    /// What is different, and why that is better.
    pub(super) what: &'static str,
    /// Start of a line that only Envoy's transcript has; empty when Weir's only has more.
    envoy: &'static str,
    /// Start of a line that only Weir's transcript has; empty when Envoy's only has more.
    weir: &'static str,
}

impl Deliberate {
    /// Whether the difference is the one described.
    pub(super) fn differs_as_said(&self, envoy: &str, weir: &str) -> bool {
        only_in(envoy, weir, self.envoy) && only_in(weir, envoy, self.weir)
    }
}

fn only_in(text: &str, other: &str, start: &str) -> bool {
    let count = |text: &str, line: &str| text.lines().filter(|it| *it == line).count();
    start.is_empty()
        || text.lines().any(|line| {
            line.trim_start().starts_with(start) && count(text, line) > count(other, line)
        })
}

pub(super) const DELIBERATE: &[Deliberate] = &[];
