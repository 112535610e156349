use weir_sdk::{
    attribute::{self, Attribute},
    testing::{Request, Step, Stream, Test},
};

use super::Authz;

/// One policy with these rules (JSON), applied to a request on which `prepare` sets attributes.
fn decide(action: &str, rules: &str, request: Request, prepare: impl Fn(&Stream<Authz>)) -> bool {
    let test = Test::<Authz>::new(&policy(action, rules)).unwrap();
    let stream = test.open(request);
    stream.set_i64(&attribute::DESTINATION_PORT, 8080);
    prepare(&stream);
    stream.request() == Step::Continue
}

fn policy(action: &str, rules: &str) -> String {
    format!(
        r#"{{"policies":[{{"name":"p","namespace":"foo","action":"{action}","rules":{rules}}}]}}"#
    )
}

fn rule_matches(rule: &str, request: Request, prepare: impl Fn(&Stream<Authz>)) -> bool {
    let rules = format!("[{rule}]");
    let allowed = decide("ALLOW", &rules, request.clone(), &prepare);
    let denied = !decide("DENY", &rules, request, &prepare);
    assert_eq!(allowed, denied, "ALLOW and DENY agree on what matches: {rule}");
    allowed
}

fn to(operation: &str) -> String {
    format!(r#"{{"to":[{{"operation":{operation}}}]}}"#)
}

fn from(source: &str) -> String {
    format!(r#"{{"from":[{{"source":{source}}}]}}"#)
}

fn when(condition: &str) -> String {
    format!(r#"{{"when":[{condition}]}}"#)
}

const PEER: &str = "spiffe://cluster.local/ns/foo/sa/web";

fn from_peer(source: &str, peer: Option<&str>) -> bool {
    rule_matches(&from(source), Request::get("/"), |stream| {
        if let Some(peer) = peer {
            stream.set_text(&attribute::CONNECTION_URI_SAN_PEER_CERTIFICATE, peer);
        }
    })
}

#[test]
fn no_policies_allow() {
    let test = Test::<Authz>::new("").unwrap();
    assert_eq!(test.open(Request::get("/")).request(), Step::Continue);
}

#[test]
fn rules_absent_match_nothing_and_an_empty_rule_everything() {
    let absent = r#"{"policies":[{"name":"p","namespace":"n"}]}"#;
    let test = Test::<Authz>::new(absent).unwrap();
    let stream = test.open(Request::get("/"));
    assert_eq!(stream.request(), Step::Replied);
    let reply = stream.reply().unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (403, "RBAC: access denied"));
    assert_eq!(reply.details, "rbac_access_denied_matched_policy[none]");
    assert!(stream.flags().is_empty());
    assert!(decide("ALLOW", "[{}]", Request::get("/"), |_| {}));
    assert!(!decide("DENY", "[{}]", Request::get("/"), |_| {}));
}

#[test]
fn deny_comes_before_allow_and_names_its_rule() {
    let configuration = r#"{"policies":[
        {"name":"all","namespace":"n","action":"ALLOW","rules":[{}]},
        {"name":"no-admin","namespace":"n","action":"DENY","rules":[
            {"to":[{"operation":{"methods":["DELETE"]}}]},
            {"to":[{"operation":{"paths":["/admin*"]}}]}]}]}"#;
    let test = Test::<Authz>::new(configuration).unwrap();
    assert_eq!(test.open(Request::get("/x")).request(), Step::Continue);
    let stream = test.open(Request::get("/admin/x?y"));
    assert_eq!(stream.request(), Step::Replied);
    let details = "rbac_access_denied_matched_policy[ns[n]-policy[no-admin]-rule[1]]";
    assert_eq!(stream.reply().unwrap().details, details);
    assert_eq!(test.host().metric("weir_authz_denied_total"), Some(1));
}

#[test]
fn audit_and_dry_run_never_enforce() {
    let configuration = r#"{"policies":[
        {"name":"a","namespace":"n","action":"AUDIT","rules":[{}]},
        {"name":"d","namespace":"n","action":"DENY","dryRun":true,"rules":[{}]}]}"#;
    let test = Test::<Authz>::new(configuration).unwrap();
    assert_eq!(test.open(Request::get("/")).request(), Step::Continue);
    assert_eq!(test.host().metric("weir_authz_audited_total"), Some(1));
    assert_eq!(test.host().metric("weir_authz_shadow_denied_total"), Some(1));
}

