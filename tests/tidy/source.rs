//! Rust sources as a rule reads them: code without its comments and literals, and the reverse.
//!
//! A scanner, not a parser: enough to find paths and words at their line, small enough to trust.

use std::fs;
use std::path::{Path, PathBuf};

/// One file. `code` and `comments` have the shape of `text`: what is left out is blank, so a line
/// of one is the same line of the others.
pub(crate) struct Source {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) code: String,
    pub(crate) comments: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (code, comments) = separate(text);
        Self { path: path.to_owned(), text: text.to_owned(), code, comments }
    }

    /// `host/src/wasm/vm.rs` -> `["wasm", "vm"]`, `host/src/lib.rs` -> `["lib"]`; `None` outside.
    pub(crate) fn host_module(&self) -> Option<Vec<&str>> {
        let inside = self.path.strip_prefix("host/src/")?;
        Some(inside.strip_suffix(".rs")?.split('/').collect())
    }

    /// Test code may use what the program may not.
    pub(crate) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }
}

/// A word or a mark (`::` is one mark) and its line, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

impl Token<'_> {
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(|first: char| first.is_alphabetic() || first == '_')
    }
}

pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (code, 1);
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let length = match first {
            _ if word > 0 => word,
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        if first == '\n' {
            line += 1;
        } else if !first.is_whitespace() {
            tokens.push(Token { text: &rest[..length], line });
        }
        rest = &rest[length..];
    }
    tokens
}

/// Every file below `folder` that the project keeps, in order; build output is left out.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_symlink() || name == "target" || name == ".git" {
            continue;
        }
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// Text of `file` and its path from `root`; `None` where it is not text.
pub(crate) fn read(root: &Path, file: &Path) -> Option<(String, String)> {
    let path = file.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
    Some((path, String::from_utf8(fs::read(file).unwrap()).ok()?))
}

/// Splits into code and comments, each blank where the other is; literals are in neither.
fn separate(text: &str) -> (String, String) {
    let (mut code, mut comments) = (String::new(), String::new());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(first) = rest.chars().next() {
        let (length, kind) = piece(rest, first, previous);
        let (piece, after) = rest.split_at(length);
        let blank: String = piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        code.push_str(if kind == Kind::Code { piece } else { &blank });
        comments.push_str(if kind == Kind::Comment { piece } else { &blank });
        previous = piece.chars().next_back().unwrap_or(' ');
        rest = after;
    }
    (code, comments)
}

#[derive(PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// Length and kind of what `rest` starts with.
fn piece(rest: &str, first: char, previous: char) -> (usize, Kind) {
    let in_word = previous.is_alphanumeric() || previous == '_';
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Kind::Comment);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), Kind::Comment);
    }
    if !in_word && let Some(length) = raw_string(rest) {
        return (length, Kind::Literal);
    }
    match first {
        '"' => (quoted(rest, '"'), Kind::Literal),
        '\'' if is_character(rest) => (quoted(rest, '\''), Kind::Literal),
        _ => (first.len_utf8(), Kind::Code),
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let ahead = &rest.as_bytes()[at..];
        let (change, step) = match ahead {
            [b'/', b'*', ..] => (1, 2),
            [b'*', b'/', ..] => (-1, 2),
            _ => (0, 1),
        };
        depth += change;
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// `r"…"`, `r#"…"#` and their byte and C forms.
fn raw_string(rest: &str) -> Option<usize> {
    let start = ["r", "br", "cr"].iter().find_map(|prefix| {
        let after = rest.strip_prefix(prefix)?;
        after.trim_start_matches('#').starts_with('"').then_some(prefix.len())
    })?;
    let hashes = rest[start..].bytes().take_while(|byte| *byte == b'#').count();
    let body = start + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len()))
}

/// Length up to and with the closing `quote`; a backslash hides the next character.
fn quoted(rest: &str, quote: char) -> usize {
    let mut hidden = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if hidden => hidden = false,
            '\\' => hidden = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// `'a'` and `'\n'` are characters, `'a` is a lifetime.
fn is_character(rest: &str) -> bool {
    let mut after = rest.chars().skip(1);
    after.next() == Some('\\') || after.next() == Some('\'')
}
