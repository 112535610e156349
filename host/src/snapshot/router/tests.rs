//! Which route takes a request: Istio's matching, `host` by `host` and field by field.

use super::{Listener, Matched};
use crate::exchange::headers::{Headers, Pseudo, RequestLine};
use crate::plan::Plan;
use crate::plan::cluster::Workload;
use crate::plan::listener::{self, Domain, Role, VirtualHost};
use crate::plan::matcher::{HeaderMatch, PathMatch, QueryMatch, RouteMatch, StringMatch};
use crate::plan::route::{MISSING_CLUSTER_STATUS, Route};
use crate::snapshot::build::Builder;
use crate::wasm::tests::{ENGINE, environment};
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

fn route(name: &str, matches: Vec<RouteMatch>) -> Route {
    let (chain, cluster, timeout, place) = (Vec::new(), None, None, None);
    let missing_cluster_status = MISSING_CLUSTER_STATUS;
    let name = name.into();
    Route { name, matches, chain, cluster, missing_cluster_status, timeout, place }
}

fn build(virtual_hosts: Vec<VirtualHost>) -> Arc<Listener> {
    let listener = listener::Listener {
        name: "edge/main".into(),
        bind: ([127, 0, 0, 1], 1).into(),
        role: Role::Outbound,
        port: 80,
        workload: Workload::default(),
        virtual_hosts,
        unmatched: Vec::new(),
    };
    let plan = Plan { listeners: vec![listener], ..Plan::default() };
    let canary = environment();
    let read = |_: &_| Ok(Vec::new());
    let builder = Builder { engine: &ENGINE, canary: &canary, read: &read };
    Arc::clone(&builder.build(plan, None).unwrap().listeners[0])
}

/// A virtual host of each name for these domains, with one route that takes everything.
fn hosts(domains: &[(&str, Domain)]) -> Arc<Listener> {
    let host = |(name, domain): &(&str, Domain)| VirtualHost {
        name: (*name).into(),
        domains: vec![domain.clone()],
        routes: vec![route("", Vec::new())],
    };
    build(domains.iter().map(host).collect())
}

/// Whether a route with this match alone takes the request.
#[track_caller]
fn takes(condition: RouteMatch, request: &Headers) -> bool {
    let domains = vec![Domain::Any];
    let routes = vec![route("only", vec![condition])];
    build(vec![VirtualHost { name: "any".into(), domains, routes }]).route(request).is_some()
}

