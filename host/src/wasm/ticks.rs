//! Which root contexts want `proxy_on_tick`, and how often.
//!
//! Host calls change the schedule, the worker's ticking task reads it. No clock in here.

use super::vm::SharedVm;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Duration;

/// A change asked by `proxy_set_tick_period_milliseconds`.
pub struct TickChange {
    pub vm: Weak<SharedVm>,
    pub root: u32,
    /// `None` stops the ticks.
    pub period: Option<Duration>,
}

#[derive(Default)]
pub struct TickSchedule {
    changes: RefCell<Vec<TickChange>>,
    waker: Cell<Option<Waker>>,
}

impl TickSchedule {
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    pub(super) fn push(&self, change: TickChange) {
        self.changes.borrow_mut().push(change);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Takes the changes since the last call and registers who to wake at the next one.
    pub fn poll_changes(&self, waker: &Waker) -> Vec<TickChange> {
        self.waker.set(Some(waker.clone()));
        self.changes.take()
    }
}
