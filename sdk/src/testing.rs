//! A fake host, to test plugins natively and deterministically.
//!
//! It plays the callbacks in Envoy's order (a callback the plugin does not export is skipped, as in
//! a real host), keeps Envoy's rules about which map can be read and written when, and leaves the
//! clock, the random draws, properties and the host's abilities to the test:
//!
//! ```
//! use weir_sdk::{EndOfStream, Exchange, Flow, Plugin, Reply, Setup};
//! use weir_sdk::testing::{Request, Step, Test};
//!
//! struct Closed;
//!
//! impl Plugin for Closed {
//!     type Config = ();
//!     type Stream = ();
//!
//!     fn new(_: (), _: &mut Setup) -> weir_sdk::Result<Self> {
//!         Ok(Self)
//!     }
//!
//!     fn on_request_headers(&self, _: &mut (), exchange: &mut Exchange, _: EndOfStream) -> Flow {
//!         exchange.reply(&Reply::new(503))
//!     }
//! }
//!
//! weir_sdk::export!(Closed, [on_request_headers]);
//!
//! # fn main() {
//! let test = Test::<Closed>::new("null").unwrap();
//! let stream = test.open(Request::get("/"));
//! assert_eq!(stream.request(), Step::Replied);
//! assert_eq!(stream.reply().unwrap().status, 503);
//! # }
//! ```
//!
//! One test host a thread: a `Test` replaces the one before it.

pub mod host;

mod message;
mod stream;

use std::{cell::RefCell, rc::Rc, time::Duration};

pub use host::{FakeHost, LocalReply};
pub use message::{Request, Response};
pub use stream::{Step, Stream};

use crate::{
    Plugin,
    export::{Callback, Dispatcher, Exported},
};

/// One configured plugin in a fake host.
pub struct Test<P: Plugin + Exported> {
    pub(crate) shared: Rc<Shared<P>>,
}

pub(crate) struct Shared<P: Plugin> {
    pub host: Rc<FakeHost>,
    pub dispatcher: RefCell<Dispatcher<P>>,
}

/// Number of the first root context, as in Envoy.
pub const ROOT: u32 = 1;

impl<P: Plugin + Exported> Test<P> {
    /// Starts and configures the plugin.
    ///
    /// # Errors
    /// The lines the plugin logged when it refused its configuration.
    pub fn new(configuration: &str) -> Result<Self, String> {
        let host = FakeHost::install();
        let shared = Rc::new(Shared { host, dispatcher: RefCell::new(Dispatcher::new()) });
        let test = Self { shared };
        test.configure(ROOT, configuration)?;
        Ok(test)
    }

    /// Adds another root context with its own configuration to the same instance.
    pub fn configure(&self, root: u32, configuration: &str) -> Result<(), String> {
        let host = &self.shared.host;
        host.set_configuration(configuration.as_bytes());
        host.set_current_context(root);
        let mut dispatcher = self.shared.dispatcher.borrow_mut();
        dispatcher.on_context_create(root, 0);
        let started = dispatcher.on_vm_start(root, 0);
        if started && dispatcher.on_configure(root, configuration.len()) {
            return Ok(());
        }
        Err(host.logs().join("\n"))
    }

    pub fn host(&self) -> &FakeHost {
        &self.shared.host
    }

    /// A new stream of the first configuration.
    pub fn open(&self, request: Request) -> Stream<P> {
        self.open_in(ROOT, request)
    }

    /// A new stream of the configuration of this root context.
    pub fn open_in(&self, root: u32, request: Request) -> Stream<P> {
        Stream::open(Rc::clone(&self.shared), root, request)
    }

    /// Lets time pass in steps of a millisecond and plays timers and ticks as they come due.
    pub fn advance(&self, by: Duration) {
        let exported = P::CALLBACKS.contains(&Callback::Timer);
        for _ in 0..by.as_millis() {
            let host = &self.shared.host;
            host.advance(Duration::from_millis(1));
            while let Some((context, function)) = host.take_due_timer() {
                host.set_current_context(context);
                if exported {
                    self.shared.dispatcher.borrow_mut().on_foreign_function(context, function);
                }
            }
            if host.take_due_tick() {
                host.set_current_context(ROOT);
                self.shared.dispatcher.borrow_mut().on_tick(ROOT);
            }
        }
    }
}
