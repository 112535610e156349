//! A proxy, its origins and its clients over real sockets, in this process.
//!
//! ```ignore
//! let proxy = Proxy::with(POLICY).origin("v1").start();
//! proxy.get("/").assert_status(200).assert_body("hello");
//! ```
//!
//! Policies are text as a user writes them. `{main}` in them is a free port, always the same one
//! for the same word; `{v1}` is the port of the origin `v1`; `{folder}` is the test's own folder
//! (documents are in `{folder}/policies`, `proxy.log()` reads `{folder}/access.log`). Requests go to
//! `{main}` unless `.on("other")` says otherwise. Nothing here sleeps: `wait_until` polls.
#![allow(dead_code, unreachable_pub, reason = "one toolbox for every module of the suite")]

pub mod client;
pub mod edge;
pub mod guest;
pub mod mesh;
pub mod origin;
pub mod ports;

use client::{Client, Request, Response};
use origin::{Answer, Origin, Received};
use ports::Ports;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};
use weir::policy::Mode;
use weir::server::{self, Options, ServerError};
use weir::snapshot::source::Files;

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Polls until `done`, and fails the test when that does not come.
#[track_caller]
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A folder that is removed when dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("weir-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing is lost when the system cleans it up later.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A proxy that does not run yet.
pub struct Proxy {
    folder: Folder,
    files: Vec<(String, String)>,
    extra_paths: Vec<PathBuf>,
    origins: Vec<(String, Origin)>,
    ports: Ports,
    mode: Mode,
    workers: usize,
    drain: Duration,
}

impl Proxy {
    /// A proxy that reads `yaml` from `policies/policy.yaml`.
    pub fn with(yaml: &str) -> Self {
        let folder = Folder::new();
        fs::create_dir_all(folder.path().join("policies")).unwrap();
        fs::create_dir_all(folder.path().join("plugins")).unwrap();
        Self {
            folder,
            files: vec![("policy.yaml".into(), yaml.into())],
            extra_paths: Vec::new(),
            origins: Vec::new(),
            ports: Ports::default(),
            mode: Mode::Compat,
            workers: 1,
            drain: Duration::from_secs(2),
        }
    }

    /// The mesh of [`mesh::MESH`] with these rules for the host `svc`, and its three origins.
    pub fn mesh(rules: &str) -> Self {
        let proxy = Self::with(mesh::MESH).file("rules.yaml", &mesh::virtual_service(rules));
        proxy.origin("v1").origin("v2").origin("other")
    }

    /// One more document file.
    pub fn file(mut self, name: &str, yaml: &str) -> Self {
        self.files.push((name.into(), yaml.into()));
        self
    }

    /// A file or folder to read besides the test's own, as on the command line.
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.extra_paths.push(path.into());
        self
    }

    /// An origin that answers 200 with the request as JSON.
    pub fn origin(self, name: &str) -> Self {
        let echo_name = name.to_owned();
        self.origin_with(name, move |request| Answer::echo(&echo_name, request))
    }

    /// An origin that answers what `script` says.
    pub fn origin_with(
        mut self,
        name: &str,
        script: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        self.origins.push((name.into(), Origin::scripted(script)));
        self
    }

    /// An origin that is handed every connection as a bare socket, on a thread of its own.
    pub fn origin_raw(
        mut self,
        name: &str,
        serve: impl Fn(TcpStream) + Send + Sync + 'static,
    ) -> Self {
        self.origins.push((name.into(), Origin::raw(serve)));
        self
    }

    /// A Wasm file beside the documents, for `file:./NAME`.
    pub fn plugin(self, name: &str, bytes: &[u8]) -> Self {
        fs::write(self.folder.path().join("policies").join(name), bytes).unwrap();
        self
    }

    /// A Wasm file in the plugin folder: `fault.wasm` replaces `builtin:fault`.
    pub fn overriding(self, name: &str, bytes: &[u8]) -> Self {
        fs::write(self.folder.path().join("plugins").join(name), bytes).unwrap();
        self
    }

    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    pub fn drain(mut self, grace: Duration) -> Self {
        self.drain = grace;
        self
    }

    #[track_caller]
    pub fn start(self) -> Running {
        match self.try_start() {
            Ok(running) => running,
            Err(error) => panic!("the proxy does not start:\n{error}"),
        }
    }

    pub fn try_start(mut self) -> Result<Running, ServerError> {
        for (name, origin) in &self.origins {
            self.ports.set(name, origin.port());
        }
        let policies = self.folder.path().join("policies");
        for (name, yaml) in &self.files {
            let text = self.ports.fill(yaml, self.folder.path());
            fs::write(policies.join(name), text).unwrap();
        }
        let mut paths = vec![policies];
        paths.append(&mut self.extra_paths);
        let files = Files {
            paths,
            plugins: Some(self.folder.path().join("plugins")),
            builtin: weir_plugins::builtin,
        };
        let server = server::start(Options {
            files,
            builtins: weir_plugins::builtins().map(|(name, _)| name).collect(),
            mode: self.mode,
            namespace: "default".into(),
            workers: self.workers,
            admin: SocketAddr::from(([127, 0, 0, 1], 0)),
            // Compiled once for all tests; a module is its content.
            module_cache: Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("modules")),
            drain: self.drain,
            signals: false,
        })?;
        let (folder, origins, ports) = (self.folder, self.origins, self.ports);
        Ok(Running { server: Some(server), folder, origins, ports })
    }
}

