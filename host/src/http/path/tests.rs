use super::normalize;

#[test]
fn spellings_of_one_path_become_one() {
    for (written, normal) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/./b", "/a/b"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/%61dmin", "/admin"),
        ("/a/%2e%2E/b", "/b"),
        ("/a\\..\\b", "/b"),
        ("//a", "//a"),
        ("/a%2fb", "/a%2fb"),
        ("/a%", "/a%"),
        ("/a%zz", "/a%zz"),
        ("/.hidden", "/.hidden"),
        ("/a..b/..c", "/a..b/..c"),
    ] {
        let found = normalize(written.as_bytes()).unwrap();
        assert_eq!(String::from_utf8_lossy(&found), normal, "{written}");
        assert_eq!(normalize(&found).unwrap(), found, "idempotent: {written}");
    }
}

#[test]
fn climbing_above_the_root_is_refused() {
    for path in ["/..", "/a/../..", "/%2e%2e/etc", "/..\\x", "/admin%00", "/%00"] {
        assert_eq!(normalize(path.as_bytes()), None, "{path}");
    }
}
