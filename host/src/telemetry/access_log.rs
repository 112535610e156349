//! Access-log sinks: lines go to a bounded queue, one thread writes them.
//!
//! A slow or full disk never stalls a worker: what does not fit the queue is dropped and counted.

use super::metric::Metric;
use super::registry::Registry;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

/// Lines waiting at most, all sinks together.
const QUEUE_LINES_MAX: usize = 8192;

enum Entry {
    Line {
        sink: Arc<str>,
        line: Vec<u8>,
    },
    /// Everything before this is written when the reply arrives.
    Flush(SyncSender<()>),
}

/// Handle that any thread may write lines to.
#[derive(Clone)]
pub struct AccessLog {
    queue: SyncSender<Entry>,
    dropped: Arc<Metric>,
}

impl AccessLog {
    /// Starts the writer thread, which ends when the last handle is gone.
    pub fn start(registry: &Registry) -> io::Result<Self> {
        let (queue, entries) = sync_channel(QUEUE_LINES_MAX);
        let errors = registry.counter("weir_access_log_write_errors_total");
        std::thread::Builder::new()
            .name("weir-access-log".into())
            .spawn(move || write_entries(&entries, &errors))?;
        Ok(Self { queue, dropped: registry.counter("weir_access_log_lines_dropped_total") })
    }

    /// Queues one line, newline included, for the file or device at `sink`.
    pub fn write(&self, sink: &str, line: Vec<u8>) {
        let entry = Entry::Line { sink: sink.into(), line };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.queue.try_send(entry)
        {
            self.dropped.add(1);
        }
    }

    /// Waits until every line queued before is written.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.queue.send(Entry::Flush(done)).is_ok() {
            // An error means the writer has ended, and with it everything is written.
            let _ = wait.recv();
        }
    }
}

fn write_entries(entries: &Receiver<Entry>, errors: &Metric) {
    let mut sinks: BTreeMap<Arc<str>, Option<Box<dyn Write>>> = BTreeMap::new();
    while let Ok(first) = entries.recv() {
        let mut next = Ok(first);
        // Whatever is queued is written in one go, then flushed.
        let mut replies = Vec::new();
        for _ in 0..QUEUE_LINES_MAX {
            match next {
                Ok(Entry::Line { sink, line }) => {
                    let file = sinks.entry(sink).or_insert_with_key(|sink| open(sink));
                    let written = file.as_mut().map(|file| file.write_all(&line));
                    if !matches!(written, Some(Ok(()))) {
                        errors.add(1);
                    }
                }
                Ok(Entry::Flush(done)) => replies.push(done),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
            next = entries.try_recv();
        }
        for file in sinks.values_mut() {
            if !matches!(file.as_mut().map(Write::flush), Some(Ok(())) | None) {
                errors.add(1);
            }
        }
        // A sink that could not be opened is tried again with the next batch.
        sinks.retain(|_, file| file.is_some());
        for done in replies {
            let _ = done.send(());
        }
    }
}

/// The standard streams are used as they are: under a supervisor they may be sockets, which cannot
/// be opened by path.
fn open(sink: &str) -> Option<Box<dyn Write>> {
    match sink {
        "/dev/stdout" => Some(Box::new(BufWriter::new(io::stdout()))),
        "/dev/stderr" => Some(Box::new(BufWriter::new(io::stderr()))),
        path => {
            let file = OpenOptions::new().append(true).create(true).open(path).ok()?;
            Some(Box::new(BufWriter::new(file)))
        }
    }
}