/// A proxy that serves; stopped, and its folder removed, when dropped.
pub struct Running {
    server: Option<server::Running>,
    folder: Folder,
    origins: Vec<(String, Origin)>,
    ports: Ports,
}

impl Running {
    /// GET on `{main}` over a connection of its own.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path).send()
    }

    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.address("main"), method, path)
    }

    /// GET on `{main}` for the host `svc` of [`mesh::MESH`].
    pub fn svc(&self, path: &str) -> Request {
        self.request("GET", path).host("svc")
    }

    /// A keep-alive connection to a listener.
    #[track_caller]
    pub fn connect(&self, listener: &str) -> Client {
        Client::connect(self.address(listener))
    }

    /// Sends raw bytes to `{main}`, then reads until the proxy closes.
    #[track_caller]
    pub fn send_bytes(&self, bytes: &[u8]) -> String {
        let mut client = self.connect("main");
        client.write(bytes);
        String::from_utf8_lossy(&client.read_to_end()).into_owned()
    }

    pub fn address(&self, listener: &str) -> SocketAddr {
        let port = self.ports.get(listener);
        let port = port.unwrap_or_else(|| panic!("no `{{{listener}}}` in the documents"));
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// GET on the admin endpoints.
    #[track_caller]
    pub fn admin(&self, path: &str) -> Response {
        let admin = self.server.as_ref().expect("present until dropped").admin();
        Request::new(admin, "GET", path).send()
    }

    /// Value of one metric line at `/metrics`, by its whole name with labels; 0 when absent.
    pub fn metric(&self, name: &str) -> u64 {
        let metrics = self.admin("/metrics").text();
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Sum over the lines of a family whose labels contain `label`.
    pub fn metric_sum(&self, family: &str, label: &str) -> u64 {
        let metrics = self.admin("/metrics").text();
        let lines = metrics.lines().filter_map(|line| line.strip_prefix(family)?.strip_prefix('{'));
        let values = lines.filter(|line| line.contains(label)).filter_map(|line| {
            let (_, value) = line.rsplit_once(' ')?;
            value.parse::<u64>().ok()
        });
        values.sum()
    }

    /// Saves a file beside the documents; placeholders are filled in.
    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.policies().join(file), self.fill(text)).unwrap();
    }

    /// Saves a Wasm file beside the documents in one step, as `cargo build` and `cp` + `mv` do.
    pub fn write_plugin(&self, file: &str, bytes: &[u8]) {
        let new = self.folder().join("plugin.new");
        fs::write(&new, bytes).unwrap();
        fs::rename(new, self.policies().join(file)).unwrap();
    }

    /// Text with the placeholders known so far.
    pub fn fill(&self, text: &str) -> String {
        self.ports.clone().fill(text, self.folder())
    }

    /// What `/plugins` says about the last configuration that was refused.
    pub fn errors(&self) -> String {
        self.admin("/plugins").text()
    }

    /// Number of the configuration that serves.
    pub fn version(&self) -> u64 {
        self.metric("weir_snapshot_version")
    }

    /// Does `change`, then waits until a newer configuration serves.
    #[track_caller]
    pub fn publish(&self, change: impl FnOnce()) {
        let before = self.version();
        change();
        wait_until("a new configuration is published", || self.version() > before);
    }

    /// Does `change`, then waits until it is refused; returns what `/plugins` says.
    #[track_caller]
    pub fn refuse(&self, change: impl FnOnce()) -> String {
        let name = "weir_reloads_total{result=\"refused\"}";
        let before = self.metric(name);
        change();
        wait_until("the configuration is refused", || self.metric(name) > before);
        self.errors()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn policies(&self) -> PathBuf {
        self.folder().join("policies")
    }

    /// Lines of `{folder}/access.log`.
    pub fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder().join("access.log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits for `count` lines of `{folder}/access.log`.
    #[track_caller]
    pub fn wait_log(&self, count: usize) -> Vec<String> {
        wait_until("the access log has its lines", || self.log().len() >= count);
        self.log()
    }

    #[track_caller]
    pub fn origin(&self, name: &str) -> &Origin {
        let found = self.origins.iter().find(|(other, _)| other == name);
        &found.unwrap_or_else(|| panic!("no origin `{name}`")).1
    }

    /// Drains now instead of when dropped.
    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
