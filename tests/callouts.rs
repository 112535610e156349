//! HTTP calls of plugins: asked inside a callback, answered later, to the right stream or to nobody.

use crate::harness::client::Client;
use crate::harness::origin::Answer;
use crate::harness::{Proxy, wait_until};
use std::time::Duration;

/// `main` asks `auth` before `v1` gets a request. The second listener only names the cluster.
fn asking(cluster: &str, settings: &str) -> Proxy {
    let yaml = format!(
        r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {{name: edge, namespace: default}}
spec:
  listeners:
  - name: main
    bind: 127.0.0.1:{{main}}
    routes:
    - plugins:
      - {{name: ask, plugin: "file:./ask.wasm", config: "{cluster} {settings}"}}
      cluster: {{endpoints: ["127.0.0.1:{{v1}}"]}}
  - name: others
    bind: 127.0.0.1:{{others}}
    routes:
    - cluster: {{endpoints: ["127.0.0.1:{{auth}}"]}}
"#
    );
    Proxy::with(&yaml).plugin("ask.wasm", weir_fixtures::guest("callout")).origin("v1")
}

const AUTH: &str = "endpoints|127.0.0.1:{auth}";

#[test]
fn a_callout_decides_over_its_request() {
    let proxy = asking(AUTH, "/check 1000").origin_with("auth", |request| {
        assert_eq!(request.header("host"), Some("callout.test"));
        assert_eq!(request.body, b"asked");
        let denied = request.header("x-user") == Some("mallory");
        Answer::new(if denied { 403 } else { 200 }, "fine").header("x-told", "yes")
    });
    let proxy = proxy.start();
    let passed = proxy.request("GET", "/").header("x-user", "alice").send().assert_status(200);
    let told = passed.json()["headers"]["x-callout"].to_string();
    assert!(told.contains("200 4 ") && told.contains(" yes"), "{told}");
    let denied = proxy.request("GET", "/").header("x-user", "mallory").send();
    denied.assert_status(403).assert_body("denied by callout");
    assert_eq!(proxy.origin("v1").requests().len(), 1);
    assert_eq!(proxy.origin("auth").requests().len(), 2);
}

#[test]
fn each_stream_gets_its_own_answer() {
    let proxy = asking(AUTH, "/check 5000").origin_with("auth", |request| {
        let user = request.header("x-user").unwrap_or_default().to_owned();
        let number: u64 = user.parse().unwrap();
        Answer::new(200, "").header("x-told", &user).delay(Duration::from_millis(number % 7 * 5))
    });
    let proxy = proxy.start();
    let clients: Vec<_> = (0..40)
        .map(|number| {
            let request = proxy.request("GET", "/").header("x-user", &number.to_string());
            std::thread::spawn(move || (number, request.send()))
        })
        .collect();
    for client in clients {
        let (number, response) = client.join().unwrap();
        let told = response.assert_status(200).json()["headers"]["x-callout"].to_string();
        assert!(told.trim_end_matches(['"', ']']).ends_with(&format!(" {number}")), "{told}");
    }
}

#[test]
fn a_call_to_a_refusing_cluster_is_answered_as_envoy_does() {
    let proxy = asking("endpoints|127.0.0.1:{refusing}", "/check 1000").file(
        "refusing.yaml",
        r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: more, namespace: default}
spec:
  listeners:
  - name: more
    bind: 127.0.0.1:{more}
    routes:
    - cluster: {endpoints: ["127.0.0.1:{refusing}"]}
"#,
    );
    let proxy = proxy.origin("auth").start();
    let told = proxy.get("/").assert_status(200).json()["headers"]["x-callout"].to_string();
    assert!(told.contains("503 98 3 0"), "{told}");
}

#[test]
fn a_call_without_an_answer_has_no_headers() {
    let slow =
        |delay| move |_: &crate::harness::origin::Received| Answer::new(200, "late").delay(delay);
    let timed_out = asking(AUTH, "/check 50").origin_with("auth", slow(Duration::from_secs(5)));
    let told = timed_out.start().get("/").assert_status(200).json();
    assert!(told["headers"]["x-callout"].to_string().contains("none 0 0 0"), "{told}");
    let endless = asking(AUTH, "/check 5000")
        .origin_with("auth", |_| Answer::new(200, vec![b'x'; (1 << 20) + 1]));
    let told = endless.start().get("/").assert_status(200).json();
    assert!(told["headers"]["x-callout"].to_string().contains("none 0 0 0"), "{told}");
}

#[test]
fn a_call_to_an_unknown_cluster_is_refused_at_once() {
    let proxy = asking("nowhere", "/check 1000").origin("auth").start();
    proxy.get("/").assert_status(500).assert_body("no such cluster");
}

#[test]
fn an_answer_for_a_stream_that_is_gone_is_dropped() {
    let proxy = asking(AUTH, "/check 2000")
        .origin_with("auth", |_| Answer::new(200, "").delay(Duration::from_millis(50)))
        .start();
    for wait in [0, 10, 25, 40, 49, 50, 51, 60] {
        let mut client = Client::connect(proxy.address("main"));
        client.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        std::thread::park_timeout(Duration::from_millis(wait));
        drop(client);
    }
    wait_until("all are asked", || proxy.origin("auth").requests().len() >= 7);
    proxy.get("/").assert_status(200);
    assert_eq!(proxy.metric_sum("weir_plugin_failures_total", ""), 0);
}

#[test]
fn a_root_context_calls_from_its_tick() {
    let proxy = asking(AUTH, "/refresh 1000 refresh").origin("auth").start();
    wait_until("three answers came", || proxy.metric("refreshed") >= 9);
    proxy.get("/").assert_status(200);
    assert!(proxy.origin("auth").requests().iter().all(|request| request.target == "/refresh"));
}
