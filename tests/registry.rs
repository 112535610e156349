//! Services from Kubernetes documents and WorkloadEntries, gateways, and WasmPlugins on them.

use crate::harness::Proxy;
use crate::harness::guest::mark;

const CALLER: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: caller, namespace: default}
spec:
  workload: {serviceAccount: caller, labels: {app: caller}}
  listeners: [{name: out, role: outbound, bind: "127.0.0.1:{main}"}]
"#;

#[test]
fn a_kubernetes_service_leads_to_its_ready_endpoints() {
    let registry = r#"
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: default}
spec:
  selector: {app: shop}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: shop-1, namespace: default, labels: {kubernetes.io/service-name: shop}}
addressType: IPv4
ports: [{name: http, port: {v1}, protocol: TCP}]
endpoints:
- {addresses: [127.0.0.1], conditions: {ready: true}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: shop-2, namespace: default, labels: {kubernetes.io/service-name: shop}}
addressType: IPv4
ports: [{name: http, port: {v2}, protocol: TCP}]
endpoints:
- {addresses: [127.0.0.1], conditions: {ready: false}}
"#;
    let proxy =
        Proxy::with(CALLER).file("registry.yaml", registry).origin("v1").origin("v2").start();
    for host in ["shop", "shop.default.svc.cluster.local"] {
        for _ in 0..10 {
            let response = proxy.request("GET", "/").host(host).send().assert_status(200);
            assert_eq!(response.origin(), "v1", "only the ready one");
        }
    }
}

#[test]
fn workload_entries_are_endpoints_of_the_services_that_select_them() {
    let registry = r#"
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: vm, namespace: default}
spec:
  hosts: [vm.example.com]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: vm}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm-1, namespace: default}
spec: {address: 127.0.0.1, ports: {http: {v1}}, labels: {app: vm}, serviceAccount: vm}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: other-1, namespace: default}
spec: {address: 127.0.0.1, ports: {http: {v2}}, labels: {app: other}}
"#;
    let proxy =
        Proxy::with(CALLER).file("registry.yaml", registry).origin("v1").origin("v2").start();
    for _ in 0..10 {
        let response = proxy.request("GET", "/").host("vm.example.com").send();
        assert_eq!(response.assert_status(200).origin(), "v1");
    }
}

const GATEWAY: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: edge, namespace: default}
spec:
  workload: {serviceAccount: edge, labels: {istio: ingressgateway}}
  listeners:
  - name: edge
    role: gateway
    ports: {80: "127.0.0.1:{main}"}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["shop.example.com"]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: svc, namespace: default}
spec:
  hosts: [svc.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1, ports: {http: {v1}}, labels: {app: svc}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: default}
spec:
  hosts: [shop.example.com]
  gateways: [gw]
  http:
  - match: [{uri: {prefix: /shop}}]
    route: [{destination: {host: svc}}]
"#;

#[test]
fn a_gateway_serves_the_hosts_and_rules_bound_to_it() {
    let proxy = Proxy::with(GATEWAY).origin("v1").start();
    let status = |host: &str, path: &str| proxy.request("GET", path).host(host).send().status;
    assert_eq!(status("shop.example.com", "/shop/1"), 200);
    assert_eq!(status("shop.example.com", "/other"), 404);
    assert_eq!(status("elsewhere.example.com", "/shop/1"), 404);
    let received = &proxy.origin("v1").requests()[0];
    assert_eq!(received.header("x-forwarded-for"), Some("127.0.0.1"));
}

#[test]
fn a_wasm_plugin_document_puts_a_third_partys_filter_into_the_chain() {
    let plugin = r#"
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: mark, namespace: default}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  url: file://{folder}/policies/mark.wasm
  phase: AUTHN
  pluginConfig: {any: thing}
"#;
    let proxy = Proxy::with(GATEWAY)
        .file("plugin.yaml", plugin)
        .plugin("mark.wasm", &mark("third-party"))
        .origin("v1")
        .start();
    let response = proxy.request("GET", "/shop").host("shop.example.com").send();
    let response = response.assert_status(200).assert_header("x-mark", "third-party");
    assert_eq!(response.json()["headers"]["x-seen"], "third-party");
    proxy.publish(|| std::fs::remove_file(proxy.policies().join("plugin.yaml")).unwrap());
    let response = proxy.request("GET", "/shop").host("shop.example.com").send();
    response.assert_status(200).assert_no_header("x-mark");
}
