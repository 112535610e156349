use super::*;

fn request() -> Headers {
    let line = RequestLine {
        method: Method::GET,
        scheme: HeaderValue::from_static("http"),
        authority: HeaderValue::from_static("a.test"),
        path: HeaderValue::from_static("/x?q=1"),
    };
    Headers::new(Pseudo::Request(line), HeaderMap::new())
}

#[test]
fn pseudo_headers_read_and_write_like_headers() {
    let mut headers = request();
    assert_eq!(headers.get(b"HOST"), Some(&b"a.test"[..]));
    headers.set(b":path", b"/y").unwrap();
    headers.set(b"host", b"b.test:80").unwrap();
    assert_eq!(headers.get(b":path"), Some(&b"/y"[..]));
    assert_eq!(headers.get(b":authority"), Some(&b"b.test:80"[..]));
    assert_eq!(headers.len(), 4);
}

#[test]
fn what_would_split_the_next_hops_request_is_refused() {
    let mut headers = request();
    for (name, value) in [
        (&b":path"[..], &b"/a b"[..]),
        (b":path", b"a"),
        (b":path", b"/a#b"),
        (b":authority", b""),
        (b":authority", b"a,b"),
        (b":authority", b"u@a"),
        (b"x", b"a\r\nb: c"),
        (b"x y", b"a"),
        (b":other", b"a"),
    ] {
        assert_eq!(headers.add(name, value), Err(InvalidHeader), "{name:?} {value:?}");
    }
}

#[test]
fn several_lines_of_one_name() {
    let mut headers = request();
    headers.add(b"x", b"1").unwrap();
    headers.add(b"X", b"\xff").unwrap();
    assert_eq!(headers.get(b"x"), Some(&b"1"[..]));
    assert_eq!(headers.get_joined(b"x").unwrap().as_ref(), b"1,\xff");
    headers.set(b"x", b"2").unwrap();
    assert_eq!(headers.get_joined(b"x").unwrap().as_ref(), b"2");
    headers.remove(b"X");
    assert_eq!(headers.get(b"x"), None);
}

#[test]
fn the_serialized_form_follows_every_change() {
    let mut headers = request();
    let before = headers.serialized();
    assert_eq!(headers.serialized().as_ptr(), before.as_ptr());
    headers.add(b"x", b"1").unwrap();
    let after = headers.serialized();
    let lines: Vec<_> = pairs::decode(&after).unwrap().collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0], (&b":authority"[..], &b"a.test"[..]));
    assert_eq!(lines[4], (&b"x"[..], &b"1"[..]));
}
