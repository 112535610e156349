//! Every rule of a VirtualService, seen from outside.

use crate::harness::client::Client;
use crate::harness::mesh::MESH;
use crate::harness::{Proxy, Running};
use std::time::{Duration, Instant};

/// Whether a share of `count` draws is within four standard deviations of its promise.
pub(crate) fn is_share(hits: u32, count: u32, share: f64) -> bool {
    let (hits, count) = (f64::from(hits), f64::from(count));
    (hits - count * share).abs() <= 4.0 * (count * share * (1.0 - share)).sqrt()
}

/// How many of `count` requests `v2` answers.
fn v2_of(proxy: &Running, count: u32) -> u32 {
    let mut client = Client::connect(proxy.address("main"));
    let request = proxy.svc("/");
    (0..count).map(|_| u32::from(client.send(&request).origin() == "v2")).sum()
}

/// A rule set where the first rule has one match and leads to `v2`; everything else is `v1`.
fn matching(condition: &str) -> Running {
    let rules = format!(
        "- match:\n  - {condition}\n  route: [{{destination: {{host: svc, subset: v2}}}}]\n\
         - route: [{{destination: {{host: svc, subset: v1}}}}]"
    );
    Proxy::mesh(&rules).start()
}

#[test]
fn uri_matches_are_exact_prefix_and_full_regex() {
    for (condition, v2, v1) in [
        ("{uri: {exact: /a}}", &["/a", "/a?x"][..], &["/A", "/a/", "/ab", "/"][..]),
        ("{uri: {prefix: /a}}", &["/a", "/ab", "/a/b?x"], &["/A", "/", "/b/a"]),
        ("{uri: {regex: '/a[0-9]+'}}", &["/a1", "/a22?y"], &["/a", "/a1/x", "/x/a1"]),
        ("{uri: {exact: /a}, ignoreUriCase: true}", &["/a", "/A"], &["/b"]),
        ("{uri: {prefix: /Ab}, ignoreUriCase: true}", &["/abc", "/ABC"], &["/b"]),
    ] {
        let proxy = matching(condition);
        for path in v2 {
            assert_eq!(proxy.svc(path).send().origin(), "v2", "{condition} takes {path}");
        }
        for path in v1 {
            assert_eq!(proxy.svc(path).send().origin(), "v1", "{condition} leaves {path}");
        }
    }
}

#[test]
fn header_matches_are_exact_prefix_regex_and_presence() {
    for (condition, v2, v1) in [
        ("{headers: {x-a: {exact: one}}}", &["one"][..], &["One", "ones", ""][..]),
        ("{headers: {x-a: {prefix: on}}}", &["one", "on"], &["o", "xon"]),
        ("{headers: {X-A: {regex: 'o.e'}}}", &["one", "ore"], &["onee", "one "]),
        ("{headers: {x-a: {}}}", &["one", ""], &[]),
        ("{withoutHeaders: {x-a: {exact: one}}}", &["two", ""], &["one"]),
        ("{withoutHeaders: {x-a: {}}}", &[], &["one", ""]),
    ] {
        let proxy = matching(condition);
        let send = |value: &str| proxy.svc("/").header("x-a", value).send().origin();
        for value in v2 {
            assert_eq!(send(value), "v2", "{condition} takes {value:?}");
        }
        for value in v1.iter().filter(|value| value.trim() == **value) {
            assert_eq!(send(value), "v1", "{condition} leaves {value:?}");
        }
        let without = proxy.svc("/").send().origin();
        let expected = if condition.starts_with("{without") { "v2" } else { "v1" };
        assert_eq!(without, expected, "{condition} without the header");
    }
}

#[test]
fn several_values_of_a_header_are_compared_joined() {
    let proxy = matching("{headers: {x-a: {exact: 'one,two'}}}");
    let request = proxy.svc("/").header("x-a", "one").header("x-a", "two");
    assert_eq!(request.send().origin(), "v2");
}

