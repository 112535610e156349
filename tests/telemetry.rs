//! Access log and metrics as Istio's dashboards and parsers read them.

use crate::harness::{Proxy, wait_until};
use regex::Regex;

const LOGGED: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: edge, namespace: default}
spec:
  listeners:
  - name: main
    bind: 127.0.0.1:{main}
    routes:
    - match: {path: {prefix: /json}}
      plugins:
      - {name: log, plugin: "builtin:accesslog", config: {path: "{folder}/access.log", format: {json: {code: "%RESPONSE_CODE%", path: "%REQ(:PATH)%", missing: "%REQ(X-NONE)%", both: "%PROTOCOL% %RESPONSE_FLAGS%"}}}}
      cluster: {endpoints: ["127.0.0.1:{v1}"]}
    - plugins:
      - {name: log, plugin: "builtin:accesslog", config: {path: "{folder}/access.log"}}
      cluster: {endpoints: ["127.0.0.1:{v1}"]}
"#;

#[test]
fn the_text_log_is_istios_byte_for_byte() {
    let proxy = Proxy::with(LOGGED).origin("v1").start();
    let response = proxy
        .request("POST", "/a?b=1")
        .header("user-agent", "curl/8")
        .header("x-request-id", "id-1")
        .header("x-forwarded-for", "10.1.2.3")
        .body("hello")
        .send()
        .assert_status(200);
    let line = &proxy.wait_log(1)[0];
    let (sent, v1, main) =
        (response.body.len(), proxy.origin("v1").port(), proxy.address("main").port());
    let expected = Regex::new(&format!(
        r#"^\[\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\] "POST /a\?b=1 HTTP/1\.1" 200 - via_upstream - "-" 5 {sent} \d+ - "10\.1\.2\.3" "curl/8" "id-1" "test\.local" "127\.0\.0\.1:{v1}" \S+ 127\.0\.0\.1:\d+ 127\.0\.0\.1:{main} 127\.0\.0\.1:\d+ - -$"#
    ))
    .unwrap();
    assert!(expected.is_match(line), "{line}\ndoes not match {expected}");
}

#[test]
fn the_json_log_keeps_types_and_nulls() {
    let proxy = Proxy::with(LOGGED).origin("v1").start();
    proxy.get("/json").assert_status(200);
    let line: serde_json::Value = serde_json::from_str(&proxy.wait_log(1)[0]).unwrap();
    assert_eq!(
        line,
        serde_json::json!({"code": 200, "path": "/json", "missing": null, "both": "HTTP/1.1 -"})
    );
}

#[test]
fn the_log_tells_every_failure() {
    let proxy = Proxy::with(LOGGED).start();
    proxy.get("/x").assert_status(503);
    let line = &proxy.wait_log(1)[0];
    let told = r#""GET /x HTTP/1.1" 503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} - "delayed_connect_error:_Connection_refused"#;
    assert!(line.contains(told), "{line}");
}

/// Both ends of one call in one process: each reports its own side of it.
const BOTH: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: front, namespace: default}
spec:
  workload: {serviceAccount: front-sa, labels: {app: front, version: v3}}
  listeners: [{name: out, role: outbound, bind: "127.0.0.1:{main}"}]
---
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: svc-v1, namespace: back}
spec:
  workload: {serviceAccount: svc-sa, labels: {app: svc, version: v1}}
  listeners: [{name: in, role: inbound, bind: "127.0.0.1:{inbound}", port: 80, app: "127.0.0.1:{v1}"}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: svc, namespace: back}
spec:
  hosts: [svc.back.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1, ports: {http: {inbound}}, labels: {app: svc, version: v1}, serviceAccount: svc-sa}]
"#;

const LABELS: [&str; 25] = [
    "reporter",
    "source_workload",
    "source_canonical_service",
    "source_canonical_revision",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_cluster",
    "destination_workload",
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_service",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_service_name",
    "destination_service_namespace",
    "destination_cluster",
    "request_protocol",
    "response_code",
    "grpc_response_status",
    "response_flags",
    "connection_security_policy",
];

