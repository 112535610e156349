//! One listener, one origin: what the bytes of a request are tried on.

/// One listener, every request to `v1`, an access log that shows how each ended.
pub const LOGGED: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: edge, namespace: default}
spec:
  listeners:
  - name: main
    bind: 127.0.0.1:{main}
    routes:
    - plugins:
      - name: log
        plugin: "builtin:accesslog"
        config:
          path: "{folder}/access.log"
          format:
            text: "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT%\n"
      cluster: {endpoints: ["127.0.0.1:{v1}"]}
"#;

/// The same without any filter.
pub const BARE: &str = r#"
apiVersion: weir.dev/v1
kind: Proxy
metadata: {name: edge, namespace: default}
spec:
  listeners:
  - name: main
    bind: 127.0.0.1:{main}
    routes:
    - cluster: {endpoints: ["127.0.0.1:{v1}"]}
"#;

/// Ten megabytes that no shift or repetition leaves equal.
pub fn large_body() -> Vec<u8> {
    (0..10_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}
