//! The scenarios in a real Envoy: one process with one worker, a listener for each.

use super::scenario::Scenario;
use super::transcript::{Host, Transcript, in_shares, observe};
use super::upstream::Upstream;
use crate::harness::client::Request;
use crate::harness::ports::free_port;
use crate::harness::{Folder, wait_until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const TYPES: &str = "type.googleapis.com/envoy.extensions";

struct Envoy {
    process: Child,
    folder: Folder,
    /// Of the listeners.
    ports: Vec<u16>,
}

impl Envoy {
    fn read_log(&self) -> String {
        let bytes = fs::read(self.folder.path().join("log")).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.read_log();
            let lines: Vec<&str> = log.lines().rev().take(80).collect();
            println!("what Envoy said last, latest first: {lines:#?}");
        }
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(super) fn run(binary: &Path, scenarios: &[Scenario]) -> BTreeMap<String, Transcript> {
    in_shares(scenarios, |share| run_share(binary, share))
}

fn run_share(binary: &Path, scenarios: &[&Scenario]) -> BTreeMap<String, Transcript> {
    let upstreams: Vec<Upstream> =
        scenarios.iter().map(|scenario| Upstream::start(scenario.answers.clone())).collect();
    let ports: Vec<u16> = scenarios.iter().map(|_| free_port()).collect();
    let mut envoy = start(binary, |module| {
        let each = scenarios.iter().zip(&ports).zip(&upstreams);
        let listeners: Vec<_> = each
            .map(|((scenario, port), upstream)| listener(scenario, (*port, upstream.port), module))
            .collect();
        let clusters: Vec<_> = upstreams.iter().map(|upstream| cluster(upstream.port)).collect();
        json!({"listeners": listeners, "clusters": clusters})
    });
    envoy.ports = ports;
    observe(&envoy, scenarios, &upstreams)
}

impl Host for Envoy {
    fn address(&self, number: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports[number]))
    }

    fn log(&self, _: &Scenario) -> String {
        self.read_log()
    }
}

fn start(binary: &Path, resources: impl Fn(&Path) -> Value) -> Envoy {
    let folder = Folder::new();
    let module = folder.path().join("recorder.wasm");
    fs::write(&module, weir_fixtures::guest("recorder")).unwrap();
    let admin = free_port();
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": admin}});
    let config =
        json!({"admin": {"address": address}, "static_resources": resources(&module)}).to_string();
    let file = folder.path().join("envoy.json");
    fs::write(&file, config).unwrap();
    let log = File::create(folder.path().join("log")).unwrap();
    let process = Command::new(binary)
        .arg("-c")
        .arg(&file)
        .args(["--concurrency", "1", "--use-dynamic-base-id", "--log-format", "%v"])
        .args(["-l", "warn"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut envoy = Envoy { process, folder, ports: Vec::new() };
    let admin = SocketAddr::from(([127, 0, 0, 1], admin));
    wait_until("Envoy serves", || {
        assert!(envoy.process.try_wait().unwrap().is_none(), "Envoy does not start");
        TcpStream::connect(admin).is_ok()
            && Request::new(admin, "GET", "/ready").send().status == 200
    });
    envoy
}

/// Weir's name for the cluster of a route that lists endpoints.
fn cluster_name(port: u16) -> String {
    format!("endpoints|127.0.0.1:{port}")
}

fn cluster(port: u16) -> Value {
    let name = cluster_name(port);
    let socket = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": format!("{TYPES}.upstreams.http.v3.HttpProtocolOptions"),
                "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
            },
        },
    })
}

fn listener(scenario: &Scenario, (port, upstream): (u16, u16), module: &Path) -> Value {
    let name = scenario.listener();
    let cluster = cluster_name(upstream);
    let mut filters: Vec<Value> =
        (0..scenario.filters.len()).map(|at| filter(scenario, at, module)).collect();
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": format!("{TYPES}.filters.http.router.v3.Router"),
            "suppress_envoy_headers": true,
        },
    }));
    let route = json!({"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}});
    let manager = json!({
        "@type": format!(
            "{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"
        ),
        "stat_prefix": name,
        "codec_type": "HTTP1",
        "http_protocol_options": {"enable_trailers": true},
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": [route]}]},
        "http_filters": filters,
    });
    let manager = json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": manager,
    });
    json!({
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"name": format!("edge/{name}"), "filters": [manager]}],
    })
}

fn filter(scenario: &Scenario, position: usize, module: &Path) -> Value {
    let name = scenario.filter_name(position);
    let script = format!("name {name}\n{}", scenario.filters[position]);
    let policy = if scenario.open.contains(&position) { "FAIL_OPEN" } else { "FAIL_CLOSED" };
    let string = "type.googleapis.com/google.protobuf.StringValue";
    json!({
        "name": name,
        "typed_config": {
            "@type": format!("{TYPES}.filters.http.wasm.v3.Wasm"),
            "config": {
                "name": name,
                "root_id": name,
                "failure_policy": policy,
                "configuration": {"@type": string, "value": script},
                "vm_config": {
                    "vm_id": scenario.vm(position),
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": module}},
                },
            },
        },
    })
}
