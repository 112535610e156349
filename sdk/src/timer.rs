//! One-shot timers of a stream.
//!
//! Weir has them (`weir_set_timer`). Elsewhere they are multiplexed over the root context's one
//! tick, 5 ms while any is pending; the SDK then switches to the stream with
//! `proxy_set_effective_context` before it calls `on_timer`.

use std::{cell::RefCell, time::Duration};

use weir_abi::extension;

use crate::{
    Error, Result,
    host::{self, Host, Scope},
};

/// Period of the tick that stands in for timers.
pub(crate) const FALLBACK_TICK_MS: u32 = 5;

/// Numbers of fallback timers start here, far from those a host gives.
const FALLBACK_FIRST: u32 = 1 << 31;

/// One timer of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer(pub(crate) u32);

/// A timer that waits for a tick.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    pub timer: Timer,
    pub context: u32,
    root: u32,
    due_ns: u64,
}

struct Queue {
    pending: Vec<Pending>,
    next: u32,
}

thread_local! {
    static QUEUE: RefCell<Queue> = const {
        RefCell::new(Queue { pending: Vec::new(), next: FALLBACK_FIRST })
    };
}

pub(crate) fn set(scope: &Scope, context: u32, root: u32, delay: Duration) -> Result<Timer> {
    let delay_ns = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
    let host = host::current();
    let set = host.call_foreign_function(scope, extension::SET_TIMER, &delay_ns.to_le_bytes());
    match set {
        Ok(number) => number
            .try_into()
            .map(|number| Timer(u32::from_le_bytes(number)))
            .map_err(|_| Error::new("weir_set_timer: result is not a number of 4 bytes")),
        Err(error) if error.is_not_found() => {
            host.set_tick_period_ms(FALLBACK_TICK_MS)?;
            let due_ns = host.now_ns().saturating_add(delay_ns);
            Ok(QUEUE.with_borrow_mut(|queue| {
                let timer = Timer(queue.next);
                queue.next = queue.next.wrapping_add(1).max(FALLBACK_FIRST);
                queue.pending.push(Pending { timer, context, root, due_ns });
                timer
            }))
        }
        Err(error) => Err(error),
    }
}

/// Takes one timer of this root that is due.
pub(crate) fn take_due(root: u32, now_ns: u64) -> Option<Pending> {
    QUEUE.with_borrow_mut(|queue| {
        let due = |pending: &Pending| pending.root == root && pending.due_ns <= now_ns;
        let position = queue.pending.iter().position(due)?;
        Some(queue.pending.swap_remove(position))
    })
}

/// Whether this root still needs the fallback tick.
pub(crate) fn any_pending(root: u32) -> bool {
    QUEUE.with_borrow(|queue| queue.pending.iter().any(|pending| pending.root == root))
}

/// Drops the timers of a stream that is gone.
pub(crate) fn forget(context: u32) {
    QUEUE.with_borrow_mut(|queue| queue.pending.retain(|pending| pending.context != context));
}
