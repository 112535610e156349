//! The built-in plugins as Wasm bytes: every folder beside this file that has a `Cargo.toml`,
//! built by `build.rs`.
//!
//! Nothing lists the plugins; a new folder is a new `builtin:NAME`. Nothing here knows what a
//! plugin does, and the proxy treats these bytes as it treats a stranger's.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The module of `builtin:NAME`, `None` when there is no such folder.
pub fn builtin(name: &str) -> Option<&'static [u8]> {
    builtins().find(|(folder, _)| *folder == name).map(|(_, module)| module)
}

/// Every built-in: folder name and module, by name.
pub fn builtins() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    EMBEDDED.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::{builtin, builtins};

    #[test]
    fn every_builtin_is_a_wasm_module() {
        for (name, module) in builtins() {
            assert_eq!(module.get(..4), Some(b"\0asm".as_slice()), "{name}");
        }
        assert!(builtin("fault").is_some());
        assert!(builtin("no-such-plugin").is_none());
    }
}