#[test]
fn method_authority_scheme_and_query_matches() {
    let proxy = matching("{method: {exact: POST}}");
    assert_eq!(proxy.request("POST", "/").host("svc").body("x").send().origin(), "v2");
    assert_eq!(proxy.svc("/").send().origin(), "v1");

    let proxy = matching("{authority: {prefix: svc.default}}");
    assert_eq!(proxy.request("GET", "/").host("svc.default").send().origin(), "v2");
    assert_eq!(proxy.svc("/").send().origin(), "v1");

    let proxy = matching("{scheme: {exact: http}}");
    assert_eq!(proxy.svc("/").send().origin(), "v2");

    let proxy = matching("{queryParams: {q: {exact: one}}}");
    for (path, origin) in [
        ("/?q=one", "v2"),
        ("/?x=y&q=one", "v2"),
        ("/?q=two&q=one", "v1"),
        ("/?Q=one", "v1"),
        ("/?q=%6fne", "v1"),
        ("/", "v1"),
    ] {
        assert_eq!(proxy.svc(path).send().origin(), origin, "{path}");
    }
    let proxy = matching("{queryParams: {q: {regex: '[0-9]+'}}}");
    assert_eq!(proxy.svc("/?q=12").send().origin(), "v2");
    assert_eq!(proxy.svc("/?q=12a").send().origin(), "v1");
}

#[test]
fn port_and_source_labels_matches() {
    let proxy = matching("{sourceLabels: {app: caller}}");
    assert_eq!(proxy.svc("/").send().origin(), "v2");
    let proxy = matching("{sourceLabels: {app: somebody-else}}");
    assert_eq!(proxy.svc("/").send().origin(), "v1");
    let proxy = matching("{sourceNamespace: default}");
    assert_eq!(proxy.svc("/").send().origin(), "v2");
    let proxy = matching("{sourceNamespace: elsewhere}");
    assert_eq!(proxy.svc("/").send().origin(), "v1");
}

#[test]
fn fields_of_one_match_are_and_matches_are_or_and_the_first_rule_wins() {
    let proxy = Proxy::mesh(
        "- match:\n  - {uri: {prefix: /a}, headers: {x: {exact: '1'}}}\n  - {uri: {exact: /b}}\n  route: [{destination: {host: svc, subset: v2}}]\n\
         - match: [{uri: {prefix: /a}}]\n  directResponse: {status: 418}\n\
         - route: [{destination: {host: svc, subset: v1}}]",
    )
    .start();
    assert_eq!(proxy.svc("/a").header("x", "1").send().origin(), "v2");
    assert_eq!(proxy.svc("/b").send().origin(), "v2");
    proxy.svc("/a").send().assert_status(418);
    assert_eq!(proxy.svc("/c").header("x", "1").send().origin(), "v1");
}

#[test]
fn weights_are_shares() {
    let proxy = Proxy::mesh(
        "- route:\n  - {destination: {host: svc, subset: v1}, weight: 90}\n  - {destination: {host: svc, subset: v2}, weight: 10}",
    )
    .start();
    let hits = v2_of(&proxy, 2000);
    assert!(is_share(hits, 2000, 0.1), "{hits} of 2000");
}

#[test]
fn weights_are_relative_and_zero_is_never() {
    let proxy = Proxy::mesh(
        "- route:\n  - {destination: {host: svc, subset: v1}, weight: 3}\n  - {destination: {host: svc, subset: v2}, weight: 1}\n  - {destination: {host: other}, weight: 0}",
    )
    .start();
    let hits = v2_of(&proxy, 1000);
    assert!(is_share(hits, 1000, 0.25), "{hits} of 1000");
    assert!(proxy.origin("other").requests().is_empty());
}

#[test]
fn rewrites_replace_prefix_exact_path_regex_and_authority() {
    let to = "route: [{destination: {host: svc, subset: v1}}]";
    let proxy = Proxy::mesh(&format!(
        "- match: [{{uri: {{prefix: /rw/}}}}]\n  rewrite: {{uri: /}}\n  {to}\n\
         - match: [{{uri: {{prefix: /rwx}}}}]\n  rewrite: {{uri: /y}}\n  {to}\n\
         - match: [{{uri: {{exact: /exact}}}}]\n  rewrite: {{uri: /new, authority: new.test}}\n  {to}\n\
         - match: [{{uri: {{prefix: /re}}}}]\n  rewrite: {{uriRegexRewrite: {{match: '^/re/([a-z]+)/(.*)$', rewrite: '/\\2/\\1'}}}}\n  {to}\n\
         - {to}"
    ))
    .start();
    for (sent, forwarded) in [
        ("/rw/a/b?x=1", "/a/b?x=1"),
        ("/rwxyz", "/yyz"),
        ("/exact?q", "/new?q"),
        ("/re/one/two", "/two/one"),
        ("/plain", "/plain"),
    ] {
        let seen = proxy.svc(sent).send().assert_status(200).json();
        assert_eq!(seen["path"], forwarded, "{sent}");
        let original = seen["headers"]["x-envoy-original-path"].as_str();
        assert_eq!(original, (sent != forwarded).then_some(sent), "{sent}");
    }
    assert_eq!(proxy.svc("/exact").send().json()["headers"]["host"], "new.test");
}

