use super::number::duration_problem;
use super::text::decode_base64;
use super::*;
use std::time::Duration;

#[test]
fn durations_are_read_as_go_reads_them() {
    let seconds = |text: &str| duration(text).map(|value| value.as_secs_f64());
    assert_eq!(seconds("5s"), Some(5.0));
    assert_eq!(seconds("1.5s"), Some(1.5));
    assert_eq!(seconds("1h2m3s"), Some(3723.0));
    assert_eq!(seconds("0"), Some(0.0));
    assert_eq!(duration("100ms"), Some(Duration::from_millis(100)));
    for wrong in ["", "5", "s", "-1s", "5 s", "1d", "1.2.3s", "1e3s"] {
        assert_eq!(duration(wrong), None, "{wrong}");
    }
    assert!(duration_problem("0s", false).is_some());
    assert!(duration_problem("0s", true).is_none());
    assert!(duration_problem("999us", true).is_some());
}

#[test]
fn percentages_have_istio_s_smallest_step() {
    assert!([0.0, 0.0001, 50.0, 100.0].into_iter().all(percentage));
    assert!(![-1.0, 0.00001, 100.1, f64::NAN].into_iter().any(percentage));
}

#[test]
fn base64_is_decoded_or_refused() {
    assert_eq!(decode_base64("aGVsbG8="), Some(b"hello".to_vec()));
    assert_eq!(decode_base64(""), Some(Vec::new()));
    for wrong in ["a", "aGVsbG8", "aG=sbG8=", "a===", "aGVs!G8="] {
        assert_eq!(decode_base64(wrong), None, "{wrong}");
    }
}

#[test]
fn text_rules_refuse_what_the_field_cannot_hold() {
    let refused = [
        (Text::Sha256, "abc"),
        (Text::HttpUrl, "ftp://x"),
        (Text::HttpUrl, "http://"),
        (Text::ModuleUrl, "fake://x"),
        (Text::LabelValue, "a*"),
        (Text::Address, "unix://relative"),
        (Text::NotEverything, "*"),
        (Text::HeaderName, "a b"),
        (Text::KindName, "-x"),
    ];
    for (rule, text) in refused {
        assert!(rule.problem(text).is_some(), "{rule:?} {text}");
    }
    let taken = [
        (Text::Sha256, ""),
        (Text::ModuleUrl, "registry.example/plugin:v1"),
        (Text::ModuleUrl, "file:///x.wasm"),
        (Text::Address, "unix:///run/x"),
        (Text::ApiGroup, "gateway.networking.k8s.io"),
    ];
    for (rule, text) in taken {
        assert_eq!(rule.problem(text), None, "{rule:?} {text}");
    }
}

#[test]
fn a_near_name_is_suggested_and_a_far_one_is_not() {
    let names = ["timeout", "retries", "fault"];
    assert_eq!(nearest("timeOut", names.into_iter()), Some("timeout"));
    assert_eq!(nearest("retry", names.into_iter()), Some("retries"));
    assert_eq!(nearest("weight", names.into_iter()), None);
}
