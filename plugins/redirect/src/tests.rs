use weir_sdk::{
    attribute,
    testing::{Request, Step, Test},
};

use super::Redirect;

fn location(configuration: &str, request: Request) -> String {
    let test = Test::<Redirect>::new(configuration).unwrap();
    let stream = test.open(request);
    stream.set_i64(&attribute::DESTINATION_PORT, 8080);
    assert_eq!(stream.request(), Step::Replied);
    stream.reply().unwrap().header("location").unwrap()
}

fn at(scheme: &str, authority: &str) -> Request {
    Request::get("/a?b=1").header(":scheme", scheme).header(":authority", authority)
}

#[test]
fn istio_redirect_keeps_the_query() {
    let configuration = r#"{"path":{"full":"/p2"},"authority":"other.com"}"#;
    assert_eq!(location(configuration, Request::get("/redir?b=1")), "http://other.com/p2?b=1");
    let own = r#"{"path":{"full":"/p2?c=2"}}"#;
    assert_eq!(location(own, Request::get("/redir?b=1")), "http://example.com/p2?c=2");
}

/// Envoy's access log says `direct_response` of a redirect too.
#[test]
fn redirect_has_details() {
    let stream = Test::<Redirect>::new("{}").unwrap().open(Request::get("/"));
    assert_eq!(stream.request(), Step::Replied);
    assert_eq!(stream.reply().unwrap().details, "direct_response");
}

#[test]
fn ports() {
    for (configuration, scheme, authority, expected) in [
        ("{}", "http", "a.com:8080", "http://a.com:8080/a?b=1"),
        ("{}", "http", "a.com:80", "http://a.com:80/a?b=1"),
        (r#"{"scheme":"https"}"#, "http", "a.com:80", "https://a.com/a?b=1"),
        (r#"{"scheme":"https"}"#, "http", "a.com:8080", "https://a.com:8080/a?b=1"),
        (r#"{"scheme":"http"}"#, "https", "a.com:443", "http://a.com/a?b=1"),
        (r#"{"port":{"number":8443}}"#, "https", "a.com:1", "https://a.com:8443/a?b=1"),
        (r#"{"port":{"number":443}}"#, "https", "a.com:1", "https://a.com/a?b=1"),
        (r#"{"port":{"number":80}}"#, "https", "a.com", "https://a.com:80/a?b=1"),
        (r#"{"port":"protocolDefault"}"#, "http", "a.com:1", "http://a.com/a?b=1"),
        (r#"{"port":"requestPort"}"#, "http", "a.com", "http://a.com:8080/a?b=1"),
        (r#"{"authority":"b.com:9"}"#, "http", "a.com", "http://b.com:9/a?b=1"),
        (r#"{"port":{"number":8}}"#, "http", "[::1]:1", "http://[::1]:8/a?b=1"),
        ("{}", "http", "[::1]", "http://[::1]/a?b=1"),
    ] {
        assert_eq!(location(configuration, at(scheme, authority)), expected, "{configuration}");
    }
}

#[test]
fn status() {
    for (configuration, status) in [("{}", 301), (r#"{"status":308}"#, 308)] {
        let test = Test::<Redirect>::new(configuration).unwrap();
        let stream = test.open(Request::get("/"));
        assert_eq!(stream.request(), Step::Replied);
        assert_eq!(stream.reply().unwrap().status, status);
    }
}

#[test]
fn refused_configurations() {
    for configuration in [
        r#"{"status":200}"#,
        r#"{"scheme":"ftp"}"#,
        r#"{"port":{"number":70000}}"#,
        r#"{"port":"any"}"#,
        r#"{"uri":"/"}"#,
    ] {
        assert!(Test::<Redirect>::new(configuration).is_err(), "{configuration}");
    }
}
