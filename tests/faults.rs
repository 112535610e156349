//! Delays and aborts by percentage.

use crate::harness::Proxy;
use crate::harness::client::Client;
use crate::routing::is_share;
use std::time::{Duration, Instant};

const TO_V1: &str = "route: [{destination: {host: svc, subset: v1}}]";

#[test]
fn an_abort_answers_with_envoys_words() {
    let proxy = Proxy::mesh(&format!(
        "- match: [{{headers: {{end-user: {{exact: jason}}}}}}]\n  fault: {{abort: {{percentage: {{value: 100}}, httpStatus: 500}}}}\n  {TO_V1}\n- {TO_V1}"
    ))
    .start();
    let aborted = proxy.svc("/").header("end-user", "jason").send();
    aborted.assert_status(500).assert_body("fault filter abort");
    proxy.svc("/").send().assert_status(200);
    assert_eq!(proxy.origin("v1").requests().len(), 1);
}

#[test]
fn an_abort_hits_its_share() {
    let proxy = Proxy::mesh(&format!(
        "- fault: {{abort: {{percentage: {{value: 20}}, httpStatus: 503}}}}\n  {TO_V1}"
    ))
    .start();
    let mut client = Client::connect(proxy.address("main"));
    let request = proxy.svc("/");
    let hits = (0..1000).filter(|_| client.send(&request).status == 503).count() as u32;
    assert!(is_share(hits, 1000, 0.2), "{hits} of 1000");
}

#[test]
fn an_abort_without_percentage_hits_nobody() {
    let proxy = Proxy::mesh(&format!("- fault: {{abort: {{httpStatus: 503}}}}\n  {TO_V1}")).start();
    for _ in 0..20 {
        proxy.svc("/").send().assert_status(200);
    }
}

#[test]
fn a_delay_holds_its_request_and_no_other() {
    let proxy = Proxy::mesh(&format!(
        "- match: [{{uri: {{prefix: /slow}}}}]\n  fault: {{delay: {{percentage: {{value: 100}}, fixedDelay: 700ms}}}}\n  {TO_V1}\n- {TO_V1}"
    ))
    .start();
    let started = Instant::now();
    let mut slow = proxy.connect("main");
    slow.write(&proxy.svc("/slow").bytes());
    for _ in 0..20 {
        proxy.svc("/fast").send().assert_status(200);
    }
    let fast = started.elapsed();
    slow.read_response().assert_status(200);
    let slow = started.elapsed();
    assert!(slow >= Duration::from_millis(700), "{slow:?}");
    assert!(fast < Duration::from_millis(700), "others waited {fast:?}");
}

#[test]
fn a_delayed_request_may_be_aborted_then() {
    let proxy = Proxy::mesh(&format!(
        "- fault:\n    delay: {{percentage: {{value: 100}}, fixedDelay: 300ms}}\n    abort: {{percentage: {{value: 100}}, httpStatus: 418}}\n  {TO_V1}"
    ))
    .start();
    let started = Instant::now();
    proxy.svc("/").send().assert_status(418);
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(proxy.metric_sum("istio_requests_total", "response_flags=\"DI,FI\""), 1);
}

#[test]
fn a_client_that_leaves_a_delayed_request_frees_it() {
    let proxy = Proxy::mesh(&format!(
        "- fault: {{delay: {{percentage: {{value: 100}}, fixedDelay: 60s}}}}\n  {TO_V1}"
    ))
    .start();
    let mut client = proxy.connect("main");
    client.write(&proxy.svc("/").bytes());
    crate::harness::wait_until("the request is held", || {
        proxy.metric("weir_downstream_requests_total") == 1
    });
    drop(client);
    crate::harness::wait_until("the stream is over", || {
        proxy.metric_sum("istio_requests_total", "response_flags=\"DI,DC\"")
            + proxy.metric_sum("istio_requests_total", "response_flags=\"DC,DI\"")
            == 1
    });
    assert!(proxy.origin("v1").requests().is_empty());
}
