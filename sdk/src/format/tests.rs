use super::{Format, without_port};

#[test]
fn literals() {
    assert_eq!(Format::parse("").unwrap().as_literal(), Some(b"".as_slice()));
    assert_eq!(Format::parse("50%%").unwrap().as_literal(), Some(b"50%".as_slice()));
    assert_eq!(Format::parse("%PROTOCOL%").unwrap().as_literal(), None);
}

#[test]
fn request_headers_are_counted() {
    let format = Format::parse("%REQ(a?b)% %RESP(c)% %REQ_WITHOUT_QUERY(:path)%").unwrap();
    assert_eq!(format.request_headers(), 3);
}

#[test]
fn malformed_commands_are_named() {
    for (text, reason) in [
        ("%", "unterminated"),
        ("a%PROTOCOL", "unterminated"),
        ("%protocol%", "unknown command %protocol%"),
        ("%PROTOCOL:x%", "malformed"),
        ("%REQ(a)x%", "unterminated"),
        ("%REQ(a):x%", "malformed"),
        ("%REQ(a?b?c)%", "NAME?ALTERNATIVE"),
        ("%HOSTNAME%", "unknown command"),
        ("%PROTOCOL(x)%", "unknown command"),
    ] {
        let message = Format::parse(text).unwrap_err().to_string();
        assert!(message.contains(reason), "{text}: {message}");
    }
}

#[test]
fn addresses_without_port() {
    for (address, ip) in [
        ("10.0.0.1:80", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("", ""),
    ] {
        assert_eq!(without_port(address.as_bytes()), ip.as_bytes(), "{address}");
    }
}
