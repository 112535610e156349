//! Ports for listeners and what stands for them in documents.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// Ports by the word that stands for them.
#[derive(Debug, Clone, Default)]
pub struct Ports {
    known: BTreeMap<String, u16>,
}

impl Ports {
    pub fn set(&mut self, name: &str, port: u16) {
        self.known.insert(name.to_owned(), port);
    }

    pub fn get(&self, name: &str) -> Option<u16> {
        self.known.get(name).copied()
    }

    /// Replaces `{word}`: `{folder}` by the folder, any other by a port that is free.
    ///
    /// YAML's own braces are followed by a blank, a quote or a colon before they close.
    pub fn fill(&mut self, text: &str, folder: &Path) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            match after.split_once('}').filter(|(word, _)| is_word(word)) {
                Some((word, after)) => {
                    match word {
                        "folder" => out.push_str(&folder.display().to_string()),
                        word => {
                            let port = self.known.entry(word.to_owned()).or_insert_with(free_port);
                            out.push_str(&port.to_string());
                        }
                    }
                    rest = after;
                }
                None => {
                    out.push('{');
                    rest = after;
                }
            }
        }
        out + rest
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
}

/// A port nobody listens on and no other test of this process was given.
///
/// Listeners share ports (`SO_REUSEPORT`) and the kernel gives ephemeral ports to every client, so a
/// port that was free a moment ago is no promise there: these are taken from below that range.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 18_000;
    const COUNT: u16 = 14_000;
    let start = (std::process::id() as u16).wrapping_mul(127);
    loop {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Relaxed)) % COUNT;
        if TcpListener::bind(("127.0.0.1", FIRST + offset)).is_ok() {
            return FIRST + offset;
        }
    }
}
