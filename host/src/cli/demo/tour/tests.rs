use super::report::{Report, Row, Share};
use super::swap::{find_generation, with_section};
use serde_json::json;

#[test]
fn a_share_may_be_off_by_four_deviations() {
    // sqrt(0.1 * 0.9 / 3600) = 0.5 %
    let share = |hits| Share { hits, of: 3600, expected: 0.1 };
    assert!(share(360).is_expected() && share(431).is_expected() && share(289).is_expected());
    assert!(!share(433).is_expected() && !share(287).is_expected());
    assert!(!Share { hits: 0, of: 0, expected: 0.1 }.is_expected());
    assert_eq!(share(360).to_string(), "10.0 % of 3600 (may be 10 ± 2.0)");
}

#[test]
fn one_broken_promise_fails_the_report() {
    let row = |held| Row::new("p", "s", held);
    let report = |rows: Vec<Row>| Report::from(rows);
    assert_eq!(report(vec![row(true), row(false)]).to_string(), "1 of 2 promises held");
    assert!(!report(vec![row(true), row(false)]).held());
    assert!(report(vec![row(true), row(true)]).held());
    assert!(!report(Vec::new()).held());
}

#[test]
fn a_section_makes_another_file_of_the_same_module() {
    let module = b"\0asm\x01\0\0\0";
    let one = with_section(module, 1);
    assert_eq!(one[..8], module[..]);
    assert_eq!(one[8..], *b"\0\x0e\x09weir-demo\x01\0\0\0");
    assert_ne!(one, with_section(module, 2));
}

#[test]
fn the_generation_is_found_wherever_the_plugin_is_listed() {
    let entry = json!({"name": "builtin:authz", "generation": 7});
    let other = json!({"name": "builtin:split", "generation": 3});
    assert_eq!(find_generation(&json!([other, entry]), "authz"), Some(7));
    assert_eq!(find_generation(&json!({"plugins": [other, entry]}), "authz"), Some(7));
    assert_eq!(find_generation(&json!({"plugins": [other]}), "authz"), None);
}
