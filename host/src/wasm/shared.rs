//! Shared data and shared queues of the ABI: the state that plugins keep across VMs and workers.
//!
//! The namespace is the plugin's name (Envoy's `vm_id`), so plugins cannot read each other's. Both
//! outlive VMs and reloads. A lock is taken for each call: the ABI's compare-and-swap needs one.

use crate::plan::plugin::Limits;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::task::Waker;
use weir_abi::Status;

/// Queues of one plugin at most, and bytes of a queue's name: both stay for the life of the process.
const QUEUES_MAX: usize = 256;
const QUEUE_NAME_BYTES_MAX: usize = 1024;

/// One per process, in every environment.
#[derive(Default)]
pub struct Shared {
    #[expect(clippy::disallowed_types, reason = "the ABI's compare-and-swap spans workers")]
    state: std::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    data: BTreeMap<Arc<str>, Namespace>,
    /// Source of compare-and-swap numbers; 0 means "whatever is there".
    last_cas: u32,
    /// A queue's token is its index plus one: 0 is no token.
    queues: Vec<Queue>,
}

#[derive(Default)]
struct Namespace {
    values: BTreeMap<Vec<u8>, (Bytes, u32)>,
    bytes: u64,
}

struct Queue {
    namespace: Arc<str>,
    name: Vec<u8>,
    items: VecDeque<Bytes>,
    /// Where the last registrant listens.
    inbox: Arc<Inbox>,
}

/// Tokens of queues that have become non-empty, for one worker.
#[derive(Default)]
pub struct Inbox {
    #[expect(clippy::disallowed_types, reason = "filled by other workers")]
    ready: std::sync::Mutex<(Vec<u32>, Option<Waker>)>,
}

impl Inbox {
    fn push(&self, token: u32) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.0.push(token);
        if let Some(waker) = ready.1.take() {
            waker.wake();
        }
    }

    /// Takes the tokens and registers who to wake at the next one.
    pub fn poll_ready(&self, waker: &Waker) -> Vec<u32> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.1 = Some(waker.clone());
        std::mem::take(&mut ready.0)
    }
}

impl Shared {
    /// Value and compare-and-swap number of a key.
    pub(super) fn get(&self, namespace: &str, key: &[u8]) -> Option<(Bytes, u32)> {
        self.with(|state| state.data.get(namespace)?.values.get(key).cloned())
    }

    /// Sets a key. `cas` 0 is unconditional; a key that is not there takes any number.
    pub(super) fn set(
        &self,
        namespace: &Arc<str>,
        (key, value): (Vec<u8>, Bytes),
        cas: u32,
        limits: &Limits,
    ) -> Result<(), Status> {
        self.with(|state| {
            let space = state.data.entry(Arc::clone(namespace)).or_default();
            let present = space.values.get(&key);
            if cas != 0 && present.is_some_and(|(_, number)| *number != cas) {
                return Err(Status::CasMismatch);
            }
            let freed = present.map_or(0, |(old, _)| (key.len() + old.len()) as u64);
            let bytes = space.bytes - freed + (key.len() + value.len()) as u64;
            if bytes > limits.shared_data_bytes_max {
                return Err(Status::InternalFailure);
            }
            space.bytes = bytes;
            state.last_cas = state.last_cas.wrapping_add(1).max(1);
            space.values.insert(key, (value, state.last_cas));
            Ok(())
        })
    }

    /// The queue's token; the caller's inbox hears of its items from now on.
    pub(super) fn register(
        &self,
        namespace: &Arc<str>,
        name: Vec<u8>,
        inbox: &Arc<Inbox>,
    ) -> Result<u32, Status> {
        self.with(|state| {
            if let Some(index) = state.find(namespace, &name) {
                if let Some(queue) = state.queues.get_mut(index) {
                    queue.inbox = Arc::clone(inbox);
                }
                return Ok(token(index));
            }
            let owned = state.queues.iter().filter(|queue| queue.namespace == *namespace).count();
            if owned >= QUEUES_MAX || name.len() > QUEUE_NAME_BYTES_MAX {
                return Err(Status::InternalFailure);
            }
            let namespace = Arc::clone(namespace);
            let (items, inbox) = (VecDeque::new(), Arc::clone(inbox));
            state.queues.push(Queue { namespace, name, items, inbox });
            Ok(token(state.queues.len() - 1))
        })
    }

    pub(super) fn resolve(&self, namespace: &str, name: &[u8]) -> Option<u32> {
        self.with(|state| state.find(namespace, name).map(token))
    }

    pub(super) fn enqueue(
        &self,
        namespace: &str,
        token: u32,
        item: Bytes,
        limits: &Limits,
    ) -> Result<(), Status> {
        self.with(|state| {
            let queue = state.queue(namespace, token).ok_or(Status::NotFound)?;
            if queue.items.len() >= limits.queue_items_max as usize {
                return Err(Status::InternalFailure);
            }
            queue.items.push_back(item);
            queue.inbox.push(token);
            Ok(())
        })
    }

    /// The oldest item; `Empty` when there is none.
    pub(super) fn dequeue(&self, namespace: &str, token: u32) -> Result<Bytes, Status> {
        self.with(|state| {
            let queue = state.queue(namespace, token).ok_or(Status::NotFound)?;
            queue.items.pop_front().ok_or(Status::Empty)
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn find(&self, namespace: &str, name: &[u8]) -> Option<usize> {
        self.queues.iter().position(|queue| &*queue.namespace == namespace && queue.name == name)
    }

    /// A token is only worth something to the plugin whose queue it is.
    fn queue(&mut self, namespace: &str, token: u32) -> Option<&mut Queue> {
        let queue = self.queues.get_mut((token as usize).checked_sub(1)?)?;
        (&*queue.namespace == namespace).then_some(queue)
    }
}

fn token(index: usize) -> u32 {
    index as u32 + 1
}
