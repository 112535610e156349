//! Which callbacks come, in which order, and what pausing and answering do to them. The order is
//! that of Envoy 1.40.

use crate::harness::origin::Answer;
use crate::harness::{Running, wait_until};
use crate::plugin_script::{Filter, policy, probes, told, trace, with_probe};

/// Nobody opens a fourth filter in these tests, so this ends every trace of a chain of `count`.
fn last(count: usize) -> String {
    format!("p{} delete", count - 1)
}

#[track_caller]
fn assert_served(proxy: &Running) {
    let echoed = proxy.request("POST", "/").body("hello").send().assert_status(200).json();
    assert_eq!(echoed["body"], "hello");
}

#[test]
fn requests_pass_in_order_and_responses_in_reverse() {
    let proxy = probes(&["", "", ""]).origin_with("v1", |_| Answer::new(200, "world!")).start();
    proxy.request("POST", "/").body("hello").send().assert_status(200).assert_body("world!");
    let expected = "\
        p0 create|p0 request_headers false|p1 create|p1 request_headers false|\
        p2 create|p2 request_headers false|\
        p0 request_body 5 false|p1 request_body 5 false|p2 request_body 5 false|\
        p0 request_body 0 true|p1 request_body 0 true|p2 request_body 0 true|\
        p2 response_headers false|p1 response_headers false|p0 response_headers false|\
        p2 response_body 6 false|p1 response_body 6 false|p0 response_body 6 false|\
        p2 response_body 0 true|p1 response_body 0 true|p0 response_body 0 true|\
        p0 log|p1 log|p2 log|p0 done|p0 delete|p1 done|p1 delete|p2 done|p2 delete";
    assert_eq!(trace(&proxy, &last(3)).join("|"), expected);
}

#[test]
fn without_bodies_the_headers_end_the_stream() {
    let proxy = probes(&[""]).origin_with("v1", |_| Answer::new(204, "")).start();
    proxy.get("/").assert_status(204);
    let expected =
        "p0 create|p0 request_headers true|p0 response_headers true|p0 log|p0 done|p0 delete";
    assert_eq!(trace(&proxy, &last(1)).join("|"), expected);
}

#[test]
fn trailers_come_after_the_body() {
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n";
    let proxy = probes(&["on response_trailers get 3 x-t", "on response_body buffer"])
        .origin_with("v1", move |_| Answer::raw(chunked))
        .start();
    let request = proxy.request("GET", "/").header("te", "trailers");
    request.send().assert_status(200).assert_body("abc");
    let trace = trace(&proxy, &last(2));
    // The second filter holds the body; the first sees it just before the trailers.
    let response: Vec<&str> = trace
        .iter()
        .map(String::as_str)
        .filter(|line| line.contains("response_body") || line.contains("trailers"))
        .collect();
    assert_eq!(
        response,
        [
            "p1 response_body 3 false",
            "p1 response_trailers 1 true",
            "p0 response_body 3 false",
            "p0 response_trailers 1 true"
        ]
    );
    assert_eq!(told(&trace, "p0 get 3 x-t = "), "0 1");
}

#[test]
fn a_pause_ends_with_the_tick_that_resumes_it() {
    for callback in ["request_headers", "request_body", "response_headers", "response_body"] {
        let direction = callback.split('_').next().unwrap();
        let script =
            format!("on configure tick 5\non {callback} pause\non tick resume {direction}\n");
        let proxy = probes(&["", &script, ""]).origin("v1").start();
        assert_served(&proxy);
        assert_served(&proxy);
    }
}

#[test]
fn a_pause_ends_with_the_timer_that_resumes_it() {
    for callback in ["request_headers", "request_body", "response_headers", "response_body"] {
        let direction = callback.split('_').next().unwrap();
        let script =
            format!("on {callback} timer 5\non {callback} pause\non timer resume {direction}\n");
        let proxy = probes(&["", &script, ""]).origin("v1").start();
        assert_served(&proxy);
        assert_served(&proxy);
    }
}