#[test]
fn both_reporters_count_with_istios_labels() {
    let proxy = Proxy::with(BOTH).origin("v1").start();
    for _ in 0..3 {
        proxy.request("GET", "/").host("svc.back.svc.cluster.local").send().assert_status(200);
    }
    let total = |reporter: &str| {
        proxy.metric_sum("istio_requests_total", &format!("reporter=\"{reporter}\""))
    };
    wait_until("both have counted", || total("source") == 3 && total("destination") == 3);
    let metrics = proxy.admin("/metrics").text();
    let lines = || metrics.lines().filter(|line| line.starts_with("istio_requests_total{"));
    assert_eq!(lines().count(), 2, "{metrics}");
    let label = Regex::new(r#"(\w+)=""#).unwrap();
    for line in lines() {
        let names: Vec<_> = label
            .captures_iter(line)
            .map(|found| found.get(1).unwrap().as_str().to_owned())
            .collect();
        let present: Vec<_> =
            LABELS.iter().filter(|name| names.contains(&name.to_string())).collect();
        assert_eq!(names.iter().collect::<Vec<_>>(), present, "Istio's order: {line}");
        for expected in [
            "source_canonical_service=\"front\"",
            "source_app=\"front\"",
            "source_version=\"v3\"",
            "source_workload_namespace=\"default\"",
            "destination_app=\"svc\"",
            "destination_version=\"v1\"",
            "destination_service=\"svc.back.svc.cluster.local\"",
            "destination_service_name=\"svc\"",
            "destination_service_namespace=\"back\"",
            "destination_workload_namespace=\"back\"",
            "destination_canonical_service=\"svc\"",
            "request_protocol=\"http\"",
            "response_code=\"200\"",
            "response_flags=\"-\"",
        ] {
            assert!(line.contains(expected), "{expected} in {line}");
        }
    }
    let source = lines().find(|line| line.contains("reporter=\"source\"")).unwrap();
    assert!(source.contains("destination_service=\"svc.back.svc.cluster.local\""), "{source}");
    assert!(source.contains("destination_service_name=\"svc\""), "{source}");
    assert!(metrics.contains("# TYPE istio_request_duration_milliseconds histogram"));
    assert!(metrics.contains("# TYPE istio_request_bytes histogram"));
    assert!(metrics.contains("# TYPE istio_response_bytes histogram"));
    assert!(metrics.contains("le=\"3600000\""), "Envoy's buckets");
}

#[test]
fn responses_by_code_are_counted_apart() {
    let proxy = Proxy::mesh(
        "- match: [{uri: {prefix: /418}}]\n  directResponse: {status: 418}\n- route: [{destination: {host: svc, subset: v1}}]",
    )
    .start();
    proxy.svc("/").send().assert_status(200);
    proxy.svc("/418").send().assert_status(418);
    proxy.svc("/418").send().assert_status(418);
    assert_eq!(proxy.metric_sum("istio_requests_total", "response_code=\"418\""), 2);
    assert_eq!(proxy.metric_sum("istio_requests_total", "response_code=\"200\""), 1);
}

#[test]
fn callers_without_a_principal_do_not_share_connections() {
    let caller = |name: &str| {
        format!(
            "
apiVersion: weir.dev/v1
kind: Proxy
metadata: {{name: {name}, namespace: default}}
spec:
  workload: {{labels: {{app: {name}}}}}
  listeners: [{{name: {name}, role: outbound, bind: \"127.0.0.1:{{{name}}}\"}}]
"
        )
    };
    let service = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: svc, namespace: default}
spec:
  workload: {labels: {app: svc}}
  listeners:
  - {name: in, role: inbound, bind: "127.0.0.1:{main}", port: 80, app: "127.0.0.1:{v1}"}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: svc, namespace: default}
spec:
  hosts: [svc.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1, ports: {http: {main}}, labels: {app: svc}}]
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: all, namespace: default}
spec: {metrics: [{providers: [{name: prometheus}]}]}
"#;
    let proxy = Proxy::with(service).file("one.yaml", &caller("one"));
    let proxy = proxy.file("two.yaml", &caller("two")).origin("v1").start();
    for name in ["one", "two", "one", "two"] {
        let host = "svc.default.svc.cluster.local";
        let request = proxy.request("GET", "/").host(host).to(proxy.address(name));
        request.send().assert_status(200);
    }
    let seen = |app: &str| {
        let metrics = proxy.admin("/metrics").text();
        let inbound = metrics.lines().filter(|line| {
            line.starts_with("istio_requests_total{")
                && line.contains("reporter=\"destination\"")
                && line.contains(&format!("source_app=\"{app}\""))
        });
        inbound.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum::<u64>()
    };
    wait_until("both callers are told apart", || seen("one") + seen("two") == 4);
    assert_eq!((seen("one"), seen("two")), (2, 2));
}
