//! One thread that serves: its sockets, its VMs, its upstream connections.
//!
//! Commands come from the control thread. A new snapshot is prepared on every worker before any of
//! them serves it: sockets bound, VMs started, configurations in place.

use super::{callout, listener, ticking};
use crate::snapshot::Snapshot;
use crate::snapshot::local::LocalSnapshot;
use crate::snapshot::router::Listener;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::metric::Metric;
use crate::telemetry::registry::Registry;
use crate::upstream::cluster::Cluster;
use crate::upstream::peers::Peers;
use crate::upstream::pool::Pools;
use crate::wasm::callouts::Callouts;
use crate::wasm::environment::Environment;
use crate::wasm::shared::Shared as SharedData;
use crate::wasm::ticks::TickSchedule;
use rustc_hash::FxHashMap;
use socket2::Socket;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, LocalSet};

/// Wasm frames and host frames share this stack; wasm alone may use 512 KiB.
const STACK_BYTES: usize = 4 << 20;

/// What all workers share.
#[derive(Clone)]
pub struct Shared {
    pub registry: Arc<Registry>,
    pub access_log: AccessLog,
    pub shared_data: Arc<SharedData>,
    pub peers: Peers,
}

pub enum Command {
    /// Get everything ready for this snapshot; answer whether it worked.
    Prepare { snapshot: Arc<Snapshot>, reply: oneshot::Sender<Result<(), String>> },
    /// Serve what was prepared.
    Commit { reply: oneshot::Sender<()> },
    /// Forget what was prepared.
    Abort,
    /// Stop accepting, finish what is in flight, then end the thread.
    Drain { grace: Duration },
}

/// The control thread's end of a worker.
pub struct Handle {
    pub commands: mpsc::UnboundedSender<Command>,
    pub thread: thread::JoinHandle<()>,
}

pub struct Worker {
    pub(super) pools: Rc<Pools>,
    pub(super) peers: Peers,
    pub(super) environment: Environment,
    snapshot: RefCell<Rc<LocalSnapshot>>,
    /// Until it is committed or given up.
    preparing: RefCell<Option<Arc<Snapshot>>>,
    accepting: RefCell<FxHashMap<SocketAddr, Accepting>>,
    requests: Arc<Metric>,
    connections: Arc<Metric>,
    open: Cell<usize>,
    closed: Notify,
}

struct Accepting {
    name: Arc<str>,
    drain: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// A snapshot this worker could serve, and the sockets it would add.
struct Prepared {
    local: LocalSnapshot,
    sockets: Vec<(Arc<Listener>, Socket)>,
}

/// Counts one open connection until dropped.
pub(super) struct OpenConnection(Rc<Worker>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.connections.add(-1);
        self.0.closed.notify_one();
    }
}

/// Starts worker `index`, which serves nothing until the first snapshot is committed.
pub fn start(index: usize, shared: Shared) -> io::Result<Handle> {
    let (commands, receiver) = mpsc::unbounded_channel();
    let thread = thread::Builder::new()
        .name(format!("weir-worker-{index}"))
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => LocalSet::new().block_on(&runtime, run(shared, receiver)),
                Err(error) => tracing::error!(%error, "worker cannot start"),
            }
        })?;
    Ok(Handle { commands, thread })
}

async fn run(shared: Shared, mut commands: mpsc::UnboundedReceiver<Command>) {
    let environment = Environment {
        registry: Arc::clone(&shared.registry),
        access_log: shared.access_log.clone(),
        shared: Arc::clone(&shared.shared_data),
        callouts: Callouts::new(),
        ticks: TickSchedule::new(),
        wall_clock: SystemTime::now,
        monotonic_clock: Instant::now,
        cpu_clock: thread_cpu,
        entropy,
    };
    let mut worker: Option<Rc<Worker>> = None;
    let mut prepared = None;
    while let Some(command) = commands.recv().await {
        match command {
            Command::Prepare { snapshot, reply } => {
                if let Some(worker) = &worker {
                    worker.preparing.replace(Some(Arc::clone(&snapshot)));
                }
                let result = prepare(&snapshot, worker.as_deref(), &environment);
                let answer = result.map(|ready| prepared = Some(ready));
                // The control thread has given up when nobody listens.
                let _ = reply.send(answer);
            }
            Command::Abort => {
                prepared = None;
                if let Some(worker) = &worker {
                    worker.preparing.replace(None);
                    worker.allow_callouts();
                }
            }
            Command::Commit { reply } => {
                if let Some(ready) = prepared.take() {
                    commit(&mut worker, ready, &shared, &environment);
                }
                let _ = reply.send(());
            }
            Command::Drain { grace } => {
                if let Some(worker) = &worker {
                    let _ = tokio::time::timeout(grace, worker.drain()).await;
                }
                return;
            }
        }
    }
}

/// CPU time this thread has used.
pub fn thread_cpu() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    used.try_into().unwrap_or_default()
}

fn entropy(bytes: &mut [u8]) {
    fastrand::fill(bytes);
}

