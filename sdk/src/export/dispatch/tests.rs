use std::{cell::Cell, time::Duration};

use serde::Deserialize;
use weir_abi::{BufferType, LogLevel};

use crate::{
    EndOfStream, Exchange, Flow, Frame, Plugin, Reply, Setup, Timer, attribute,
    testing::{ROOT, Request, Response, Step, Test},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    name: String,
    #[serde(default)]
    tick_ms: u64,
}

struct Probe {
    name: String,
    ticks: Cell<u32>,
}

#[derive(Default)]
struct Seen {
    callbacks: String,
}

impl Plugin for Probe {
    type Config = Config;
    type Stream = Seen;

    fn new(config: Config, setup: &mut Setup) -> crate::Result<Self> {
        if config.tick_ms > 0 {
            setup.tick_every(Duration::from_millis(config.tick_ms));
        }
        setup.gauge("configured")?.add(1);
        Ok(Self { name: config.name, ticks: Cell::new(0) })
    }

    fn on_request_headers(&self, seen: &mut Seen, x: &mut Exchange<'_>, _: EndOfStream) -> Flow {
        seen.callbacks.push_str("req ");
        x.request_headers().set("x-plugin", self.name.as_bytes()).unwrap();
        match x.request_headers().get_str(":path") {
            Some("/pause") => {
                x.set_timer(Duration::from_millis(10)).unwrap();
                Flow::Pause
            }
            Some("/reply") => x.reply(&Reply::new(429)),
            _ => Flow::Continue,
        }
    }

    fn on_request_body(&self, seen: &mut Seen, exchange: &mut Exchange<'_>, frame: Frame) -> Flow {
        seen.callbacks.push_str(&format!("body:{} ", frame.bytes));
        if frame.end == EndOfStream::No {
            return Flow::Pause;
        }
        let body = exchange.request_body().all().unwrap().to_ascii_uppercase();
        exchange.request_body().replace(&body).unwrap();
        exchange.request_body().prepend(b"<").unwrap();
        exchange.request_body().append(b">").unwrap();
        Flow::Continue
    }

    fn on_response_headers(&self, seen: &mut Seen, x: &mut Exchange<'_>, _: EndOfStream) -> Flow {
        seen.callbacks.push_str("resp ");
        // Envoy refuses both here; neither may panic.
        assert!(x.request_headers().set("late", b"1").is_err());
        assert!(x.request_headers().get(":path").is_none());
        Flow::Continue
    }

    fn on_timer(&self, seen: &mut Seen, exchange: &mut Exchange<'_>, _: Timer) {
        seen.callbacks.push_str("timer ");
        exchange.resume_request().unwrap();
    }

    fn on_log(&self, seen: &mut Seen, _: &mut Exchange<'_>) {
        seen.callbacks.push_str("log ");
    }

    fn on_done(&self, seen: &mut Seen, _: &mut Exchange<'_>) {
        crate::info!("{}: {}done", self.name, seen.callbacks);
    }

    fn on_tick(&self) {
        self.ticks.set(self.ticks.get() + 1);
        crate::info!("tick {}", self.ticks.get());
    }
}

crate::export!(Probe);

#[test]
fn streams_of_several_configurations_interleave() {
    let test = Test::<Probe>::new(r#"{"name":"a"}"#).unwrap();
    test.configure(9, r#"{"name":"b"}"#).unwrap();
    let first = test.open_in(ROOT, Request::get("/"));
    let second = test.open_in(9, Request::get("/"));
    assert_eq!(second.request(), Step::Continue);
    assert_eq!(first.request(), Step::Continue);
    assert_eq!(first.request_header("x-plugin"), ["a"]);
    assert_eq!(second.request_header("x-plugin"), ["b"]);
    _ = first.respond(&Response::new(200));
    first.close();
    second.close();
    assert_eq!(test.host().logs(), ["a: req resp log done", "b: req log done"]);
}

#[test]
fn a_paused_body_accumulates_and_is_replaced() {
    let test = Test::<Probe>::new(r#"{"name":"a"}"#).unwrap();
    let stream = test.open(Request::get("/").frame("ab").frame("cd"));
    assert_eq!(stream.request(), Step::Continue);
    assert_eq!(stream.forwarded(BufferType::HttpRequestBody), b"<ABCD>");
    stream.close();
    assert_eq!(test.host().logs(), ["a: req body:2 body:4 log done"]);
}

#[test]
fn timers_and_ticks_share_the_one_tick_of_other_hosts() {
    let test = Test::<Probe>::new(r#"{"name":"a","tick_ms":20}"#).unwrap();
    test.host().set_extensions(false);
    let stream = test.open(Request::get("/pause"));
    assert_eq!(stream.request(), Step::Paused);
    assert_eq!(test.host().tick_period_ms(), 5);
    test.advance(Duration::from_millis(15));
    assert!(stream.take_resumed());
    assert_eq!(test.host().tick_period_ms(), 20);
    test.advance(Duration::from_millis(40));
    assert!(test.host().logs().contains(&"tick 2".to_owned()));
}

#[test]
fn replies_are_steps() {
    let test = Test::<Probe>::new(r#"{"name":"a"}"#).unwrap();
    let stream = test.open(Request::get("/reply"));
    assert_eq!(stream.request(), Step::Replied);
    assert_eq!(stream.respond_with_reply(), Step::Continue);
    assert_eq!(stream.property(&attribute::WEIR_CLUSTER), None);
}

#[test]
fn a_refused_configuration_says_where() {
    let message = Test::<Probe>::new(r#"{"name":"a","tick":1}"#).err().unwrap();
    assert!(message.starts_with("configuration: tick: unknown field `tick`"), "{message}");
    let message = Test::<Probe>::new("").err().unwrap();
    assert!(message.starts_with("configuration: $: missing field `name`"), "{message}");
}

#[test]
fn unknown_contexts_are_held_not_passed() {
    let test = Test::<Probe>::new(r#"{"name":"a"}"#).unwrap();
    let stream = test.open_in(77, Request::get("/"));
    assert_eq!(stream.request(), Step::Paused);
    assert_eq!(test.host().logs_at(LogLevel::Error).len(), 1);
}

#[test]
fn a_panic_is_logged_with_the_plugin() {
    let test = Test::<Probe>::new(r#"{"name":"a"}"#).unwrap();
    crate::export::log_panic("weir-plugin-a", "boom");
    assert_eq!(test.host().logs_at(LogLevel::Critical), ["weir-plugin-a: boom"]);
}
