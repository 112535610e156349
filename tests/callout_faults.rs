//! Plugins that fail or call where no request waits for them.

use crate::harness::{Proxy, Running, wait_until};

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
      - {name: x, plugin: "file:./x.wasm", config: "endpoints|127.0.0.1:{v1}"}
      cluster: {endpoints: ["127.0.0.1:{v1}"]}
"#;

/// `pairs` as the ABI encodes them, written as a string of WebAssembly text.
fn encoded(pairs: &[(&str, &str)]) -> (String, usize) {
    let mut bytes = (pairs.len() as u32).to_le_bytes().to_vec();
    for (name, value) in pairs {
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend((value.len() as u32).to_le_bytes());
    }
    for (name, value) in pairs {
        for part in [name, value] {
            bytes.extend(part.as_bytes());
            bytes.push(0);
        }
    }
    (bytes.iter().map(|byte| format!("\\{byte:02x}")).collect(), bytes.len())
}

/// A plugin whose `$ask` calls the cluster that its configuration names. The call is a POST without
/// a body; `answered` runs on its answer.
fn asking(extra: &[(&str, &str)], callbacks: &str, answered: &str) -> Vec<u8> {
    let mut head = vec![(":method", "POST"), (":path", "/called"), (":authority", "a")];
    head.extend(extra);
    let (head, head_len) = encoded(&head);
    let module = format!(
        r#"(module
            (import "env" "proxy_http_call" (func $http_call
                (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_get_buffer_bytes"
                (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_set_tick_period_milliseconds"
                (func $tick (param i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 256) "{head}")
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) (i32.const 4096))
            (func (export "proxy_on_context_create") (param i32 i32))
            (func (export "proxy_on_configure") (param i32 i32) (result i32)
                (drop (call $buffer (i32.const 7) (i32.const 0) (i32.const 1000)
                    (i32.const 100) (i32.const 104)))
                (call $configured)
                (i32.const 1))
            (func $ask
                (if (call $http_call (i32.load (i32.const 100)) (i32.load (i32.const 104))
                        (i32.const 256) (i32.const {head_len}) (i32.const 0) (i32.const 0)
                        (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 108))
                    (then unreachable)))
            (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32) {answered})
            {callbacks})"#
    );
    wat::parse_str(module).unwrap()
}

fn start(plugin: &[u8]) -> Running {
    Proxy::with(POLICY).plugin("x.wasm", plugin).origin("v1").start()
}

/// Asks with each request and does not wait for the answer.
const EACH_REQUEST: &str = r#"
    (func $configured)
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $ask) (i32.const 0))"#;

#[test]
fn a_free_vm_that_dies_costs_no_request() {
    let pooled = format!("{EACH_REQUEST} (func (export \"weir_isolation_pool\"))");
    let proxy = start(&asking(&[], &pooled, "unreachable"));
    for round in 1..5 {
        proxy.get("/").assert_status(200);
        wait_until("the answer has killed the VM", || {
            proxy.metric_sum("weir_plugin_failures_total", "kind=\"trap\"") >= round
        });
    }
}

#[test]
fn ticks_go_on_after_an_answer_that_killed_the_vm() {
    let ticking = r#"
        (func $configured (drop (call $tick (i32.const 10))))
        (func (export "proxy_on_tick") (param i32) (call $ask))"#;
    let proxy = start(&asking(&[], ticking, "unreachable"));
    wait_until("four ticks have asked", || proxy.origin("v1").requests().len() >= 4);
}

#[test]
fn a_call_without_a_body_promises_none() {
    let proxy = start(&asking(&[("content-length", "5")], EACH_REQUEST, ""));
    proxy.get("/").assert_status(200);
    wait_until("both requests came", || proxy.origin("v1").requests().len() >= 2);
    let requests = proxy.origin("v1").requests();
    let called = requests.iter().find(|request| request.target == "/called").unwrap();
    assert_eq!(called.header("content-length").unwrap_or("0"), "0");
}

#[test]
fn a_plugin_calls_a_cluster_of_its_own_plan_while_it_is_configured() {
    let before = POLICY.replace("- {name: x, plugin", "# {name: x, plugin");
    let asks = "(func $configured (call $ask))";
    let proxy = Proxy::with(&before.replace("plugins:", "plugins: []"));
    let plugin = asking(&[], asks, "");
    let proxy = proxy.plugin("x.wasm", &plugin).origin("v1").origin("v2").start();
    let after = POLICY.replace("{v1}", "{v2}");
    proxy.publish(|| proxy.write("policy.yaml", &after));
    wait_until("the new origin is asked", || !proxy.origin("v2").requests().is_empty());
}
