//! What root contexts want to be called for: `proxy_on_tick` and how often, `proxy_on_queue_ready`.
//!
//! Host calls change the schedule, the worker's ticking task reads it. No clock in here.

use super::shared::Inbox;
use super::vm::SharedVm;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// A change asked by `proxy_set_tick_period_milliseconds`.
pub struct TickChange {
    pub vm: Weak<SharedVm>,
    pub root: u32,
    /// `None` stops the ticks.
    pub period: Option<Duration>,
}

/// The root context that `proxy_register_shared_queue` was called from.
#[derive(Clone)]
pub struct QueueListener {
    pub vm: Weak<SharedVm>,
    pub root: u32,
}

#[derive(Default)]
pub struct TickSchedule {
    changes: RefCell<Vec<TickChange>>,
    waker: Cell<Option<Waker>>,
    /// By queue token; the last registrant of this worker.
    listeners: RefCell<FxHashMap<u32, QueueListener>>,
    /// Queues that have got an item.
    pub inbox: Arc<Inbox>,
}

impl TickSchedule {
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    pub(super) fn push(&self, change: TickChange) {
        let mut changes = self.changes.borrow_mut();
        // A plugin may change its mind any number of times before anybody looks.
        changes.retain(|before| before.root != change.root || !before.vm.ptr_eq(&change.vm));
        changes.push(change);
        drop(changes);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub(super) fn listen(&self, token: u32, listener: QueueListener) {
        self.listeners.borrow_mut().insert(token, listener);
    }

    /// Who is called for a queue of this token.
    pub fn listener(&self, token: u32) -> Option<QueueListener> {
        self.listeners.borrow().get(&token).cloned()
    }

    /// Takes the changes since the last call and registers who to wake at the next one.
    pub fn poll_changes(&self, waker: &Waker) -> Vec<TickChange> {
        self.waker.set(Some(waker.clone()));
        self.changes.take()
    }
}
