//! The control thread: one loop over file events, signals and requests.

use super::publish::Workers;
use super::trial;
use super::{Options, Request, ServerError};
use crate::admin;
use crate::admin::status::Status;
use crate::http::worker::Shared;
use crate::policy::{self, Source};
use crate::snapshot::Snapshot;
use crate::snapshot::build::BuildError;
use crate::snapshot::source::{Files, Text};
use crate::snapshot::watch::Watch;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::registry::Registry;
use crate::upstream::peers::Peers;
use crate::wasm::cache::Cache;
use crate::wasm::engine::Engine;
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::LocalSet;

type Started = Sender<Result<SocketAddr, ServerError>>;

/// Runs until stopped. Tells `started` how the first configuration went.
pub(super) fn run(options: Options, requests: UnboundedReceiver<Request>, started: &Started) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let local = LocalSet::new();
            let outcome = local.block_on(&runtime, serve(options, requests, started));
            // After a second signal nobody waits for the thread that waits for the workers.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(ServerError::Start(error.to_string())),
    };
    if let Err(error) = outcome {
        // Only a failure to start comes back here, and somebody waits for it.
        let _ = started.send(Err(error));
    }
}

async fn serve(
    options: Options,
    mut requests: UnboundedReceiver<Request>,
    started: &Started,
) -> Result<(), ServerError> {
    let mut signals = if options.signals { Some(Signals::new()?) } else { None };
    let mut control = Control::new(options)?;
    control.first().await?;
    let admin = admin::serve(control.options.admin, &control.registry, &control.status)
        .map_err(|error| ServerError::Admin { address: control.options.admin, error })?;
    // Nobody waits any more when the starter has given up; then the drop of `requests` ends us.
    let _ = started.send(Ok(admin));
    loop {
        let request = tokio::select! {
            request = requests.recv() => request.unwrap_or(Request::Stop),
            request = next_signal(&mut signals) => request,
            () = control.watch.changed() => Request::Reload,
        };
        match request {
            Request::Reload => control.reload().await,
            Request::Stop => break,
        }
    }
    tracing::info!("draining");
    let (workers, grace) = (control.workers, control.options.drain);
    tokio::select! {
        () = workers.drain(grace) => {}
        // A second signal does not wait.
        _ = next_signal(&mut signals) => {}
    }
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self, ServerError> {
        let listen = |kind| signal(kind).map_err(|error| ServerError::Start(error.to_string()));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }
}

async fn next_signal(signals: &mut Option<Signals>) -> Request {
    let Some(signals) = signals else { return std::future::pending().await };
    tokio::select! {
        _ = signals.terminate.recv() => Request::Stop,
        _ = signals.interrupt.recv() => Request::Stop,
        _ = signals.hang_up.recv() => Request::Reload,
    }
}

struct Control {
    options: Options,
    engine: Engine,
    registry: Arc<Registry>,
    access_log: AccessLog,
    workers: Workers,
    watch: Watch,
    status: Arc<ArcSwap<Status>>,
    texts: Vec<Text>,
    snapshot: Option<Arc<Snapshot>>,
    /// What the last refusal said, so that looking again at the same files does not repeat it.
    refusal: Option<String>,
}

impl Control {
    fn new(options: Options) -> Result<Self, ServerError> {
        let start = |error: &dyn std::fmt::Display| ServerError::Start(error.to_string());
        let cache = options.module_cache.clone().and_then(|folder| {
            let opened = Cache::open(folder);
            opened.inspect_err(|error| tracing::warn!(%error, "no module cache")).ok()
        });
        let engine = Engine::new(cache).map_err(|error| start(&error))?;
        let registry = Arc::new(Registry::default());
        let access_log = AccessLog::start(&registry).map_err(|error| start(&error))?;
        let shared = Shared {
            registry: Arc::clone(&registry),
            access_log: access_log.clone(),
            shared_data: Arc::default(),
            peers: Peers::default(),
        };
        let workers = Workers::start(options.workers, shared)?;
        let mut watch = Watch::start();
        watch.set_folders(options.files.folders(std::iter::empty()));
        Ok(Self {
            options,
            engine,
            registry,
            access_log,
            workers,
            watch,
            status: Arc::default(),
            texts: Vec::new(),
            snapshot: None,
            refusal: None,
        })
    }

    /// The first configuration: an error ends the program.
    async fn first(&mut self) -> Result<(), ServerError> {
        let texts = self.options.files.texts()?;
        self.apply(texts).await.map(|_changed| ())
    }

