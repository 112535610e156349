//! HTTP calls that plugins have asked for, on their way to the worker that performs them.
//!
//! A host call only queues; the answer comes later and from elsewhere, never inside the host call.
//! Both belong to the root context, as in proxy-wasm-cpp-host: the stream that asked may be gone.

use super::vm::SharedVm;
use crate::exchange::headers::Headers;
use bytes::Bytes;
use http::HeaderMap;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// One call of `proxy_http_call`.
pub struct Callout {
    pub vm: Weak<SharedVm>,
    pub root: u32,
    /// What the plugin knows the call by.
    pub token: u32,
    pub cluster: Arc<str>,
    /// With a request line.
    pub headers: Headers,
    pub body: Bytes,
    pub trailers: HeaderMap,
    pub timeout: Duration,
}

/// What came of a call. No headers: it timed out or broke off.
#[derive(Debug, Default)]
pub struct CalloutAnswer {
    pub headers: Option<Headers>,
    pub body: Bytes,
    pub trailers: Option<Headers>,
}

/// The queue of one worker.
#[derive(Default)]
pub struct Callouts {
    queue: RefCell<Vec<Callout>>,
    waker: Cell<Option<Waker>>,
    /// Names a call may be made to; another one is a bad argument at once, as in Envoy.
    clusters: RefCell<BTreeSet<Arc<str>>>,
}

impl Callouts {
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// Replaces the clusters that calls may name.
    pub fn set_clusters(&self, clusters: BTreeSet<Arc<str>>) {
        self.clusters.replace(clusters);
    }

    /// The cluster of this name, if calls may name it.
    pub(super) fn cluster(&self, name: &str) -> Option<Arc<str>> {
        self.clusters.borrow().get(name).cloned()
    }

    pub(super) fn push(&self, callout: Callout) {
        self.queue.borrow_mut().push(callout);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Takes what is queued and registers who to wake at the next call.
    pub fn poll_queue(&self, waker: &Waker) -> Vec<Callout> {
        self.waker.set(Some(waker.clone()));
        self.queue.take()
    }
}
