//! Calls `proxy_on_tick` when root contexts of this worker asked for it.

use super::worker::Worker;
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
            eviction = now + EVICTION_PERIOD;
        }
        ticks.retain_mut(|tick| tick.next > now || fire(tick, now));
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
    let mut vm = vm.borrow_mut();
    if let Err(error) = vm.on_queue_ready(listener.root, token) {
        tracing::warn!(plugin = %vm.module().plugin, %error, "plugin failed");
    }
}

/// `false` when the VM is gone: its ticks end with it.
fn fire(tick: &mut Tick, now: Instant) -> bool {
    let Some(vm) = tick.vm.upgrade() else { return false };
    // Missed ticks are not made up for.
    tick.next = now + tick.period;
    let mut vm = vm.borrow_mut();
    match vm.on_tick(tick.root) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(plugin = %vm.module().plugin, %error, "plugin failed");
            false
        }
    }
}
