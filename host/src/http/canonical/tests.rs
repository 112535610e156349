use super::*;

fn parts(method: &str, target: &str, headers: &[(&str, &str)]) -> request::Parts {
    let mut request = http::Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn status(method: &str, target: &str, headers: &[(&str, &str)]) -> u16 {
    request(parts(method, target, headers)).map_or_else(|reply| reply.status.as_u16(), |_| 200)
}

#[test]
fn one_sound_host_or_nothing() {
    assert_eq!(status("GET", "/", &[("host", "a.test:80")]), 200);
    assert_eq!(status("GET", "/", &[("host", "[::1]:8080")]), 200);
    assert_eq!(status("GET", "/", &[]), 400);
    assert_eq!(status("GET", "/", &[("host", "a"), ("host", "a")]), 400);
    for host in
        ["", "a b", "a,b", "u@a", "a/b", "a:b", "a:99999", "[::1", "[x]", "[::1]x", "a\u{e9}"]
    {
        assert_eq!(status("GET", "/", &[("host", host)]), 400, "{host:?}");
    }
}

#[test]
fn an_absolute_target_beats_the_host_header() {
    let headers = request(parts("GET", "http://b.test/x?q", &[("host", "a.test")])).unwrap();
    assert_eq!(headers.get(b":authority"), Some(&b"b.test"[..]));
    assert_eq!(headers.get(b":path"), Some(&b"/x?q"[..]));
    assert_eq!(status("GET", "ftp://b.test/x", &[("host", "a.test")]), 400);
    assert_eq!(status("GET", "http://u:p@b.test/", &[("host", "a.test")]), 400);
}

#[test]
fn codings_other_than_one_chunked_are_refused() {
    let with = |codings: &[&str]| {
        let mut headers = vec![("host", "a")];
        headers.extend(codings.iter().map(|coding| ("transfer-encoding", *coding)));
        status("POST", "/", &headers)
    };
    assert_eq!(with(&["Chunked"]), 200);
    for codings in
        [&["chunked, chunked"][..], &["gzip, chunked"], &["identity"], &["chunked", "chunked"]]
    {
        assert_eq!(with(codings), 400, "{codings:?}");
    }
}

#[test]
fn hop_by_hop_fields_stay_on_their_hop() {
    let found = request(parts(
        "GET",
        "/",
        &[
            ("host", "a"),
            ("connection", "x-one, keep-alive"),
            ("connection", "x-two"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "3"),
            ("keep-alive", "5"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("http2-settings", "x"),
            ("proxy-authorization", "x"),
        ],
    ));
    let headers = found.unwrap();
    let names: Vec<_> = headers.map().keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["x-three", "te"], "of its codings only trailers pass");
    let gzip = [("host", "a"), ("te", "trailers"), ("te", "gzip")];
    assert!(request(parts("GET", "/", &gzip)).unwrap().map().is_empty());
}

#[test]
fn a_connection_line_cannot_remove_what_policy_reads() {
    for name in ["authorization", "x-forwarded-for", "Host", "content-length"] {
        assert_eq!(status("GET", "/", &[("host", "a"), ("connection", name)]), 400, "{name}");
    }
}

#[test]
fn targets_are_normalised_or_refused() {
    let path = |target: &str| {
        let headers = request(parts("GET", target, &[("host", "a")])).unwrap();
        String::from_utf8(headers.get(b":path").unwrap().to_vec()).unwrap()
    };
    assert_eq!(path("/a/../b?x=/../y"), "/b?x=/../y");
    assert_eq!(path("/%61?q=%61"), "/a?q=%61");
    assert_eq!(status("GET", "/../x", &[("host", "a")]), 400);
    assert_eq!(status("GET", "*", &[("host", "a")]), 400);
    assert_eq!(status("OPTIONS", "*", &[("host", "a")]), 200);
    assert_eq!(status("TRACE", "/", &[("host", "a")]), 405);
    assert_eq!(status("CONNECT", "a:80", &[("host", "a:80")]), 405);
    let long = format!("/{}", "x".repeat(TARGET_BYTES_MAX));
    assert_eq!(status("GET", &long, &[("host", "a")]), 414);
    assert_eq!(status("POST", "/", &[("host", "a"), ("expect", "x")]), 417);
}

#[test]
fn responses_lose_their_hop_and_unsolicited_upgrades_are_none() {
    let response = |status: u16, fields: &[(&str, &str)]| {
        let mut builder = http::Response::builder().status(status);
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        response(builder.body(()).unwrap().into_parts().0)
    };
    assert!(response(101, &[("upgrade", "x")]).is_none());
    let fields = [("connection", "x-nom"), ("x-nom", "1"), ("content-length", "3")];
    let mut both = fields.to_vec();
    both.push(("transfer-encoding", "chunked"));
    let headers = response(200, &both).unwrap();
    let names: Vec<_> = headers.map().keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["transfer-encoding"], "filters see it; it does not go out as it came");
}
