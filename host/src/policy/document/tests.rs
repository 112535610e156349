use super::parse::{ALIAS_NODES_MAX, DEPTH_MAX, SOURCE_BYTES_MAX};
use super::*;
use crate::policy::diagnostic::{Diagnostic, Diagnostics};
use proptest::prelude::*;

fn read(text: &str) -> (Vec<Node>, Vec<Diagnostic>) {
    let mut diagnostics = Diagnostics::default();
    let documents = parse(0, text, &mut diagnostics);
    (documents, diagnostics.finish(&["x.yaml"]))
}

fn problem(text: &str) -> String {
    let (_, diagnostics) = read(text);
    diagnostics.first().expect("a problem").to_string()
}

#[test]
fn every_node_keeps_its_place() {
    let (documents, problems) = read("a:\n  - b: \"two words\"\n");
    assert!(problems.is_empty());
    let node = documents[0].list("a")[0].get("b").unwrap();
    assert_eq!(node.text(), Some("two words"));
    assert_eq!((node.span.line, node.span.column, node.span.length), (2, 8, 11));
}

#[test]
fn scalars_have_the_types_of_the_core_schema() {
    let text = "[1, -2, 1.5, 1e3, true, ~, '1', yes, 0x1f, 1.2.3.4, .inf, 1_000, '']";
    let (documents, _) = read(text);
    let resolved: Vec<_> = documents[0].items().iter().filter_map(Node::resolve).collect();
    assert_eq!(
        resolved,
        [
            Resolved::Integer(1),
            Resolved::Integer(-2),
            Resolved::Number(1.5),
            Resolved::Number(1000.0),
            Resolved::Boolean(true),
            Resolved::Null,
            Resolved::Text("1"),
            Resolved::Text("yes"),
            Resolved::Integer(31),
            Resolved::Text("1.2.3.4"),
            Resolved::Number(f64::INFINITY),
            Resolved::Text("1_000"),
            Resolved::Text(""),
        ]
    );
}

#[test]
fn json_is_yaml_and_empty_documents_are_left_out() {
    let (documents, problems) = read("---\n---\n{\"a\": [1, {\"b\": null}]}\n---\n# nothing\n");
    assert!(problems.is_empty());
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0].to_json().to_string(), r#"{"a":[1,{"b":null}]}"#);
}

#[test]
fn a_key_given_twice_is_reported_at_the_second() {
    assert_eq!(
        problem("a: 1\nb: 2\na: 3\n"),
        "x.yaml:3:1: error[E0002]: `a` is given twice; first at line 1; remove one of the two"
    );
}

#[test]
fn a_tab_is_called_a_tab() {
    assert!(problem("a:\n\tb: 1\n").contains("x.yaml:2:1: error[E0001]: a tab indents this line"));
}

#[test]
fn a_template_is_called_a_template() {
    assert!(problem("a: {{ .Values.x }}\n").contains("render it first"));
}

#[test]
fn aliases_and_merge_keys_are_expanded() {
    let (documents, problems) = read("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: *a\n");
    assert!(problems.is_empty());
    let json = documents[0].to_json();
    assert_eq!(json["b"].to_string(), r#"{"x":3,"y":2}"#);
    assert_eq!(json["c"].to_string(), r#"{"x":1,"y":2}"#);
}

#[test]
fn a_closing_bracket_may_stand_below_its_key() {
    let (documents, problems) = read("c:\n  a: [\n    \"x\",\n  ]\n  b: 1\n");
    assert!(problems.is_empty(), "{problems:?}");
    let b = documents[0].at(&["c", "b"]).unwrap();
    assert_eq!((b.integer(), b.span.line, b.span.column), (Some(1), 5, 6));
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(problem(&text).contains(&format!("more than {ALIAS_NODES_MAX} values")));
}

#[test]
fn an_alias_to_itself_is_refused() {
    assert!(problem("a: &a [*a]\n").contains("inside the very value"));
}

#[test]
fn depth_costs_no_stack() {
    for text in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
        let (_, problems) = read(&text);
        assert_eq!(problems.len(), 1, "{:?}", problems.first());
    }
    let shallow = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
    assert!(read(&shallow).1.is_empty());
}

#[test]
fn a_huge_file_is_refused_unread() {
    assert!(problem(&" ".repeat(SOURCE_BYTES_MAX + 1)).contains("E0003"));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*") {
        read(&text);
    }

    #[test]
    fn arbitrary_structure_never_panics(
        text in "[-\\[\\]{}:,&*!|>'\"%@`#?~ \n\ta0.é\r]{0,60}"
    ) {
        read(&text);
    }
}
