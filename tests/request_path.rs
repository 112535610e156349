//! Bytes in, bytes out: framing, connections, streaming and what goes wrong with them.

use crate::harness::Proxy;

const PLAIN: &str = r#"
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

#[test]
fn a_request_reaches_the_origin_and_its_answer_comes_back() {
    let proxy = Proxy::with(PLAIN).origin("v1").start();
    let seen = proxy.get("/hello?x=1").assert_status(200).json();
    assert_eq!(seen["path"], "/hello?x=1");
    assert_eq!(seen["headers"]["host"], "test.local");
}
