//! Requests and responses on their way: connections, framing, streaming.

use crate::harness::client::{Client, Request};
use crate::harness::edge::{BARE, LOGGED, large_body};
use crate::harness::guest::BODY_WATCHER;
use crate::harness::origin::{Answer, read_request};
use crate::harness::{Proxy, wait_until};
use std::io::{BufReader, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, Instant};

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
fn upstream_connections_are_used_again_whatever_the_framing() {
    for (policy, framing) in [(BARE, "content-length"), (BARE, "chunked"), (LOGGED, "chunked")] {
        let proxy = Proxy::with(policy)
            .origin_with("v1", move |_| match framing {
                "chunked" => Answer::new(200, chunked(&[b'x'; 5000], 1000))
                    .header("transfer-encoding", "chunked"),
                _ => Answer::new(200, [b'x'; 5000]),
            })
            .start();
        let mut client = proxy.connect("main");
        for _ in 0..50 {
            assert_eq!(client.get("/").assert_status(200).body.len(), 5000);
        }
        assert_eq!(proxy.origin("v1").connections(), 1, "{framing}");
    }
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
    let gate = Arc::new(Barrier::new(2));
    let go = Arc::clone(&gate);
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
    go.wait();
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
fn a_body_with_trailers_is_read_to_its_end() {
    let raw = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
               2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n";
    let proxy = Proxy::with(BARE).origin_with("v1", move |_| Answer::raw(raw)).start();
    let mut client = proxy.connect("main");
    for _ in 0..2 {
        client.get("/").assert_status(200).assert_body("ok");
    }
    assert_eq!(proxy.origin("v1").connections(), 1);
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
fn head_of_a_local_reply_tells_its_length_and_sends_none_of_it() {
    let policy = LOGGED.replace(
        "      cluster:",
        "      - {name: r, plugin: \"builtin:respond\", config: {status: 200, body: \"12345\"}}\n      cluster:",
    );
    let proxy = Proxy::with(&policy).origin("v1").start();
    let mut client = proxy.connect("main");
    let head = Request::new(proxy.address("main"), "HEAD", "/x");
    client.send(&head).assert_status(200).assert_header("content-length", "5");
    client.get("/x").assert_status(200).assert_body("12345");
    assert_eq!(
        proxy.wait_log(2),
        ["HEAD /x 200 - direct_response 0 0", "GET /x 200 - direct_response 0 5"]
    );
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
fn a_response_until_close_becomes_chunked() {
    let proxy = Proxy::with(LOGGED)
        .origin_with("v1", |_| Answer::raw("HTTP/1.1 200 OK\r\n\r\nuntil close").close())
        .start();
    proxy.get("/").assert_status(200).assert_body("until close");
    assert_eq!(proxy.wait_log(1)[0], "GET / 200 - via_upstream 0 11");
}

#[test]
fn interim_responses_are_tolerated() {
    let raw = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let proxy = Proxy::with(BARE).origin_with("v1", move |_| Answer::raw(raw)).start();
    proxy.get("/").assert_status(200).assert_body("ok");
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
    assert_eq!(proxy.metric("weir_downstream_requests_total"), 640);
}

#[test]
fn a_chunked_answer_to_http_1_0_ends_with_the_connection() {
    let proxy = Proxy::with(BARE)
        .origin_with("v1", |_| {
            Answer::new(200, chunked(b"hello", 2)).header("transfer-encoding", "chunked")
        })
        .start();
    let answer = proxy.send_bytes(b"GET / HTTP/1.0\r\nhost: a\r\n\r\n");
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    assert!(!answer.to_lowercase().contains("transfer-encoding"), "{answer}");
}

#[test]
fn options_of_the_whole_server_is_forwarded() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    proxy.request("OPTIONS", "*").send().assert_status(200);
    assert_eq!(proxy.origin("v1").requests()[0].target, "*");
}

#[test]
fn a_denied_upload_is_not_asked_to_continue() {
    let policy = BARE.replace(
        "    - cluster:",
        "    - plugins: [{name: no, plugin: \"builtin:respond\", config: {status: 403}}]\n      cluster:",
    );
    let proxy = Proxy::with(&policy).origin("v1").start();
    let mut client = proxy.connect("main");
    client.write(b"PUT / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n");
    assert_eq!(client.read_head().unwrap().status, 403);
}

#[test]
fn repeated_fields_keep_their_lines_and_values_their_bytes() {
    for policy in [BARE, LOGGED] {
        let raw = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nx-raw: \xff\r\n\r\n";
        let proxy = Proxy::with(policy).origin_with("v1", move |_| Answer::raw(*raw)).start();
        let mut client = proxy.connect("main");
        client.write(
            b"GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\nx-b: 2\r\nx-a: 3\r\nconnection: close\r\n\r\n",
        );
        let answer = client.read_to_end();
        let has = |bytes: &[u8]| answer.windows(bytes.len()).any(|window| window == bytes);
        assert!(has(b"set-cookie: a=1\r\n") && has(b"set-cookie: b=2\r\n"), "{policy}");
        assert!(has(b"x-raw: \xff\r\n"), "{policy}");
        assert_eq!(proxy.origin("v1").requests()[0].header_all("x-a"), ["1", "3"]);
    }
}

#[test]
fn head_of_a_chunked_answer_has_no_body() {
    let raw = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-a: 1\r\n\r\n";
    let proxy = Proxy::with(BARE)
        .origin_with("v1", move |request| match request.method.as_str() {
            "HEAD" => Answer::raw(raw),
            _ => Answer::new(200, "ok"),
        })
        .start();
    let mut client = proxy.connect("main");
    let head = Request::new(proxy.address("main"), "HEAD", "/");
    client.send(&head).assert_status(200).assert_header("x-a", "1");
    client.get("/").assert_status(200).assert_body("ok");
}
