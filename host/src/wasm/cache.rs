//! Compiled modules on disk, so that a plugin is compiled once per machine and version of Weir.
//!
//! An entry is named by the hash of the module and of everything that decides how it is compiled, and
//! begins with the hash of its own bytes: an entry that is cut, changed or of another version is
//! compiled again. Machine code is only read from a folder that nobody else can write to. Several
//! processes may share the folder: entries are written aside and renamed.

use super::module::ContentHash;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Bytes kept at most; the oldest entries go first.
const BYTES_MAX: u64 = 1 << 30;

const EXTENSION: &str = "cwasm";

#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Opens or makes `folder`. Errors when others could have put code there.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let metadata = fs::metadata(&folder)?;
        // A folder made here is ours; one that was there must be too.
        let probe = tempfile_owner(&folder)?;
        if metadata.uid() != probe || metadata.permissions().mode() & 0o022 != 0 {
            let message = format!(
                "{} may be written to by others; `chmod 700` it or choose another",
                folder.display()
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        Ok(Self { folder })
    }

    /// The compiled form of a module, if a sound one is here.
    pub(super) fn get(
        &self,
        engine: &wasmtime::Engine,
        hash: ContentHash,
    ) -> Option<wasmtime::Module> {
        let path = self.path(engine, hash);
        let bytes = read_own(&path)?;
        let (digest, code) = bytes.split_at_checked(64)?;
        if ContentHash::of(code).to_string().as_bytes() != digest {
            tracing::warn!(entry = %path.display(), "damaged cache entry, compiling again");
            return None;
        }
        // Keeps entries in use from being the oldest.
        let _ = fs::File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        #[expect(
            unsafe_code,
            reason = "machine code that this program wrote: the folder is ours alone, the bytes are \
                      those that were written, and wasmtime checks its version and settings"
        )]
        let module = unsafe { wasmtime::Module::deserialize(engine, code) };
        module.inspect_err(|error| tracing::debug!(%error, "cache entry of another engine")).ok()
    }

    /// Keeps a compiled module. A full disk or a folder gone is no reason to fail.
    pub(super) fn put(
        &self,
        engine: &wasmtime::Engine,
        hash: ContentHash,
        module: &wasmtime::Module,
    ) {
        let written = module.serialize().map_err(io::Error::other).and_then(|code| {
            self.prune(code.len() as u64);
            self.write(&self.path(engine, hash), &code)
        });
        if let Err(error) = written {
            tracing::warn!(folder = %self.folder.display(), %error, "compiled module not cached");
        }
    }

    fn write(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        let aside = self.folder.join(format!(".{}-{:x}", std::process::id(), fastrand::u64(..)));
        // Whatever the umask: others may be allowed to enter the folder.
        let mut options = fs::File::options();
        let opened = options.write(true).create_new(true).mode(0o600).open(&aside);
        let written = opened.and_then(|mut file| {
            file.write_all(ContentHash::of(code).to_string().as_bytes())?;
            file.write_all(code)?;
            fs::rename(&aside, path)
        });
        if written.is_err() {
            // What is left of it would never be looked at again.
            let _ = fs::remove_file(&aside);
        }
        written
    }

    fn path(&self, engine: &wasmtime::Engine, hash: ContentHash) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        self.folder.join(format!("{hash}-{:016x}.{EXTENSION}", hasher.finish()))
    }

    /// Makes room for `incoming` bytes.
    fn prune(&self, incoming: u64) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut entries: Vec<_> = entries
            .filter(|entry| entry.path().extension().is_some_and(|ext| ext == EXTENSION))
            .filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, len, _)| len).sum::<u64>() + incoming;
        for (_, len, path) in entries {
            if total <= BYTES_MAX {
                break;
            }
            if fs::remove_file(path).is_ok() {
                total -= len;
            }
        }
    }
}

/// Bytes of an entry that nobody else could have written.
fn read_own(path: &Path) -> Option<Vec<u8>> {
    let mut file = fs::File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    let folder = path.parent().and_then(|folder| fs::metadata(folder).ok())?;
    if metadata.uid() != folder.uid() || metadata.permissions().mode() & 0o022 != 0 {
        tracing::warn!(entry = %path.display(), "cache entry that others may write, compiling again");
        return None;
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// User id that files made here get: ours.
fn tempfile_owner(folder: &Path) -> io::Result<u32> {
    let probe = folder.join(format!(".{}-{:x}", std::process::id(), fastrand::u64(..)));
    let owner = fs::File::create_new(&probe)?.metadata().map(|metadata| metadata.uid());
    fs::remove_file(&probe)?;
    owner
}

#[cfg(test)]
mod tests;
