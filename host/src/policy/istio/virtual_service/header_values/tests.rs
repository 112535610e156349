use super::*;

#[test]
fn commands_are_told_apart() {
    for value in ["a", "100%%", "%REQ(x)%", "a%REQ(x?y):3%b", "%PROTOCOL%%RESP(:status)%"] {
        assert_eq!(formatting(value), Formatting::Supported, "{value}");
    }
    assert_eq!(formatting("%CEL(x)%"), Formatting::Unsupported("CEL(x)"));
    assert_eq!(formatting("%REQ()%"), Formatting::Unsupported("REQ()"));
    assert_eq!(formatting("50%"), Formatting::Unterminated);
}