fn prepare(
    snapshot: &Arc<Snapshot>,
    worker: Option<&Worker>,
    environment: &Environment,
) -> Result<Prepared, String> {
    let previous = worker.map(|worker| worker.snapshot());
    // While configuring, a plugin may already call the clusters of the new plan.
    let serving = previous.iter().flat_map(|previous| previous.shared.clusters.keys());
    let known = snapshot.clusters.keys().chain(serving);
    environment.callouts.set_clusters(known.cloned().collect());
    let local = LocalSnapshot::prepare(snapshot, previous.as_deref(), environment)
        .map_err(|error| error.to_string())?;
    let mut sockets = Vec::new();
    for listener in &snapshot.listeners {
        if worker.is_some_and(|worker| worker.accepts(listener)) {
            continue;
        }
        let socket = listener::bind(listener.bind)
            .map_err(|error| format!("listener {}: {}: {error}", listener.name, listener.bind))?;
        sockets.push((Arc::clone(listener), socket));
    }
    Ok(Prepared { local, sockets })
}

fn commit(
    worker: &mut Option<Rc<Worker>>,
    prepared: Prepared,
    shared: &Shared,
    environment: &Environment,
) {
    let local = Rc::new(prepared.local);
    let worker = match worker {
        Some(worker) => {
            worker.snapshot.replace(Rc::clone(&local));
            worker.preparing.replace(None);
            worker
        }
        None => {
            let registry = &shared.registry;
            let new = Rc::new(Worker {
                pools: Pools::new(shared.peers.clone()),
                peers: shared.peers.clone(),
                environment: environment.clone(),
                snapshot: RefCell::new(Rc::clone(&local)),
                preparing: RefCell::default(),
                accepting: RefCell::default(),
                requests: registry.counter("weir_downstream_requests_total"),
                connections: registry.gauge("weir_downstream_connections_active"),
                open: Cell::new(0),
                closed: Notify::new(),
            });
            tokio::task::spawn_local(ticking::run(Rc::clone(&new)));
            tokio::task::spawn_local(callout::run(Rc::clone(&new)));
            worker.insert(new)
        }
    };
    worker.allow_callouts();
    worker.stop_removed(&local.shared);
    for (listener, socket) in prepared.sockets {
        match listener::listen(socket) {
            Ok(socket) => worker.accept(listener, socket),
            Err(error) => tracing::error!(listener = %listener.name, %error, "cannot listen"),
        }
    }
}

impl Worker {
    pub(super) fn snapshot(&self) -> Rc<LocalSnapshot> {
        Rc::clone(&self.snapshot.borrow())
    }

    /// The cluster a plugin calls: one of the plan that serves, or of the one being prepared, whose
    /// plugins may call while they are configured.
    pub(super) fn callout_cluster(&self, name: &str) -> Option<Arc<Cluster>> {
        let serving = self.snapshot().shared.clusters.get(name).cloned();
        serving.or_else(|| self.preparing.borrow().as_ref()?.clusters.get(name).cloned())
    }

    /// Plugins may call the clusters of the plan that serves, and no others.
    fn allow_callouts(&self) {
        let names = self.snapshot().shared.clusters.keys().cloned().collect();
        self.environment.callouts.set_clusters(names);
    }

    pub(super) fn count_request(&self) {
        self.requests.add(1);
    }

    pub(super) fn connection_opened(self: &Rc<Self>) -> OpenConnection {
        self.open.set(self.open.get() + 1);
        self.connections.add(1);
        OpenConnection(Rc::clone(self))
    }

    fn accept(self: &Rc<Self>, listener: Arc<Listener>, socket: TcpListener) {
        let (drain, draining) = watch::channel(false);
        let (bind, name) = (listener.bind, Arc::clone(&listener.name));
        let accepting = listener::accept(Rc::clone(self), socket, listener, draining);
        let task = tokio::task::spawn_local(accepting);
        self.accepting.borrow_mut().insert(bind, Accepting { name, drain, task });
    }

    /// Whether a socket of this listener is open. Under another name it is another listener.
    fn accepts(&self, listener: &Listener) -> bool {
        let accepting = self.accepting.borrow();
        accepting.get(&listener.bind).is_some_and(|it| it.name == listener.name)
    }

    /// Listeners that the plan no longer has, or has under another name, stop accepting; their
    /// connections end after the request in flight.
    fn stop_removed(&self, snapshot: &Snapshot) {
        self.accepting.borrow_mut().retain(|bind, accepting| {
            let stays = snapshot
                .listeners
                .iter()
                .any(|listener| listener.bind == *bind && listener.name == accepting.name);
            if !stays {
                accepting.drain.send_replace(true);
            }
            stays
        });
    }

    async fn drain(&self) {
        let accepting = self.accepting.take().into_values();
        let told = accepting.map(|accepting| {
            accepting.drain.send_replace(true);
            accepting.task
        });
        for task in told.collect::<Vec<_>>() {
            // Connections that wait to be accepted are requests on their way.
            let _ = task.await;
        }
        while self.open.get() > 0 {
            self.closed.notified().await;
        }
    }
}
