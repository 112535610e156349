use std::time::Duration;

use super::ConfigDuration;

#[test]
fn go_durations() {
    for (text, milliseconds) in [
        ("5s", 5_000),
        ("100ms", 100),
        ("1.5s", 1_500),
        ("1m", 60_000),
        ("1m30s", 90_000),
        ("1h", 3_600_000),
        ("0", 0),
        ("0s", 0),
        (".5s", 500),
        ("250000us", 250),
    ] {
        let parsed = ConfigDuration::try_from(text).unwrap();
        assert_eq!(parsed.0, Duration::from_millis(milliseconds), "{text}");
    }
}

#[test]
fn what_is_not_a_duration() {
    for text in ["", "5", "s", "5 s", "-1s", "1d", "1s ", "1..5s", "99999999999999999999h"] {
        assert!(ConfigDuration::try_from(text).is_err(), "{text}");
    }
}