#[test]
fn redirects_answer_with_a_location() {
    let proxy = Proxy::mesh(
        "- match: [{uri: {exact: /redir}}]\n  redirect: {uri: /p2, authority: other.com}\n\
         - match: [{uri: {exact: /moved}}]\n  redirect: {uri: /there, redirectCode: 308}\n\
         - match: [{uri: {prefix: /tls}}]\n  redirect: {scheme: https}\n\
         - match: [{uri: {prefix: /port}}]\n  redirect: {port: 8443, scheme: https}\n\
         - route: [{destination: {host: svc, subset: v1}}]",
    )
    .start();
    for (sent, status, location) in [
        ("/redir?b=1", 301, "http://other.com/p2?b=1"),
        ("/moved", 308, "http://svc/there"),
        ("/tls/x?y", 301, "https://svc/tls/x?y"),
        ("/port/x", 301, "https://svc:8443/port/x"),
    ] {
        let response = proxy.svc(sent).send().assert_status(status);
        assert_eq!(response.header("location"), Some(location), "{sent}");
    }
}

#[test]
fn direct_responses_are_answered_without_an_origin() {
    let proxy = Proxy::mesh(
        "- match: [{uri: {prefix: /text}}]\n  directResponse: {status: 418, body: {string: short and stout}}\n\
         - directResponse: {status: 204}",
    )
    .start();
    proxy.svc("/text").send().assert_status(418).assert_body("short and stout");
    proxy.svc("/").send().assert_status(204).assert_body("");
    assert!(proxy.origin("v1").requests().is_empty());
}

#[test]
fn headers_of_routes_and_destinations_are_set_added_and_removed() {
    let proxy = Proxy::mesh(
        "- headers:\n    request: {set: {x-set: s, host: set.test}, add: {x-add: a}, remove: [x-rm]}\n    response: {set: {x-r: route}, remove: [content-type]}\n  route:\n  - destination: {host: svc, subset: v1}\n    headers: {request: {add: {x-add: d}}, response: {add: {x-d: dest}}}",
    )
    .start();
    let response = proxy
        .svc("/")
        .header("x-set", "old")
        .header("x-add", "old")
        .header("x-rm", "z")
        .send()
        .assert_status(200)
        .assert_header("x-r", "route")
        .assert_header("x-d", "dest")
        .assert_no_header("content-type");
    assert_eq!(response.origin(), "v1");
    let received = &proxy.origin("v1").requests()[0];
    assert_eq!(received.header_all("x-set"), ["s"]);
    assert_eq!(received.header_all("x-add"), ["old", "a", "d"]);
    assert_eq!(received.header("x-rm"), None);
    assert_eq!(received.header("host"), Some("set.test"));
}

#[test]
fn hosts_are_found_by_every_name_of_the_service() {
    let proxy = Proxy::mesh("- route: [{destination: {host: svc, subset: v2}}]").start();
    for host in [
        "svc",
        "svc:80",
        "SVC",
        "svc.default",
        "svc.default.svc",
        "svc.default.svc.cluster.local",
        "svc.default.svc.cluster.local:8080",
        "svc.default.svc.cluster.local.",
    ] {
        let response = proxy.request("GET", "/").host(host).send();
        assert_eq!(response.assert_status(200).origin(), "v2", "{host}");
    }
    assert_eq!(proxy.request("GET", "/").host("other").send().origin(), "other");
}

