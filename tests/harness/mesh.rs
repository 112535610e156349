//! A caller's outbound listener and a service with two versions: what VirtualServices are tried on.

/// Listener `{main}` of `caller`, service `svc` with the origins `v1` and `v2`, service `other`
/// with the origin `other`, and `idle`, which has no endpoint.
pub const MESH: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: caller, namespace: default}
spec:
  workload: {serviceAccount: caller, labels: {app: caller, version: v7}}
  listeners:
  - {name: out, role: outbound, bind: "127.0.0.1:{main}"}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: svc, namespace: default}
spec:
  hosts: [svc.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints:
  - {address: 127.0.0.1, ports: {http: {v1}}, labels: {app: svc, version: v1}, serviceAccount: svc}
  - {address: 127.0.0.1, ports: {http: {v2}}, labels: {app: svc, version: v2}, serviceAccount: svc}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: other, namespace: default}
spec:
  hosts: [other.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints:
  - {address: 127.0.0.1, ports: {http: {other}}, labels: {app: other}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: svc, namespace: default}
spec:
  host: svc
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
  - {name: v9, labels: {version: v9}}
"#;

/// A VirtualService for `svc` with these rules, each line of them at the depth of `http:`.
pub fn virtual_service(rules: &str) -> String {
    let mut out = String::from(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\n\
         metadata: {name: svc, namespace: default}\nspec:\n  hosts: [svc]\n  http:\n",
    );
    for line in rules.lines() {
        out += &format!("  {line}\n");
    }
    out
}
