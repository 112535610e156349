use weir_sdk::testing::{Request, Step, Stream, Test};

use super::Rewrite;

fn rewritten(configuration: &str, path: &str) -> Stream<Rewrite> {
    let test = Test::new(configuration).unwrap();
    let stream = test.open(Request::get(path));
    assert_eq!(stream.request(), Step::Continue);
    stream
}

fn path(rewrite: &str, path: &str) -> String {
    rewritten(&format!(r#"{{"path":{rewrite}}}"#), path).request_header(":path").concat()
}

#[test]
fn full_keeps_the_query() {
    assert_eq!(path(r#"{"full":"/b"}"#, "/a/c?x=1&y=?"), "/b?x=1&y=?");
}

#[test]
fn istio_prefix_is_a_string_prefix() {
    let rewrite = |from: &str, to: &str| format!(r#"{{"prefix":{{"from":"{from}","to":"{to}"}}}}"#);
    assert_eq!(path(&rewrite("/rwx", "/y"), "/rwxyz"), "/yyz");
    assert_eq!(path(&rewrite("/rw/", "/"), "/rw/a/b?x=1"), "/a/b?x=1");
    assert_eq!(path(&rewrite("/a", "/b"), "/A"), "/A");
    assert_eq!(path(&rewrite("/a", "/b"), "/c?/a"), "/c?/a");
}

#[test]
fn ignore_case() {
    let rewrite = r#"{"prefix":{"from":"/API","to":"/v1","ignoreCase":true}}"#;
    assert_eq!(path(rewrite, "/api/X"), "/v1/X");
}

#[test]
fn gateway_api_prefix_replaces_segments() {
    for (from, to, before, after) in [
        ("/foo", "/xyz", "/foo/bar", "/xyz/bar"),
        ("/foo", "/xyz/", "/foo/bar", "/xyz/bar"),
        ("/foo/", "/xyz", "/foo/bar", "/xyz/bar"),
        ("/foo/", "/xyz/", "/foo/bar", "/xyz/bar"),
        ("/foo", "/xyz", "/foo", "/xyz"),
        ("/foo", "/xyz", "/foo/", "/xyz/"),
        ("/foo", "", "/foo/bar", "/bar"),
        ("/foo", "", "/foo/", "/"),
        ("/foo", "", "/foo", "/"),
        ("/foo", "/", "/foo/", "/"),
        ("/foo", "/", "/foo", "/"),
        ("/foo", "/x", "/foobar", "/foobar"),
        ("/", "/x", "/a", "/x/a"),
    ] {
        let rewrite = format!(r#"{{"prefix":{{"from":"{from}","to":"{to}","segments":true}}}}"#);
        assert_eq!(path(&rewrite, before), after, "{from} {to} {before}");
    }
}

#[test]
fn regex_groups() {
    let rewrite = r#"{"regex":{"pattern":"^/service/([^/]+)(/.*)$","substitution":"\\2/i/\\1$1"}}"#;
    assert_eq!(path(rewrite, "/service/foo/v1/api?q=1"), "/v1/api/i/foo$1?q=1");
    assert_eq!(path(rewrite, "/other"), "/other");
    let every = r#"{"regex":{"pattern":"one","substitution":"two"}}"#;
    assert_eq!(path(every, "/xxx/one/yyy/one/zzz"), "/xxx/two/yyy/two/zzz");
}

#[test]
fn the_original_path_is_kept_when_it_changes() {
    let stream = rewritten(r#"{"path":{"full":"/b"},"authority":"b.com"}"#, "/a?x=1");
    assert_eq!(stream.request_header("x-envoy-original-path"), ["/a?x=1"]);
    assert_eq!(stream.request_header(":authority"), ["b.com"]);
    let unchanged = rewritten(r#"{"path":{"full":"/a"}}"#, "/a?x=1");
    assert!(unchanged.request_header("x-envoy-original-path").is_empty());
}

#[test]
fn refused_configurations() {
    for configuration in [
        r#"{"path":{"regex":{"pattern":"(","substitution":""}}}"#,
        r#"{"path":{"regex":{"pattern":"a","substitution":"\\1"}}}"#,
        r#"{"path":{"regex":{"pattern":"a","substitution":"\\"}}}"#,
        r#"{"path":{"prefix":{"from":"/a"}}}"#,
        r#"{"path":{"full":"/a","prefix":{"from":"/a","to":"/b"}}}"#,
        r#"{"uri":"/a"}"#,
    ] {
        assert!(Test::<Rewrite>::new(configuration).is_err(), "{configuration}");
    }
}
