//! VMs that serve one stream at a time, for plugins that keep nothing across streams in their own
//! memory: a trap then costs one request.
//!
//! The VM used last is used next, so few VMs serve a steady load, and those that a burst needed are
//! given up when it is over. While the pool is exhausted, streams share the root VM.

use super::Vms;
use crate::wasm::vm::SharedVm;
use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

/// Pooled VMs of one plugin on one worker at most.
const POOL_MAX: usize = 64;

#[derive(Default)]
pub(super) struct Pool {
    free: RefCell<Vec<Rc<SharedVm>>>,
    /// Free and lent.
    alive: Cell<usize>,
    /// Fewest free VMs since the last trim: so many were not needed.
    unused: Cell<usize>,
}

/// A VM lent to one stream; comes back when dropped.
pub struct Lease {
    vm: Rc<SharedVm>,
    /// Whose pool it comes from; `None` for the root VM.
    pool: Option<Rc<Vms>>,
}

impl Lease {
    pub(super) fn shared(vm: Rc<SharedVm>) -> Self {
        Self { vm, pool: None }
    }

    pub(super) fn pooled(vm: Rc<SharedVm>, vms: &Rc<Vms>) -> Self {
        Self { vm, pool: Some(Rc::clone(vms)) }
    }
}

impl Deref for Lease {
    type Target = Rc<SharedVm>;

    fn deref(&self) -> &Rc<SharedVm> {
        &self.vm
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(vms) = self.pool.take() {
            vms.give_back(&self.vm);
        }
    }
}

impl Pool {
    /// The VM that was used last.
    pub(super) fn take(&self) -> Option<Rc<SharedVm>> {
        let mut free = self.free.borrow_mut();
        let vm = free.pop();
        self.unused.set(self.unused.get().min(free.len()));
        vm
    }

    pub(super) fn put(&self, vm: Rc<SharedVm>) {
        self.free.borrow_mut().push(vm);
    }

    /// Whether one more may be made; it then counts.
    pub(super) fn grow(&self) -> bool {
        let room = self.alive.get() < POOL_MAX;
        self.alive.set(self.alive.get() + usize::from(room));
        room
    }

    /// One that counted is no more.
    pub(super) fn shrink(&self) {
        self.alive.set(self.alive.get().saturating_sub(1));
    }

    pub(super) fn alive(&self) -> usize {
        self.alive.get()
    }

    /// The VMs that nobody uses now.
    pub(super) fn free(&self) -> Vec<Rc<SharedVm>> {
        self.free.borrow().clone()
    }

    /// Gives up the VMs that were not needed since the last call.
    pub(super) fn trim(&self) {
        let mut free = self.free.borrow_mut();
        let unused = self.unused.get().min(free.len());
        drop(free.drain(..unused));
        self.alive.set(self.alive.get().saturating_sub(unused));
        self.unused.set(free.len());
    }
}
