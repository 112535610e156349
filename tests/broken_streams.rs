//! Either side leaves, breaks off or is late: what the other side and the log see.

use crate::harness::client::{Client, Request};
use crate::harness::edge::{BARE, LOGGED, large_body};
use crate::harness::origin::{Answer, read_request};
use crate::harness::{Proxy, wait_until};
use std::io::{BufReader, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

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
fn a_refusing_origin_is_503_uf_with_envoys_words() {
    let proxy = Proxy::with(LOGGED).start();
    proxy.get("/x").assert_status(503).assert_header("content-type", "text/plain").assert_body(
        "upstream connect error or disconnect/reset before headers. \
             reset reason: remote connection failure",
    );
    assert_eq!(
        proxy.wait_log(1)[0],
        "GET /x 503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} 0 98"
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

/// What is left on a connection whose client has gone is not the next client's answer.
#[test]
fn a_broken_off_answer_is_never_mixed_with_the_next() {
    let body = large_body();
    let proxy = Proxy::with(BARE)
        .origin_with("v1", move |request| match request.target.as_str() {
            "/large" => Answer::new(200, &*body),
            _ => Answer::new(200, "small"),
        })
        .start();
    for _ in 0..5 {
        let mut client = proxy.connect("main");
        client.write(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n");
        client.read_head().unwrap();
        drop(client);
        proxy.get("/small").assert_status(200).assert_body("small");
    }
}

#[test]
fn bytes_behind_an_answer_are_not_the_next_answer() {
    let raw = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok\
               HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
    let no_content = "HTTP/1.1 204 No Content\r\ncontent-length: 6\r\n\r\npoison";
    let proxy = Proxy::with(BARE)
        .origin_with("v1", move |request| match request.target.as_str() {
            "/extra" => Answer::raw(raw),
            "/204" => Answer::raw(no_content),
            _ => Answer::new(200, "clean"),
        })
        .start();
    let mut client = proxy.connect("main");
    for _ in 0..5 {
        client.get("/extra").assert_status(200).assert_body("ok");
        client.get("/next").assert_status(200).assert_body("clean");
        client.get("/204").assert_status(204);
        client.get("/next").assert_status(200).assert_body("clean");
    }
}

/// The coding would be lost with the hop's header line.
#[test]
fn an_answer_in_a_coding_of_its_own_hop_is_502() {
    let raw = "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nzz\r\n0\r\n\r\n";
    let proxy = Proxy::with(LOGGED).origin_with("v1", move |_| Answer::raw(raw)).start();
    proxy.get("/x").assert_status(502);
    assert!(proxy.wait_log(1)[0].starts_with("GET /x 502 UPE "), "{:?}", proxy.log());
}

/// The same as above, where requests and hang-ups meet all the time.
#[test]
fn an_origin_that_closes_idle_connections_fails_no_request_of_many_clients() {
    for policy in [BARE, LOGGED] {
        let proxy = Proxy::with(policy)
            .workers(2)
            .origin_with("v1", |_| Answer::new(200, "ok").close())
            .start();
        let address = proxy.address("main");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(move || {
                    let mut client = Client::connect(address);
                    for _ in 0..200 {
                        client.get("/").assert_status(200).assert_body("ok");
                    }
                });
            }
        });
    }
}

#[test]
fn stopping_breaks_no_answer() {
    let mut proxy = Proxy::with(LOGGED)
        .workers(2)
        .origin_with("v1", |_| {
            Answer::new(200, vec![b'x'; 100_000]).delay(Duration::from_millis(20))
        })
        .start();
    let address = proxy.address("main");
    let (begun, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = Client::connect(address);
                while !stop.load(SeqCst) {
                    if client.try_write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").is_err() {
                        return;
                    }
                    begun.fetch_add(1, SeqCst);
                    // Closed before the answer began is what a client repeats; half of it is not.
                    let Some(head) = client.read_head() else { return };
                    assert_eq!(head.status, 200);
                    assert!(client.read_exactly(100_000).is_some(), "an answer was broken off");
                }
            });
        }
        wait_until("requests flow", || begun.load(SeqCst) > 50);
        proxy.stop();
        stop.store(true, SeqCst);
    });
}

/// What is still in flight when the grace is over is broken off, and logged.
#[test]
fn stopping_does_not_wait_longer_than_its_grace() {
    let mut proxy = Proxy::with(LOGGED)
        .drain(Duration::from_millis(200))
        .origin_with("v1", |_| Answer::new(200, "never").delay(Duration::from_secs(15)))
        .start();
    let mut client = proxy.connect("main");
    client.write(b"GET /stuck HTTP/1.1\r\nhost: a\r\n\r\n");
    wait_until("the request is upstream", || !proxy.origin("v1").requests().is_empty());
    let started = Instant::now();
    proxy.stop();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(client.is_closed());
    assert_eq!(proxy.log().len(), 1, "{:?}", proxy.log());
}

#[test]
fn connections_that_are_gone_are_not_counted_on() {
    let proxy = Proxy::with(BARE).origin("v1").start();
    let open = || proxy.metric("weir_downstream_connections_active");
    let clients: Vec<_> = (0..5).map(|_| proxy.connect("main")).collect();
    wait_until("all are counted", || open() == 5);
    drop(clients);
    wait_until("none is left", || open() == 0);
}
