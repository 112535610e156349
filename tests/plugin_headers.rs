//! Header maps and metrics as a guest built with the crates.io SDK sees them.

use crate::harness::origin::Answer;
use crate::plugin_script::{probes, told, trace};

#[test]
fn lines_are_added_replaced_and_removed_in_both_directions() {
    let script = "\
        on request_headers get 0 x-m\n\
        on request_headers add 0 X-M 3\n\
        on request_headers replace 0 x-one new\n\
        on request_headers remove 0 x-gone\n\
        on request_headers remove 0 x-never\n\
        on response_headers add 2 set-cookie b\n\
        on response_headers replace 2 server weir\n\
        on response_headers remove 2 x-origin\n";
    let proxy = probes(&[script])
        .origin_with("v1", |request| {
            assert_eq!(request.header_all("x-m"), ["1", "2", "3"]);
            assert_eq!(request.header_all("x-one"), ["new"]);
            assert_eq!(request.header("x-gone"), None);
            let answer = Answer::new(200, "ok").header("set-cookie", "a").header("server", "o");
            answer.header("x-origin", "1")
        })
        .start();
    let request = proxy.request("GET", "/").header("x-m", "1").header("x-m", "2");
    let request = request.header("x-one", "old").header("x-one", "older").header("x-gone", "1");
    let response = request.send().assert_status(200).assert_header("server", "weir");
    assert_eq!(response.header_all("set-cookie"), ["a", "b"]);
    response.assert_no_header("x-origin");
    let trace = trace(&proxy, "p0 delete");
    assert_eq!(told(&trace, "p0 get 0 x-m = "), "0 1", "only the first value");
    assert_eq!(told(&trace, "p0 add "), "0");
    assert!(trace.iter().all(|line| !line.starts_with("p0 remove") || line == "p0 remove 0"));
}

#[test]
fn pseudo_headers_are_read_and_written_and_never_removed() {
    let script = "\
        on request_headers get 0 :path\n\
        on request_headers get 0 :method\n\
        on request_headers get 0 :authority\n\
        on request_headers get 0 host\n\
        on request_headers get 0 :scheme\n\
        on request_headers get 0 :status\n\
        on request_headers replace 0 :path /new?y=2\n\
        on request_headers replace 0 :authority other.local\n\
        on request_headers remove 0 :method\n\
        on request_headers replace 0 :path no-slash\n\
        on response_headers get 2 :status\n\
        on response_headers replace 2 :status 100\n\
        on response_headers replace 2 :status 201\n";
    let proxy = probes(&[script]).origin("v1").start();
    let echoed = proxy.get("/old?x=1").assert_status(201).json();
    assert_eq!(echoed["path"], "/new?y=2");
    assert_eq!(echoed["headers"]["host"], "other.local");
    assert_eq!(echoed["method"], "GET");
    let trace = trace(&proxy, "p0 delete");
    for (name, value) in [
        ("0 :path", "0 /old?x=1"),
        ("0 :method", "0 GET"),
        ("0 :authority", "0 test.local"),
        ("0 host", "0 test.local"),
        ("0 :scheme", "0 http"),
        ("0 :status", "1 "),
        ("2 :status", "0 200"),
    ] {
        assert_eq!(told(&trace, &format!("p0 get {name} = ")), value, "{name}");
    }
    let replaced: Vec<&str> =
        trace.iter().filter_map(|line| line.strip_prefix("p0 replace ")).collect();
    assert_eq!(replaced, ["0", "0", "2", "2", "0"]);
}

#[test]
fn values_may_be_any_bytes_the_wire_carries_and_names_may_not() {
    let script = "\
        on request_headers add 0 x-b \\xff\\xfe\\x09a\n\
        on request_headers get 0 x-b\n\
        on request_headers add 0 x-n a\\x0ab\n\
        on request_headers add 0 x-n a\\x00b\n\
        on request_headers add 0 x:y v\n\
        on request_headers add 9 x v\n\
        on request_headers get 9 x\n";
    let proxy = probes(&[script])
        .origin_with("v1", |request| {
            assert_eq!(request.header("x-n"), None);
            Answer::new(200, request.header("x-b").unwrap())
        })
        .start();
    // The harness reads lines as text; what it cannot is not passed on.
    let trace = {
        proxy.get("/");
        trace(&proxy, "p0 delete")
    };
    assert_eq!(told(&trace, "p0 get 0 x-b = "), "0 \\xff\\xfe\\ta");
    assert_eq!(told(&trace, "p0 get 9 x = "), "2 ");
    let added: Vec<&str> = trace.iter().filter_map(|line| line.strip_prefix("p0 add ")).collect();
    assert_eq!(added, ["0", "2", "2", "2", "2"]);
}

