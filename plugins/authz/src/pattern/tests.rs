use super::{Pattern, glob};

#[test]
fn string_forms() {
    for (form, matching, other) in [
        ("*", vec!["a", "*"], vec![""]),
        ("/a", vec!["/a"], vec!["/ab", "/A", "", "x/a"]),
        ("/a*", vec!["/a", "/ab", "/a*"], vec!["/b", "/A", "x/a"]),
        ("*.html", vec![".html", "/a.html"], vec!["/a.htm", "/a.HTML"]),
        ("/a*b", vec!["/a*b"], vec!["/axb", "/ab"]),
        ("*a*b", vec!["xa*b"], vec!["xaxb"]),
    ] {
        let pattern = Pattern::parse(form, "");
        for value in matching {
            assert!(pattern.matches(value.as_bytes()), "{form} {value}");
        }
        for value in other {
            assert!(!pattern.matches(value.as_bytes()), "{form} {value}");
        }
    }
}

#[test]
fn globs() {
    for (pattern, value, matches) in [
        ("*/ns/a/*", "spiffe://td/ns/a/sa/b", true),
        ("*/ns/a/*", "spiffe://td/ns/ab/sa/b", false),
        ("*/ns/a*/*", "spiffe://td/ns/ab/sa/b", true),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("a*b*c", "a-c-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("", "", true),
        ("", "a", false),
        ("**", "", true),
    ] {
        assert_eq!(glob(pattern.as_bytes(), value.as_bytes()), matches, "{pattern} {value}");
    }
}
