//! Tells when something under the watched folders may have changed.
//!
//! Folders are watched, not files: editors replace files and Kubernetes swaps links. An event only
//! means "look again"; contents are compared by whoever reads them. A rescan every few seconds
//! covers what the platform does not report (event queue overflow, network file systems).

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Quiet time after an event before looking: a save is several events.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// Events in a row that postpone looking at most.
const DEBOUNCES_MAX: u32 = 10;

/// Looked at even without an event.
const RESCAN: Duration = Duration::from_secs(10);

pub struct Watch {
    changed: Arc<Notify>,
    /// `None` where the platform gives no events; the rescan then does it alone.
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
}

impl Watch {
    pub fn start() -> Self {
        let changed = Arc::new(Notify::new());
        let notified = Arc::clone(&changed);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is an event too; looking because we looked would never end.
            if event.map_or(true, |event| !event.kind.is_access()) {
                notified.notify_one();
            }
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "no file events, looking every 10 s"))
            .ok();
        Self { changed, watcher, folders: BTreeSet::new() }
    }

    /// Watches exactly these folders from now on.
    pub fn set_folders(&mut self, folders: BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.folders.difference(&folders) {
            // It may be gone from the disk as well.
            let _ = watcher.unwatch(gone);
        }
        for new in folders.difference(&self.folders) {
            if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %new.display(), %error, "folder cannot be watched");
            }
        }
        self.folders = folders;
    }

    /// Returns when it is time to look: shortly after an event, or after the rescan period.
    pub async fn changed(&self) {
        if tokio::time::timeout(RESCAN, self.changed.notified()).await.is_err() {
            return;
        }
        // A file that is written without a pause is looked at now and then all the same.
        for _ in 0..DEBOUNCES_MAX {
            if tokio::time::timeout(DEBOUNCE, self.changed.notified()).await.is_err() {
                break;
            }
        }
    }
}
