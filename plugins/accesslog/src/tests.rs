use weir_sdk::{
    attribute,
    testing::{Request, Response, Stream, Test},
};

use super::{AccessLog, ISTIO_TEXT};

/// 2026-11-22T18:10:56.056Z.
const START_NS: i64 = 1_795_371_056_056_000_000;

fn line(configuration: &str, request: Request, prepare: impl Fn(&Stream<AccessLog>)) -> Vec<u8> {
    let test = Test::<AccessLog>::new(configuration).unwrap();
    let stream = test.open(request);
    stream.set_i64(&attribute::REQUEST_TIME, START_NS);
    stream.set_text(&attribute::WEIR_RESPONSE_FLAGS, "-");
    prepare(&stream);
    _ = stream.request();
    _ = stream.respond(&Response::new(200).header("x-envoy-upstream-service-time", "7"));
    stream.close();
    let log = test.host().access_log();
    assert_eq!(log.len(), 1);
    log.first().unwrap().1.clone()
}

fn text(format: &str, request: Request) -> String {
    let configuration = format!(r#"{{"format":{{"text":"{format}"}}}}"#);
    String::from_utf8(line(&configuration, request, |_| {})).unwrap()
}

#[test]
fn the_default_is_istios() {
    // istio.md §1.6.
    assert_eq!(
        ISTIO_TEXT,
        "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n"
    );
}

#[test]
fn a_whole_line() {
    let request = Request::get("/new?x=1")
        .header("x-envoy-original-path", "/old?x=1")
        .header("user-agent", "curl/8")
        .header("x-request-id", "abc");
    let line = line("{}", request, |stream| {
        stream.set_text(&attribute::REQUEST_PROTOCOL, "HTTP/1.1");
        stream.set_text(&attribute::RESPONSE_CODE_DETAILS, "via_upstream");
        stream.set_i64(&attribute::REQUEST_SIZE, 0);
        stream.set_i64(&attribute::RESPONSE_SIZE, 1024);
        stream.set_i64(&attribute::REQUEST_DURATION, 8_999_999);
        stream.set_text(&attribute::UPSTREAM_ADDRESS, "10.0.0.2:80");
        stream.set_text(&attribute::XDS_CLUSTER_NAME, "outbound|80||a.b");
        stream.set_text(&attribute::UPSTREAM_LOCAL_ADDRESS, "10.0.0.1:5");
        stream.set_text(&attribute::DESTINATION_ADDRESS, "10.0.0.1:80");
        stream.set_text(&attribute::SOURCE_ADDRESS, "10.0.0.9:6");
        stream.set_text(&attribute::CONNECTION_REQUESTED_SERVER_NAME, "");
        stream.set_text(&attribute::XDS_ROUTE_NAME, "default");
    });
    let expected = concat!(
        r#"[2026-11-22T18:10:56.056Z] "GET /old?x=1 HTTP/1.1" 200 - via_upstream - "-" 0 1024 8 7 "#,
        r#""-" "curl/8" "abc" "example.com" "10.0.0.2:80" outbound|80||a.b 10.0.0.1:5 10.0.0.1:80 "#,
        "10.0.0.9:6 - default\n",
    );
    assert_eq!(String::from_utf8(line).unwrap(), expected);
}

#[test]
fn values_cannot_break_a_line() {
    let agent = b"a\r\nb\"c\\d\x01\x7f\xff \xc3\xa9 \xc2\x85";
    let line = text("%REQ(user-agent)%|\\n", Request::get("/").header("user-agent", agent));
    assert_eq!(line, "a\\x0D\\x0Ab\\x22c\\x5Cd\\x01\\x7F\\xFF é \\xC2\\x85|\n");
}

#[test]
fn commands() {
    let request = || Request::get("/a?b=c").header("x-long", "abcdefgh").header("accept", "*/*");
    for (format, expected) in [
        ("%REQ(x-long):3%", "abc"),
        ("%REQ(missing?x-long):20%", "abcdefgh"),
        ("%REQ(x-long):2% %REQ(accept)%", "ab */*"),
        ("%REQ(missing):3%", "-"),
        ("%REQ_WITHOUT_QUERY(:path)%", "/a"),
        ("%START_TIME(%s.%3f)%", "1795371056.056"),
        ("%START_TIME(%Y/%m/%d %H:%M:%S %6f)%", "2026/11/22 18:10:56 056000"),
        ("%RESPONSE_CODE%%%", "200%"),
        ("%DURATION%", "-"),
        ("%BYTES_SENT%", "0"),
        ("no commands", "no commands"),
    ] {
        assert_eq!(text(format, request()), expected, "{format}");
    }
}

#[test]
fn json_keeps_types_and_is_valid_whatever_the_values() {
    let configuration = r#"{"path":"/tmp/log","format":{"json":{"code":"%RESPONSE_CODE%",
        "agent":"%REQ(user-agent)%","none":"%REQ(x)%","both":"%REQ(x)%:%RESPONSE_CODE%",
        "time":"%START_TIME%","a\"b":"lit","duration":"%DURATION%"}}}"#;
    let agent = b"q\"u\\o\nt\x01\xffe";
    let line = line(configuration, Request::get("/").header("user-agent", agent), |_| {});
    let expected = concat!(
        r#"{"a\"b":"lit","agent":"q\"u\\o\nt\u0001"#,
        "\u{FFFD}",
        r#"e","both":"-:200","code":200,"duration":null,"none":null,"#,
        r#""time":"2026-11-22T18:10:56.056Z"}"#,
        "\n",
    );
    assert_eq!(String::from_utf8(line).unwrap(), expected);
}

#[test]
fn the_path_and_the_fallback() {
    let test = Test::<AccessLog>::new(r#"{"path":"/tmp/x","format":{"text":"hi\n"}}"#).unwrap();
    test.open(Request::get("/")).close();
    assert_eq!(test.host().access_log(), [("/tmp/x".to_owned(), b"hi\n".to_vec())]);
    test.host().set_extensions(false);
    test.open(Request::get("/")).close();
    assert_eq!(test.host().logs(), ["hi"]);
}

#[test]
fn six_request_headers_are_one_host_call() {
    let test = Test::<AccessLog>::new("{}").unwrap();
    let stream = test.open(Request::get("/"));
    _ = stream.request();
    _ = stream.respond(&Response::new(200));
    test.host().take_calls();
    stream.close();
    // One map for the request's six, one call for each other command, two more where the host
    // does not know the first choice (start time, flags), one write.
    assert_eq!(test.host().take_calls(), 22);
}

#[test]
fn refused_configurations() {
    for configuration in [
        r#"{"format":{"text":"%NOPE%"}}"#,
        r#"{"format":{"text":"%REQ(a"}}"#,
        r#"{"format":{"text":"%REQ()%"}}"#,
        r#"{"format":{"text":"%START_TIME(%Q)%"}}"#,
        r#"{"format":{"json":{"a":"%HOSTNAME%"}}}"#,
        r#"{"format":{"text":"a","json":{}}}"#,
        r#"{"path":""}"#,
        r#"{"file":"x"}"#,
    ] {
        assert!(Test::<AccessLog>::new(configuration).is_err(), "{configuration}");
    }
}
