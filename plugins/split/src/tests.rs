use weir_sdk::testing::{Request, Response, Step, Test};

use super::Split;

const CANARY: &str = r#"{"clusters":[
    {"name":"v1","weight":90},
    {"name":"v2","weight":10,"headers":{"request":{"set":{"x-canary":"1"}},
                                        "response":{"add":{"x-served-by":"v2"}}}}]}"#;

#[test]
fn draws_fall_into_weights() {
    let test = Test::<Split>::new(CANARY).unwrap();
    test.host().set_draws([0.0, 0.899, 0.901, 0.999]);
    let chosen: Vec<_> = (0..4)
        .map(|_| {
            let stream = test.open(Request::get("/"));
            assert_eq!(stream.request(), Step::Continue);
            stream.cluster().unwrap()
        })
        .collect();
    assert_eq!(chosen, ["v1", "v1", "v2", "v2"]);
}

#[test]
fn headers_are_those_of_the_chosen_entry_both_ways() {
    let test = Test::<Split>::new(CANARY).unwrap();
    test.host().set_draws([0.95, 0.1]);
    let canary = test.open(Request::get("/"));
    let stable = test.open(Request::get("/"));
    _ = (canary.request(), stable.request());
    _ = (canary.respond(&Response::new(200)), stable.respond(&Response::new(200)));
    assert_eq!(canary.request_header("x-canary"), ["1"]);
    assert_eq!(canary.response_header("x-served-by"), ["v2"]);
    assert!(stable.request_header("x-canary").is_empty());
    assert!(stable.response_header("x-served-by").is_empty());
}

#[test]
fn weights_are_relative_and_zero_is_never() {
    let configuration = r#"{"clusters":[{"name":"a","weight":0},{"name":"b","weight":3}]}"#;
    let test = Test::<Split>::new(configuration).unwrap();
    for draw in [0.0, 0.5, 0.999] {
        test.host().set_draws([draw]);
        let stream = test.open(Request::get("/"));
        _ = stream.request();
        assert_eq!(stream.cluster().as_deref(), Some("b"));
    }
}

#[test]
fn a_single_entry_needs_no_weight() {
    let test = Test::<Split>::new(r#"{"clusters":[{"name":"only","weight":0}]}"#).unwrap();
    let stream = test.open(Request::get("/"));
    _ = stream.request();
    assert_eq!(stream.cluster().as_deref(), Some("only"));
}

#[test]
fn refused_configurations() {
    for configuration in [
        "{}",
        r#"{"clusters":[]}"#,
        r#"{"clusters":[{"name":"a"},{"name":"b","weight":0}]}"#,
        r#"{"clusters":[{"name":"a","weight":-1}]}"#,
        r#"{"clusters":[{"name":"a","wieght":1}]}"#,
    ] {
        assert!(Test::<Split>::new(configuration).is_err(), "{configuration}");
    }
}
