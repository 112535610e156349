//! What a scenario came to in one proxy, as text that can be compared.

use super::scenario::Scenario;
use super::upstream::{PAUSE, Upstream};
use super::wire::{Kind, Message, is_uuid};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long a response may take. None of the scenarios waits for nothing on purpose.
const PATIENCE: Duration = Duration::from_secs(8);

pub(super) struct Transcript(pub(super) String);

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A proxy that has a listener for each scenario.
pub(super) trait Host {
    fn address(&self, number: usize) -> SocketAddr;

    /// Everything that filters have recorded, whatever stands before the `@` of a line.
    fn log(&self, scenario: &Scenario) -> String;
}

/// Divides the scenarios between proxies that run at once: a scenario waits more than it works. One
/// proxy runs its scenarios one after the other, so that none meets another's streams.
pub(super) fn in_shares(
    scenarios: &[Scenario],
    run: impl Fn(&[&Scenario]) -> BTreeMap<String, Transcript> + Sync,
) -> BTreeMap<String, Transcript> {
    const SHARES: usize = 6;
    let mut shares: Vec<Vec<&Scenario>> = (0..SHARES).map(|_| Vec::new()).collect();
    for (number, scenario) in scenarios.iter().enumerate() {
        shares[number % SHARES].push(scenario);
    }
    shares.retain(|share| !share.is_empty());
    std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> =
            shares.iter().map(|share| scope.spawn(move || run(share.as_slice()))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// Runs scenarios one after the other, each against its upstream.
pub(super) fn observe(
    host: &impl Host,
    scenarios: &[&Scenario],
    upstreams: &[Upstream],
) -> BTreeMap<String, Transcript> {
    let each = scenarios.iter().zip(upstreams).enumerate().map(|(number, (scenario, upstream))| {
        (scenario.name.clone(), observe_one(host, scenario, number, upstream))
    });
    each.collect()
}

fn observe_one(
    host: &impl Host,
    scenario: &Scenario,
    number: usize,
    upstream: &Upstream,
) -> Transcript {
    let address = host.address(number);
    let prefix = format!("@{}/", scenario.name);
    let log = || -> Vec<String> {
        let text = host.log(scenario);
        let lines = text.lines().filter_map(|line| line.split_once(&prefix));
        let name = |word: &str| (if is_uuid(word) { "UUID" } else { word }).to_owned();
        let line = |line: &str| line.split(' ').map(name).collect::<Vec<_>>().join(" ");
        lines.map(|(_, text)| line(text)).collect()
    };
    let mut text = exchange(scenario, address);
    for request in upstream.seen() {
        text += &request;
    }
    text += "callbacks\n";
    for line in once_configured(&settled(log)) {
        text += &format!("  {line}\n");
    }
    let ports = [(address.port(), "LISTENER"), (upstream.port, "UPSTREAM")];
    for (port, word) in ports {
        text = text.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{word}"));
    }
    Transcript(text)
}

/// All requests, one after the other over one connection while it lasts.
fn exchange(scenario: &Scenario, address: SocketAddr) -> String {
    let mut text = String::new();
    let mut connection: Option<BufReader<TcpStream>> = None;
    for request in &scenario.requests {
        let reused = connection.is_some();
        let mut reader = connection.take().unwrap_or_else(|| {
            let stream = TcpStream::connect(address).expect("the proxy serves");
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.set_nodelay(true).unwrap();
            BufReader::new(stream)
        });
        for (index, piece) in request.pieces.iter().enumerate() {
            if index > 0 {
                std::thread::sleep(PAUSE);
            }
            // An answer may come, and the connection close, before all is sent.
            let _ = reader.get_mut().write_all(piece);
        }
        text += if reused { "client, same connection" } else { "client" };
        let Some(response) = Message::read(&mut reader, request.kind) else {
            text += " got no response\n";
            continue;
        };
        let status = response.start.split(' ').nth(1).unwrap_or_default();
        text += &format!(" got {status}\n");
        response.write(&mut text);
        let closes = response.header("connection") == Some("close");
        let ended = request.kind == Kind::Response && text.ends_with("cut short\n");
        connection = Some(reader).filter(|_| !closes && !ended);
    }
    text
}

/// The log once every context that was made is gone, or nothing more comes: a VM that trapped says
/// nothing about the end of its contexts.
fn settled(log: impl Fn() -> Vec<String>) -> Vec<String> {
    let count = |lines: &[String], what: &str| {
        lines.iter().filter(|line| line.split(' ').nth(1) == Some(what)).count()
    };
    let started = Instant::now();
    let mut lines = log();
    let mut still_since = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(10));
        let now = log();
        if now.len() != lines.len() {
            (lines, still_since) = (now, Instant::now());
        }
        let balanced = count(&lines, "create") == count(&lines, "delete") && !lines.is_empty();
        let quiet = Duration::from_millis(if balanced { 20 } else { 300 });
        if still_since.elapsed() > quiet || started.elapsed() > PATIENCE {
            return lines;
        }
    }
}

/// A proxy configures a plugin as often as it likes before it serves: what that said is told once.
fn once_configured(lines: &[String]) -> Vec<String> {
    let serving = lines.iter().position(|line| line.ends_with(" create")).unwrap_or(lines.len());
    let mut told: Vec<String> = Vec::new();
    for line in &lines[..serving] {
        if !told.contains(line) {
            told.push(line.clone());
        }
    }
    told.extend_from_slice(&lines[serving..]);
    told
}

/// Line by line, those of only one side marked.
pub(super) fn diff(left: &str, right: &str) -> String {
    let (left, right): (Vec<&str>, Vec<&str>) = (left.lines().collect(), right.lines().collect());
    // Longest common subsequence of what is left from each point on.
    let mut common = vec![vec![0; right.len() + 1]; left.len() + 1];
    for (i, l) in left.iter().enumerate().rev() {
        for (j, r) in right.iter().enumerate().rev() {
            common[i][j] = match l == r {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, String::new());
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            out += &format!(" {}\n", left[i]);
            (i, j) = (i + 1, j + 1);
        } else if j == right.len() || (i < left.len() && common[i + 1][j] >= common[i][j + 1]) {
            out += &format!("-{}\n", left[i]);
            i += 1;
        } else {
            out += &format!("+{}\n", right[j]);
            j += 1;
        }
    }
    out
}
