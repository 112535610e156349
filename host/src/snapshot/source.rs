//! Where documents and plugins come from. Today: files and folders.
//!
//! Nothing above this module knows that a document was a file; a control plane would be another
//! source that yields the same texts.

use crate::plan::plugin::PluginSource;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Bytes of one document file at most.
const DOCUMENT_BYTES_MAX: u64 = 16 << 20;

/// A text and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// As shown in diagnostics.
    pub name: String,
    /// Relative paths inside the text start here.
    pub base: PathBuf,
    pub text: String,
}

/// A path that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct SourceError {
    pub path: PathBuf,
    pub error: io::Error,
}

/// The folders and files a person named on the command line.
#[derive(Debug, Clone)]
pub struct Files {
    pub paths: Vec<PathBuf>,
    /// A file here named as a built-in replaces it.
    pub plugins: Option<PathBuf>,
    /// Bytes of a built-in plugin.
    pub builtin: fn(&str) -> Option<&'static [u8]>,
}

impl Files {
    /// Every document file, sorted by path; folders are searched with all their sub-folders.
    pub fn texts(&self) -> Result<Vec<Text>, SourceError> {
        let mut files = Vec::new();
        for path in &self.paths {
            collect(path, true, &mut files)?;
        }
        let mut seen = BTreeSet::new();
        files.retain(|path| seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
        files.into_iter().map(|path| read_text(&path)).collect()
    }

    /// Bytes of a plugin, and the path they are read from when it is a file.
    pub fn plugin(&self, source: &PluginSource) -> Result<Vec<u8>, (String, io::Error)> {
        let path = match source {
            PluginSource::File(path) => path.clone(),
            PluginSource::Builtin(name) => match self.overriding_file(name) {
                Some(path) => path,
                None => {
                    let unknown = || {
                        let message = format!("there is no built-in plugin `{name}`");
                        (
                            format!("builtin:{name}"),
                            io::Error::new(io::ErrorKind::NotFound, message),
                        )
                    };
                    return (self.builtin)(name).map(<[u8]>::to_vec).ok_or_else(unknown);
                }
            },
        };
        fs::read(&path).map_err(|error| (path.display().to_string(), error))
    }

    /// The file in the plugin folder that stands for a built-in.
    pub fn overriding_file(&self, name: &str) -> Option<PathBuf> {
        let path = self.plugins.as_ref()?.join(format!("{name}.wasm"));
        path.is_file().then_some(path)
    }

    /// Folders whose changes matter: those named, those found below, and those of plugin files.
    pub fn folders<'a>(
        &self,
        plugins: impl Iterator<Item = &'a PluginSource>,
    ) -> BTreeSet<PathBuf> {
        let mut folders = BTreeSet::new();
        for path in &self.paths {
            collect_folders(path, &mut folders);
        }
        folders.extend(self.plugins.clone());
        for source in plugins {
            if let PluginSource::File(path) = source {
                folders.insert(parent(path));
            }
        }
        folders
    }
}

fn collect(path: &Path, named: bool, files: &mut Vec<PathBuf>) -> Result<(), SourceError> {
    let failed = |error| SourceError { path: path.to_owned(), error };
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            entries.push(entry.map_err(failed)?.path());
        }
        entries.sort();
        for entry in entries.iter().filter(|entry| !is_hidden(entry)) {
            match collect(entry, false, files) {
                // Removed between listing and reading, or a dangling link.
                Err(gone) if gone.error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
    } else if named || is_document(path) {
        files.push(path.to_owned());
    }
    Ok(())
}

fn collect_folders(path: &Path, folders: &mut BTreeSet<PathBuf>) {
    if !path.is_dir() {
        folders.insert(parent(path));
        return;
    }
    if !folders.insert(path.to_owned()) {
        return;
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let entry = entry.path();
        if entry.is_dir() && !is_hidden(&entry) {
            collect_folders(&entry, folders);
        }
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Editors' and Kubernetes' own files (`.x.swp`, `..data`); the links into `..data` are not hidden.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml" || ext == "json")
}

fn read_text(path: &Path) -> Result<Text, SourceError> {
    let failed = |error| SourceError { path: path.to_owned(), error };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > DOCUMENT_BYTES_MAX {
        let message = format!("{size} bytes; the limit is {DOCUMENT_BYTES_MAX}");
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, message)));
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    Ok(Text { name: path.display().to_string(), base: parent(path), text })
}
