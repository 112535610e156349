use std::time::Duration;

use weir_sdk::testing::{Request, Step, Test};

use super::Fault;

fn fault(configuration: &str) -> Test<Fault> {
    Test::new(configuration).unwrap()
}

const BOTH: &str = r#"{"delay":{"percentage":50,"fixedDelay":"100ms"},
                       "abort":{"percentage":50,"httpStatus":503}}"#;

#[test]
fn an_abort_answers_with_flag_and_details() {
    let test = fault(r#"{"abort":{"percentage":100,"httpStatus":418}}"#);
    let stream = test.open(Request::get("/"));
    assert_eq!(stream.request(), Step::Replied);
    let reply = stream.reply().unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (418, "fault filter abort"));
    assert_eq!(reply.details, "fault_filter_abort");
    assert_eq!(stream.flags(), ["FI"]);
}

#[test]
fn a_missing_percentage_is_never() {
    let test = fault(r#"{"abort":{"httpStatus":503},"delay":{"fixedDelay":"5s"}}"#);
    test.host().set_draws([0.0, 0.0]);
    assert_eq!(test.open(Request::get("/")).request(), Step::Continue);
}

#[test]
fn the_share_has_a_resolution_of_a_ten_thousandth_percent() {
    let test = fault(r#"{"abort":{"percentage":0.0001,"httpStatus":503}}"#);
    test.host().set_draws([0.000_000_9, 0.000_001_1]);
    assert_eq!(test.open(Request::get("/")).request(), Step::Replied);
    assert_eq!(test.open(Request::get("/")).request(), Step::Continue);
}

#[test]
fn a_delayed_request_is_resumed_by_its_timer() {
    for extensions in [true, false] {
        let test = fault(r#"{"delay":{"percentage":100,"fixedDelay":"100ms"}}"#);
        test.host().set_extensions(extensions);
        let stream = test.open(Request::get("/"));
        assert_eq!(stream.request(), Step::Paused);
        assert_eq!(stream.flags(), ["DI"]);
        test.advance(Duration::from_millis(99));
        assert!(!stream.take_resumed());
        test.advance(Duration::from_millis(6));
        assert!(stream.take_resumed(), "extensions: {extensions}");
        assert_eq!(test.host().tick_period_ms(), 0);
    }
}

#[test]
fn both_are_drawn_and_the_abort_comes_after_the_delay() {
    let test = fault(BOTH);
    test.host().set_draws([0.1, 0.1]);
    let stream = test.open(Request::get("/"));
    assert_eq!(stream.request(), Step::Paused);
    assert!(stream.reply().is_none());
    test.advance(Duration::from_millis(100));
    assert_eq!(stream.reply().unwrap().status, 503);
    assert_eq!(stream.flags(), ["DI", "FI"]);
    assert!(!stream.take_resumed());
}

#[test]
fn draws_are_independent() {
    let test = fault(BOTH);
    test.host().set_draws([0.9, 0.1, 0.1, 0.9, 0.9, 0.9]);
    assert_eq!(test.open(Request::get("/")).request(), Step::Paused);
    assert_eq!(test.open(Request::get("/")).request(), Step::Replied);
    assert_eq!(test.open(Request::get("/")).request(), Step::Continue);
}

#[test]
fn interleaved_streams_keep_their_own_delays() {
    let test = fault(r#"{"delay":{"percentage":100,"fixedDelay":"50ms"}}"#);
    test.host().set_extensions(false);
    let first = test.open(Request::get("/1"));
    assert_eq!(first.request(), Step::Paused);
    test.advance(Duration::from_millis(30));
    let second = test.open(Request::get("/2"));
    assert_eq!(second.request(), Step::Paused);
    let closed = test.open(Request::get("/3"));
    assert_eq!(closed.request(), Step::Paused);
    closed.close();
    test.advance(Duration::from_millis(25));
    assert!(first.take_resumed());
    assert!(!second.take_resumed());
    test.advance(Duration::from_millis(30));
    assert!(second.take_resumed());
    assert!(!closed.take_resumed());
}

#[test]
fn a_grpc_abort_is_200_with_grpc_status() {
    let test = fault(r#"{"abort":{"percentage":100,"grpcStatus":"UNAVAILABLE"}}"#);
    let stream = test.open(Request::get("/"));
    assert_eq!(stream.request(), Step::Replied);
    let reply = stream.reply().unwrap();
    assert_eq!((reply.status, reply.grpc_status), (200, 14));
    assert_eq!(reply.header("grpc-status").as_deref(), Some("14"));
}

#[test]
fn refused_configurations() {
    for (configuration, reason) in [
        ("{}", "neither delay nor abort"),
        (r#"{"abort":{"percentage":100}}"#, "either httpStatus or grpcStatus"),
        (r#"{"abort":{"httpStatus":503,"grpcStatus":"OK"}}"#, "either httpStatus or grpcStatus"),
        (r#"{"abort":{"httpStatus":99}}"#, "not in 200..599"),
        (r#"{"abort":{"grpcStatus":"NOPE"}}"#, "not a gRPC status"),
        (r#"{"abort":{"percentage":101,"httpStatus":503}}"#, "abort.percentage"),
        (r#"{"delay":{"fixedDelay":"5 s"}}"#, "delay.fixedDelay"),
        (r#"{"delay":{"fixedDelay":"5s","x":1}}"#, "delay.x"),
    ] {
        let message = Test::<Fault>::new(configuration).err().unwrap();
        assert!(message.contains(reason), "{configuration}: {message}");
    }
}
