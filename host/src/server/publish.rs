//! Two-phase publication of a snapshot to all workers, and their start and end.

use super::ServerError;
use crate::http::worker::{self, Command, Handle, Shared};
use crate::plan::listener::Role;
use crate::snapshot::Snapshot;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A worker that does not answer in this time holds a snapshot up, so it is given up.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Workers {
    handles: Vec<Handle>,
    shared: Shared,
}

impl Workers {
    pub(super) fn start(count: usize, shared: Shared) -> Result<Self, ServerError> {
        let mut handles = Vec::new();
        for index in 0..count.max(1) {
            let handle = worker::start(index, shared.clone());
            handles.push(handle.map_err(|error| ServerError::Start(error.to_string()))?);
        }
        Ok(Self { handles, shared })
    }

    /// Prepares `snapshot` on every worker; only if all can serve it do all of them.
    pub(super) async fn publish(
        &self,
        snapshot: &Arc<Snapshot>,
        previous: Option<&Snapshot>,
    ) -> Result<(), ServerError> {
        probe_new_addresses(snapshot, previous)?;
        let mut answers = Vec::new();
        for handle in &self.handles {
            let (reply, answer) = oneshot::channel();
            let command = Command::Prepare { snapshot: Arc::clone(snapshot), reply };
            // A worker that is gone shows as an answer that never comes.
            let _ = handle.commands.send(command);
            answers.push(answer);
        }
        let mut failure = None;
        for answer in answers {
            let answer = tokio::time::timeout(PREPARE_TIMEOUT, answer).await;
            let error = match answer {
                Ok(Ok(Ok(()))) => continue,
                Ok(Ok(Err(error))) => error,
                Ok(Err(_)) => "a worker has ended".to_owned(),
                Err(_) => "a worker does not answer".to_owned(),
            };
            failure.get_or_insert(ServerError::Prepare(error));
        }
        if let Some(failure) = failure {
            self.send(|| Command::Abort);
            return Err(failure);
        }
        self.commit(snapshot).await;
        let before =
            |bind| previous.is_some_and(|it| it.listeners.iter().any(|it| it.bind == bind));
        for listener in snapshot.listeners.iter().filter(|listener| !before(listener.bind)) {
            tracing::info!(listener = %listener.name, address = %listener.bind, "listening");
        }
        Ok(())
    }

    async fn commit(&self, snapshot: &Snapshot) {
        let inbound = snapshot.listeners.iter().filter(|listener| listener.role == Role::Inbound);
        self.shared.peers.set_inbound(inbound.map(|listener| listener.bind));
        let mut answers = Vec::new();
        for handle in &self.handles {
            let (reply, answer) = oneshot::channel();
            let _ = handle.commands.send(Command::Commit { reply });
            answers.push(answer);
        }
        for answer in answers {
            let _ = answer.await;
        }
    }

    /// Asks every worker to finish, waits for them, then for the access log.
    pub(super) async fn drain(self, grace: Duration) {
        self.send(|| Command::Drain { grace });
        let access_log = self.shared.access_log;
        let threads: Vec<_> = self.handles.into_iter().map(|handle| handle.thread).collect();
        let ended = tokio::task::spawn_blocking(move || {
            for thread in threads {
                // A worker's panic was already reported by its hook.
                let _ = thread.join();
            }
            access_log.flush();
        });
        let _ = ended.await;
    }

    fn send(&self, command: impl Fn() -> Command) {
        for handle in &self.handles {
            let _ = handle.commands.send(command());
        }
    }
}

/// Workers bind with `SO_REUSEPORT`, which would silently share a port with another process.
fn probe_new_addresses(
    snapshot: &Snapshot,
    previous: Option<&Snapshot>,
) -> Result<(), ServerError> {
    let bound: BTreeSet<_> = previous
        .iter()
        .flat_map(|previous| &previous.listeners)
        .map(|listener| listener.bind)
        .collect();
    for listener in snapshot.listeners.iter().filter(|listener| !bound.contains(&listener.bind)) {
        TcpListener::bind(listener.bind).map_err(|error| ServerError::Bind {
            listener: listener.name.to_string(),
            address: listener.bind,
            error,
        })?;
    }
    Ok(())
}
