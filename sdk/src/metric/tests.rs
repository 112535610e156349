use super::series_name;

#[test]
fn labels_are_escaped_as_prometheus_does() {
    assert_eq!(series_name("a", &[]), "a");
    assert_eq!(series_name("a", &[("x", "1"), ("y", "b c")]), r#"a{x="1",y="b c"}"#);
    assert_eq!(series_name("a", &[("x", "\"\\\n,}")]), r#"a{x="\"\\\n,}"}"#);
}
