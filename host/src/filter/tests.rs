//! What a socket cannot show: what a chain leaves behind in its VMs, and odd orders of events.

use super::Filter;
use super::chain::{Chain, Step};
use crate::exchange::{Event, SharedExchange};
use crate::plan::chain::OnFailure;
use crate::wasm::tests::{exchange, vms_of};
use crate::wasm::vm::RootSpec;
use crate::wasm::vms::Vms;
use bytes::Bytes;
use std::rc::Rc;
use std::time::Duration;
use weir_abi::StreamType::{HttpRequest, HttpResponse};
use weir_fixtures::wat::Plugin;

struct Fixture {
    vms: Vec<Rc<Vms>>,
    chain: Chain,
    exchange: SharedExchange,
}

fn chain(plugins: &[&Plugin], on_failure: OnFailure) -> Fixture {
    let vms: Vec<Rc<Vms>> = plugins.iter().map(|plugin| vms_of(plugin)).collect();
    let filter = |vms: &Rc<Vms>| Filter {
        root: vms.root(RootSpec { name: "filter".into(), config: "".into() }),
        on_failure,
    };
    let filters: Rc<[Filter]> = vms.iter().map(filter).collect();
    let exchange = exchange();
    Fixture { vms, chain: Chain::new(filters, Rc::clone(&exchange)), exchange }
}

impl Fixture {
    fn contexts(&self) -> Vec<usize> {
        let spec = |vms: &Rc<Vms>| {
            let root = vms.root(RootSpec { name: "filter".into(), config: "".into() });
            let (vm, _) = vms.lease(&root.spec).unwrap();
            vm.borrow().contexts()
        };
        self.vms.iter().map(spec).collect()
    }
}

fn pausing(callback: &str) -> Plugin {
    Plugin::new().on(callback, "i32.const 1 return")
}

#[test]
fn a_closed_chain_leaves_only_roots() {
    let pause = pausing("proxy_on_request_headers");
    let mut fixture = chain(&[&Plugin::new(), &pause, &Plugin::new()], OnFailure::Closed);
    assert!(matches!(fixture.chain.headers(HttpRequest, true), Step::Wait));
    assert_eq!(fixture.contexts(), [2, 2, 1]);
    fixture.chain.close();
    fixture.chain.close();
    assert_eq!(fixture.contexts(), [1, 1, 1]);
    assert!(matches!(fixture.chain.resume(HttpRequest), Step::Wait));
}

#[test]
fn a_chain_whose_plugins_die_leaves_nothing() {
    for callback in ["proxy_on_request_headers", "proxy_on_log", "proxy_on_done", "proxy_on_delete"]
    {
        for on_failure in [OnFailure::Closed, OnFailure::Open] {
            let dying = Plugin::new().on(callback, "unreachable");
            let mut fixture = chain(&[&Plugin::new(), &dying], on_failure);
            let step = fixture.chain.headers(HttpRequest, true);
            let refused = callback.ends_with("headers") && on_failure == OnFailure::Closed;
            assert_eq!(matches!(step, Step::Reply(_)), refused, "{callback}");
            fixture.chain.close();
            assert_eq!(fixture.contexts(), [1, 1], "{callback}");
        }
    }
}

#[test]
fn a_body_is_held_until_its_filter_lets_go() {
    let pause = pausing("proxy_on_request_body");
    let mut fixture = chain(&[&Plugin::new(), &pause], OnFailure::Closed);
    assert!(matches!(fixture.chain.headers(HttpRequest, false), Step::Continue));
    for frame in ["a", "b", "c"] {
        let step = fixture.chain.body(HttpRequest, Bytes::from(frame), frame == "c");
        assert!(matches!(step, Step::Wait));
    }
    assert!(matches!(fixture.chain.resume(HttpRequest), Step::Wait));
    // Whoever else asks to go on, it is not their pause.
    fixture.exchange.borrow_mut().push_event(0, Event::Continue(HttpRequest));
    fixture.exchange.borrow_mut().push_event(1, Event::Continue(HttpResponse));
    assert!(matches!(fixture.chain.resume(HttpRequest), Step::Wait));
    fixture.exchange.borrow_mut().push_event(1, Event::Continue(HttpRequest));
    assert!(matches!(fixture.chain.resume(HttpRequest), Step::Continue));
    assert_eq!(fixture.chain.take_body(HttpRequest), "abc");
}

#[test]
fn bodies_held_by_several_filters_stay_in_order() {
    let pause = pausing("proxy_on_request_body");
    let mut fixture = chain(&[&pause, &Plugin::new(), &pause], OnFailure::Closed);
    assert!(matches!(fixture.chain.headers(HttpRequest, false), Step::Continue));
    let resume = |fixture: &mut Fixture, position| {
        fixture.exchange.borrow_mut().push_event(position, Event::Continue(HttpRequest));
        fixture.chain.resume(HttpRequest)
    };
    assert!(matches!(fixture.chain.body(HttpRequest, Bytes::from("a"), false), Step::Wait));
    assert!(matches!(resume(&mut fixture, 0), Step::Wait), "the third filter has it now");
    assert!(matches!(fixture.chain.body(HttpRequest, Bytes::from("b"), false), Step::Wait));
    assert!(matches!(fixture.chain.body(HttpRequest, Bytes::from("c"), true), Step::Wait));
    assert!(matches!(resume(&mut fixture, 0), Step::Wait));
    assert!(matches!(resume(&mut fixture, 2), Step::Continue));
    assert_eq!(fixture.chain.take_body(HttpRequest), "abc");
}

#[test]
fn wishes_have_an_end() {
    let fixture = chain(&[&Plugin::new()], OnFailure::Closed);
    let mut exchange = fixture.exchange.borrow_mut();
    let timer = || Event::Timer { delay: Duration::from_secs(1), timer: 1 };
    let queued = (0..1000).filter(|_| exchange.push_event(0, timer())).count();
    assert_eq!(queued, 256);
}

#[test]
fn an_open_chain_goes_on_where_its_plugin_died() {
    let dying = Plugin::new().on("proxy_on_request_body", "unreachable");
    let mut fixture = chain(&[&dying, &Plugin::new()], OnFailure::Open);
    assert!(matches!(fixture.chain.headers(HttpRequest, false), Step::Continue));
    assert!(matches!(fixture.chain.body(HttpRequest, Bytes::from("a"), true), Step::Continue));
    assert_eq!(fixture.chain.take_body(HttpRequest), "a");
    fixture.chain.close();
    assert_eq!(fixture.contexts(), [1, 1]);
}