#[test]
fn a_service_without_rules_is_spread_over_its_endpoints() {
    let proxy = Proxy::with(MESH).origin("v1").origin("v2").origin("other").start();
    let hits = v2_of(&proxy, 400);
    assert!(is_share(hits, 400, 0.5), "{hits} of 400");
}

#[test]
fn a_subset_without_endpoints_is_uh_and_an_unknown_one_is_nc() {
    let proxy = Proxy::mesh(
        "- match: [{uri: {prefix: /empty}}]\n  route: [{destination: {host: svc, subset: v9}}]\n\
         - match: [{uri: {prefix: /unknown}}]\n  route: [{destination: {host: svc, subset: nope}}]\n\
         - match: [{uri: {prefix: /nohost}}]\n  route: [{destination: {host: nobody}}]\n\
         - match: [{uri: {prefix: /ok}}]\n  route: [{destination: {host: svc, subset: v1}}]",
    )
    .start();
    proxy.svc("/empty").send().assert_status(503).assert_body("no healthy upstream");
    proxy.svc("/unknown").send().assert_status(503).assert_body("");
    proxy.svc("/nohost").send().assert_status(503).assert_body("");
    proxy.svc("/no-rule").send().assert_status(404).assert_body("");
    proxy.svc("/ok").send().assert_status(200);
    for (flag, count) in [("UH", 1), ("NC", 2), ("NR", 1), ("-", 1)] {
        let label = format!("response_flags=\"{flag}\"");
        assert_eq!(proxy.metric_sum("istio_requests_total", &label), count, "{flag}");
    }
}

#[test]
fn a_timeout_is_504_and_its_absence_is_patience() {
    let slow = |_: &crate::harness::origin::Received| {
        crate::harness::origin::Answer::new(200, "late").delay(Duration::from_millis(1500))
    };
    let rules = "- match: [{uri: {prefix: /short}}]\n  timeout: 200ms\n  route: [{destination: {host: other}}]\n\
                 - route: [{destination: {host: other}}]";
    let proxy = Proxy::with(MESH)
        .file("rules.yaml", &crate::harness::mesh::virtual_service(rules))
        .origin("v1")
        .origin("v2")
        .origin_with("other", slow)
        .start();
    let started = Instant::now();
    proxy.svc("/short").send().assert_status(504).assert_body("upstream request timeout");
    assert!(started.elapsed() < Duration::from_millis(1400), "{:?}", started.elapsed());
    proxy.svc("/long").send().assert_status(200).assert_body("late");
}

/// A response that is under way when the time is over is broken off, not ended.
#[test]
fn a_timeout_in_the_middle_of_a_response_breaks_it_off() {
    let rules = "- timeout: 300ms\n  route: [{destination: {host: other}}]";
    let proxy = Proxy::with(MESH)
        .file("rules.yaml", &crate::harness::mesh::virtual_service(rules))
        .origin("v1")
        .origin("v2")
        .origin_raw("other", |mut stream| {
            use std::io::{Read, Write};
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome");
            // Until the proxy hangs up.
            let _ = stream.read(&mut [0; 1]);
        })
        .start();
    let mut client = proxy.connect("main");
    client.write(&proxy.svc("/x").bytes());
    assert!(client.try_read_response("GET").is_none());
    let logged = proxy.metric_sum("istio_requests_total", "response_flags=\"UT\"");
    assert_eq!(logged, 1, "{}", proxy.admin("/metrics").text());
}

#[test]
fn delegates_are_routed() {
    let root = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: root, namespace: default}\nspec:\n  hosts: [svc]\n  http:\n  - match: [{uri: {prefix: /d}}]\n    delegate: {name: part, namespace: default}\n  - route: [{destination: {host: svc, subset: v1}}]\n";
    let part = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: part, namespace: default}\nspec:\n  http:\n  - match: [{uri: {prefix: /d/2}}]\n    route: [{destination: {host: svc, subset: v2}}]\n";
    let proxy = Proxy::with(MESH)
        .file("root.yaml", root)
        .file("part.yaml", part)
        .origin("v1")
        .origin("v2")
        .origin("other")
        .start();
    assert_eq!(proxy.svc("/d/2").send().origin(), "v2");
    assert_eq!(proxy.svc("/").send().origin(), "v1");
}
