//! What one stream's failure costs the others: nothing for a plugin that keeps no state.

use crate::harness::origin::Answer;
use crate::harness::{Proxy, Running, wait_until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

const POLICY: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: edge, namespace: default}
spec:
  listeners:
  - name: main
    bind: 127.0.0.1:{main}
    routes:
    - plugins:
      - {name: x, plugin: "file:./x.wasm", config: ""}
      cluster: {endpoints: ["127.0.0.1:{v1}"]}
"#;

/// Counts its open streams in a global. A request with a body traps; so does one that finds more
/// open streams than `streams_max`. `marker` declares the pool, or nothing.
fn guest(marker: &str, streams_max: u32) -> Vec<u8> {
    let module = format!(
        r#"(module
            (memory (export "memory") 1)
            (global $open (mut i32) (i32.const 0))
            (func (export "proxy_abi_version_0_2_1"))
            {marker}
            (func (export "malloc") (param i32) (result i32) (i32.const 1024))
            (func (export "proxy_on_context_create") (param i32 i32)
                (if (local.get 1)
                    (then (global.set $open (i32.add (global.get $open) (i32.const 1))))))
            (func (export "proxy_on_delete") (param i32)
                (global.set $open (i32.sub (global.get $open) (i32.const 1))))
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (if (i32.eqz (local.get 2)) (then unreachable))
                (if (i32.gt_s (global.get $open) (i32.const {streams_max})) (then unreachable))
                (i32.const 0))
            (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
                (i32.const 0)))"#
    );
    wat::parse_str(module).unwrap()
}

const POOL: &str = r#"(func (export "weir_isolation_pool"))"#;

/// A proxy whose origin answers once `gate` opens.
fn gated(module: &[u8]) -> (Running, Arc<AtomicBool>) {
    let gate = Arc::new(AtomicBool::new(false));
    let opened = Arc::clone(&gate);
    let proxy = Proxy::with(POLICY).plugin("x.wasm", module).origin_with("v1", move |_| {
        wait_until("the gate opens", || opened.load(SeqCst));
        Answer::new(200, "")
    });
    (proxy.start(), gate)
}

/// Starts `count` requests and returns when the origin has them all.
fn in_flight(proxy: &Running, count: usize) -> Vec<std::thread::JoinHandle<u16>> {
    let before = proxy.origin("v1").requests().len();
    let request = || {
        let request = proxy.request("GET", "/");
        std::thread::spawn(move || request.send().status)
    };
    let clients = (0..count).map(|_| request()).collect();
    wait_until("all are at the origin", || proxy.origin("v1").requests().len() >= before + count);
    clients
}

fn statuses(clients: Vec<std::thread::JoinHandle<u16>>) -> Vec<u16> {
    clients.into_iter().map(|client| client.join().unwrap()).collect()
}

#[test]
fn each_stream_of_a_stateless_plugin_has_a_vm_of_its_own() {
    let (proxy, gate) = gated(&guest(POOL, 1));
    let clients = in_flight(&proxy, 30);
    gate.store(true, SeqCst);
    assert_eq!(statuses(clients), [200; 30]);
}

#[test]
fn a_trap_of_a_stateless_plugin_costs_one_request() {
    let (proxy, gate) = gated(&guest(POOL, 1));
    let clients = in_flight(&proxy, 20);
    for _ in 0..5 {
        proxy.request("POST", "/").body("x").send().assert_status(503);
    }
    gate.store(true, SeqCst);
    assert_eq!(statuses(clients), [200; 20]);
    proxy.get("/").assert_status(200);
}

#[test]
fn streams_beyond_the_pool_share_the_root_vm() {
    let (proxy, gate) = gated(&guest(POOL, 40));
    let clients = in_flight(&proxy, 100);
    gate.store(true, SeqCst);
    assert_eq!(statuses(clients), [200; 100]);
}

#[test]
fn a_plugin_that_declares_nothing_shares_one_vm() {
    let (proxy, gate) = gated(&guest("", 1000));
    let clients = in_flight(&proxy, 10);
    proxy.request("POST", "/").body("x").send().assert_status(503);
    gate.store(true, SeqCst);
    assert_eq!(statuses(clients), [503; 10], "they had a callback to run in the dead VM");
    proxy.get("/").assert_status(200);
}

#[test]
fn while_some_requests_crash_the_plugin_every_other_one_is_answered() {
    let (proxy, gate) = gated(&guest(POOL, 1));
    gate.store(true, SeqCst);
    let request = proxy.request("POST", "/").body("x");
    let crashing = std::thread::spawn(move || {
        for _ in 0..50 {
            request.clone().send().assert_status(503);
            std::thread::park_timeout(Duration::from_millis(10));
        }
    });
    while !crashing.is_finished() {
        proxy.get("/").assert_status(200);
    }
    crashing.join().unwrap();
}

#[test]
fn reading_headers_allocates_nothing_in_a_filter_of_the_sdk() {
    let policy = POLICY.replace(r#"config: """#, "config: {}");
    let proxy = Proxy::with(&policy).plugin("x.wasm", weir_fixtures::guest("frugal")).origin("v1");
    let proxy = proxy.start();
    let ask = || proxy.request("GET", "/").header("user-agent", "test").header("x-user", "alice");
    ask().send().assert_status(200);
    assert!(proxy.metric("frugal_allocations") > 0, "start-up allocates, so the counter counts");
    // The first streams make room for contexts.
    for _ in 0..20 {
        ask().send().assert_status(200);
    }
    assert_eq!(proxy.metric("frugal_allocations"), 0);
    wait_until("both sides were read", || proxy.metric("frugal_header_bytes") > 9);
}
