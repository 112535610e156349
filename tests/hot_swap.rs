//! Policies and plugins change while requests flow: none of them fails.

use crate::harness::client::Client;
use crate::harness::guest::mark;
use crate::harness::origin::Answer;
use crate::harness::{Folder, Proxy, Running, wait_until};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

const CHAIN: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: edge, namespace: default}
spec:
  listeners:
  - name: main
    bind: 127.0.0.1:{main}
    routes:
    - plugins:
      - {name: mark, plugin: "file:./mark.wasm", config: "c1"}
      cluster: {endpoints: ["127.0.0.1:{v1}"]}
"#;

fn marked(proxy: &Running) -> String {
    proxy.get("/").assert_status(200).header("x-mark").unwrap_or("none").to_owned()
}

/// What a load of requests came to.
#[derive(Debug)]
struct Load {
    sent: u32,
    failed: u32,
    elapsed: Duration,
}

impl Load {
    fn per_second(&self) -> f64 {
        f64::from(self.sent) / self.elapsed.as_secs_f64()
    }
}

/// Runs `act` while clients send without a pause.
fn under_load(address: SocketAddr, clients: u32, act: impl FnOnce()) -> Load {
    let (stop, sent, failed) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut client = Client::connect(address);
                while !stop.load(SeqCst) {
                    client.write(b"GET / HTTP/1.1\r\nhost: test.local\r\n\r\n");
                    sent.fetch_add(1, SeqCst);
                    match client.try_read_response("GET") {
                        Some(response) if response.status == 200 => {}
                        _ => {
                            failed.fetch_add(1, SeqCst);
                            client = Client::connect(address);
                        }
                    }
                }
            });
        }
        // Even a panic must end the clients.
        let guard = Stop(&stop);
        act();
        drop(guard);
    });
    Load { sent: sent.into_inner(), failed: failed.into_inner(), elapsed: started.elapsed() }
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn fifty_plugin_versions_under_load_fail_no_request() {
    let proxy = Proxy::with(CHAIN)
        .plugin("mark.wasm", &mark("v0"))
        .origin_with("v1", |_| Answer::new(200, "ok"))
        .workers(2)
        .start();
    let load = under_load(proxy.address("main"), 4, || {
        for version in 1..=50 {
            let name = format!("v{version}");
            proxy.publish(|| proxy.write_plugin("mark.wasm", &mark(&name)));
        }
    });
    assert_eq!(load.failed, 0, "{load:?}");
    assert!(load.per_second() >= 300.0, "{} requests/s: {load:?}", load.per_second());
    assert_eq!(marked(&proxy), "v50");
}

#[test]
fn a_broken_plugin_leaves_the_old_one_serving_and_says_why() {
    let proxy = Proxy::with(CHAIN).plugin("mark.wasm", &mark("v1")).origin("v1").start();
    let good = mark("v2");
    let no_abi = wat::parse_str("(module (memory (export \"memory\") 1))").unwrap();
    let version = proxy.version();
    for (what, bytes, word) in [
        ("truncated", &good[..good.len() / 2], "mark.wasm"),
        ("empty", &b""[..], "mark.wasm"),
        ("no wasm", &b"hello, this is text"[..], "mark.wasm"),
        ("no abi", &no_abi[..], "abi"),
    ] {
        let said = proxy.refuse(|| proxy.write_plugin("mark.wasm", bytes));
        assert!(said.to_lowercase().contains(word), "{what}: {said}");
        assert_eq!(marked(&proxy), "v1", "{what}");
        assert_eq!(proxy.version(), version, "{what}");
    }
    proxy.publish(|| proxy.write_plugin("mark.wasm", &good));
    assert_eq!(marked(&proxy), "v2");
    let plugins = proxy.errors();
    assert!(!plugins.contains("truncated") && !plugins.contains("refused"), "{plugins}");
}

#[test]
fn a_plugin_that_refuses_its_configuration_leaves_the_old_serving() {
    let proxy = Proxy::with(CHAIN).plugin("mark.wasm", &mark("v1")).origin("v1").start();
    let said = proxy.refuse(|| proxy.write("policy.yaml", &CHAIN.replace("\"c1\"", "\"!bad\"")));
    assert!(said.contains("mark"), "{said}");
    assert_eq!(marked(&proxy), "v1");
}

