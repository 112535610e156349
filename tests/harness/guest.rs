//! Small third-party plugins, written in WebAssembly text.

/// A plugin that adds `x-mark: VERSION` to responses and `x-seen: VERSION` to requests; it refuses
/// any configuration that starts with `!`.
pub fn mark(version: &str) -> Vec<u8> {
    let length = version.len();
    let text = format!(
        r#"
(module
  (import "env" "proxy_add_header_map_value"
    (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes"
    (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "x-mark")
  (data (i32.const 8) "x-seen")
  (data (i32.const 16) "{version}")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $buffer (i32.const 7) (i32.const 0) (i32.const 1) (i32.const 100) (i32.const 104)))
    (i32.ne (i32.load8_u (i32.load (i32.const 100))) (i32.const 33)))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $add (i32.const 0) (i32.const 8) (i32.const 6) (i32.const 16) (i32.const {length})))
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $add (i32.const 2) (i32.const 0) (i32.const 6) (i32.const 16) (i32.const {length})))
    (i32.const 0))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_log") (param i32))
  (func (export "proxy_on_delete") (param i32)))
"#
    );
    wat::parse_str(text).unwrap()
}

/// Counts in the metric `ends` how often it is told the end of a body.
pub const BODY_WATCHER: &str = r#"
(module
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $add (param i32 i64) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "ends")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $define (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 16)))
    (i32.const 1))
  (func $body (param i32 i32 i32) (result i32)
    (if (local.get 2) (then (drop (call $add (i32.load (i32.const 16)) (i64.const 1)))))
    (i32.const 0))
  (export "proxy_on_request_body" (func $body))
  (export "proxy_on_response_body" (func $body))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_log") (param i32))
  (func (export "proxy_on_delete") (param i32)))
"#;
