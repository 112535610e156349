//! Bodies through filters: buffered, edited, and left alone.

use crate::harness::origin::Answer;
use crate::plugin_script::{probes, told, trace};

/// A request body in two frames, each with its own callback.
fn two_frames(
    proxy: &crate::harness::Running,
    last_request: &str,
) -> crate::harness::client::Response {
    let mut client = proxy.connect("main");
    client.write(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
    trace(proxy, last_request);
    client.write(b"6\r\n world\r\n0\r\n\r\n");
    client.read_response()
}

#[test]
fn a_buffering_filter_sees_everything_so_far() {
    let proxy =
        probes(&["on request_body buffer\non request_body body 0 0 100\n"]).origin("v1").start();
    let echoed = two_frames(&proxy, "p0 request_body 5 false").assert_status(200).json();
    assert_eq!(echoed["body"], "hello world");
    let trace = trace(&proxy, "p0 delete");
    let seen: Vec<&String> = trace.iter().filter(|line| line.contains(" body")).collect();
    assert_eq!(seen, ["p0 body = 0 hello", "p0 body = 0 hello world", "p0 body = 0 hello world"]);
    assert!(trace.contains(&"p0 request_body 11 true".to_owned()), "{trace:#?}");
}

#[test]
fn filters_before_a_buffering_one_see_each_frame_by_itself() {
    let proxy = probes(&["", "on request_body buffer", ""]).origin("v1").start();
    let echoed = two_frames(&proxy, "p1 request_body 5 false").assert_status(200).json();
    assert_eq!(echoed["body"], "hello world");
    let trace = trace(&proxy, "p2 delete");
    let of = |name: &str| -> Vec<String> {
        let start = format!("{name} request_body ");
        trace.iter().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
    };
    assert_eq!(of("p0"), ["5 false", "6 false", "0 true"]);
    assert_eq!(of("p1"), ["5 false", "11 false", "11 true"]);
    assert_eq!(of("p2"), ["11 true"]);
}

#[test]
fn two_filters_may_buffer_one_body() {
    let late = "on request_body/end timer 5\non request_body pause\non timer resume request\n";
    let proxy = probes(&["on request_body buffer", late]).origin("v1").start();
    let echoed = two_frames(&proxy, "p0 request_body 5 false").assert_status(200).json();
    assert_eq!(echoed["body"], "hello world");
    let proxy = probes(&[late, "on request_body buffer", late]).origin("v1").start();
    let echoed = two_frames(&proxy, "p0 request_body 5 false").assert_status(200).json();
    assert_eq!(echoed["body"], "hello world");
}

#[test]
fn an_edited_body_goes_out_with_its_own_length() {
    for (edit, expected) in [
        ("0 0 >> ", ">> hello"),
        ("99 0 <<", "hello<<"),
        ("1 3 ipp", "hippo"),
        ("0 5 a much longer text", "a much longer text"),
        ("0 99 x", "x"),
        ("0 99 ", ""),
    ] {
        let script = format!(
            "on request_body buffer\non request_body/end splice 0 {edit}\n\
             on response_body buffer\non response_body/end splice 1 {edit}\n"
        );
        let proxy = probes(&[&script])
            .origin_with("v1", {
                let length = expected.len().to_string();
                move |request| {
                    assert_eq!(request.header_all("content-length"), [length.as_str()]);
                    assert_eq!(String::from_utf8_lossy(&request.body), expected);
                    Answer::new(200, "hello")
                }
            })
            .start();
        let response = proxy.request("POST", "/").body("hello").send().assert_status(200);
        assert_eq!(response.text(), expected);
        assert_eq!(response.header_all("content-length"), [expected.len().to_string()]);
    }
}

#[test]
fn an_edited_chunked_body_arrives_whole() {
    let script = "on request_body splice 0 0 0 .\non response_body splice 1 0 0 .\n";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let proxy = probes(&[script, ""])
        .origin_with("v1", move |request| {
            assert_eq!(String::from_utf8_lossy(&request.body), ".hello. world.");
            Answer::raw(chunked)
        })
        .start();
    let response = two_frames(&proxy, "p1 request_body 6 false").assert_status(200);
    assert!([".abc.", ".abc"].contains(&response.text().as_str()), "{}", response.text());
}

#[test]
fn five_megabytes_pass_unchanged() {
    let bytes: Vec<u8> = (0..5_000_000u32).map(|at| (at % 251) as u8).collect();
    let expected = bytes.clone();
    for scripts in [&["", ""][..], &["on request_headers add 0 x a"]] {
        let expected = expected.clone();
        let proxy = probes(scripts)
            .origin_with("v1", move |request| {
                assert!(request.body == expected);
                Answer::new(200, request.body.clone())
            })
            .start();
        let response = proxy.request("POST", "/").body(bytes.clone()).send().assert_status(200);
        assert!(response.body == bytes);
    }
}

#[test]
fn more_than_may_be_held_is_refused() {
    let bytes = vec![b'x'; 2 << 20];
    let proxy = probes(&["on request_body buffer"]).origin("v1").start();
    proxy.request("POST", "/").body(bytes.clone()).send().assert_status(413);
    let proxy = probes(&["on response_body buffer"])
        .origin_with("v1", move |_| Answer::new(200, bytes.clone()))
        .start();
    proxy.get("/").assert_status(500);
}

#[test]
fn buffers_are_read_within_their_bounds() {
    let script = "\
        on request_body body 0 1 3\n\
        on request_body body 0 9 9\n\
        on request_body body 0 1 4294967295\n\
        on request_body body 1 0 9\n\
        on request_body body 4 0 9\n\
        on request_body body 99 0 9\n";
    let proxy = probes(&[script]).origin("v1").start();
    proxy.request("POST", "/").body("hello").send().assert_status(200);
    let trace = trace(&proxy, "p0 delete");
    let reads: Vec<&str> =
        trace.iter().filter_map(|line| line.strip_prefix("p0 body = ")).take(6).collect();
    assert_eq!(reads, ["0 ell", "0 ", "2 ", "1 ", "1 ", "2 "]);
    assert_eq!(told(&trace, "p0 request_body "), "5 false");
}
