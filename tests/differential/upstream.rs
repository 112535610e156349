//! The upstream of one scenario: tells what it was sent, answers as it was told.

use super::scenario::Answer;
use super::wire::{Kind, Message};
use std::io::{self, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Between two pieces of a message: long enough that a proxy reads each by itself.
pub(super) const PAUSE: Duration = Duration::from_millis(25);

const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Upstream {
    pub(super) port: u16,
    seen: Receiver<String>,
    /// Connections with a request under way.
    busy: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl Upstream {
    /// The first request gets the first answer; the last answer is for all that follow.
    pub(super) fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, seen) = channel();
        let (busy, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let served = Arc::new(Served { answers, number: AtomicUsize::new(0), busy: busy.clone() });
        let stop = Arc::clone(&stopped);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(SeqCst) {
                    return;
                }
                let (served, tell) = (Arc::clone(&served), tell.clone());
                // The proxy may go away in the middle of anything.
                std::thread::spawn(move || stream.and_then(|stream| served.serve(stream, &tell)));
            }
        });
        Self { port, seen, busy, stopped }
    }

    /// Every request so far, once none is under way.
    pub(super) fn seen(&self) -> Vec<String> {
        for _ in 0..40 {
            if self.busy.load(SeqCst) == 0 {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        self.seen.try_iter().collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stopped.store(true, SeqCst);
        // Wakes the accepting thread, which then closes the port.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

struct Served {
    answers: Vec<Answer>,
    number: AtomicUsize,
    busy: Arc<AtomicUsize>,
}

impl Served {
    fn serve(&self, mut stream: TcpStream, tell: &Sender<String>) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            if io::BufRead::fill_buf(&mut reader)?.is_empty() {
                return Ok(());
            }
            self.busy.fetch_add(1, SeqCst);
            let done = self.answer(&mut reader, &mut stream, tell);
            self.busy.fetch_sub(1, SeqCst);
            if done? {
                return Ok(());
            }
        }
    }

    /// `true` when the connection is over.
    fn answer(
        &self,
        reader: &mut BufReader<TcpStream>,
        stream: &mut TcpStream,
        tell: &Sender<String>,
    ) -> io::Result<bool> {
        let Some(request) = Message::read(reader, Kind::Request) else { return Ok(true) };
        let mut text = format!("upstream {}\n", request.start);
        request.write(&mut text);
        // How much of a request that is given up reaches the upstream is a matter of luck.
        if request.cut_short {
            return Ok(true);
        }
        // Nobody listens any more when the scenario is over.
        let _ = tell.send(text);
        let number = self.number.fetch_add(1, SeqCst).min(self.answers.len() - 1);
        let answer = &self.answers[number];
        for (index, piece) in answer.pieces.iter().enumerate() {
            if index > 0 {
                std::thread::sleep(PAUSE);
            }
            stream.write_all(piece)?;
        }
        Ok(answer.close)
    }
}
