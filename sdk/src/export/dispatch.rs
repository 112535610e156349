//! Finds the plugin and the stream of a context id and calls the plugin.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    rc::Rc,
    time::Duration,
};

use weir_abi::{Action, BufferType};

use crate::{
    EndOfStream, Exchange, Flow, Frame, Plugin, Setup, Timer, config, error,
    host::{self, Host},
    timer,
};

/// Every context of one module instance.
///
/// Streams are looked up by one multiplication and one probe. Opening a stream allocates only
/// while the table grows to its high-water mark.
pub struct Dispatcher<P: Plugin> {
    roots: HashMap<u32, Root<P>, BuildHasherDefault<IdHasher>>,
    streams: HashMap<u32, Stream<P>, BuildHasherDefault<IdHasher>>,
}

struct Root<P> {
    plugin: Option<Rc<P>>,
    tick: Option<Tick>,
}

struct Tick {
    period: Duration,
    due_ns: u64,
}

struct Stream<P: Plugin> {
    root: u32,
    plugin: Rc<P>,
    state: P::Stream,
}

impl<P: Plugin> Dispatcher<P> {
    #[allow(clippy::new_without_default, reason = "const, which a derived Default is not")]
    pub const fn new() -> Self {
        Self {
            roots: HashMap::with_hasher(BuildHasherDefault::new()),
            streams: HashMap::with_hasher(BuildHasherDefault::new()),
        }
    }

    pub fn on_context_create(&mut self, context: u32, root: u32) {
        if root == 0 {
            self.roots.insert(context, Root { plugin: None, tick: None });
            return;
        }
        match self.roots.get(&root).and_then(|root| root.plugin.clone()) {
            Some(plugin) => {
                let stream = Stream { root, plugin, state: P::Stream::default() };
                self.streams.insert(context, stream);
            }
            None => crate::error!("stream {context}: root context {root} is not configured"),
        }
    }

    pub fn on_vm_start(&mut self, _root: u32, _configuration_bytes: usize) -> bool {
        true
    }

    pub fn on_configure(&mut self, root: u32, configuration_bytes: usize) -> bool {
        let mut setup = Setup::new();
        let configured = host::enter(|scope| {
            let bytes = match configuration_bytes {
                0 => &[],
                max => host::current().buffer(scope, BufferType::PluginConfiguration, 0, max)?,
            };
            P::new(config::parse(bytes)?, &mut setup)
        });
        let plugin = match configured {
            Ok(plugin) => Some(Rc::new(plugin)),
            Err(error) => {
                crate::error!("{error}");
                return false;
            }
        };
        let tick = setup.tick.map(|period| Tick { period, due_ns: 0 });
        if let Some(tick) = &tick
            && let Err(error) = set_tick(tick.period)
        {
            crate::error!("{error}");
            return false;
        }
        self.roots.insert(root, Root { plugin, tick });
        true
    }

    pub fn on_request_headers(&mut self, context: u32, end: bool) -> Action {
        let end = EndOfStream::from(end);
        self.flow(context, |plugin, state, exchange| {
            plugin.on_request_headers(state, exchange, end)
        })
    }

    pub fn on_request_body(&mut self, context: u32, bytes: usize, end: bool) -> Action {
        let frame = Frame { bytes, end: end.into() };
        self.flow(context, |plugin, state, exchange| plugin.on_request_body(state, exchange, frame))
    }

    pub fn on_request_trailers(&mut self, context: u32) -> Action {
        self.flow(context, P::on_request_trailers)
    }

    pub fn on_response_headers(&mut self, context: u32, end: bool) -> Action {
        let end = EndOfStream::from(end);
        self.flow(context, |plugin, state, exchange| {
            plugin.on_response_headers(state, exchange, end)
        })
    }

    pub fn on_response_body(&mut self, context: u32, bytes: usize, end: bool) -> Action {
        let frame = Frame { bytes, end: end.into() };
        self.flow(context, |plugin, state, exchange| {
            plugin.on_response_body(state, exchange, frame)
        })
    }

    pub fn on_response_trailers(&mut self, context: u32) -> Action {
        self.flow(context, P::on_response_trailers)
    }

    pub fn on_log(&mut self, context: u32) {
        self.call(context, P::on_log);
    }

    /// Always ready: nothing of a context outlives its callbacks.
    pub fn on_done(&mut self, context: u32) -> bool {
        self.call(context, P::on_done);
        true
    }

    pub fn on_delete(&mut self, context: u32) {
        if self.streams.remove(&context).is_some() {
            timer::forget(context);
        } else {
            self.roots.remove(&context);
        }
    }

    /// `weir_set_timer` fired on its stream.
    pub fn on_foreign_function(&mut self, context: u32, function: u32) {
        self.call(context, |plugin, state, exchange| {
            plugin.on_timer(state, exchange, Timer(function));
        });
    }

    /// The root's tick: the plugin's own, timers that fall back on it, or both.
    pub fn on_tick(&mut self, root: u32) {
        let now_ns = host::current().now_ns();
        let mut fired = false;
        while let Some(due) = timer::take_due(root, now_ns) {
            fired = true;
            // A stream that is gone has no timers (`on_delete`); a refusal means it is going.
            if host::current().set_effective_context(due.context).is_ok() {
                self.call(due.context, |plugin, state, exchange| {
                    plugin.on_timer(state, exchange, due.timer);
                });
            }
        }
        if fired {
            _ = host::current().set_effective_context(root);
        }
        let shared_tick = timer::any_pending(root);
        let Some(entry) = self.roots.get_mut(&root) else { return };
        match &mut entry.tick {
            Some(tick) => {
                if !fired && !shared_tick || now_ns >= tick.due_ns {
                    let period_ns = u64::try_from(tick.period.as_nanos()).unwrap_or(u64::MAX);
                    tick.due_ns = now_ns.saturating_add(period_ns);
                    if let Some(plugin) = &entry.plugin {
                        host::enter(|_| plugin.on_tick());
                    }
                }
                if fired && !shared_tick {
                    _ = set_tick(tick.period);
                }
            }
            None if !shared_tick => _ = host::current().set_tick_period_ms(0),
            None => {}
        }
    }

    fn flow(
        &mut self,
        context: u32,
        callback: impl FnOnce(&P, &mut P::Stream, &mut Exchange<'_>) -> Flow,
    ) -> Action {
        match self.call(context, callback) {
            Some(Flow::Continue) => Action::Continue,
            // A stream nobody configured is held, never let through.
            Some(Flow::Pause | Flow::Replied) | None => Action::Pause,
        }
    }

    fn call<R>(
        &mut self,
        context: u32,
        callback: impl FnOnce(&P, &mut P::Stream, &mut Exchange<'_>) -> R,
    ) -> Option<R> {
        let stream = self.streams.get_mut(&context)?;
        Some(host::enter(|scope| {
            let mut exchange = Exchange::new(scope, context, stream.root);
            callback(&stream.plugin, &mut stream.state, &mut exchange)
        }))
    }
}

fn set_tick(period: Duration) -> error::Result<()> {
    let period_ms = u32::try_from(period.as_millis()).unwrap_or(u32::MAX).max(1);
    host::current().set_tick_period_ms(period_ms)
}

/// Spreads small consecutive numbers; ids come from the host, not from clients.
#[derive(Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, id: u32) {
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

#[cfg(test)]
mod tests;
