use serde::Deserialize;

use super::parse;

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Config {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Rule {
    port: u16,
}

#[test]
fn no_configuration_is_an_empty_object() {
    assert_eq!(parse::<Config>(b"").unwrap(), Config::default());
    assert_eq!(parse::<Config>(b" \n").unwrap(), Config::default());
}

#[test]
fn errors_carry_the_path() {
    for (text, path) in [
        (r#"{"name": 1}"#, "name"),
        (r#"{"rules": [{"port": 1}, {"port": "x"}]}"#, "rules[1].port"),
        (r#"{"rules": [{"port": 1, "prot": 2}]}"#, "rules[0].prot"),
        (r#"{"name": "a\"{[,", "rules": [{}]}"#, "rules[0]"),
        ("{\"rules\": [\n{\"port\": 1},\n{\"port\": 70000}\n]}", "rules[1].port"),
        (r#""x""#, "$"),
    ] {
        let message = parse::<Config>(text.as_bytes()).unwrap_err().to_string();
        assert!(message.starts_with(&format!("configuration: {path}: ")), "{text}: {message}");
    }
}
