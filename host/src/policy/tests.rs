use super::*;
use crate::policy::diagnostic::Severity;
use proptest::prelude::*;

fn source(text: &str) -> Source {
    Source { name: "x.yaml".to_owned(), base: PathBuf::new(), text: text.to_owned() }
}

fn load_text(text: &str) -> Loaded {
    load(&[source(text)], &Options::default())
}

fn errors(text: &str) -> Vec<String> {
    let found = load_text(text).diagnostics.into_iter();
    found.filter(|one| one.severity == Severity::Error).map(|one| one.to_string()).collect()
}

#[test]
fn nothing_is_a_plan_without_listeners() {
    let loaded = load(&[], &Options::default());
    assert_eq!(loaded.plan, Some(Plan::default()));
    let strict = Options { require_listeners: true, ..Options::default() };
    assert_eq!(load(&[], &strict).plan, None);
}

#[test]
fn all_errors_come_at_once_in_order() {
    let found = errors(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n  \
         hosts: a\n  http:\n  - route:\n    - destination: {host: 1}\n      weight: -1\n    \
         timeout: soon\n",
    );
    let places: Vec<&str> = found.iter().filter_map(|text| text.split(": ").next()).collect();
    assert_eq!(places, ["x.yaml:5:10", "x.yaml:8:27", "x.yaml:9:15", "x.yaml:10:14"]);
}

#[test]
fn a_typo_in_a_security_policy_is_an_error_in_every_mode() {
    let text = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a}\n\
                spec:\n  rules:\n  - form: []\n";
    for mode in [Mode::Compat, Mode::Istio, Mode::Strict] {
        let loaded = load(&[source(text)], &Options { mode, ..Options::default() });
        assert_eq!(loaded.plan, None, "{mode:?}");
        let found = loaded.diagnostics.iter().find(|one| one.severity == Severity::Error);
        let text = found.unwrap().to_string();
        assert!(text.contains("did you mean `from`?"), "{text}");
    }
}

#[test]
fn a_misspelt_security_kind_or_version_is_an_error() {
    let document = |version: &str, kind: &str| {
        errors(&format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{}}\n"))
    };
    assert_eq!(document("security.istio.io/v1", "AuthorizationPolicies").len(), 1);
    assert_eq!(document("security.istio.io/v1alpha9", "AuthorizationPolicy").len(), 1);
    assert!(document("example.com/v1", "Whatever").is_empty());
}

#[test]
fn a_report_shows_the_line_and_the_help() {
    let sources = [source("apiVersion: v1\nkind: Servic\nmetadata: {name: a}\n")];
    let loaded = load(&sources, &Options::default());
    let text = render(&loaded.diagnostics, &sources, false);
    assert!(text.contains("warning[W0102]: unknown kind `Servic`"), "{text}");
    assert!(text.contains("--> x.yaml:2:7"), "{text}");
    assert!(text.contains("2 | kind: Servic\n"), "{text}");
    assert!(text.contains("^^^^^^"), "{text}");
    assert!(text.contains("help: did you mean `v1` `Service`?"), "{text}");
    let json = serde_json::to_value(&loaded.diagnostics).unwrap();
    let first = json.as_array().unwrap().iter().find(|one| one["code"] == "W0102").unwrap();
    assert_eq!(first["place"]["line"], 2);
    assert_eq!(first["severity"], "warning");
}

#[test]
fn codes_are_unique_and_sorted_by_severity() {
    let mut ids: Vec<&str> = codes::ALL.iter().map(|code| code.id()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn ten_thousand_rules_load_in_a_blink() {
    let mut text =
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\n\
                    spec:\n  hosts: [a]\n  http:\n"
            .to_owned();
    for index in 0..10_000 {
        text.push_str(&format!(
            "  - match: [{{uri: {{prefix: /{index}}}}}]\n    route: [{{destination: {{host: a}}}}]\n"
        ));
    }
    let plan = load_text(&text).plan.unwrap();
    let routes = &plan.listeners[0].virtual_hosts[0].routes;
    assert_eq!(routes.len(), 10_000);
    let first = &routes[0].chain[0].config;
    assert!(routes.iter().all(|route| std::sync::Arc::ptr_eq(first, &route.chain[0].config)));
}

/// Fields and values of every shape, in places where they may or may not belong.
fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        "[a-z*./]{0,8}",
        Just("~".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("\"\"".to_owned()),
    ];
    let key = prop_oneof![
        Just("route"),
        Just("match"),
        Just("destination"),
        Just("host"),
        Just("uri"),
        Just("prefix"),
        Just("headers"),
        Just("rewrite"),
        Just("delegate"),
        Just("fault"),
        Just("endpoints"),
        Just("ports"),
        Just("rules"),
        Just("from"),
        Just("source"),
        Just("providers"),
        Just("name"),
    ];
    scalar.prop_recursive(4, 24, 4, move |inner| {
        let key = key.clone();
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((key, inner), 0..4).prop_map(|entries| {
                let entries: Vec<_> =
                    entries.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{{}}}", entries.join(", "))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_of_a_known_kind_panics(
        kind in prop::sample::select(vec![
            "networking.istio.io/v1 VirtualService", "networking.istio.io/v1 DestinationRule",
            "networking.istio.io/v1 Gateway", "networking.istio.io/v1 ServiceEntry",
            "security.istio.io/v1 AuthorizationPolicy", "telemetry.istio.io/v1 Telemetry",
            "extensions.istio.io/v1alpha1 WasmPlugin", "weir.dev/v1 Proxy", "v1 Service", "v1 Pod",
            "discovery.k8s.io/v1 EndpointSlice", "security.istio.io/v1 PeerAuthentication",
        ]),
        field in prop::sample::select(vec![
            "http", "hosts", "trafficPolicy", "subsets", "servers", "ports", "endpoints", "rules",
            "selector", "accessLogging", "metrics", "url", "listeners", "mtls", "gateways",
        ]),
        value in value(),
    ) {
        let (version, kind) = kind.split_once(' ').unwrap();
        let loaded = load_text(&format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\nspec:\n  {field}: {value}\n"
        ));
        render(&loaded.diagnostics, &[source("x")], true);
    }
}