#[test]
fn principals() {
    for (source, matches) in [
        (r#"{"principals":["cluster.local/ns/foo/sa/web"]}"#, true),
        (r#"{"principals":["cluster.local/ns/foo/sa/we"]}"#, false),
        (r#"{"principals":["cluster.local/ns/foo/*"]}"#, true),
        (r#"{"principals":["*/sa/web"]}"#, true),
        (r#"{"principals":["*"]}"#, true),
        (r#"{"principals":["x","*/sa/web"]}"#, true),
        (r#"{"notPrincipals":["*/sa/web"]}"#, false),
        (r#"{"notPrincipals":["*/sa/api"]}"#, true),
        (r#"{"principals":["*"],"notPrincipals":["*/sa/web"]}"#, false),
        (r#"{"namespaces":["foo"]}"#, true),
        (r#"{"namespaces":["fo"]}"#, false),
        (r#"{"namespaces":["f*"]}"#, true),
        (r#"{"namespaces":["*"]}"#, true),
        (r#"{"notNamespaces":["foo"]}"#, false),
        (r#"{"serviceAccounts":["web"]}"#, true),
        (r#"{"serviceAccounts":["foo/web"]}"#, true),
        (r#"{"serviceAccounts":["bar/web"]}"#, false),
        (r#"{"notServiceAccounts":["web"]}"#, false),
        (r#"{"trustDomains":["cluster.local"]}"#, true),
        (r#"{"trustDomains":["other"]}"#, false),
        (r#"{"notTrustDomains":["other"]}"#, true),
    ] {
        assert_eq!(from_peer(source, Some(PEER)), matches, "{source}");
    }
}

#[test]
fn plaintext_has_no_principal() {
    for source in [r#"{"principals":["*"]}"#, r#"{"namespaces":["*"]}"#] {
        assert!(!from_peer(source, None), "{source}");
        assert!(!from_peer(source, Some("")), "{source}");
    }
    assert!(from_peer(r#"{"notPrincipals":["*"]}"#, None));
    assert!(from_peer(r#"{"notNamespaces":["foo"]}"#, None));
}

#[test]
fn cluster_local_stands_for_the_trust_domain() {
    let configuration = r#"{"trustDomain":"td1","policies":[{"name":"p","namespace":"n",
        "rules":[{"from":[{"source":{"principals":["cluster.local/ns/a/sa/b"]}}]}]}]}"#;
    let test = Test::<Authz>::new(configuration).unwrap();
    for (peer, step) in [
        ("spiffe://td1/ns/a/sa/b", Step::Continue),
        ("spiffe://cluster.local/ns/a/sa/b", Step::Replied),
    ] {
        let stream = test.open(Request::get("/"));
        stream.set_text(&attribute::CONNECTION_URI_SAN_PEER_CERTIFICATE, peer);
        assert_eq!(stream.request(), step, "{peer}");
    }
}

#[test]
fn addresses() {
    let addresses = |stream: &Stream<Authz>| {
        stream.set_text(&attribute::SOURCE_ADDRESS, "203.0.113.9:1000");
        stream.set_text(&attribute::WEIR_PEER_ADDRESS, "10.0.0.7:1000");
        stream.set_text(&attribute::DESTINATION_ADDRESS, "[2001:db8::5]:8080");
    };
    for (rule, matches) in [
        (from(r#"{"ipBlocks":["10.0.0.0/24"]}"#), true),
        (from(r#"{"ipBlocks":["203.0.113.0/24"]}"#), false),
        (from(r#"{"notIpBlocks":["10.0.0.0/24"]}"#), false),
        (from(r#"{"remoteIpBlocks":["203.0.113.9"]}"#), true),
        (from(r#"{"remoteIpBlocks":["10.0.0.0/24"]}"#), false),
        (from(r#"{"notRemoteIpBlocks":["10.0.0.0/24"]}"#), true),
        (when(r#"{"key":"source.ip","values":["10.0.0.7"]}"#), true),
        (when(r#"{"key":"remote.ip","notValues":["203.0.113.0/24"]}"#), false),
        (when(r#"{"key":"destination.ip","values":["2001:db8::/32"]}"#), true),
        (when(r#"{"key":"destination.port","values":["8080"]}"#), true),
        (when(r#"{"key":"destination.port","values":["80"]}"#), false),
    ] {
        assert_eq!(rule_matches(&rule, Request::get("/"), addresses), matches, "{rule}");
    }
    let nowhere = from(r#"{"ipBlocks":["0.0.0.0/0"]}"#);
    assert!(!rule_matches(&nowhere, Request::get("/"), |_| {}));
}

#[test]
fn operations() {
    let request = || Request::new("POST", "/a/b?c=/d").header(":authority", "Shop.Example.com:80");
    for (operation, matches) in [
        (r#"{"hosts":["shop.example.com:80"]}"#, true),
        (r#"{"hosts":["SHOP.EXAMPLE.COM:80"]}"#, true),
        (r#"{"hosts":["shop.example.com"]}"#, false),
        (r#"{"hosts":["shop.*"]}"#, true),
        (r#"{"hosts":["*.Example.com:80"]}"#, true),
        (r#"{"notHosts":["shop.*"]}"#, false),
        (r#"{"ports":["8080"]}"#, true),
        (r#"{"ports":["80","443"]}"#, false),
        (r#"{"notPorts":["8080"]}"#, false),
        (r#"{"methods":["GET","POST"]}"#, true),
        (r#"{"methods":["*"]}"#, true),
        (r#"{"methods":["post"]}"#, false),
        (r#"{"notMethods":["GET"]}"#, true),
        (r#"{"paths":["/a/b"]}"#, true),
        (r#"{"paths":["/A/b"]}"#, false),
        (r#"{"paths":["/a/*"]}"#, true),
        (r#"{"paths":["*/b"]}"#, true),
        (r#"{"paths":["*/d"]}"#, false),
        (r#"{"paths":["/{*}/b"]}"#, true),
        (r#"{"paths":["/a/{**}"]}"#, true),
        (r#"{"notPaths":["/a/*"]}"#, false),
        (r#"{"methods":["POST"],"paths":["/x"]}"#, false),
        (r#"{"methods":["POST"],"notPaths":["/x"]}"#, true),
    ] {
        assert_eq!(rule_matches(&to(operation), request(), |_| {}), matches, "{operation}");
    }
}

#[test]
fn headers() {
    let two = || Request::get("/").header("x-role", "user").header("X-Role", "admin");
    let condition =
        |values: &str| when(&format!(r#"{{"key":"request.headers[X-Role]",{values}}}"#));
    for (values, matches) in [
        (r#""values":["admin"]"#, true),
        (r#""values":["user"]"#, true),
        (r#""values":["user,admin"]"#, true),
        (r#""values":["us*"]"#, true),
        (r#""values":["*min"]"#, true),
        (r#""values":["*"]"#, true),
        (r#""values":["root"]"#, false),
        (r#""notValues":["admin"]"#, false),
        (r#""notValues":["root"]"#, true),
        (r#""values":["user"],"notValues":["admin"]"#, false),
    ] {
        assert_eq!(rule_matches(&condition(values), two(), |_| {}), matches, "{values}");
    }
    let present = condition(r#""values":["*"]"#);
    assert!(!rule_matches(&present, Request::get("/"), |_| {}));
    assert!(!rule_matches(&present, Request::get("/").header("x-role", ""), |_| {}));
    assert!(rule_matches(&condition(r#""notValues":["*"]"#), Request::get("/"), |_| {}));
}

#[test]
fn claims_and_server_name() {
    let metadata = |path: &[&str]| {
        Attribute::of(&[&["metadata", "filter_metadata", "istio_authn"], path].concat())
    };
    let prepare = |stream: &Stream<Authz>| {
        stream.set_text(&metadata(&["request.auth.principal"]), "iss/sub");
        stream.set_pairs(&metadata(&["request.auth.claims", "a", "b"]), &[("x", ""), ("y", "")]);
        stream.set_text(&attribute::CONNECTION_REQUESTED_SERVER_NAME, "a.com");
    };
    for (rule, matches) in [
        (from(r#"{"requestPrincipals":["iss/*"]}"#), true),
        (from(r#"{"notRequestPrincipals":["iss/sub"]}"#), false),
        (when(r#"{"key":"request.auth.principal","values":["iss/sub"]}"#), true),
        (when(r#"{"key":"request.auth.claims[a][b]","values":["y"]}"#), true),
        (when(r#"{"key":"request.auth.claims[a][b]","values":["z"]}"#), false),
        (when(r#"{"key":"request.auth.audiences","values":["*"]}"#), false),
        (when(r#"{"key":"connection.sni","values":["*.com"]}"#), true),
        (when(r#"{"key":"source.principal","notValues":["*"]}"#), true),
    ] {
        assert_eq!(rule_matches(&rule, Request::get("/"), prepare), matches, "{rule}");
    }
}

#[test]
fn a_rule_is_from_and_to_and_every_condition() {
    let rule = r#"{"from":[{"source":{"namespaces":["x"]}},{"source":{"namespaces":["foo"]}}],
        "to":[{"operation":{"methods":["GET"]}}],
        "when":[{"key":"request.headers[a]","values":["1"]},
                {"key":"request.headers[b]","values":["2"]}]}"#;
    let peer = |stream: &Stream<Authz>| {
        stream.set_text(&attribute::CONNECTION_URI_SAN_PEER_CERTIFICATE, PEER);
    };
    assert!(rule_matches(rule, Request::get("/").header("a", "1").header("b", "2"), peer));
    assert!(!rule_matches(rule, Request::get("/").header("a", "1"), peer));
    assert!(!rule_matches(rule, Request::new("PUT", "/").header("a", "1").header("b", "2"), peer));
    assert!(!rule_matches(rule, Request::get("/").header("a", "1").header("b", "2"), |_| {}));
}

#[test]
fn a_host_that_refuses_denies() {
    for action in ["ALLOW", "DENY"] {
        let rules = r#"[{"from":[{"source":{"notNamespaces":["x"]}}]}]"#;
        let allowed = decide(action, rules, Request::get("/"), |stream| {
            stream.break_property(&attribute::CONNECTION_URI_SAN_PEER_CERTIFICATE);
        });
        assert!(!allowed, "{action}");
    }
}

#[test]
fn few_host_calls() {
    let rules = r#"[{"to":[{"operation":{"hosts":["a"],"methods":["GET"],"paths":["/"]}}]},
        {"to":[{"operation":{"hosts":["example.com"],"methods":["GET"],"paths":["/x","/"]}}],
         "when":[{"key":"request.headers[a]","values":["1"]}]}]"#;
    let test = Test::<Authz>::new(&policy("ALLOW", rules)).unwrap();
    let stream = test.open(Request::get("/").header("a", "1"));
    test.host().take_calls();
    assert_eq!(stream.request(), Step::Continue);
    assert_eq!(test.host().take_calls(), 1);
}

#[test]
fn refused_configurations() {
    for (action, rules, reason) in [
        ("DENY", "[]", "a DENY policy needs rules"),
        ("CUSTOM", "[{}]", "CUSTOM"),
        ("ALLOW", r#"[{"from":[]}]"#, "from is empty"),
        ("ALLOW", r#"[{"to":[]}]"#, "to is empty"),
        ("ALLOW", r#"[{"to":[{"operation":{}}]}]"#, "entry is empty"),
        ("ALLOW", r#"[{"from":[{"source":{}}]}]"#, "entry is empty"),
        ("ALLOW", r#"[{"from":[{"source":{"ipBlocks":["10.0.0.0/40"]}}]}]"#, "ipBlocks"),
        ("ALLOW", r#"[{"to":[{"operation":{"ports":["http"]}}]}]"#, "not a port"),
        ("ALLOW", r#"[{"to":[{"operation":{"methods":[]}}]}]"#, "methods is empty"),
        ("ALLOW", r#"[{"when":[{"key":"nope","values":["a"]}]}]"#, "unknown key"),
        ("ALLOW", r#"[{"when":[{"key":"source.ip"}]}]"#, "neither values nor notValues"),
        ("ALLOW", r#"[{"from":[{"source":{"serviceAccounts":["a/b/c"]}}]}]"#, "serviceAccounts"),
        ("ALLOW", r#"[{"to":[{"operation":{"path":["/"]}}]}]"#, "policies[0].rules[0].to[0]"),
    ] {
        let message = Test::<Authz>::new(&policy(action, rules)).err().unwrap();
        assert!(message.contains(reason), "{rules}: {message}");
    }
}
