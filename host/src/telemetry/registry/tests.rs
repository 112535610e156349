use super::*;

#[test]
fn plugin_names_become_families_with_labels() {
    let registry = Registry::default();
    registry.define(r#"hits{route="a",user="x\"y"}"#, Metric::counter).unwrap().add(2);
    registry.define("wasm.custom-hits", Metric::gauge).unwrap().record(7);
    registry.define(r#"bad{a="b"#, Metric::counter).unwrap().add(1);
    let text = registry.render();
    assert!(text.contains("# TYPE hits counter\nhits{route=\"a\",user=\"x\\\"y\"} 2\n"), "{text}");
    assert!(text.contains("wasm_custom_hits 7\n"), "{text}");
    assert!(text.contains("bad_a__b 1\n"), "{text}");
}

#[test]
fn a_family_keeps_its_kind() {
    let registry = Registry::default();
    registry.define("x{a=\"1\"}", Metric::counter).unwrap();
    assert_eq!(registry.define("x{a=\"2\"}", Metric::gauge).err(), Some(KindMismatch));
}

#[test]
fn histograms_are_cumulative() {
    let registry = Registry::default();
    let metric = registry.define("d{a=\"1\"}", Metric::histogram).unwrap();
    for value in [0, 1, 7, 4_000_000] {
        metric.record(value);
    }
    let text = registry.render();
    for line in [
        "d_bucket{a=\"1\",le=\"0.5\"} 1",
        "d_bucket{a=\"1\",le=\"1\"} 2",
        "d_bucket{a=\"1\",le=\"10\"} 3",
        "d_bucket{a=\"1\",le=\"3600000\"} 3",
        "d_bucket{a=\"1\",le=\"+Inf\"} 4",
        "d_sum{a=\"1\"} 4000008",
        "d_count{a=\"1\"} 4",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
