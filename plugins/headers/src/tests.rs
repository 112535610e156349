use weir_sdk::{
    attribute,
    testing::{Request, Response, Step, Test},
};

use super::HeaderOperations;

fn request(operations: &str, request: Request) -> weir_sdk::testing::Stream<HeaderOperations> {
    let test = Test::new(&format!(r#"{{"request":{operations}}}"#)).unwrap();
    let stream = test.open(request);
    assert_eq!(stream.request(), Step::Continue);
    stream
}

#[test]
fn set_overwrites_and_add_appends() {
    let incoming = Request::get("/").header("x-a", "1").header("x-a", "2").header("x-b", "1");
    let stream = request(r#"{"set":{"X-A":"new"},"add":{"x-b":"2"}}"#, incoming);
    assert_eq!(stream.request_header("x-a"), ["new"]);
    assert_eq!(stream.request_header("x-b"), ["1", "2"]);
}

#[test]
fn removal_comes_first() {
    let incoming = Request::get("/").header("x-a", "old").header("x-b", "old");
    let stream = request(r#"{"remove":["x-a","X-B","x-c"],"add":{"x-a":"new"}}"#, incoming);
    assert_eq!(stream.request_header("x-a"), ["new"]);
    assert!(stream.request_header("x-b").is_empty());
}

#[test]
fn host_is_the_authority() {
    for name in ["host", ":authority", "Host"] {
        let stream = request(&format!(r#"{{"set":{{"{name}":"b.com"}}}}"#), Request::get("/"));
        assert_eq!(stream.request_header(":authority"), ["b.com"]);
    }
}

#[test]
fn commands_are_evaluated_before_anything_is_written() {
    let operations = r#"{"set":{"x-a":"%REQ(X-B)%","x-b":"<%REQ(x-a)%>","x-c":"100%%",
        "x-d":"%REQ(missing?x-a)%","x-ip":"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "x-e":"%REQ(missing)%"}}"#;
    let test = Test::<HeaderOperations>::new(&format!(r#"{{"request":{operations}}}"#)).unwrap();
    let stream = test.open(Request::get("/").header("x-a", "A").header("x-b", "B"));
    stream.set_text(&attribute::SOURCE_ADDRESS, "[2001:db8::1]:4711");
    assert_eq!(stream.request(), Step::Continue);
    for (name, value) in
        [("x-a", "B"), ("x-b", "<A>"), ("x-c", "100%"), ("x-d", "A"), ("x-ip", "2001:db8::1")]
    {
        assert_eq!(stream.request_header(name), [value], "{name}");
    }
    assert!(stream.request_header("x-e").is_empty());
}

#[test]
fn responses_see_the_request_through_attributes() {
    let configuration = r#"{"response":{"add":{"x-path":"%REQ(:PATH)%","x-code":"%RESPONSE_CODE%",
        "x-was":"%RESP(server)%"},"remove":["server"]}}"#;
    let test = Test::<HeaderOperations>::new(configuration).unwrap();
    let stream = test.open(Request::get("/p?q=1"));
    _ = stream.request();
    assert_eq!(stream.respond(&Response::new(201).header("server", "x")), Step::Continue);
    assert_eq!(stream.response_header("x-path"), ["/p?q=1"]);
    assert_eq!(stream.response_header("x-code"), ["201"]);
    assert!(stream.response_header("server").is_empty());
    assert!(stream.response_header("x-was").is_empty());
}

#[test]
fn refused_configurations() {
    for (operations, reason) in [
        (r#"{"remove":["Host"]}"#, "cannot be removed"),
        (r#"{"remove":[":path"]}"#, "cannot be removed"),
        (r#"{"set":{":path":"/"}}"#, "cannot be written"),
        (r#"{"set":{"a b":"x"}}"#, "not a header name"),
        (r#"{"set":{"a":"%NOPE%"}}"#, "unknown command %NOPE%"),
        (r#"{"set":{"a":"50%"}}"#, "unterminated"),
        (r#"{"sett":{}}"#, "unknown field"),
    ] {
        let configuration = format!(r#"{{"request":{operations}}}"#);
        let message = Test::<HeaderOperations>::new(&configuration).err().unwrap();
        assert!(message.contains(reason), "{operations}: {message}");
    }
}
