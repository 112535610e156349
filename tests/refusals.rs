//! What is ambiguous or belongs to one hop never reaches the origin (RFC 9110, RFC 9112).

use crate::harness::Proxy;
use crate::harness::edge::BARE;
use crate::harness::origin::Answer;

/// What is wrong with them, and requests that are answered 400.
const MALFORMED: &[(&str, &str)] = &[
    ("no host", "GET / HTTP/1.1\r\n\r\n"),
    ("two hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"),
    ("two equal hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n"),
    ("empty host", "GET / HTTP/1.1\r\nhost:\r\n\r\n"),
    ("host with a blank", "GET / HTTP/1.1\r\nhost: a b\r\n\r\n"),
    ("host list", "GET / HTTP/1.1\r\nhost: a, b\r\n\r\n"),
    ("host with userinfo", "GET / HTTP/1.1\r\nhost: u@a\r\n\r\n"),
    ("host with a path", "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n"),
    ("host with a wild port", "GET / HTTP/1.1\r\nhost: a:99999\r\n\r\n"),
    ("absolute with userinfo", "GET http://u@a/ HTTP/1.1\r\nhost: a\r\n\r\n"),
    ("absolute, other scheme", "GET ftp://a/ HTTP/1.1\r\nhost: a\r\n\r\n"),
    ("star for GET", "GET * HTTP/1.1\r\nhost: a\r\n\r\n"),
    ("authority for GET", "GET a:80 HTTP/1.1\r\nhost: a\r\n\r\n"),
    ("8-bit target", "GET /\u{e9} HTTP/1.1\r\nhost: a\r\n\r\n"),
    ("above the root", "GET /../x HTTP/1.1\r\nhost: a\r\n\r\n"),
    ("above the root, encoded", "GET /%2e%2e/x HTTP/1.1\r\nhost: a\r\n\r\n"),
    (
        "two lengths",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    ),
    ("length list", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 2\r\n\r\nab"),
    ("signed length", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\na"),
    ("hex length", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x1\r\n\r\na"),
    (
        "length overflow",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\na",
    ),
    ("te list", "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    (
        "te twice",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "te chunked chunked",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "te identity, chunked",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("te unknown", "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("te quoted", "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    ("te with vt", "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    (
        "te name with a blank",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    ),
    ("te in 1.0", "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("obs-fold", "GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n 2\r\n\r\n"),
    ("no colon", "GET / HTTP/1.1\r\nhost: a\r\nbad\r\n\r\n"),
    ("blank before the colon", "GET / HTTP/1.1\r\nhost: a\r\nx : 1\r\n\r\n"),
    ("empty name", "GET / HTTP/1.1\r\nhost: a\r\n: 1\r\n\r\n"),
    ("nul in a value", "GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n"),
    ("bare cr in a value", "GET / HTTP/1.1\r\nhost: a\r\nx: 1\r2\r\n\r\n"),
    ("connection removes host", "GET / HTTP/1.1\r\nhost: a\r\nconnection: host\r\n\r\n"),
    (
        "connection removes authorization",
        "GET / HTTP/1.1\r\nhost: a\r\nauthorization: x\r\nconnection: authorization\r\n\r\n",
    ),
    (
        "connection removes xff",
        "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 1.2.3.4\r\nconnection: close, X-Forwarded-For\r\n\r\n",
    ),
];

#[test]
fn ambiguous_and_malformed_requests_are_refused() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    for (what, bytes) in MALFORMED {
        let mut client = proxy.connect("main");
        client.write(bytes.as_bytes());
        let response = client.try_read_response("GET");
        assert_eq!(response.map(|it| it.status), Some(400), "{what}");
    }
    let reached: Vec<_> = proxy.origin("v1").requests();
    assert!(reached.is_empty(), "{reached:?}");
}

#[test]
fn what_is_not_served_has_its_own_status() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    let others = [
        (405, "TRACE / HTTP/1.1\r\nhost: a\r\nmax-forwards: 0\r\n\r\n".to_owned()),
        (405, "CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        (417, "POST / HTTP/1.1\r\nhost: a\r\nexpect: 42\r\ncontent-length: 0\r\n\r\n".to_owned()),
        (414, format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(9000))),
        (431, format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(200_000))),
        (431, format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: 1\r\n".repeat(200))),
    ];
    for (status, bytes) in others {
        let mut client = proxy.connect("main");
        // The proxy may answer and close before it has read all of it.
        let _ = client.try_write(bytes.as_bytes());
        let response = client.try_read_response("GET");
        assert_eq!(response.map(|it| it.status), Some(status), "{}", &bytes[..40]);
    }
    let reached: Vec<_> = proxy.origin("v1").requests();
    assert!(reached.is_empty(), "{reached:?}");
}

#[test]
fn smuggled_bytes_behind_a_refused_request_are_never_executed() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for head in [
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
    ] {
        let answer = proxy.send_bytes(format!("{head}{smuggled}").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400"), "{head}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{head}: {answer}");
    }
    assert!(proxy.origin("v1").requests().is_empty());
}

/// RFC 9112 §6.3: the coding wins, the length is dropped, and the connection ends behind it.
#[test]
fn a_length_beside_a_coding_is_dropped_and_nothing_follows() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for framing in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
    ] {
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n");
        let answer = proxy.send_bytes(format!("{head}0\r\n\r\n{smuggled}").as_bytes());
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{framing}: {answer}");
    }
    for received in proxy.origin("v1").requests() {
        assert_eq!(received.target, "/");
        assert!(received.header_all("content-length").len() <= 1);
        assert!(received.header("content-length").is_none_or(|length| length == "0"));
    }
}

/// K17: a local reply while the body is still to come; what follows is body, not a request.
#[test]
fn bytes_behind_an_early_reply_are_never_executed() {
    let policy = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: edge, namespace: default}
spec:
  listeners:
  - name: main
    bind: 127.0.0.1:{main}
    routes:
    - match: {path: {prefix: /deny}}
      plugins:
      - {name: no, plugin: "builtin:respond", config: {status: 403, body: "no"}}
    - cluster: {endpoints: ["127.0.0.1:{v1}"]}
"#;
    let proxy = Proxy::with(policy).origin("v1").start();
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for framing in ["content-length: 1000000", "transfer-encoding: chunked"] {
        let head = format!("POST /deny HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n");
        let mut client = proxy.connect("main");
        client.write(head.as_bytes());
        client.read_response().assert_status(403).assert_body("no");
        let _ = client.try_write(smuggled.as_bytes());
        assert!(client.try_read_response("GET").is_none(), "{framing}");
        // All in one piece, as a client that does not wait would.
        let answer = proxy.send_bytes(format!("{head}{smuggled}{smuggled}").as_bytes());
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{framing}: {answer}");
    }
    // A body that is there in full is skipped, and the connection goes on behind it.
    let mut client = proxy.connect("main");
    client.write(b"POST /deny HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbodyGET /next HTTP/1.1\r\nhost: a\r\n\r\n");
    client.read_response().assert_status(403);
    if let Some(next) = client.try_read_response("GET") {
        assert_eq!(next.json()["path"], "/next");
    }
    let reached = proxy.origin("v1").requests();
    assert!(reached.iter().all(|request| request.target == "/next"), "{reached:?}");
}

#[test]
fn an_absolute_target_decides_the_authority() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    let answer = proxy.send_bytes(
        b"GET http://real.test/a?b HTTP/1.1\r\nhost: other.test\r\nconnection: close\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let received = &proxy.origin("v1").requests()[0];
    assert_eq!(received.target, "/a?b");
    assert_eq!(received.header_all("host"), ["real.test"]);
}

#[test]
fn the_path_is_normalised_once_for_everybody() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    for (sent, forwarded) in [
        ("/a/./b/../c", "/a/c"),
        ("/%61dmin", "/admin"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a\\b", "/a/b"),
        ("//a", "//a"),
        ("/a?x=/../b", "/a?x=/../b"),
    ] {
        assert_eq!(proxy.get(sent).assert_status(200).json()["path"], forwarded, "{sent}");
    }
}

#[test]
fn hop_by_hop_fields_stay_on_their_hop() {
    let proxy = Proxy::with(BARE)
        .origin_with("v1", |_| {
            Answer::new(200, "ok")
                .header("connection", "x-private, keep-alive")
                .header("x-private", "secret")
                .header("keep-alive", "timeout=5")
                .header("proxy-connection", "keep-alive")
                .header("upgrade", "h2c")
                .header("x-kept", "yes")
        })
        .start();
    let response = proxy
        .request("GET", "/")
        .header("connection", "x-nominated")
        .header("connection", "x-second")
        .header("x-nominated", "1")
        .header("x-second", "1")
        .header("keep-alive", "timeout=5")
        .header("proxy-connection", "keep-alive")
        .header("proxy-authorization", "Basic eDp5")
        .header("te", "trailers")
        .header("upgrade", "h2c")
        .header("http2-settings", "AAMAAABk")
        .header("x-kept", "yes")
        .send()
        .assert_status(200)
        .assert_header("x-kept", "yes");
    for name in ["x-private", "keep-alive", "proxy-connection", "upgrade", "connection"] {
        assert_eq!(response.header(name), None, "{name}");
    }
    let received = &proxy.origin("v1").requests()[0];
    assert_eq!(received.header("x-kept"), Some("yes"));
    assert_eq!(received.header("te"), Some("trailers"), "trailers pass through");
    let gone = ["x-nominated", "x-second", "keep-alive", "proxy-connection", "upgrade"];
    for name in gone.into_iter().chain(["http2-settings", "proxy-authorization", "connection"]) {
        assert_eq!(received.header(name), None, "{name}");
    }
}

#[test]
fn framing_of_upstream_is_not_passed_on_twice() {
    let raw = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n\
               2\r\nok\r\n0\r\n\r\n";
    let proxy = Proxy::with(BARE).origin_with("v1", move |_| Answer::raw(raw)).start();
    let mut client = proxy.connect("main");
    let response = client.get("/");
    assert!(
        response.status == 502 || response.text() == "ok",
        "{} {:?}",
        response.status,
        response.text()
    );
    assert!(response.header_all("content-length").len() <= 1);
}

#[test]
fn an_unasked_switch_of_protocols_is_502() {
    let raw = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    let proxy = Proxy::with(BARE).origin_with("v1", move |_| Answer::raw(raw)).start();
    proxy.get("/").assert_status(502);
}

/// RFC 9110 §8.6: leading zeros are legal; what goes upstream has one meaning only.
#[test]
fn lengths_go_upstream_in_canonical_form() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    for (sent, forwarded) in [("0005", "5"), ("00", "0")] {
        let body = &"12345"[..sent.parse().unwrap()];
        let request = proxy.request("POST", "/").header("content-length", sent).body(body);
        request.send().assert_status(200);
        let received = proxy.origin("v1").requests();
        assert_eq!(received.last().unwrap().header_all("content-length"), [forwarded]);
    }
}
