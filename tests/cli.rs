//! The `weir` program as a shell sees it.

use crate::harness::client::{Client, Request};
use crate::harness::origin::{Answer, Origin};
use crate::harness::ports::Ports;
use crate::harness::{Folder, PATIENCE, wait_until};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

pub(crate) fn weir() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.env_remove("WEIR_LOG");
    command
}

fn run(arguments: &[&str]) -> Output {
    weir().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with one document.
fn folder(yaml: &str, ports: &mut Ports) -> Folder {
    let folder = Folder::new();
    fs::write(folder.path().join("proxy.yaml"), ports.fill(yaml, folder.path())).unwrap();
    folder
}

const PROXY: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: app, namespace: default}
spec:
  workload: {serviceAccount: app, labels: {app: app}}
  listeners: [{name: in, role: inbound, bind: "127.0.0.1:{main}", port: 80, app: "127.0.0.1:{v1}"}]
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: mesh-default, namespace: istio-system}
spec:
  accessLogging: [{providers: [{name: envoy}]}]
"#;

/// A program that is killed when the test fails.
struct Process {
    child: Child,
    /// Lines of stderr, then of nothing.
    log: mpsc::Receiver<String>,
    seen: String,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, log) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, log, seen: String::new() }
    }

    #[track_caller]
    fn wait_for(&mut self, word: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.seen.contains(word) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.log.recv_timeout(left) {
                Ok(line) => self.seen += &(line + "\n"),
                Err(_) => panic!("no {word:?} in:\n{}", self.seen),
            }
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(sent.success());
    }

    #[track_caller]
    fn exit_code(&mut self) -> Option<i32> {
        wait_until("the program ends", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap().code()
    }

    fn stdout(&mut self) -> String {
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        out
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[test]
fn sigterm_finishes_what_is_in_flight_and_exits_0() {
    let origin = Origin::scripted(|_| Answer::new(200, "late").delay(Duration::from_millis(1200)));
    let mut ports = Ports::default();
    ports.set("v1", origin.port());
    let folder = folder(PROXY, &mut ports);
    let address = local(ports.get("main").unwrap());
    let mut weir = Process::start(weir().arg("run").arg(folder.path()).args([
        "--admin",
        "127.0.0.1:0",
        "--workers",
        "2",
    ]));
    weir.wait_for("serving");
    let mut idle = Client::connect(address);
    let mut client = Client::connect(address);
    client.write(&Request::new(address, "GET", "/in-flight").bytes());
    wait_until("the request is upstream", || !origin.requests().is_empty());
    weir.signal("TERM");
    weir.wait_for("draining");
    assert!(idle.is_closed(), "idle connections are closed at once");
    client.read_response().assert_status(200).assert_body("late");
    assert!(client.is_closed(), "and the others after their request");
    assert_eq!(weir.exit_code(), Some(0));
    assert!(std::net::TcpStream::connect(address).is_err());
    let out = weir.stdout();
    assert_eq!(out.lines().count(), 1, "the access log is flushed: {out:?}");
    assert!(out.contains("\"GET /in-flight HTTP/1.1\" 200 - via_upstream"), "{out}");
}

#[test]
fn a_second_signal_does_not_wait() {
    let origin = Origin::scripted(|_| Answer::new(200, "never").delay(Duration::from_secs(30)));
    let mut ports = Ports::default();
    ports.set("v1", origin.port());
    let folder = folder(PROXY, &mut ports);
    let address = local(ports.get("main").unwrap());
    let mut weir =
        Process::start(weir().arg("run").arg(folder.path()).args(["--admin", "127.0.0.1:0"]));
    weir.wait_for("serving");
    let mut client = Client::connect(address);
    client.write(&Request::new(address, "GET", "/").bytes());
    wait_until("the request is upstream", || !origin.requests().is_empty());
    weir.signal("INT");
    weir.wait_for("draining");
    weir.signal("INT");
    assert_eq!(weir.exit_code(), Some(0));
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut ports = Ports::default();
    ports.set("main", address.port());
    let served = folder(PROXY, &mut ports);
    let path = served.path().to_str().unwrap().to_owned();
    let output = run(&["run", &path, "--admin", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains(&address.to_string()) && error.contains("app/in"), "{error}");

    let served = folder(PROXY, &mut Ports::default());
    let path = served.path().to_str().unwrap();
    let output = run(&["run", path, "--admin", &address.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("admin") && error.contains(&address.to_string()), "{error}");
}

#[test]
fn exit_codes_are_those_of_sysexits() {
    let good = folder(PROXY, &mut Ports::default());
    let good = good.path().to_str().unwrap().to_owned();
    let bad = folder(
        "apiVersion: weir.dev/v1\nkind: Proxy\nspec: {listeners: 7}\n",
        &mut Ports::default(),
    );
    let bad_path = bad.path().to_str().unwrap();
    let _keep = folder(PROXY, &mut Ports::default());
    let fresh = folder(PROXY, &mut Ports::default());
    let fresh = fresh.path().to_str().unwrap();
    assert_eq!(run(&["check", bad_path]).status.code(), Some(65));
    assert_eq!(run(&["run", bad_path, "--admin", "127.0.0.1:0"]).status.code(), Some(65));
    assert_eq!(run(&["plan", bad_path]).status.code(), Some(65));
    assert_eq!(run(&["check", "/no/such/path"]).status.code(), Some(1));
    assert_eq!(run(&["no-such-command"]).status.code(), Some(64));
    assert_eq!(run(&["run"]).status.code(), Some(64));
    assert_eq!(run(&["version"]).status.code(), Some(0));
    assert_eq!(run(&["--help"]).status.code(), Some(0));
    drop(good);
    let _ = fresh;
}

#[test]
fn check_tells_where_and_plan_prints_json() {
    let good = folder(PROXY, &mut Ports::default());
    let path = good.path().to_str().unwrap();
    assert_eq!(run(&["check", path]).status.code(), Some(0));
    let plan = run(&["plan", path, "-o", "json"]);
    assert_eq!(plan.status.code(), Some(0));
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(plan["listeners"][0]["name"], "app/in");
    let printed = text(&run(&["plan", path]).stdout);
    assert!(printed.contains("accesslog") && printed.contains("stats"), "{printed}");

    let bad = folder(
        "apiVersion: weir.dev/v1\nkind: Proxy\nspec: {listeners: 7}\n",
        &mut Ports::default(),
    );
    let path = bad.path().to_str().unwrap();
    let told = text(&run(&["check", path]).stdout);
    assert!(told.contains("proxy.yaml:3:"), "{told}");
    let told = run(&["check", path, "-o", "json"]);
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert!(told.as_array().is_some_and(|found| !found.is_empty()), "{told}");
}

#[test]
fn help_names_every_command_and_option() {
    let help = text(&run(&["--help"]).stdout);
    for command in ["run", "check", "plan", "demo", "version"] {
        assert!(help.contains(command), "{command} in {help}");
    }
    let help = text(&run(&["run", "--help"]).stdout);
    for option in ["--admin", "--workers", "--mode", "--plugins", "--log-format", "PATH"] {
        assert!(help.contains(option), "{option} in {help}");
    }
    assert!(text(&run(&["version"]).stdout).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_admin_endpoints_answer() {
    let folder = folder(PROXY, &mut Ports::default());
    let admin = local(crate::harness::ports::free_port());
    let mut weir = Process::start(
        weir()
            .args(["run", folder.path().to_str().unwrap(), "--log-format", "json"])
            .args(["--admin", &admin.to_string()]),
    );
    weir.wait_for("serving");
    let get = |path: &str| Request::new(admin, "GET", path).send();
    get("/ready").assert_status(200);
    assert!(get("/metrics").assert_status(200).text().contains("weir_snapshot_version 1"));
    assert_eq!(get("/plan").assert_status(200).json()["listeners"][0]["name"], "app/in");
    assert!(get("/plugins").assert_status(200).text().contains("stats"));
    get("/no-such").assert_status(404);
    for line in weir.seen.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn sighup_looks_again() {
    let mut ports = Ports::default();
    let folder = folder(PROXY, &mut ports);
    let mut weir = Process::start(weir().args([
        "run",
        folder.path().to_str().unwrap(),
        "--admin",
        "127.0.0.1:0",
    ]));
    weir.wait_for("serving");
    let edited = ports.fill(&PROXY.replace("app: app}", "app: other}"), folder.path());
    fs::write(folder.path().join("proxy.yaml"), edited).unwrap();
    weir.signal("HUP");
    weir.wait_for("configuration published");
}

#[test]
fn check_finds_what_run_would_refuse() {
    let route = |plugins: &str| {
        format!(
            "apiVersion: weir.dev/v1\nkind: Proxy\nmetadata: {{name: app}}\nspec:\n  listeners:\n  - name: main\n    bind: 127.0.0.1:{{main}}\n    routes:\n    - cluster: {{endpoints: [127.0.0.1:1]}}\n      plugins: [{plugins}]\n"
        )
    };
    for (plugins, told) in [
        (r#"{name: x, plugin: "file:./gone.wasm"}"#, "gone.wasm"),
        (r#"{name: x, plugin: "builtin:fault", config: {abort: {httpStat: 503}}}"#, "httpStat"),
    ] {
        let folder = folder(&route(plugins), &mut Ports::default());
        let checked = run(&["check", folder.path().to_str().unwrap()]);
        let report = text(&checked.stdout);
        assert_eq!(checked.status.code(), Some(65), "{report}");
        assert!(report.contains("E0018") && report.contains(told), "{report}");
        assert!(report.contains("proxy.yaml:9:7"), "{report}");
    }
}