#[test]
fn several_filters_may_pause_one_after_the_other() {
    let script = "on request_headers timer 5\non request_headers pause\non timer resume request\n";
    let proxy = probes(&[script, script, script]).origin("v1").start();
    assert_served(&proxy);
}

#[test]
fn a_resume_before_the_pause_is_forgotten() {
    // Each tick resumes nobody; were one of them remembered, the pause would not hold.
    let script = "on configure tick 5\non request_headers timer 20\non request_headers pause\n\
                  on timer resume request\non request_headers resume request\n";
    let held = "on request_headers timer 1\non request_headers pause\non timer resume request\n\
                on request_body/end pause\non request_body/end timer 40\n";
    let proxy = probes(&[held, script]).origin("v1").start();
    assert_served(&proxy);
    let trace = trace(&proxy, &last(2));
    let timers = trace.iter().filter(|line| line.starts_with("p0 timer")).count();
    assert_eq!(timers, 2, "the pause of the body ended before its timer: {trace:#?}");
}

#[test]
fn a_local_reply_passes_the_filters_that_saw_the_request() {
    let proxy =
        probes(&["", "on request_headers reply 418 short\non log property response/code", ""])
            .origin("v1")
            .start();
    proxy.get("/").assert_status(418).assert_body("short").assert_header("x-reply", "local");
    assert!(proxy.origin("v1").requests().is_empty());
    let trace = trace(&proxy, &last(3));
    let expected = "\
        p0 create|p0 request_headers true|p1 create|p1 request_headers true|\
        p1 response_headers false|p0 response_headers false|\
        p1 response_body 5 true|p0 response_body 5 true|\
        p0 log|p1 log|p1 property response/code = 0 \\xa2\\x01\\x00\\x00\\x00\\x00\\x00\\x00|\
        p2 create|p2 log|\
        p0 done|p0 delete|p1 done|p1 delete|p2 done|p2 delete";
    assert_eq!(trace.join("|"), expected);
}

#[test]
fn a_local_reply_from_any_callback_reaches_the_client() {
    for callback in ["request_headers", "request_body", "response_headers", "response_body"] {
        let script = format!("on {callback} reply 418 one\non {callback} reply 419 two\n");
        let proxy = probes(&["", &script, ""]).origin("v1").start();
        for _ in 0..2 {
            let response = proxy.request("POST", "/").body("hello").send();
            response.assert_status(418).assert_body("one").assert_header("x-reply", "local");
        }
    }
}

#[test]
fn a_reply_to_a_response_is_not_shown_to_filters_again() {
    let proxy = probes(&["", "on response_headers reply 418 x", ""]).origin("v1").start();
    proxy.get("/").assert_status(418).assert_body("x");
    let trace = trace(&proxy, &last(3));
    let responses: Vec<&String> = trace.iter().filter(|line| line.contains("response_")).collect();
    assert_eq!(responses, ["p2 response_headers false", "p1 response_headers false"]);
}

#[test]
fn a_tick_may_answer_streams_that_wait() {
    let script = "on configure tick 5\non request_headers pause\non tick reply 418 ticked\n";
    let proxy = probes(&[script]).origin("v1").start();
    proxy.get("/").assert_status(418).assert_body("ticked");
}

#[test]
fn a_filter_that_closes_its_stream_leaves_others_alone() {
    let proxy = probes(&["on request_headers?x-close close"]).origin("v1").start();
    proxy.request("GET", "/").header("x-close", "1").send().assert_status(503);
    assert_served(&proxy);
}

#[test]
fn a_client_that_goes_away_ends_its_stream() {
    let proxy = probes(&["on request_headers pause"]).origin("v1").start();
    let mut client = proxy.connect("main");
    client.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    trace(&proxy, "p0 request_headers true");
    drop(client);
    trace(&proxy, &last(1));
}

