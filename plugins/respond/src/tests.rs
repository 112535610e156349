use weir_sdk::testing::{LocalReply, Request, Step, Test};

use super::{Respond, base64};

fn reply(configuration: &str) -> LocalReply {
    let test = Test::<Respond>::new(configuration).unwrap();
    let stream = test.open(Request::get("/"));
    assert_eq!(stream.request(), Step::Replied);
    stream.reply().unwrap()
}

#[test]
fn text() {
    let reply = reply(r#"{"status":404,"body":"gone","headers":{"X-A":"1"}}"#);
    assert_eq!((reply.status, reply.text().as_str()), (404, "gone"));
    assert_eq!(reply.details, "direct_response");
    assert_eq!(reply.header("x-a").as_deref(), Some("1"));
    assert_eq!(reply.header("content-type").as_deref(), Some("text/plain"));
}

#[test]
fn bytes_and_content_type() {
    let reply = reply(r#"{"status":200,"bodyBase64":"AP8=","contentType":"image/x"}"#);
    assert_eq!(reply.body, [0, 255]);
    assert_eq!(reply.header("content-type").as_deref(), Some("image/x"));
}

#[test]
fn no_body_has_no_content_type() {
    assert!(reply(r#"{"status":204}"#).header("content-type").is_none());
}

#[test]
fn base64_of_rfc_4648() {
    for (text, bytes) in
        [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg", "foob")]
    {
        assert_eq!(base64::decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
    }
    for text in ["Z", "Zg===", "Z g=", "Zm9-"] {
        assert_eq!(base64::decode(text), None, "{text}");
    }
}

#[test]
fn refused_configurations() {
    for configuration in [
        "{}",
        r#"{"status":99}"#,
        r#"{"status":600}"#,
        r#"{"status":200,"body":"a","bodyBase64":"YQ=="}"#,
        r#"{"status":200,"bodyBase64":"*"}"#,
        r#"{"status":200,"headers":{":status":"1"}}"#,
    ] {
        assert!(Test::<Respond>::new(configuration).is_err(), "{configuration}");
    }
}