    /// Looks at every source again. A failure leaves what serves alone.
    async fn reload(&mut self) {
        let texts = self.options.files.texts().map_err(ServerError::from);
        let applied = match texts.and_then(|texts| self.refuse_emptied(texts)) {
            Ok(texts) => self.apply(texts).await,
            Err(error) => Err(error),
        };
        let outcome = match applied {
            Ok(false) => return self.refusal = None,
            Ok(true) => {
                self.refusal = None;
                let version = self.status.load().version;
                tracing::info!(version, "configuration published");
                "ok"
            }
            Err(error) => {
                if !self.refuse(&error) {
                    return;
                }
                "refused"
            }
        };
        self.registry.counter(&format!("weir_reloads_total{{result=\"{outcome}\"}}")).add(1);
    }

    /// Says why a configuration does not serve; `false` when that was said before.
    fn refuse(&mut self, error: &ServerError) -> bool {
        let message = error.to_string();
        if self.refusal.as_ref() == Some(&message) {
            return false;
        }
        tracing::error!("configuration refused, the previous one serves on:\n{message}");
        let build: &[BuildError] = match error {
            ServerError::Build(errors) => errors,
            _ => &[],
        };
        let status = self.status.load().refused(vec![message.clone()], build);
        self.status.store(Arc::new(status));
        self.refusal = Some(message);
        true
    }

    /// A file that held documents and is blank now was truncated: its policies must not vanish.
    fn refuse_emptied(&self, texts: Vec<Text>) -> Result<Vec<Text>, ServerError> {
        let blank = |text: &str| {
            text.lines().all(|line| {
                let line = line.trim();
                line.is_empty() || line.starts_with('#') || line == "---"
            })
        };
        let emptied = texts.iter().find(|text| {
            let before = self.texts.iter().find(|before| before.name == text.name);
            blank(&text.text) && before.is_some_and(|before| !blank(&before.text))
        });
        match emptied {
            Some(text) => Err(ServerError::Policy(format!(
                "{}: the file is empty now; delete it to give up the policies it held",
                text.name
            ))),
            None => Ok(texts),
        }
    }

    /// Compiles, builds and publishes; `false` when nothing has changed.
    async fn apply(&mut self, texts: Vec<Text>) -> Result<bool, ServerError> {
        let loaded = self.load(&texts);
        let sources = sources(&texts);
        let report = policy::render(&loaded.diagnostics, &sources, false);
        let Some(plan) = loaded.plan else { return Err(ServerError::Policy(report)) };
        let plugins = plan.plugins.values().map(|plugin| &plugin.source);
        self.watch.set_folders(self.options.files.folders(plugins));
        let snapshot = self.build(plan).await?;
        if self.snapshot.as_ref().is_some_and(|before| is_same(before, &snapshot)) {
            self.texts = texts;
            let mut status = Status::clone(&self.status.load());
            status.errors.clear();
            status.plugins.iter_mut().for_each(|row| row.error = None);
            self.status.store(Arc::new(status));
            return Ok(false);
        }
        if !report.trim().is_empty() && self.status.load().diagnostics != loaded.diagnostics {
            tracing::warn!("{}", report.trim_end());
        }
        let snapshot = Arc::new(snapshot);
        self.workers.publish(&snapshot, self.snapshot.as_deref()).await?;
        let before = self.status.load();
        let files = &self.options.files;
        let status = Status::published(&before, &snapshot, files, loaded.diagnostics);
        self.status.store(Arc::new(status));
        self.registry.gauge("weir_snapshot_version").record(snapshot.version);
        self.texts = texts;
        self.snapshot = Some(snapshot);
        Ok(true)
    }

    fn load(&self, texts: &[Text]) -> policy::Loaded {
        let options = policy::Options {
            mode: self.options.mode,
            namespace: self.options.namespace.clone(),
            builtins: &self.options.builtins,
            require_listeners: true,
            ..policy::Options::default()
        };
        policy::load(&sources(texts), &options)
    }

    /// Compiles off this thread, which goes on answering the admin endpoints meanwhile.
    async fn build(&self, plan: crate::plan::Plan) -> Result<Snapshot, ServerError> {
        let (engine, files): (Engine, Files) = (self.engine.clone(), self.options.files.clone());
        let access_log = self.access_log.clone();
        let previous = self.snapshot.clone();
        let built = tokio::task::spawn_blocking(move || {
            trial::build(plan, previous.as_deref(), &engine, &files, access_log)
        });
        let built = built.await.map_err(|error| ServerError::Start(error.to_string()))?;
        built.map_err(ServerError::Build)
    }
}

fn sources(texts: &[Text]) -> Vec<Source> {
    let source = |text: &Text| Source {
        name: text.name.clone(),
        base: text.base.clone(),
        text: text.text.clone(),
    };
    texts.iter().map(source).collect()
}

fn is_same(before: &Snapshot, after: &Snapshot) -> bool {
    let modules = after.modules.iter().all(|(name, module)| {
        before.modules.get(name).is_some_and(|before| Arc::ptr_eq(before, module))
    });
    modules && before.plan == after.plan
}