#[test]
fn a_plugin_file_that_vanishes_leaves_the_old_serving() {
    let proxy = Proxy::with(CHAIN).plugin("mark.wasm", &mark("v1")).origin("v1").start();
    let said = proxy.refuse(|| std::fs::remove_file(proxy.policies().join("mark.wasm")).unwrap());
    assert!(said.contains("mark.wasm"), "{said}");
    assert_eq!(marked(&proxy), "v1");
}

#[test]
fn a_half_written_plugin_never_serves() {
    let proxy = Proxy::with(CHAIN).plugin("mark.wasm", &mark("v1")).origin("v1").start();
    let bytes = mark("v2");
    let path = proxy.policies().join("mark.wasm");
    // In place, byte range by byte range, as `cp` does it.
    for end in (0..bytes.len()).step_by(40).chain([bytes.len()]) {
        std::fs::write(&path, &bytes[..end]).unwrap();
        assert!(matches!(marked(&proxy).as_str(), "v1" | "v2"));
    }
    wait_until("the whole file serves", || marked(&proxy) == "v2");
}

#[test]
fn an_edit_under_load_fails_no_request() {
    let policy = |status: u16| {
        CHAIN.replace(
            r#"{name: mark, plugin: "file:./mark.wasm", config: "c1"}"#,
            &format!(
                "{{name: r, plugin: \"builtin:headers\", config: {{response: {{set: {{x-mark: \"{status}\"}}}}}}}}"
            ),
        )
    };
    let proxy =
        Proxy::with(&policy(0)).origin_with("v1", |_| Answer::new(200, "ok")).workers(2).start();
    let load = under_load(proxy.address("main"), 4, || {
        for status in 1..=10 {
            proxy.publish(|| proxy.write("policy.yaml", &policy(status)));
        }
    });
    assert_eq!(load.failed, 0, "{load:?}");
    assert_eq!(marked(&proxy), "10");
}

#[test]
fn a_wrong_document_leaves_the_old_serving_and_says_where() {
    let proxy = Proxy::with(CHAIN).plugin("mark.wasm", &mark("v1")).origin("v1").start();
    let said = proxy.refuse(|| proxy.write("policy.yaml", "kind: Proxy\n  broken: [\n"));
    assert!(said.contains("policy.yaml:2"), "{said}");
    assert_eq!(marked(&proxy), "v1");
    let missing = CHAIN.replace("cluster:", "clutser:").replace("kind: Proxy", "kind: Porxy");
    proxy.refuse(|| proxy.write("policy.yaml", &missing));
    assert_eq!(marked(&proxy), "v1");
}

const DENY: &str = r#"
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny-all, namespace: default}
spec:
  action: DENY
  rules:
  - {}
"#;

const INBOUND: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: app, namespace: default}
spec:
  workload: {serviceAccount: app, labels: {app: app}}
  listeners:
  - {name: in, role: inbound, bind: "127.0.0.1:{main}", port: 80, app: "127.0.0.1:{v1}"}
"#;

#[test]
fn an_emptied_file_keeps_its_policies_and_a_deleted_one_gives_them_up() {
    let proxy = Proxy::with(INBOUND).file("deny.yaml", DENY).origin("v1").start();
    proxy.get("/").assert_status(403);
    let said = proxy.refuse(|| proxy.write("deny.yaml", ""));
    assert!(said.contains("deny.yaml"), "{said}");
    proxy.get("/").assert_status(403);
    proxy.write("deny.yaml", "# only a comment\n");
    proxy.write("policy.yaml", &INBOUND.replace("app: app}}", "app: app, x: y}}"));
    proxy.get("/").assert_status(403);
    proxy.publish(|| std::fs::remove_file(proxy.policies().join("deny.yaml")).unwrap());
    proxy.get("/").assert_status(200);
}

