//! What a socket cannot show: contexts, budgets, and the decoding of hostile bytes.

use super::VmError;
use super::engine::Engine;
use super::environment::Environment;
use super::limits::{CpuMeter, FailureBudget, LogBudget};
use super::memory;
use super::module::Module;
use super::shared::Shared;
use super::vm::{RootSpec, Vm};
use super::vms::Vms;
use crate::exchange::attributes::{Attributes, Connection, Direction};
use crate::exchange::headers::{Headers, Pseudo};
use crate::exchange::{Exchange, Message, SharedExchange};
use crate::plan::plugin::Limits;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::registry::Registry;
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};
use weir_abi::{Action, StreamType, pairs};
use weir_fixtures::wat::Plugin;

/// One for all tests: each reserves terabytes of addresses.
pub(crate) static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(None).unwrap());

thread_local! {
    static START: Instant = Instant::now();
    static ELAPSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static CPU: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Clocks that stand still until a test moves them.
pub(crate) fn environment() -> Environment {
    let registry = Arc::new(Registry::default());
    Environment {
        access_log: AccessLog::start(&registry).unwrap(),
        registry,
        shared: Arc::default(),
        callouts: Rc::default(),
        ticks: Rc::default(),
        wall_clock: SystemTime::now,
        monotonic_clock: || START.with(|start| *start + ELAPSED.get()),
        cpu_clock: || CPU.get(),
        entropy: |_| {},
    }
}

fn compile(plugin: &Plugin) -> Arc<Module> {
    let bytes = wat::parse_str(plugin.text()).unwrap();
    Arc::new(Module::compile(&ENGINE, "file:test", &bytes, Limits::default()).unwrap())
}

/// A plugin on this thread.
pub(crate) fn vms_of(plugin: &Plugin) -> Rc<Vms> {
    Vms::start(&compile(plugin), environment()).unwrap()
}

fn spec(config: &str) -> RootSpec {
    RootSpec { name: "filter".into(), config: config.into() }
}

pub(crate) fn exchange() -> SharedExchange {
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let connection = Rc::new(Connection {
        id: 1,
        peer: nowhere,
        port: 1,
        local: nowhere,
        peer_identity: None,
        local_identity: None,
        mtls: false,
        listener: "test".into(),
        direction: Direction::Unspecified,
        source: None,
        node_id: "".into(),
        node_metadata: bytes::Bytes::new(),
    });
    let headers = Headers::new(Pseudo::Response(StatusCode::OK), HeaderMap::new());
    let attributes = Attributes::new(connection, SystemTime::now(), "HTTP/1.1");
    Exchange::new(Message::new(headers), attributes).shared()
}

/// Traps when a context is deleted twice or was never created.
fn strict() -> Plugin {
    Plugin::new()
        .on(
            "proxy_on_context_create",
            "(i32.store8 (i32.add (i32.const 2048) (local.get 0)) (i32.const 1))",
        )
        .on(
            "proxy_on_delete",
            "(if (i32.ne (i32.load8_u (i32.add (i32.const 2048) (local.get 0))) (i32.const 1)) \
               (then unreachable)) \
             (i32.store8 (i32.add (i32.const 2048) (local.get 0)) (i32.const 0))",
        )
}

#[test]
fn every_context_is_deleted_once() {
    let vms = vms_of(&strict());
    let root = vms.root(spec("a"));
    let (vm, root_context) = vms.lease(&root.spec).unwrap();
    let streams: Vec<u32> = (0..50)
        .map(|_| vm.borrow_mut().open_stream(root_context, &exchange(), 0).unwrap())
        .collect();
    assert_eq!(vm.borrow().contexts(), 51);
    for stream in streams {
        vm.borrow_mut().close(stream).unwrap();
        vm.borrow_mut().close(stream).unwrap();
    }
    assert_eq!(vm.borrow().contexts(), 1);
    drop(root);
    assert_eq!(vm.borrow().contexts(), 0);
    assert!(!vm.borrow().is_dead());
}

#[test]
fn equal_configurations_are_one_root_until_the_last_is_dropped() {
    let vms = vms_of(&strict());
    let (first, second) = (vms.root(spec("a")), vms.root(spec("a")));
    assert!(Rc::ptr_eq(&first, &second));
    let (vm, context) = vms.lease(&first.spec).unwrap();
    drop(first);
    assert_eq!(vms.lease(&second.spec).unwrap().1, context);
    drop(second);
    assert_eq!((vm.borrow().contexts(), vms.roots()), (0, 0));
    let again = vms.root(spec("a"));
    assert_ne!(vms.lease(&again.spec).unwrap().1, context);
}

#[test]
fn a_refused_configuration_leaves_nothing_behind() {
    let plugin = strict().on("proxy_on_configure", "i32.const 0 return");
    let vms = vms_of(&plugin);
    let root = vms.root(spec("a"));
    for _ in 0..3 {
        let Err(VmError::Refused { callback: "proxy_on_configure", .. }) = vms.lease(&root.spec)
        else {
            panic!("it is refused");
        };
    }
    let sound = Vms::start(&compile(&strict()), environment()).unwrap();
    assert!(sound.lease(&spec("a")).is_ok());
}

#[test]
fn a_dead_vm_is_never_entered_again_and_replaced() {
    let vms = vms_of(&Plugin::new().on("proxy_on_request_headers", "unreachable"));
    let root = vms.root(spec("a"));
    let (vm, context) = vms.lease(&root.spec).unwrap();
    let stream = vm.borrow_mut().open_stream(context, &exchange(), 0).unwrap();
    let error = vm.borrow_mut().on_headers(stream, StreamType::HttpRequest, 0, true).unwrap_err();
    assert_eq!(error.kind(), "trap");
    assert!(error.to_string().starts_with("proxy_on_request_headers trapped"), "{error}");
    assert_eq!(vm.borrow_mut().open_stream(context, &exchange(), 0).unwrap_err().kind(), "dead");
    assert!(vms.failed(&error));
    assert!(!vms.failed(&VmError::Dead), "its death was told before");
    let (fresh, _) = vms.lease(&root.spec).unwrap();
    assert!(!fresh.borrow().is_dead() && vms.owns(&fresh));
}

#[test]
fn failures_that_cost_too_much_hold_a_plugin_back() {
    let vms = vms_of(&Plugin::new().on("proxy_on_request_headers", "unreachable"));
    let root = vms.root(spec("a"));
    let trap = || {
        let (vm, context) = vms.lease(&root.spec)?;
        let stream = vm.borrow_mut().open_stream(context, &exchange(), 0)?;
        let error = vm.borrow_mut().on_headers(stream, StreamType::HttpRequest, 0, true);
        vms.failed(&error.unwrap_err());
        Ok::<(), VmError>(())
    };
    // A short callback counts as one millisecond.
    let restarts = (0..1000).take_while(|_| trap().is_ok()).count();
    assert!((249..=251).contains(&restarts), "{restarts}");
    assert_eq!(trap().unwrap_err().kind(), "held_back");
    // A quarter of the time that passes is paid back.
    ELAPSED.set(Duration::from_millis(40));
    let restarts = (0..1000).take_while(|_| trap().is_ok()).count();
    assert!((9..=11).contains(&restarts), "{restarts}");
}

#[test]
fn streams_that_kill_pooled_vms_as_they_open_hold_the_plugin_back() {
    let create = "(if (local.get 1) (then unreachable))";
    let pooled = r#"(func (export "weir_isolation_pool"))"#;
    let vms = vms_of(&Plugin::new().on("proxy_on_context_create", create).item(pooled));
    let root = vms.root(spec("a"));
    let trap = || {
        let (lease, context) = vms.lease_stream(&root.spec)?;
        let opened = lease.borrow_mut().open_stream(context, &exchange(), 0);
        drop(lease);
        vms.failed(&opened.unwrap_err());
        Ok::<(), VmError>(())
    };
    let opened = (0..1000).take_while(|_| trap().is_ok()).count();
    assert!((249..=251).contains(&opened), "{opened}");
    assert_eq!(trap().unwrap_err().kind(), "held_back");
    assert_eq!(vms.count(), 1, "none is left but the root VM");
}

#[test]
fn queues_of_a_plugin_have_a_limit() {
    let (shared, inbox) = (Shared::default(), Arc::default());
    let register = |name: &str| shared.register(&"p".into(), name.into(), &inbox);
    let granted = (0..1000).take_while(|name| register(&name.to_string()).is_ok()).count();
    assert_eq!(granted, 256);
    assert_eq!(register("0"), Ok(1), "one that is there is found");
    assert!(shared.register(&"q".into(), "0".into(), &inbox).is_ok());
    assert!(shared.register(&"q".into(), vec![b'x'; 2000], &inbox).is_err());
}

#[test]
fn a_deadline_is_of_cpu_time() {
    // The clock stands still for a few looks: the thread is waiting for a core. Then it runs.
    thread_local! { static LOOKS: Cell<u32> = const { Cell::new(0) }; }
    let slow = Environment {
        cpu_clock: || {
            LOOKS.set(LOOKS.get() + 1);
            Duration::from_millis(if LOOKS.get() < 6 { 0 } else { 20 })
        },
        ..environment()
    };
    let endless = Plugin::new().on("proxy_on_tick", "(loop $again br $again)");
    let vm = Vm::start(&compile(&endless), slow).unwrap();
    let root = vm.borrow_mut().root(&spec("a")).unwrap();
    let error = vm.borrow_mut().on_tick(root).unwrap_err();
    assert_eq!(error.kind(), "deadline");
    assert!(LOOKS.get() >= 6, "{}", LOOKS.get());
}

#[test]
fn meters_and_budgets_count() {
    let at = Duration::from_millis;
    let mut meter = CpuMeter::new(at(20));
    assert_eq!(meter.left(at(100)), Some(at(20)), "metering begins with the first look");
    assert_eq!(meter.left(at(112)), Some(at(8)));
    assert_eq!(meter.left(at(120)), None);
    assert_eq!(meter.used(at(112)), at(13));

    let now = Instant::now();
    let mut budget = FailureBudget::new();
    assert!(budget.allows(now));
    budget.charge(now, at(300));
    assert!(!budget.allows(now));
    assert!(!budget.allows(now + at(100)));
    assert!(budget.allows(now + at(204)));

    let mut lines = LogBudget::new(2);
    let written = (0..5).filter(|_| lines.take(now).write).count();
    assert_eq!(written, 2);
    let later = lines.take(now + at(1000));
    assert!(later.write);
    assert_eq!(later.suppressed, 3);
    assert_eq!(lines.take(now + at(1001)).suppressed, 0);
}

#[test]
fn missing_callbacks_continue() {
    let vms = vms_of(&Plugin::new());
    let (vm, context) = vms.lease(&spec("a")).unwrap();
    let mut vm = vm.borrow_mut();
    let stream = vm.open_stream(context, &exchange(), 0).unwrap();
    for direction in [StreamType::HttpRequest, StreamType::HttpResponse] {
        assert_eq!(vm.on_headers(stream, direction, 0, false).unwrap(), Action::Continue);
        assert_eq!(vm.on_body(stream, direction, 0, false).unwrap(), Action::Continue);
        assert_eq!(vm.on_trailers(stream, direction, 0).unwrap(), Action::Continue);
    }
    vm.on_tick(context).unwrap();
    vm.on_tick(12_345).unwrap();
    vm.on_queue_ready(12_345, 1).unwrap();
    vm.on_timer(stream, 1).unwrap();
    vm.on_log(stream).unwrap();
    vm.close(stream).unwrap();
    assert_eq!(vm.contexts(), 1);
}

proptest! {
    #[test]
    fn pairs_come_back_as_they_were(
        map in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20),
                                      prop::collection::vec(any::<u8>(), 0..20)), 0..20)
    ) {
        let lines = || map.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        let mut bytes = Vec::new();
        pairs::encode(lines(), &mut bytes);
        prop_assert_eq!(bytes.len(), pairs::encoded_len(lines()));
        let decoded = pairs::decode(&bytes).unwrap();
        prop_assert!(decoded.eq(lines()));
        for cut in 1..bytes.len() {
            prop_assert!(pairs::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn any_bytes_are_pairs_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(decoded) = pairs::decode(&bytes) {
            let announced = decoded.size_hint().0;
            prop_assert_eq!(decoded.count(), announced);
        }
    }

    /// Mostly small numbers, so that the lengths are often right and often lie by little.
    #[test]
    fn lying_lengths_are_found(
        count in 0u32..4,
        lengths in prop::collection::vec(prop_oneof![0u32..6, any::<u32>()], 0..8),
        data in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = count.to_le_bytes().to_vec();
        bytes.extend(lengths.iter().flat_map(|length| length.to_le_bytes()));
        bytes.extend(&data);
        if let Ok(decoded) = pairs::decode(&bytes) {
            prop_assert_eq!(decoded.count(), count as usize);
        }
    }

    #[test]
    fn memory_is_read_inside_or_not_at_all(
        size in 0usize..100,
        ptr in prop_oneof![0u32..120, any::<u32>()],
        len in prop_oneof![0u32..120, any::<u32>()],
    ) {
        let data = vec![7; size];
        let inside = u64::from(ptr) + u64::from(len) <= size as u64;
        prop_assert_eq!(memory::slice(&data, ptr, len).is_ok(), inside);
    }
}
