use super::*;
use crate::plan::plugin::Limits;
use crate::wasm::engine::Engine;
use crate::wasm::module::Module;

/// A folder of its own for each test, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("weir-cache-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn entries(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn compile(folder: &Folder) -> Module {
    let engine = Engine::new(Some(Cache::open(folder.0.clone()).unwrap())).unwrap();
    let module = r#"(module (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 1024)))"#;
    let bytes = wat::parse_str(module).unwrap();
    Module::compile(&engine, "file:x.wasm", &bytes, Limits::default()).unwrap()
}

#[test]
fn a_module_is_compiled_once() {
    let folder = Folder::new("once");
    compile(&folder);
    let [entry] = folder.entries().try_into().unwrap();
    let first = fs::read(&entry).unwrap();
    compile(&folder);
    assert_eq!(folder.entries(), std::slice::from_ref(&entry));
    assert_eq!(fs::read(&entry).unwrap(), first);
}

#[test]
fn a_damaged_entry_is_compiled_again() {
    let folder = Folder::new("damaged");
    compile(&folder);
    let [entry] = folder.entries().try_into().unwrap();
    let sound = fs::read(&entry).unwrap();
    for damage in [&sound[..sound.len() / 2], b"", b"not a module at all"] {
        fs::write(&entry, damage).unwrap();
        compile(&folder);
        assert_eq!(fs::read(&entry).unwrap().len(), sound.len());
    }
    let mut flipped = sound;
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(&entry, &flipped).unwrap();
    compile(&folder);
    assert_ne!(fs::read(&entry).unwrap(), flipped);
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let folder = Folder::new("open");
    fs::create_dir(&folder.0).unwrap();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(Cache::open(folder.0.clone()).is_err());
}

#[test]
fn an_entry_that_others_may_write_to_is_compiled_again() {
    let folder = Folder::new("entry");
    compile(&folder);
    let [entry] = folder.entries().try_into().unwrap();
    let mode = || fs::metadata(&entry).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    fs::set_permissions(&entry, fs::Permissions::from_mode(0o666)).unwrap();
    compile(&folder);
    assert_eq!(mode(), 0o600);
}