fn request(authority: &str, path: &str, headers: &[(&'static str, &str)]) -> Headers {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let line = RequestLine {
        method: Method::GET,
        scheme: HeaderValue::from_static("http"),
        authority: HeaderValue::from_str(authority).unwrap(),
        path: HeaderValue::from_str(path).unwrap(),
    };
    Headers::new(Pseudo::Request(line), map)
}

fn get(path: &str) -> Headers {
    request("host", path, &[])
}

fn exact(value: &str) -> StringMatch {
    StringMatch::Exact(value.into())
}

fn suffix(value: &str) -> Domain {
    Domain::Suffix(value.into())
}

fn path(value: PathMatch) -> RouteMatch {
    RouteMatch { path: Some(value), ..RouteMatch::default() }
}

fn header(name: &str, value: StringMatch, invert: bool) -> RouteMatch {
    let headers = vec![HeaderMatch { name: name.into(), value, invert }];
    RouteMatch { headers, ..RouteMatch::default() }
}

fn query(name: &str, value: StringMatch) -> RouteMatch {
    let query = vec![QueryMatch { name: name.into(), value }];
    RouteMatch { query, ..RouteMatch::default() }
}

#[test]
fn the_most_specific_domain_wins() {
    let listener = hosts(&[
        ("any", Domain::Any),
        ("com", suffix(".com")),
        ("example", suffix(".example.com")),
        ("exact", Domain::Exact("a.example.com".into())),
        ("v6", Domain::Exact("[::1]".into())),
        ("v4", Domain::Exact("10.0.0.1".into())),
    ]);
    for (authority, expected) in [
        ("a.example.com", "exact"),
        ("a.example.com:8080", "exact"),
        ("A.Example.COM:80", "exact"),
        ("b.example.com", "example"),
        ("x.b.example.com", "example"),
        ("example.com", "com"),
        (".example.com", "com"),
        ("other.org", "any"),
        ("com", "any"),
        ("[::1]", "v6"),
        ("[::1]:80", "v6"),
        ("[::2]:80", "any"),
        ("10.0.0.1:9", "v4"),
        ("10.0.0.1:", "v4"),
    ] {
        let headers = request(authority, "/", &[]);
        let found = listener.route(&headers).map(|Matched { virtual_host, .. }| &**virtual_host);
        assert_eq!(found, Some(expected), "{authority}");
    }
    let listener = hosts(&[("exact", Domain::Exact("a".into()))]);
    assert!(listener.route(&request("b", "/", &[])).is_none());
}

#[test]
fn the_first_of_equal_domains_wins() {
    let listener = hosts(&[
        ("one", suffix(".com")),
        ("two", suffix(".com")),
        ("first", Domain::Exact("x".into())),
        ("second", Domain::Exact("x".into())),
    ]);
    for (authority, expected) in [("a.com", "one"), ("x", "first")] {
        let headers = request(authority, "/", &[]);
        let matched = listener.route(&headers).unwrap();
        assert_eq!(&**matched.virtual_host, expected);
    }
}

#[test]
fn the_first_route_that_matches_wins() {
    let routes = vec![
        route("one", vec![path(PathMatch::Exact { value: "/a".into(), ignore_case: false })]),
        route(
            "either",
            vec![
                header("x-a", exact("1"), false),
                path(PathMatch::Prefix { value: "/b".into(), ignore_case: false }),
            ],
        ),
        route("rest", Vec::new()),
    ];
    let listener =
        build(vec![VirtualHost { name: "v".into(), domains: vec![Domain::Any], routes }]);
    for (target, headers, expected) in [
        ("/a", &[][..], "one"),
        ("/a?x", &[], "one"),
        ("/b", &[], "either"),
        ("/c", &[("x-a", "1")], "either"),
        ("/c", &[], "rest"),
    ] {
        let headers = request("h", target, headers);
        assert_eq!(&*listener.route(&headers).unwrap().route.name, expected, "{target}");
    }
}

#[test]
fn paths_match_without_their_query() {
    let prefix = |value: &str, ignore_case| PathMatch::Prefix { value: value.into(), ignore_case };
    let whole = |value: &str, ignore_case| PathMatch::Exact { value: value.into(), ignore_case };
    let segments = |value: &str| PathMatch::SegmentPrefix(value.into());
    let regex = |value: &str| PathMatch::Regex(value.into());
    for (matcher, target, expected) in [
        (whole("/foo", false), "/foo?q=1", true),
        (whole("/foo", false), "/foo/", false),
        (whole("/foo", false), "/FOO", false),
        (whole("/foo", true), "/FOO", true),
        (prefix("/foo", false), "/foobar", true),
        (prefix("/foo", false), "/Foo", false),
        (prefix("/foo", true), "/FooBar", true),
        (prefix("/foo", true), "/fo", false),
        (prefix("/foo?q", false), "/foo?q", false),
        (segments("/foo"), "/foobar", false),
        (segments("/foo"), "/foo/bar", true),
        (segments("/foo/"), "/foo", true),
        (segments("/"), "/anything", true),
        (regex("/a|/b"), "/ab", false),
        (regex("/a|/b"), "/b", true),
        (regex("/v[0-9]+/.*"), "/v12/x?y", true),
        (regex("/v[0-9]+"), "/v12/x", false),
    ] {
        assert_eq!(takes(path(matcher.clone()), &get(target)), expected, "{matcher:?} {target}");
    }
}

#[test]
fn headers_match_their_joined_values() {
    let two = request("h", "/", &[("x-a", "1"), ("x-a", "2")]);
    let none = get("/");
    for (value, invert, headers, expected) in [
        (exact("1,2"), false, &two, true),
        (exact("1"), false, &two, false),
        (StringMatch::Prefix("1,".into()), false, &two, true),
        (StringMatch::Regex("1.2".into()), false, &two, true),
        (StringMatch::Regex("1".into()), false, &two, false),
        (StringMatch::Present, false, &two, true),
        (StringMatch::Present, false, &none, false),
        (exact(""), false, &none, false),
        // withoutHeaders: a missing header is compared as the empty string.
        (exact("1"), true, &two, true),
        (exact("1,2"), true, &two, false),
        (exact("1"), true, &none, true),
        (exact(""), true, &none, false),
        (StringMatch::Regex(".*".into()), true, &none, false),
        (StringMatch::Present, true, &none, true),
        (StringMatch::Present, true, &two, false),
    ] {
        let condition = header("x-a", value.clone(), invert);
        assert_eq!(takes(condition, headers), expected, "{value:?} {invert}");
    }
}

#[test]
fn pseudo_headers_and_their_fields_match() {
    let of = |value| Some(exact(value));
    for (condition, expected) in [
        (header(":method", exact("GET"), false), true),
        (header(":authority", exact("host"), false), true),
        (RouteMatch { method: of("GET"), ..RouteMatch::default() }, true),
        (RouteMatch { method: of("get"), ..RouteMatch::default() }, false),
        (RouteMatch { authority: of("host"), ..RouteMatch::default() }, true),
        (RouteMatch { authority: of("hos"), ..RouteMatch::default() }, false),
        (RouteMatch { scheme: of("http"), ..RouteMatch::default() }, true),
        (RouteMatch { scheme: of("https"), ..RouteMatch::default() }, false),
        (RouteMatch { method: of("GET"), scheme: of("https"), ..RouteMatch::default() }, false),
    ] {
        assert_eq!(takes(condition.clone(), &get("/")), expected, "{condition:?}");
    }
}

#[test]
fn queries_match_the_first_value_as_written() {
    for (name, value, target, expected) in [
        ("a", exact("1"), "/?a=1", true),
        ("a", exact("1"), "/?b=2&a=1&a=2", true),
        ("a", exact("2"), "/?a=1&a=2", false),
        ("A", exact("1"), "/?a=1", false),
        ("a", exact(""), "/?a", true),
        ("a", exact(""), "/?a=", true),
        ("a", exact("x y"), "/?a=x%20y", false),
        ("a", exact("1=2"), "/?a=1=2", true),
        ("a", StringMatch::Present, "/?a", true),
        ("a", StringMatch::Present, "/", false),
        ("a", StringMatch::Present, "/?ab=1", false),
        ("a", StringMatch::Regex("[0-9]+".into()), "/?a=12", true),
        ("a", StringMatch::Regex("[0-9]+".into()), "/?a=12x", false),
    ] {
        let found = takes(query(name, value.clone()), &get(target));
        assert_eq!(found, expected, "{name} {value:?} {target}");
    }
}
