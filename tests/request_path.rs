//! Bytes in, bytes out: framing, connections, streaming and what goes wrong with them.

use crate::harness::client::{Client, Request};
use crate::harness::origin::{Answer, read_request};
use crate::harness::{Proxy, Running, wait_until};
use std::io::{BufReader, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// One listener, every request to `v1`, an access log that shows how each ended.
const LOGGED: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: edge, namespace: default}
spec:
  listeners:
  - name: main
    bind: 127.0.0.1:{main}
    routes:
    - plugins:
      - name: log
        plugin: "builtin:accesslog"
        config:
          path: "{folder}/access.log"
          format:
            text: "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT%\n"
      cluster: {endpoints: ["127.0.0.1:{v1}"]}
"#;

/// The same without any filter.
const BARE: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: edge, namespace: default}
spec:
  listeners:
  - name: main
    bind: 127.0.0.1:{main}
    routes:
    - cluster: {endpoints: ["127.0.0.1:{v1}"]}
"#;

fn large_body() -> Vec<u8> {
    (0..10_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + body.len() / size * 8 + 16);
    for chunk in body.chunks(size) {
        out.extend(format!("{:x}\r\n", chunk.len()).bytes());
        out.extend_from_slice(chunk);
        out.extend(b"\r\n");
    }
    out.extend(b"0\r\n\r\n");
    out
}

