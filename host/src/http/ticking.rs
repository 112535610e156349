//! Calls `proxy_on_tick` when root contexts of this worker asked for it.

use super::worker::Worker;
use crate::wasm::VmError;
use crate::wasm::vm::SharedVm;
use std::future::Future;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

/// How often idle upstream connections are looked over.
const EVICTION_PERIOD: Duration = Duration::from_secs(5);

struct Tick {
    vm: Weak<SharedVm>,
    root: u32,
    period: Duration,
    next: Instant,
}

/// Runs as long as the worker.
pub(super) async fn run(worker: Rc<Worker>) {
    let mut ticks: Vec<Tick> = Vec::new();
    let mut eviction = Instant::now() + EVICTION_PERIOD;
    loop {
        let next = ticks.iter().map(|tick| tick.next).fold(eviction, Instant::min);
        wait(&worker, &mut ticks, next).await;
        let now = Instant::now();
        if now >= eviction {
            worker.pools.evict(now);
            worker.snapshot().trim();
            eviction = now + EVICTION_PERIOD;
        }
        ticks.retain_mut(|tick| tick.next > now || fire(&worker, tick, now));
        // A tick that is due again already must not keep requests from running.
        tokio::task::yield_now().await;
    }
}

/// Waits until `next`, or until a root context changes its period.
async fn wait(worker: &Worker, ticks: &mut Vec<Tick>, next: Instant) {
    let mut sleep = pin!(tokio::time::sleep_until(next.into()));
    std::future::poll_fn(|cx| {
        let changes = worker.environment.ticks.poll_changes(cx.waker());
        let changed = !changes.is_empty();
        for token in worker.environment.ticks.inbox.poll_ready(cx.waker()) {
            notify(worker, token);
        }
        for change in changes {
            ticks.retain(|tick| tick.root != change.root || !tick.vm.ptr_eq(&change.vm));
            if let Some(period) = change.period {
                let next = Instant::now() + period;
                ticks.push(Tick { vm: change.vm, root: change.root, period, next });
            }
        }
        if changed { Poll::Ready(()) } else { sleep.as_mut().poll(cx) }
    })
    .await;
}

/// Tells the root context that registered a queue that it has got an item.
fn notify(worker: &Worker, token: u32) {
    let Some(listener) = worker.environment.ticks.listener(token) else { return };
    let Some(vm) = listener.vm.upgrade() else { return };
    let called = vm.borrow_mut().on_queue_ready(listener.root, token);
    if let Err(error) = called {
        failed(worker, &vm, &error);
    }
}

/// `false` when the VM is gone: its ticks end with it.
fn fire(worker: &Worker, tick: &mut Tick, now: Instant) -> bool {
    let Some(vm) = tick.vm.upgrade() else { return false };
    let called = vm.borrow_mut().on_tick(tick.root);
    // Missed ticks are not made up for, and a slow one leaves as much time as it took.
    tick.next = now + tick.period.max(now.elapsed() * 2);
    if let Err(error) = &called {
        failed(worker, &vm, error);
    }
    called.is_ok()
}

/// A root callback failed: its VM is replaced at once, and ticks there.
pub(super) fn failed(worker: &Worker, vm: &Rc<SharedVm>, error: &VmError) {
    let tell = match worker.snapshot().owner(vm) {
        Some(vms) => vms.failed(error),
        None => !matches!(error, VmError::Dead),
    };
    if tell {
        tracing::warn!(plugin = %vm.borrow().module().plugin, %error, "plugin failed");
    }
}
