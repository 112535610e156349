use super::{Block, ip_of};

fn contains(block: &str, address: &str) -> bool {
    Block::parse(block).unwrap().contains(ip_of(address.as_bytes()).unwrap())
}

#[test]
fn blocks_of_both_families() {
    for (block, address, matches) in [
        ("10.0.0.0/8", "10.255.0.1:80", true),
        ("10.0.0.0/8", "11.0.0.1:80", false),
        ("10.1.2.3", "10.1.2.3:80", true),
        ("10.1.2.3/32", "10.1.2.4:80", false),
        ("10.1.2.3/8", "10.9.9.9:80", true),
        ("0.0.0.0/0", "1.2.3.4:1", true),
        ("0.0.0.0/0", "[::1]:1", false),
        ("::/0", "[::1]:1", true),
        ("::/0", "1.2.3.4:1", false),
        ("2001:db8::/32", "[2001:db8:1::1]:80", true),
        ("2001:db8::/32", "[2001:db9::1]:80", false),
        ("::1", "[::1]:80", true),
        ("10.0.0.0/8", "[::ffff:10.1.1.1]:80", true),
    ] {
        assert_eq!(contains(block, address), matches, "{block} {address}");
    }
}

#[test]
fn what_is_not_a_block() {
    for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "a", "10.0.0.0/", "10.0.0.0/-1"] {
        assert!(Block::parse(text).is_err(), "{text}");
    }
}
