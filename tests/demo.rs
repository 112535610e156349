//! `weir demo`: the main job with nothing else installed.

use crate::cli::weir;

/// The whole tour takes a while and both cores: `cargo test -- --ignored demo`.
#[test]
#[ignore = "drives load for half a minute; run it alone, in a release build"]
fn the_tour_holds_its_promises() {
    let base = crate::harness::ports::free_port().to_string();
    let output = weir().args(["demo", "--tour", "--port-base", &base]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
}
