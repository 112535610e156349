//! Runs a proxy: loads, builds, publishes, watches, drains.
//!
//! The control thread does everything that is not a request. Whatever fails here leaves what serves
//! alone and is told in the log, at `/plugins` and in `weir_reloads_total`.

mod control;
mod publish;
pub mod trial;

use crate::policy::Mode;
use crate::snapshot::build::BuildError;
use crate::snapshot::source::{Files, SourceError};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    pub files: Files,
    /// Names of the plugins `files.builtin` knows.
    pub builtins: Vec<&'static str>,
    pub mode: Mode,
    /// Namespace of documents that name none.
    pub namespace: String,
    /// Worker threads; at least one.
    pub workers: usize,
    /// Folder of compiled modules; without one, every start compiles.
    pub module_cache: Option<PathBuf>,
    /// Where the admin endpoints listen; port 0 lets the system choose.
    pub admin: SocketAddr,
    /// How long requests in flight may take to finish when stopping.
    pub drain: Duration,
    /// Stop on SIGTERM and SIGINT, reload on SIGHUP.
    pub signals: bool,
}

/// Why the proxy does not start, or does not take a new configuration.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Documents with errors; the text is the rendered report.
    #[error("{0}")]
    Policy(String),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Build(Vec<BuildError>),
    /// A worker cannot serve it.
    #[error("{0}")]
    Prepare(String),
    /// A listener's address is taken.
    #[error("listener {listener}: cannot bind {address}: {error}")]
    Bind { listener: String, address: SocketAddr, error: io::Error },
    #[error("admin: cannot bind {address}: {error}")]
    Admin { address: SocketAddr, error: io::Error },
    #[error("cannot start: {0}")]
    Start(String),
}

/// What may be asked of a running server.
#[derive(Debug)]
pub(crate) enum Request {
    Stop,
    Reload,
}

/// A server on its own control thread.
pub struct Running {
    admin: SocketAddr,
    requests: mpsc::UnboundedSender<Request>,
    thread: JoinHandle<()>,
}

impl Running {
    /// Where the admin endpoints listen.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Looks at all sources again, as SIGHUP does.
    pub fn reload(&self) {
        // A server that has ended has nothing to reload.
        let _ = self.requests.send(Request::Reload);
    }

    /// Drains, and returns when the last request is done or the grace is over.
    pub fn stop(self) {
        let _ = self.requests.send(Request::Stop);
        self.join();
    }

    /// Returns when the server has ended by itself: after a signal.
    pub fn join(self) {
        // A panic of the control thread was already reported by its hook.
        let _ = self.thread.join();
    }
}

/// Starts serving. Returns once every worker serves the first snapshot.
pub fn start(options: Options) -> Result<Running, ServerError> {
    let (requests, receiver) = mpsc::unbounded_channel();
    let (started, wait) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("weir-control".into())
        .spawn(move || control::run(options, receiver, &started))
        .map_err(|error| ServerError::Start(error.to_string()))?;
    match wait.recv() {
        Ok(Ok(admin)) => Ok(Running { admin, requests, thread }),
        Ok(Err(error)) => {
            let _ = thread.join();
            Err(error)
        }
        Err(_) => Err(ServerError::Start("the control thread ended".into())),
    }
}