/// Kubernetes mounts a ConfigMap as links into `..data`, which is swapped by a rename.
#[test]
fn a_kubernetes_volume_update_is_seen() {
    let proxy = Proxy::with(INBOUND).origin("v1").start();
    let folder = proxy.policies();
    let link = |to: &str, from: &str| {
        std::os::unix::fs::symlink(to, folder.join(from)).unwrap();
    };
    let stage = |name: &str, text: &str| {
        std::fs::create_dir(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("auth.yaml"), text).unwrap();
    };
    stage("..2026_01", DENY);
    link("..2026_01", "..data");
    proxy.publish(|| link("..data/auth.yaml", "auth.yaml"));
    proxy.get("/").assert_status(403);
    stage("..2026_02", &DENY.replace("action: DENY", "action: ALLOW"));
    proxy.publish(|| {
        link("..2026_02", "..data_tmp");
        std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    });
    proxy.get("/").assert_status(200);
}

/// The delay keeps a request between the two versions of the plugin.
#[test]
fn a_request_finishes_on_the_version_it_began_with() {
    let policy = CHAIN.replace(
        "      cluster:",
        "      - {name: slow, plugin: \"builtin:fault\", config: {delay: {percentage: 100, fixedDelay: 2s}}}\n      cluster:",
    );
    let proxy = Proxy::with(&policy).plugin("mark.wasm", &mark("v1")).origin("v1").start();
    let mut old = proxy.connect("main");
    old.write(b"GET /old HTTP/1.1\r\nhost: a\r\n\r\n");
    wait_until("the request has begun", || proxy.metric("weir_downstream_requests_total") == 1);
    proxy.publish(|| proxy.write_plugin("mark.wasm", &mark("v2")));
    let mut new = proxy.connect("main");
    new.write(b"GET /new HTTP/1.1\r\nhost: a\r\n\r\n");
    let (old, new) = (old.read_response(), new.read_response());
    assert_eq!(
        (old.header("x-mark"), old.json()["headers"]["x-seen"].as_str()),
        (Some("v1"), Some("v1"))
    );
    assert_eq!(
        (new.header("x-mark"), new.json()["headers"]["x-seen"].as_str()),
        (Some("v2"), Some("v2"))
    );
}

#[test]
fn listeners_come_go_and_change_their_names() {
    let proxy = Proxy::with(CHAIN).plugin("mark.wasm", &mark("v1")).origin("v1").workers(2).start();
    let renamed = CHAIN.replace("- name: main", "- name: other");
    proxy.publish(|| proxy.write("policy.yaml", &renamed));
    assert_eq!(marked(&proxy), "v1", "a renamed listener still listens");
    let second = crate::harness::ports::free_port();
    proxy.publish(|| proxy.write("policy.yaml", &CHAIN.replace("{main}", &second.to_string())));
    Client::connect(SocketAddr::from(([127, 0, 0, 1], second))).get("/").assert_status(200);
    wait_until("the old address is closed", || {
        std::net::TcpStream::connect(proxy.address("main")).is_err()
    });
}

#[test]
fn a_new_listener_on_a_taken_port_is_refused_and_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let proxy = Proxy::with(CHAIN).plugin("mark.wasm", &mark("v1")).origin("v1").start();
    let said = proxy.refuse(|| {
        proxy.write("policy.yaml", &CHAIN.replace("127.0.0.1:{main}", &address));
    });
    assert!(said.contains(&address), "{said}");
    assert_eq!(marked(&proxy), "v1");
    let refused = Proxy::with(&CHAIN.replace("127.0.0.1:{main}", &address))
        .plugin("mark.wasm", &mark("v1"))
        .origin("v1")
        .try_start();
    let error = refused.err().expect("the port is taken").to_string();
    assert!(error.contains(&address) && error.contains("main"), "{error}");
}

#[test]
fn an_overriding_file_replaces_a_builtin_and_gives_it_back() {
    let policy = CHAIN.replace("file:./mark.wasm", "builtin:headers").replace("\"c1\"", "{}");
    let proxy = Proxy::with(&policy).origin("v1").start();
    assert_eq!(marked(&proxy), "none");
    let file = proxy.folder().join("plugins/headers.wasm");
    proxy.publish(|| std::fs::write(&file, mark("mine")).unwrap());
    assert_eq!(marked(&proxy), "mine");
    proxy.publish(|| std::fs::remove_file(&file).unwrap());
    assert_eq!(marked(&proxy), "none");
}

