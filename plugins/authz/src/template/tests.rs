use super::Template;

#[test]
fn templates() {
    for (template, path, matches) in [
        ("/foo/{*}", "/foo/bar", true),
        ("/foo/{*}", "/foo/", false),
        ("/foo/{*}", "/foo/bar/baz", false),
        ("/{*}/bar", "/x/bar", true),
        ("/{*}/bar", "/bar", false),
        ("/foo/{**}", "/foo/", true),
        ("/foo/{**}", "/foo/a/b/", true),
        ("/foo/{**}", "/foo", false),
        ("/foo/{**}", "/foobar/", false),
        ("/{*}/a/{**}", "/x/a/y/z", true),
        ("/{*}/a/{**}", "/x/b/y/z", false),
        ("/{**}", "/", true),
    ] {
        let compiled = Template::parse(template).unwrap().unwrap();
        assert_eq!(compiled.matches(path.as_bytes()), matches, "{template} {path}");
    }
}

#[test]
fn malformed() {
    assert_eq!(Template::parse("/plain*"), Ok(None));
    for template in ["/a{*}", "/{**}/a", "{*}", "/{*}*", "/{*}/{x}"] {
        assert!(Template::parse(template).is_err(), "{template}");
    }
}