#[test]
fn one_connection_carries_many_requests_both_ways() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    let mut client = proxy.connect("main");
    for number in 0..20 {
        let response = client.get(&format!("/{number}?x=1")).assert_status(200);
        assert_eq!(response.json()["path"], format!("/{number}?x=1"));
    }
    assert_eq!(proxy.origin("v1").connections(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    let mut client = proxy.connect("main");
    client.write(b"GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.read_response().json()["path"], "/1");
    assert_eq!(client.read_response().json()["path"], "/2");
}

#[test]
fn connection_close_of_the_client_is_obeyed() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    let mut client = proxy.connect("main");
    client.write(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    client.read_response().assert_status(200);
    assert!(client.is_closed());
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    let answer = proxy.send_bytes(b"GET /old HTTP/1.0\r\nhost: a\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(proxy.origin("v1").requests()[0].target, "/old");
}

#[test]
fn large_bodies_pass_unchanged_both_ways_and_framings() {
    let body = large_body();
    for policy in [BARE, LOGGED] {
        let back = body.clone();
        let proxy = Proxy::with(policy)
            .origin_with("v1", move |request| {
                if request.target == "/chunked" {
                    let answer = Answer::new(200, chunked(&back, 70_001));
                    answer.header("transfer-encoding", "chunked")
                } else {
                    Answer::new(200, back.clone())
                }
            })
            .start();
        let sent = proxy.request("POST", "/length").body(body.clone()).send().assert_status(200);
        assert!(sent.body == body, "content-length body differs");
        let request = proxy.request("POST", "/chunked").header("transfer-encoding", "chunked");
        let sent = request.body(chunked(&body, 33_333)).send().assert_status(200);
        assert!(sent.body == body, "chunked body differs");
        for received in proxy.origin("v1").requests() {
            assert!(received.body == body, "{} differs at the origin", received.target);
        }
    }
}

#[test]
fn a_response_is_streamed_as_it_comes() {
    let (go, gate) = mpsc::channel::<()>();
    let gate = Gate::new(gate);
    let proxy = Proxy::with(LOGGED)
        .origin_raw("v1", move |mut stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            read_request(&mut reader, 0).unwrap();
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
                .unwrap();
            gate.wait();
            stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n").unwrap();
        })
        .start();
    let mut client = proxy.connect("main");
    client.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    client.read_head().unwrap();
    assert_eq!(client.line().unwrap(), "5");
    assert_eq!(client.line().unwrap(), "first");
    go.send(()).unwrap();
    assert_eq!(client.line().unwrap(), "6");
    assert_eq!(client.line().unwrap(), "second");
    assert_eq!(proxy.wait_log(1)[0], "GET / 200 - via_upstream 0 11");
}

#[test]
fn a_request_is_streamed_as_it_comes() {
    let (saw, seen) = mpsc::channel();
    let proxy = Proxy::with(LOGGED)
        .origin_raw("v1", move |mut stream| {
            let mut bytes = [0; 4096];
            let mut all = String::new();
            while !all.ends_with("0\r\n\r\n") {
                let count = stream.read(&mut bytes).unwrap();
                assert_ne!(count, 0, "ended after {all}");
                all += std::str::from_utf8(&bytes[..count]).unwrap();
                saw.send(all.clone()).unwrap();
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        })
        .start();
    let mut client = proxy.connect("main");
    client.write(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    wait_until("the first piece is at the origin", || {
        seen.try_iter().any(|so_far| so_far.contains("first"))
    });
    client.write(b"6\r\nsecond\r\n0\r\n\r\n");
    client.read_response().assert_status(200);
    assert_eq!(proxy.wait_log(1)[0], "POST / 200 - via_upstream 11 0");
}

#[test]
fn a_slow_reader_holds_the_origin_back_instead_of_filling_memory() {
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    const TOTAL: usize = 64 << 20;
    let proxy = Proxy::with(BARE)
        .origin_raw("v1", move |mut stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            read_request(&mut reader, 0).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {TOTAL}\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            let piece = vec![b'x'; 1 << 20];
            for _ in 0..TOTAL >> 20 {
                stream.write_all(&piece).unwrap();
                count.fetch_add(piece.len(), SeqCst);
            }
        })
        .start();
    let mut client = proxy.connect("main");
    client.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    client.read_head().unwrap();
    // What sockets hold is written at once; then nothing moves.
    let (mut before, mut still_since) = (0, Instant::now());
    wait_until("the origin is held back", || {
        let now = written.load(SeqCst);
        if now != before {
            (before, still_since) = (now, Instant::now());
        }
        still_since.elapsed() > Duration::from_millis(300)
    });
    assert!(before < TOTAL / 2, "{before} of {TOTAL} bytes were taken without a reader");
    assert_eq!(client.read_exactly(TOTAL).unwrap().len(), TOTAL);
}

#[test]
fn trailers_pass_behind_chunked_bodies() {
    let raw = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
               2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n";
    let proxy = Proxy::with(BARE).origin_with("v1", move |_| Answer::raw(raw)).start();
    let response = proxy.request("GET", "/").header("te", "trailers").send();
    assert_eq!(response.text(), "ok");
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
    let gone = ["x-nominated", "x-second", "keep-alive", "proxy-connection", "te", "upgrade"];
    for name in gone.into_iter().chain(["http2-settings", "proxy-authorization", "connection"]) {
        assert_eq!(received.header(name), None, "{name}");
    }
}

/// Every message here is answered 400 (or what is said) and never reaches the origin.
#[test]
fn ambiguous_and_malformed_requests_are_refused() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    let refused: &[(&str, &str)] = &[
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
        (
            "te list",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ),
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
        (
            "te unknown",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "te quoted",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        ),
        (
            "te with vt",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        ),
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
    for (what, bytes) in refused {
        let mut client = proxy.connect("main");
        client.write(bytes.as_bytes());
        let response = client.try_read_response("GET");
        assert_eq!(response.map(|it| it.status), Some(400), "{what}");
    }
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

#[test]
fn a_broken_chunk_is_the_clients_fault() {
    let proxy = Proxy::with(LOGGED).origin("v1").start();
    let answer = proxy.send_bytes(
        b"POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(proxy.wait_log(1)[0].starts_with("POST /x 400 DPE"), "{:?}", proxy.log());
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
fn bodiless_answers_have_no_body_and_keep_the_connection() {
    let proxy = Proxy::with(LOGGED)
        .origin_with("v1", |request| match request.target.as_str() {
            "/204" => Answer::new(204, ""),
            "/304" => Answer::new(304, "").header("etag", "\"x\""),
            _ => Answer::new(200, "12345"),
        })
        .start();
    let mut client = proxy.connect("main");
    let head = Request::new(proxy.address("main"), "HEAD", "/head");
    client.send(&head).assert_status(200).assert_header("content-length", "5");
    client.get("/204").assert_status(204).assert_no_header("content-length");
    client.get("/304").assert_status(304).assert_header("etag", "\"x\"");
    client.get("/after").assert_status(200).assert_body("12345");
    assert_eq!(proxy.origin("v1").connections(), 1);
    let lines = proxy.wait_log(4);
    assert_eq!(lines[0], "HEAD /head 200 - via_upstream 0 0");
    assert_eq!(lines[1], "GET /204 204 - via_upstream 0 0");
    assert_eq!(lines[3], "GET /after 200 - via_upstream 0 5");
}

#[test]
fn expect_continue_is_answered_and_not_forwarded() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    let mut client = proxy.connect("main");
    client
        .write(b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    assert_eq!(client.read_head().unwrap().status, 100);
    client.write(b"ok");
    assert_eq!(client.read_response().assert_status(200).json()["body"], "ok");
    assert_eq!(proxy.origin("v1").requests()[0].header("expect"), None);
}

#[test]
fn a_refusing_origin_is_503_uf_with_envoys_words() {
    let proxy = Proxy::with(LOGGED).start();
    proxy.get("/x").assert_status(503).assert_header("content-type", "text/plain").assert_body(
        "upstream connect error or disconnect/reset before headers. \
             reset reason: remote connection failure",
    );
    assert_eq!(
        proxy.wait_log(1)[0],
        "GET /x 503 UF upstream_reset_before_response_started{remote_connection_failure} 0 98"
    );
}

#[test]
fn an_origin_that_closes_before_its_answer_is_503_uc() {
    let proxy = Proxy::with(LOGGED)
        .origin_raw("v1", |stream| {
            let _ = read_request(&mut BufReader::new(&stream), 0);
        })
        .start();
    proxy.get("/x").assert_status(503).assert_body(
        "upstream connect error or disconnect/reset before headers. \
         reset reason: connection termination",
    );
    assert_eq!(
        proxy.wait_log(1)[0],
        "GET /x 503 UC upstream_reset_before_response_started{connection_termination} 0 95"
    );
}

#[test]
fn an_origin_that_does_not_speak_http_is_502_upe() {
    let proxy =
        Proxy::with(LOGGED).origin_with("v1", |_| Answer::raw("SSH-2.0-x\r\n\r\n").close()).start();
    proxy.get("/x").assert_status(502);
    assert!(proxy.wait_log(1)[0].starts_with("GET /x 502 UPE "), "{:?}", proxy.log());
}

/// Truncated is visible: never a clean end.
#[test]
fn an_origin_that_closes_in_the_middle_of_its_answer_breaks_the_clients_too() {
    for head in ["content-length: 100", "transfer-encoding: chunked"] {
        let raw = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n5\r\nhello\r\n");
        let script = move |_: &_| Answer::raw(raw.clone()).close();
        let proxy = Proxy::with(LOGGED).origin_with("v1", script).start();
        let mut client = proxy.connect("main");
        client.write(b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n");
        assert!(client.try_read_response("GET").is_none(), "{head}: a clean end");
        let line = &proxy.wait_log(1)[0];
        assert!(
            line.starts_with(
                "GET /x 200 UC upstream_reset_after_response_started{connection_termination}"
            ),
            "{head}: {line}"
        );
    }
}

#[test]
fn a_response_until_close_becomes_chunked() {
    let proxy = Proxy::with(LOGGED)
        .origin_with("v1", |_| Answer::raw("HTTP/1.1 200 OK\r\n\r\nuntil close").close())
        .start();
    proxy.get("/").assert_status(200).assert_body("until close");
    assert_eq!(proxy.wait_log(1)[0], "GET / 200 - via_upstream 0 11");
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

#[test]
fn interim_responses_are_tolerated() {
    let raw = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let proxy = Proxy::with(BARE).origin_with("v1", move |_| Answer::raw(raw)).start();
    proxy.get("/").assert_status(200).assert_body("ok");
}

/// The origin hangs up after every answer without saying so.
#[test]
fn an_origin_that_closes_idle_connections_fails_no_request() {
    let proxy = Proxy::with(BARE).origin_with("v1", |_| Answer::new(200, "ok").close()).start();
    let mut client = proxy.connect("main");
    for number in 0..300 {
        let response = client.get("/");
        assert_eq!((response.status, response.text().as_str()), (200, "ok"), "request {number}");
    }
}

#[test]
fn a_request_with_a_body_is_never_sent_twice() {
    let proxy = Proxy::with(LOGGED)
        .origin_with("v1", |request| match request.target.as_str() {
            "/break" => Answer::raw("").close(),
            _ => Answer::new(200, "ok"),
        })
        .start();
    let mut client = proxy.connect("main");
    client.get("/warm").assert_status(200);
    let post = Request::new(proxy.address("main"), "POST", "/break").body("once");
    client.send(&post).assert_status(503);
    let breaks = proxy.origin("v1").requests();
    assert_eq!(breaks.iter().filter(|request| request.target == "/break").count(), 1);
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
fn an_early_answer_of_the_origin_reaches_a_client_that_still_sends() {
    let proxy = Proxy::with(LOGGED)
        .origin_raw("v1", |mut stream| {
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).unwrap();
            stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig").unwrap();
            // Reads on, so that the answer is not lost to a reset.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        })
        .start();
    let mut client = proxy.connect("main");
    client.write(b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\nsome");
    client.read_response().assert_status(413).assert_body("big");
    assert_eq!(proxy.wait_log(1)[0].split(' ').nth(2), Some("413"));
}

/// The upstream connection of an unfinished upload must not be lent to the next request.
#[test]
fn a_request_does_not_wait_for_an_unfinished_upload() {
    let proxy = Proxy::with(BARE)
        .origin_raw("v1", |mut stream| {
            let mut head = [0; 1024];
            loop {
                if stream.read(&mut head).unwrap_or(0) == 0 {
                    return;
                }
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            }
        })
        .start();
    let mut slow = proxy.connect("main");
    slow.write(b"POST /slow HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nsome");
    slow.read_response().assert_status(200);
    proxy.get("/next").assert_status(200).assert_body("ok");
}

#[test]
fn a_client_that_leaves_is_logged_as_dc() {
    let proxy = Proxy::with(LOGGED)
        .origin_with("v1", |_| Answer::new(200, "late").delay(Duration::from_secs(1)))
        .start();
    let mut client = proxy.connect("main");
    client.write(b"GET /left HTTP/1.1\r\nhost: a\r\n\r\n");
    wait_until("the request is upstream", || !proxy.origin("v1").requests().is_empty());
    drop(client);
    let line = &proxy.wait_log(1)[0];
    assert!(line.starts_with("GET /left 0 DC downstream_remote_disconnect"), "{line}");
    assert_eq!(proxy.log().len(), 1);
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_body_is_logged_as_dc() {
    let proxy = Proxy::with(LOGGED).origin("v1").start();
    let mut client = proxy.connect("main");
    client.write(b"POST /left HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nfive!");
    wait_until("the request is upstream", || proxy.origin("v1").connections() == 1);
    drop(client);
    let line = &proxy.wait_log(1)[0];
    assert!(line.starts_with("POST /left 0 DC downstream_remote_disconnect"), "{line}");
    proxy.get("/next").assert_status(200);
}

#[test]
fn a_client_that_leaves_in_the_middle_of_the_answer_is_logged_as_dc() {
    let body = large_body();
    let proxy = Proxy::with(LOGGED).origin_with("v1", move |_| Answer::new(200, &*body)).start();
    let mut client = proxy.connect("main");
    client.write(b"GET /left HTTP/1.1\r\nhost: a\r\n\r\n");
    client.read_head().unwrap();
    drop(client);
    let line = &proxy.wait_log(1)[0];
    assert!(line.starts_with("GET /left 200 DC"), "{line}");
}

/// A filter that wants every body is told the end, and the stream is over when the length is
/// reached: hyper asks for no frame behind it.
#[test]
fn a_filtered_body_with_a_length_ends_with_its_last_byte() {
    let module = wat::parse_str(BODY_WATCHER).unwrap();
    let policy = LOGGED.replace(
        "      cluster:",
        "      - {name: watcher, plugin: \"file:./watcher.wasm\"}\n      cluster:",
    );
    let body = large_body();
    let answer = body.clone();
    let proxy = Proxy::with(&policy)
        .plugin("watcher.wasm", &module)
        .origin_with("v1", move |_| Answer::new(200, answer.clone()))
        .start();
    let mut client = proxy.connect("main");
    let post = Request::new(proxy.address("main"), "POST", "/x").body(body.clone());
    for _ in 0..2 {
        let response = client.send(&post).assert_status(200);
        assert!(response.body == body, "the answer differs");
    }
    assert_eq!(proxy.origin("v1").connections(), 1, "the connection is used again");
    assert!(proxy.origin("v1").requests().iter().all(|received| received.body == body));
    for line in proxy.wait_log(2) {
        assert_eq!(line, "POST /x 200 - via_upstream 10000000 10000000");
    }
    assert_eq!(proxy.metric("ends"), 4, "each body of two requests and two answers ended once");
}

/// Counts in the metric `ends` how often it is told the end of a body.
const BODY_WATCHER: &str = r#"
(module
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $add (param i32 i64) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "ends")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $define (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 16)))
    (i32.const 1))
  (func $body (param i32 i32 i32) (result i32)
    (if (local.get 2) (then (drop (call $add (i32.load (i32.const 16)) (i64.const 1)))))
    (i32.const 0))
  (export "proxy_on_request_body" (func $body))
  (export "proxy_on_response_body" (func $body))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_log") (param i32))
  (func (export "proxy_on_delete") (param i32)))
"#;

#[test]
fn requests_are_spread_over_endpoints_and_workers() {
    let policy = BARE.replace(r#""127.0.0.1:{v1}""#, r#""127.0.0.1:{v1}", "127.0.0.1:{v2}""#);
    let proxy = Proxy::with(&policy).origin("v1").origin("v2").workers(3).start();
    let mut v1 = 0;
    for _ in 0..200 {
        v1 += u32::from(proxy.get("/").origin() == "v1");
    }
    assert!((40..=160).contains(&v1), "{v1} of 200 to v1");
}

#[test]
fn requests_that_filters_see_carry_an_id() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    let seen = proxy.get("/").json();
    assert_eq!(seen["headers"]["x-request-id"].as_str().unwrap().len(), 36);
    assert_eq!(seen["headers"]["x-forwarded-proto"], "http");
    let given = proxy.request("GET", "/").header("x-request-id", "mine").send().json();
    assert_eq!(given["headers"]["x-request-id"], "mine");
}

#[test]
fn many_clients_at_once_are_all_served() {
    let proxy = Proxy::with(LOGGED).origin("v1").workers(2).start();
    let address = proxy.address("main");
    std::thread::scope(|scope| {
        for client in 0..32 {
            scope.spawn(move || {
                let mut connection = Client::connect(address);
                for number in 0..20 {
                    let path = format!("/{client}/{number}");
                    let response = connection.get(&path).assert_status(200);
                    assert_eq!(response.json()["path"], path);
                }
            });
        }
    });
    assert_eq!(proxy.wait_log(640).len(), 640);
    assert_eq!(Running::metric(&proxy, "weir_downstream_requests_total"), 640);
}

/// Holds origins until the test lets them go on, or ends.
struct Gate(
    #[expect(clippy::disallowed_types, reason = "a receiver shared by an origin's threads")]
    std::sync::Mutex<mpsc::Receiver<()>>,
);

impl Gate {
    #[expect(clippy::disallowed_types, reason = "a receiver shared by an origin's threads")]
    fn new(receiver: mpsc::Receiver<()>) -> Self {
        Self(std::sync::Mutex::new(receiver))
    }

    fn wait(&self) {
        // An error means that the test is over.
        let _ = self.0.lock().unwrap().recv();
    }
}