#[test]
fn a_removed_listener_finishes_its_request() {
    let policy = CHAIN.replace(
        r#"{name: mark, plugin: "file:./mark.wasm", config: "c1"}"#,
        r#"{name: slow, plugin: "builtin:fault", config: {delay: {percentage: 100, fixedDelay: 1s}}}"#,
    );
    let proxy = Proxy::with(&policy).origin("v1").start();
    let mut client = proxy.connect("main");
    client.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    wait_until("the request has begun", || proxy.metric("weir_downstream_requests_total") == 1);
    let elsewhere = crate::harness::ports::free_port().to_string();
    proxy.publish(|| proxy.write("policy.yaml", &policy.replace("{main}", &elsewhere)));
    client.read_response().assert_status(200);
    assert!(client.is_closed());
}

#[test]
fn a_document_in_a_new_folder_is_found() {
    let proxy = Proxy::with(INBOUND).origin("v1").start();
    proxy.get("/").assert_status(200);
    std::fs::create_dir(proxy.policies().join("deeper")).unwrap();
    proxy.publish(|| proxy.write("deeper/deny.yaml", DENY));
    proxy.get("/").assert_status(403);
}

#[test]
fn removing_every_document_leaves_the_last_serving() {
    let proxy = Proxy::with(INBOUND).origin("v1").start();
    proxy.refuse(|| std::fs::remove_file(proxy.policies().join("policy.yaml")).unwrap());
    proxy.get("/").assert_status(200);
}

/// A value that a plugin is configured with while nothing else changes.
#[test]
fn only_what_changed_is_published() {
    let proxy = Proxy::with(CHAIN).plugin("mark.wasm", &mark("v1")).origin("v1").start();
    let version = proxy.version();
    let text = std::fs::read_to_string(proxy.policies().join("policy.yaml")).unwrap();
    proxy.write("policy.yaml", &format!("# a comment\n{text}"));
    proxy.write_plugin("mark.wasm", &mark("v1"));
    proxy.publish(|| proxy.write_plugin("mark.wasm", &mark("v2")));
    assert_eq!(proxy.version(), version + 1);
}

/// Named on the command line instead of its folder, and saved as editors do: by a rename.
#[test]
fn a_single_file_is_followed() {
    let folder = Folder::new();
    let file = folder.path().join("deny.yaml");
    std::fs::write(&file, DENY).unwrap();
    let proxy = Proxy::with(INBOUND).path(&file).origin("v1").start();
    proxy.get("/").assert_status(403);
    proxy.publish(|| {
        let new = folder.path().join(".deny.yaml.swp");
        std::fs::write(&new, DENY.replace("action: DENY", "action: ALLOW")).unwrap();
        std::fs::rename(new, &file).unwrap();
    });
    proxy.get("/").assert_status(200);
}

#[test]
fn listeners_may_trade_their_addresses() {
    let two = |first: &str, second: &str| {
        format!(
            "apiVersion: weir.dev/v1\nkind: Proxy\nmetadata: {{name: edge, namespace: default}}\nspec:\n  listeners:\n  - name: one\n    bind: 127.0.0.1:{first}\n    routes: [{{cluster: {{endpoints: [\"127.0.0.1:{{v1}}\"]}}}}]\n  - name: two\n    bind: 127.0.0.1:{second}\n    routes: [{{cluster: {{endpoints: [\"127.0.0.1:{{v2}}\"]}}}}]\n"
        )
    };
    let proxy =
        Proxy::with(&two("{main}", "{second}")).origin("v1").origin("v2").workers(2).start();
    let second = || proxy.request("GET", "/").to(proxy.address("second")).send().origin();
    assert_eq!((proxy.get("/").origin(), second()), ("v1".into(), "v2".into()));
    proxy.publish(|| proxy.write("policy.yaml", &two("{second}", "{main}")));
    for _ in 0..10 {
        assert_eq!((proxy.get("/").origin(), second()), ("v2".into(), "v1".into()));
    }
}