#[test]
fn a_map_that_does_not_exist_is_empty_and_takes_nothing() {
    let script = "\
        on request_headers pairs 2\n\
        on request_headers size 2\n\
        on request_headers get 2 x\n\
        on request_headers add 2 x v\n\
        on request_headers pairs 1\n\
        on request_headers pairs 6\n\
        on log get 0 :path\n\
        on log get 2 :status\n\
        on log get 1 x\n";
    let proxy = probes(&[script]).origin("v1").start();
    proxy.get("/").assert_status(200).assert_no_header("x");
    let trace = trace(&proxy, "p0 delete");
    for map in [2, 1, 6] {
        assert_eq!(told(&trace, &format!("p0 pairs {map} = ")), "0 ");
    }
    assert_eq!(told(&trace, "p0 size 2 "), "(0, 0)");
    assert_eq!(told(&trace, "p0 get 2 x = "), "1 ");
    assert_eq!(told(&trace, "p0 add "), "0");
    assert_eq!(told(&trace, "p0 get 0 :path = "), "0 /");
    assert_eq!(told(&trace, "p0 get 2 :status = "), "0 200");
    assert_eq!(told(&trace, "p0 get 1 x = "), "1 ");
}

#[test]
fn pairs_replace_a_whole_map() {
    let pairs: [(&[u8], &[u8]); 4] =
        [(b":path", b"/set"), (b"x-a", b"1"), (b"x-a", b"2"), (b"user-agent", b"probe")];
    let mut bytes = Vec::new();
    weir_abi::pairs::encode(pairs.into_iter(), &mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let lying = "ffffffff";
    let script =
        format!("on request_headers set-pairs 0 {hex}\non request_headers set-pairs 0 {lying}\n");
    let proxy = probes(&[&script]).origin("v1").start();
    let echoed = proxy.request("GET", "/").header("x-old", "1").send().assert_status(200).json();
    assert_eq!(echoed["path"], "/set");
    assert_eq!(echoed["headers"]["x-a"], "1,2");
    assert_eq!(echoed["headers"]["host"], "test.local", "a pseudo-header not named stays");
    assert_eq!(echoed["headers"]["x-old"], serde_json::Value::Null);
    let trace = trace(&proxy, "p0 delete");
    let set: Vec<&str> =
        trace.iter().filter_map(|line| line.strip_prefix("p0 set-pairs ")).collect();
    assert_eq!(set, ["0", "2"]);
}

#[test]
fn a_map_that_grows_without_end_is_stopped() {
    let proxy = probes(&["on request_headers add-many 0 40000"]).origin("v1").start();
    proxy.get("/");
    let trace = trace(&proxy, "p0 delete");
    assert_eq!(told(&trace, "p0 add-many "), "Some(2)");
}

#[test]
fn metrics_answer_as_envoys() {
    let script = "\
        on request_headers metric define 0 probe_c{shop=\"a\"}\n\
        on request_headers metric increment 0 3\n\
        on request_headers metric increment 0 0\n\
        on request_headers metric increment 0 -1\n\
        on request_headers metric record 0 2\n\
        on request_headers metric value 0\n\
        on request_headers metric define 1 probe_g\n\
        on request_headers metric increment 5 -4\n\
        on request_headers metric record 5 7\n\
        on request_headers metric value 5\n\
        on request_headers metric define 2 probe_milliseconds\n\
        on request_headers metric record 10 12\n\
        on request_headers metric increment 10 1\n\
        on request_headers metric value 10\n\
        on request_headers metric value 12\n\
        on request_headers metric increment 12 1\n\
        on request_headers metric record 12 1\n\
        on request_headers metric define 9 x\n\
        on request_headers metric define 1 probe_c{shop=\"a\"}\n\
        on request_headers metric define 0 probe_c{shop=\"a\"}\n\
        on request_headers metric define 0 \n";
    let proxy = probes(&[script]).origin("v1").start();
    proxy.get("/").assert_status(200);
    let trace = trace(&proxy, "p0 delete");
    let lines = |start: &str| -> Vec<String> {
        let found = trace.iter().filter_map(|line| line.strip_prefix(start));
        found.map(str::to_owned).collect()
    };
    assert_eq!(
        lines("p0 define "),
        ["(0, 0)", "(0, 5)", "(0, 10)", "(2, 0)", "(2, 0)", "(0, 0)", "(2, 0)"]
    );
    assert_eq!(lines("p0 increment "), ["0", "2", "2", "0", "2", "1"]);
    assert_eq!(lines("p0 record "), ["0", "0", "0", "1"]);
    assert_eq!(lines("p0 value "), ["(0, 5)", "(0, 7)", "(2, 0)", "(1, 0)"]);
    assert_eq!(proxy.metric("probe_c{shop=\"a\"}"), 5);
    assert_eq!(proxy.metric("probe_g"), 7);
    assert_eq!(proxy.metric("probe_milliseconds_bucket{le=\"25\"}"), 1);
}
