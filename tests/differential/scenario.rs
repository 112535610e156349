//! A scenario is data: the filters' scripts, what the client sends, what the upstream answers.

use super::wire::Kind;

/// Which filters share a VM. Envoy decides by `vm_id`, Weir by file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Vms {
    /// One for all scenarios that say so.
    Common,
    /// One for this scenario: something in it ends the VM.
    Own,
    /// One for each filter of it.
    Each,
}

pub(super) struct Scenario {
    pub(super) name: String,
    /// Scripts of the `recorder` guest, in the order of the chain.
    pub(super) filters: Vec<String>,
    pub(super) requests: Vec<Request>,
    pub(super) answers: Vec<Answer>,
    pub(super) vms: Vms,
    /// Positions of filters that are skipped when they fail.
    pub(super) open: Vec<usize>,
}

/// Pieces that are written with a pause between them.
pub(super) struct Request {
    pub(super) kind: Kind,
    pub(super) pieces: Vec<Vec<u8>>,
}

#[derive(Clone)]
pub(super) struct Answer {
    pub(super) pieces: Vec<Vec<u8>>,
    pub(super) close: bool,
}

impl Scenario {
    /// Without a filter, a request or an answer of its own: GET, and 200 with a body of one piece.
    pub(super) fn new(name: impl Into<String>) -> Self {
        let (filters, requests, answers, open) = Default::default();
        Self { name: name.into(), filters, requests, answers, vms: Vms::Common, open }
    }

    /// The next filter of the chain. The lines of its script are indented or not.
    pub(super) fn filter(mut self, script: &str) -> Self {
        if script.contains(" trap") && self.vms == Vms::Common {
            self.vms = Vms::Own;
        }
        self.filters.push(script.lines().map(|line| line.trim().to_owned() + "\n").collect());
        self
    }

    pub(super) fn vms(mut self, vms: Vms) -> Self {
        self.vms = vms;
        self
    }

    /// The last filter is skipped when it fails.
    pub(super) fn fails_open(mut self) -> Self {
        self.open.push(self.filters.len() - 1);
        self
    }

    pub(super) fn send(mut self, pieces: &[&str]) -> Self {
        let kind =
            if pieces[0].starts_with("HEAD ") { Kind::ResponseToHead } else { Kind::Response };
        let pieces = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
        self.requests.push(Request { kind, pieces });
        self
    }

    /// The same with bytes that are no text.
    pub(super) fn send_bytes(mut self, bytes: &[u8]) -> Self {
        self.requests.push(Request { kind: Kind::Response, pieces: vec![bytes.to_vec()] });
        self
    }

    pub(super) fn get(self, path: &str) -> Self {
        self.send(&[&format!("GET {path} HTTP/1.1\r\nhost: test.local\r\n\r\n")])
    }

    /// With `content-length`; head and each piece by themselves.
    pub(super) fn post(self, pieces: &[&str]) -> Self {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        let head =
            format!("POST / HTTP/1.1\r\nhost: test.local\r\ncontent-length: {length}\r\n\r\n");
        let all: Vec<&str> = std::iter::once(head.as_str()).chain(pieces.iter().copied()).collect();
        self.send(&all)
    }

    /// One chunk for each piece, then the trailers, all by themselves.
    pub(super) fn post_chunked(self, pieces: &[&str], trailers: &str) -> Self {
        let head = "POST / HTTP/1.1\r\nhost: test.local\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut all = vec![head.to_owned()];
        all.extend(chunks(pieces, trailers));
        self.send(&all.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// An answer in pieces, the first of which starts with its head.
    pub(super) fn answer(mut self, pieces: &[&str]) -> Self {
        let pieces = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
        self.answers.push(Answer { pieces, close: false });
        self
    }

    pub(super) fn answer_bytes(mut self, bytes: &[u8]) -> Self {
        self.answers.push(Answer { pieces: vec![bytes.to_vec()], close: false });
        self
    }

    pub(super) fn answer_chunked(self, pieces: &[&str], trailers: &str) -> Self {
        let mut all = vec!["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned()];
        all.extend(chunks(pieces, trailers));
        self.answer(&all.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The upstream closes behind the last answer.
    pub(super) fn closing(mut self) -> Self {
        self.answers.last_mut().expect("there is an answer").close = true;
        self
    }

    /// Fills in what was not said.
    pub(super) fn complete(mut self) -> Self {
        if self.requests.is_empty() {
            self = self.get("/");
        }
        if self.answers.is_empty() {
            self = self.answer(&["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", "ok"]);
        }
        self
    }

    /// Name of its listener and virtual host.
    pub(super) fn listener(&self) -> String {
        format!("l-{}", self.name.replace('.', "-"))
    }

    /// What is read as this filter's name in the record.
    pub(super) fn filter_name(&self, position: usize) -> String {
        format!("{}/p{position}", self.name)
    }

    /// Name of the VM of a filter.
    pub(super) fn vm(&self, position: usize) -> String {
        match self.vms {
            Vms::Common => "common".to_owned(),
            Vms::Own => self.name.clone(),
            Vms::Each => format!("{}-{position}", self.name),
        }
    }
}

fn chunks(pieces: &[&str], trailers: &str) -> Vec<String> {
    let data = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len()));
    data.chain([format!("0\r\n{trailers}\r\n")]).collect()
}