#[test]
fn done_means_nothing_while_a_stream_lives() {
    let proxy = probes(&["on request_headers done\non done pause"]).origin("v1").start();
    assert_served(&proxy);
    assert_served(&proxy);
    let trace = trace(&proxy, &last(1));
    assert_eq!(told(&trace, "p0 done "), "1");
    let metrics = proxy.admin("/metrics").text();
    assert!(!metrics.contains("weir_plugin_failures_total"), "{metrics}");
}

#[test]
fn equal_configurations_share_a_root_and_others_do_not() {
    let same = || Filter::probe("p", "");
    let proxy = with_probe(&policy(&[vec![same(), same()], vec![same(), Filter::probe("q", "")]]))
        .origin("v1")
        .start();
    assert_served(&proxy);
    let configured = |name: &str| {
        proxy.log().iter().filter(|line| **line == format!("{name} configure")).count()
    };
    // Once on trial and once where it serves.
    wait_until("both configurations are traced", || configured("q") == 2);
    assert_eq!(configured("p"), 2);
}

#[test]
fn several_filters_of_one_module_serve_one_stream() {
    let add = |value: &str| format!("on request_headers add 0 x-chain {value}");
    let proxy = probes(&[&add("a"), &add("b"), &add("c")]).origin("v1").start();
    assert_eq!(proxy.get("/").json()["headers"]["x-chain"], "a,b,c");
}

#[test]
fn a_configuration_is_readable_while_it_is_configured_only() {
    let script = "on configure body 7 0 7\non request_headers body 7 0 7\n";
    let proxy = probes(&[script]).origin("v1").start();
    assert_served(&proxy);
    let trace = trace(&proxy, &last(1));
    let reads: Vec<&String> = trace.iter().filter(|line| line.contains("p0 body")).collect();
    assert_eq!(reads, ["p0 body = 0 name p0", "p0 body = 0 name p0", "p0 body = 1 "]);
}

#[test]
fn a_configuration_that_is_gone_is_closed_and_ticks_no_more() {
    let ticking = |name: &str| policy(&[vec![Filter::probe(name, "on configure tick 1\n")]]);
    let proxy = with_probe(&ticking("p0")).origin("v1").start();
    assert_served(&proxy);
    proxy.publish(|| proxy.write("policy.yaml", &ticking("p1")));
    assert_served(&proxy);
    wait_until("the old root is deleted", || proxy.log().contains(&"p0 root delete".to_owned()));
    assert_served(&proxy);
    let failures = proxy.admin("/metrics").text();
    assert!(!failures.contains("weir_plugin_failures_total"), "{failures}");
}

#[test]
fn a_root_that_is_not_done_waits_for_its_tick() {
    let first = Filter::probe("p0", "on configure tick 5\non root_done pause\non tick done\n");
    let proxy = with_probe(&policy(&[vec![first]])).origin("v1").start();
    let next = policy(&[vec![Filter::probe("p1", "")]]);
    proxy.publish(|| proxy.write("policy.yaml", &next));
    wait_until("the old root is deleted", || proxy.log().contains(&"p0 root delete".to_owned()));
    assert_served(&proxy);
}

#[test]
fn a_configuration_that_comes_back_while_a_stream_holds_it_stays() {
    let chain = |name: &str| {
        policy(&[vec![Filter::probe(
            name,
            "on request_headers?x-wait pause\non configure tick 5\non tick?x-no resume request",
        )]])
    };
    let proxy = with_probe(&chain("p0")).origin("v1").start();
    let mut client = proxy.connect("main");
    client.write(b"GET / HTTP/1.1\r\nhost: x\r\nx-wait: 1\r\n\r\n");
    trace(&proxy, "p0 request_headers true");
    proxy.publish(|| proxy.write("policy.yaml", &chain("p1")));
    proxy.publish(|| proxy.write("policy.yaml", &chain("p0")));
    drop(client);
    trace(&proxy, "p0 delete");
    assert_served(&proxy);
    assert!(!proxy.log().contains(&"p0 root delete".to_owned()), "the root is in use");
}
