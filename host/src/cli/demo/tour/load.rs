//! Traffic: a number of requests as fast as they are answered, or a steady rate until told to stop.

use super::client::{Answer, Ask, Client, ClientError};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::{JoinError, JoinHandle, JoinSet, spawn_local};

/// Requests in flight of `all`: enough that a delay of 200 ms on every tenth costs seconds, not
/// minutes.
const CONCURRENCY: usize = 32;

/// Sends `count` requests and returns what came back.
pub(super) async fn all(
    client: &Rc<Client>,
    ask: &Ask,
    count: usize,
) -> Vec<Result<Answer, ClientError>> {
    let left = Rc::new(Cell::new(count));
    let mut senders = JoinSet::new();
    for _ in 0..CONCURRENCY.min(count) {
        let (client, ask, left) = (Rc::clone(client), ask.clone(), Rc::clone(&left));
        senders.spawn_local(async move {
            let mut answers = Vec::new();
            while let Some(less) = left.get().checked_sub(1) {
                left.set(less);
                answers.push(client.send(&ask).await);
            }
            answers
        });
    }
    senders.join_all().await.into_iter().flatten().collect()
}

/// One request of a load, from its task.
type Sent = Result<Result<Answer, ClientError>, JoinError>;

/// What came of a load.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: usize,
    pub(super) failed: usize,
    first_failure: Option<String>,
}

impl Tally {
    fn count(&mut self, sent: Sent, accepts: fn(&Answer) -> bool) {
        self.sent += 1;
        let failure = match sent {
            Ok(Ok(answer)) if accepts(&answer) => return,
            Ok(Ok(answer)) => {
                format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body))
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        self.failed += 1;
        self.first_failure.get_or_insert(failure);
    }

    pub(super) fn held(&self) -> bool {
        self.sent > 0 && self.failed == 0
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} requests, {} failed", self.sent, self.failed)?;
        self.first_failure.as_ref().map_or(Ok(()), |first| write!(f, " (first: {first})"))
    }
}

/// A steady rate, whatever the answers take.
#[derive(Debug)]
pub(super) struct Load {
    stop: Rc<Cell<bool>>,
    task: JoinHandle<Tally>,
}

impl Load {
    /// Begins to send `ask` every `period`; an answer that `accepts` refuses is a failed request.
    pub(super) fn start(
        client: &Rc<Client>,
        ask: Ask,
        period: Duration,
        accepts: fn(&Answer) -> bool,
    ) -> Self {
        let stop = Rc::new(Cell::new(false));
        let (client, stopped) = (Rc::clone(client), Rc::clone(&stop));
        let task = spawn_local(async move {
            let mut requests = JoinSet::new();
            let mut tally = Tally::default();
            let mut clock = tokio::time::interval(period);
            while !stopped.get() {
                clock.tick().await;
                let (client, ask) = (Rc::clone(&client), ask.clone());
                requests.spawn_local(async move { client.send(&ask).await });
                while let Some(sent) = requests.try_join_next() {
                    tally.count(sent, accepts);
                }
            }
            while let Some(sent) = requests.join_next().await {
                tally.count(sent, accepts);
            }
            tally
        });
        Self { stop, task }
    }

    /// Stops sending, waits for the answers under way and returns the count.
    pub(super) async fn stop(self) -> Tally {
        self.stop.set(true);
        self.task.await.unwrap_or_default()
    }
}
