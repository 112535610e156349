//! Durations, percentages and ranges.

use std::time::Duration;

/// Go's `time.ParseDuration` without a sign: `5s`, `1.5s`, `100ms`, `1h2m`, `0`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut nanoseconds = 0.0_f64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, unit_and_rest) = rest.split_at(digits);
        let value: f64 = number.parse().ok()?;
        let length =
            unit_and_rest.find(|c: char| c.is_ascii_digit()).unwrap_or(unit_and_rest.len());
        let (unit, after) = unit_and_rest.split_at(length);
        nanoseconds += value
            * match unit {
                "ns" => 1.0,
                "us" | "µs" | "μs" => 1e3,
                "ms" => 1e6,
                "s" => 1e9,
                "m" => 60e9,
                "h" => 3600e9,
                _ => return None,
            };
        rest = after;
    }
    // 2^63 nanoseconds is Go's own bound, 292 years.
    (nanoseconds < 9.2e18).then(|| Duration::from_nanos(nanoseconds.round() as u64))
}

pub(super) fn duration_problem(text: &str, zero_allowed: bool) -> Option<String> {
    let Some(value) = duration(text) else {
        return Some("must be a duration such as `5s`, `100ms` or `1m30s`".to_owned());
    };
    if value.is_zero() && zero_allowed {
        return None;
    }
    (value < Duration::from_millis(1)).then(|| "must be at least `1ms`".to_owned())
}

/// Istio's `Percent.value`: 0, or 0.0001 to 100.
pub(crate) fn percentage(value: f64) -> bool {
    value == 0.0 || (0.0001..=100.0).contains(&value)
}

pub(super) fn out_of_range(value: i64, min: i64, max: i64) -> Option<String> {
    (value < min || value > max).then(|| format!("must be from {min} to {max}"))
}

pub(super) fn number_out_of_range(value: f64, min: f64, max: f64) -> Option<String> {
    let inside = value >= min && value <= max;
    (!inside).then(|| match (min.is_finite(), max.is_finite()) {
        (true, true) => format!("must be from {min} to {max}"),
        (true, false) => format!("must be at least {min}"),
        _ => "must be a number".to_owned(),
    })
}
