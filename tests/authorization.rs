//! AuthorizationPolicy on inbound listeners, with callers in this process and strangers.

use crate::harness::{Proxy, Running};

/// `frontend` and `stranger` call `svc`, whose inbound listener asks the policies.
const MESH: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: frontend, namespace: default}
spec:
  workload: {serviceAccount: frontend, labels: {app: frontend}}
  listeners: [{name: out, role: outbound, bind: "127.0.0.1:{main}"}]
---
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: stranger, namespace: elsewhere}
spec:
  workload: {serviceAccount: stranger, labels: {app: stranger}}
  listeners: [{name: out, role: outbound, bind: "127.0.0.1:{stranger}"}]
---
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: svc, namespace: default}
spec:
  workload: {serviceAccount: svc, labels: {app: svc}}
  listeners: [{name: in, role: inbound, bind: "127.0.0.1:{inbound}", port: 80, app: "127.0.0.1:{v1}"}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: svc, namespace: default}
spec:
  hosts: [svc.default.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1, ports: {http: {inbound}}, labels: {app: svc}, serviceAccount: svc}]
"#;

fn policy(spec: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: p, namespace: default}}\nspec: {spec}\n"
    )
}

fn mesh(spec: &str) -> Running {
    Proxy::with(MESH).file("auth.yaml", &policy(spec)).origin("v1").start()
}

/// Status for a caller: `main` is the frontend, `inbound` somebody without identity.
fn status(proxy: &Running, caller: &str, method: &str, path: &str) -> u16 {
    let host = "svc.default.svc.cluster.local";
    proxy.request(method, path).host(host).to(proxy.address(caller)).send().status
}

#[test]
fn principals_decide_between_listeners_of_one_process() {
    let proxy = mesh(
        "{selector: {matchLabels: {app: svc}}, rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/frontend]}}], to: [{operation: {methods: [GET]}}]}]}",
    );
    assert_eq!(status(&proxy, "main", "GET", "/"), 200);
    assert_eq!(status(&proxy, "main", "DELETE", "/"), 403);
    assert_eq!(status(&proxy, "stranger", "GET", "/"), 403);
    let nobody = proxy.request("GET", "/").to(proxy.address("inbound")).send();
    nobody
        .assert_status(403)
        .assert_header("content-type", "text/plain")
        .assert_body("RBAC: access denied");
    assert_eq!(proxy.origin("v1").requests().len(), 1);
}

#[test]
fn namespaces_decide() {
    let proxy = mesh("{rules: [{from: [{source: {namespaces: [elsewhere]}}]}]}");
    assert_eq!(status(&proxy, "stranger", "GET", "/"), 200);
    assert_eq!(status(&proxy, "main", "GET", "/"), 403);
    assert_eq!(status(&proxy, "inbound", "GET", "/"), 403);
}

#[test]
fn a_policy_without_rules_denies_everybody() {
    let proxy = mesh("{}");
    assert_eq!(status(&proxy, "main", "GET", "/"), 403);
}

#[test]
fn deny_goes_before_allow() {
    let deny = policy("{action: DENY, rules: [{to: [{operation: {paths: [/admin*]}}]}]}")
        .replace("name: p,", "name: d,");
    let proxy = Proxy::with(MESH)
        .file("allow.yaml", &policy("{rules: [{}]}"))
        .file("deny.yaml", &deny)
        .origin("v1")
        .start();
    assert_eq!(status(&proxy, "main", "GET", "/"), 200);
    for path in ["/admin", "/admin/x", "/x/../admin", "/%61dmin", "/./admin"] {
        assert_eq!(status(&proxy, "main", "GET", path), 403, "{path}");
    }
    assert_eq!(status(&proxy, "main", "GET", "//admin"), 200, "slashes are not merged");
}

#[test]
fn operations_and_conditions() {
    let proxy = mesh(
        "{rules: [{to: [{operation: {hosts: ['*.cluster.local'], methods: [GET, POST], paths: [/exact, /pre*, '*.txt'], notPaths: [/pre-not], ports: ['80']}}], when: [{key: 'request.headers[x-token]', values: [good, 'also*']}]}]}",
    );
    let send = |path: &str, token: &str| {
        let host = "svc.default.svc.cluster.local";
        proxy.request("GET", path).host(host).header("x-token", token).send().status
    };
    for (path, token, expected) in [
        ("/exact", "good", 200),
        ("/prefix", "also-good", 200),
        ("/file.txt", "good", 200),
        ("/exact", "bad", 403),
        ("/other", "good", 403),
        ("/pre-not", "good", 403),
        ("/Exact", "good", 403),
    ] {
        assert_eq!(send(path, token), expected, "{path} {token}");
    }
    assert_eq!(status(&proxy, "main", "GET", "/exact"), 403, "no token");
}

#[test]
fn addresses_decide() {
    let proxy = mesh("{rules: [{from: [{source: {ipBlocks: [127.0.0.0/8]}}]}]}");
    assert_eq!(status(&proxy, "inbound", "GET", "/"), 200);
    let proxy = mesh("{rules: [{from: [{source: {notIpBlocks: [127.0.0.1]}}]}]}");
    assert_eq!(status(&proxy, "inbound", "GET", "/"), 403);
}

#[test]
fn a_sidecar_believes_the_last_hop_about_the_client() {
    let remote = "{action: DENY, rules: [{from: [{source: {remoteIpBlocks: [10.1.0.0/16]}}]}]}";
    let proxy = mesh(remote);
    let from = |forwarded: &str| {
        let request = proxy.request("GET", "/").host("svc.default.svc.cluster.local");
        let request = request.header("x-forwarded-for", forwarded);
        request.to(proxy.address("inbound")).send().status
    };
    assert_eq!(from("10.1.2.3"), 403);
    assert_eq!(from("10.2.2.3, 10.1.2.3"), 403);
    assert_eq!(from("10.1.2.3, 10.2.2.3"), 200);
    assert_eq!(from("not an address"), 200);
    let peer = mesh("{action: DENY, rules: [{from: [{source: {ipBlocks: [127.0.0.0/8]}}]}]}");
    let host = "svc.default.svc.cluster.local";
    let request = peer.request("GET", "/").host(host).header("x-forwarded-for", "10.1.2.3");
    assert_eq!(request.to(peer.address("inbound")).send().status, 403, "the peer is the peer");
}

#[test]
fn a_policy_for_others_does_not_apply() {
    let proxy = mesh("{selector: {matchLabels: {app: not-svc}}}");
    assert_eq!(status(&proxy, "inbound", "GET", "/"), 200);
}

#[test]
fn an_edited_policy_holds_for_open_connections() {
    let proxy = mesh("{rules: [{}]}");
    let mut client = proxy.connect("inbound");
    client.get("/").assert_status(200);
    proxy.publish(|| proxy.write("auth.yaml", &policy("{}")));
    client.get("/").assert_status(403);
}

/// An identity given to a listener after it was bound counts for the next connection.
#[test]
fn an_edited_identity_holds() {
    let proxy =
        mesh("{rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/frontend]}}]}]}");
    assert_eq!(status(&proxy, "main", "GET", "/"), 200);
    let other = MESH.replace("serviceAccount: frontend", "serviceAccount: another");
    proxy.publish(|| proxy.write("policy.yaml", &other));
    assert_eq!(status(&proxy, "main", "GET", "/"), 403);
}
