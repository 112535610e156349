//! The attribute tree in Envoy's typed encoding, through a guest.

use crate::harness::Running;
use crate::plugin_script::{probes, told, trace};

/// Properties read in `callback`, as `status value` by path.
fn read(callback: &str, paths: &[&str]) -> (Running, impl Fn(&str) -> String) {
    let script: String =
        paths.iter().map(|path| format!("on {callback} property {path}\n")).collect();
    let proxy = probes(&[&script]).origin("v1").start();
    let request = proxy.request("POST", "/a/b?x=1&y=2").header("x-m", "1").header("x-m", "2");
    let request = request.header("referer", "r").header("user-agent", "ua");
    request.header("x-request-id", "id-1").body("hello").send().assert_status(200);
    let trace = trace(&proxy, "p0 delete");
    (proxy, move |path: &str| told(&trace, &format!("p0 property {path} = ")).to_owned())
}

/// A number as its eight bytes are traced.
fn int(value: u64) -> String {
    format!("0 {}", value.to_le_bytes().escape_ascii())
}

#[test]
fn requests_are_typed() {
    let text = [
        ("request/path", "/a/b?x=1&y=2"),
        ("request/url_path", "/a/b"),
        ("request/query", "x=1&y=2"),
        ("request/host", "test.local"),
        ("request/scheme", "http"),
        ("request/method", "POST"),
        ("request/referer", "r"),
        ("request/useragent", "ua"),
        ("request/id", "id-1"),
        ("request/protocol", "HTTP/1.1"),
        ("request/headers/x-m", "1,2"),
        ("request/headers/X-M", "1,2"),
        ("x_request_id", "id-1"),
        ("plugin_name", "p0"),
        ("plugin_root_id", "p0"),
    ];
    let mut paths: Vec<&str> = text.iter().map(|(path, _)| *path).collect();
    let others = [
        "request",
        "request/size",
        "request/time",
        "request/headers_bytes",
        "request/headers",
        "request/duration",
        "request/nonsense",
        "nonsense",
        "response/code",
        "connection/mtls",
        "connection/uri_san_peer_certificate",
    ];
    paths.extend(others);
    let (_proxy, told) = read("request_headers", &paths);
    for (path, value) in text {
        assert_eq!(told(path), format!("0 {value}"), "{path}");
    }
    assert_eq!(told("request"), "3 ", "a whole message has no encoding");
    assert_eq!(told("request/size"), int(0));
    assert!(told("request/headers").starts_with("0 ") && told("request/headers").contains("x-m"));
    for missing in ["request/duration", "request/nonsense", "nonsense", "response/code"] {
        assert_eq!(told(missing), "1 ", "{missing}");
    }
    assert_eq!(told("connection/mtls"), "0 \\x00");
    assert_eq!(told("connection/uri_san_peer_certificate"), "1 ");
}

#[test]
fn connections_and_routes_have_both_spellings() {
    let (proxy, told) = read(
        "response_headers",
        &[
            "destination/port",
            "destination/address",
            "source/address",
            "connection_id",
            "connection/id",
            "route_name",
            "xds/route_name",
            "cluster_name",
            "xds/cluster_name",
            "listener_direction",
            "xds/listener_direction",
            "xds/virtual_host_name",
            "node/id",
            "xds/node/id",
            "upstream/address",
            "upstream/port",
            "upstream/request_attempt_count",
            "response/code",
        ],
    );
    let main = proxy.address("main");
    let origin = proxy.origin("v1").port();
    assert_eq!(told("destination/port"), int(u64::from(main.port())));
    assert_eq!(told("destination/address"), format!("0 {main}"));
    assert!(told("source/address").starts_with("0 127.0.0.1:"));
    for (one, other) in [
        ("connection_id", "connection/id"),
        ("route_name", "xds/route_name"),
        ("cluster_name", "xds/cluster_name"),
        ("listener_direction", "xds/listener_direction"),
        ("node/id", "xds/node/id"),
    ] {
        assert_eq!(told(one), told(other), "{one}");
        assert!(told(one).starts_with("0 "), "{one} is missing");
    }
    assert_eq!(told("upstream/address"), format!("0 127.0.0.1:{origin}"));
    assert_eq!(told("upstream/port"), int(u64::from(origin)));
    assert_eq!(told("upstream/request_attempt_count"), int(1));
    assert_eq!(told("response/code"), int(200));
}

#[test]
fn a_finished_stream_knows_its_sizes() {
    let (_proxy, told) = read(
        "log",
        &[
            "request/size",
            "request/duration",
            "response/flags",
            "response/code_details",
            "response/size",
            "response/total_size",
            "response/backend_latency",
            "response/headers/content-type",
        ],
    );
    assert_eq!(told("request/size"), int(5));
    assert!(told("request/duration").starts_with("0 "));
    assert_eq!(told("response/flags"), int(0));
    assert_eq!(told("response/code_details"), "0 via_upstream");
    assert_ne!(told("response/size"), int(0));
    assert_ne!(told("response/total_size"), told("response/size"));
    assert!(told("response/backend_latency").starts_with("0 "));
    assert_eq!(told("response/headers/content-type"), "0 application/json");
}

#[test]
fn what_one_filter_stores_the_next_one_reads() {
    let write = "on request_headers set-property my.key some value\n\
                 on request_headers set-property my/path other\n";
    let read = "on request_headers property my.key\non log property my/path\n";
    let proxy = probes(&[write, read]).origin("v1").start();
    proxy.get("/").assert_status(200);
    let trace = trace(&proxy, "p1 delete");
    assert_eq!(told(&trace, "p1 property my.key = "), "0 some value");
    assert_eq!(told(&trace, "p1 property my/path = "), "0 other");
}

#[test]
fn nobody_passes_off_an_identity() {
    let forge = "on request_headers set-property connection/uri_san_peer_certificate spiffe://x\n\
                 on request_headers set-property source/address 10.0.0.1:1\n\
                 on request_headers set-property weir.source forged\n\
                 on request_headers set-property route_name forged\n";
    let read = "on request_headers property connection/uri_san_peer_certificate\n\
                on request_headers property source/address\n\
                on request_headers property weir.source\n\
                on request_headers property route_name\n";
    let proxy = probes(&[forge, read]).origin("v1").start();
    proxy.get("/").assert_status(200);
    let trace = trace(&proxy, "p1 delete");
    assert_eq!(told(&trace, "p1 property connection/uri_san_peer_certificate = "), "1 ");
    assert_eq!(told(&trace, "p1 property weir.source = "), "1 ");
    assert!(told(&trace, "p1 property source/address = ").starts_with("0 127.0.0.1:"));
    assert!(!told(&trace, "p1 property route_name = ").contains("forged"));
}

#[test]
fn stores_have_an_end() {
    let big = "x".repeat(60_000);
    let script: String =
        (0..6).map(|at| format!("on request_headers set-property k{at} {big}\n")).collect();
    let proxy = probes(&[&script]).origin("v1").start();
    proxy.get("/").assert_status(200);
    let trace = trace(&proxy, "p0 delete");
    let set: Vec<&str> =
        trace.iter().filter_map(|line| line.strip_prefix("p0 set-property ")).collect();
    assert_eq!(set, ["0", "0", "0", "0", "2", "2"]);
}
