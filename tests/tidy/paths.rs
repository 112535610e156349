//! Which modules and crates a source names.

use crate::tidy::source::{Source, Token, tokens};

/// A first path segment and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) line: usize,
}

/// What follows `crate::`, or a run of `super::` that reaches the root of the crate: the top-level
/// modules that `source`, the module at `depth` below the root, uses.
pub(crate) fn siblings(source: &Source, depth: usize) -> Vec<Named> {
    let tokens = tokens(&source.code);
    let mut found = Vec::new();
    let mut inline = InlineModules::default();
    let mut at = 0;
    while at < tokens.len() {
        inline.see(&tokens, at);
        let after = match tokens[at].text {
            "crate" if separator(&tokens, at + 1) => Some(at + 2),
            "super" => {
                let (count, next) = supers(&tokens, at);
                at = next - 1;
                (count == depth + inline.depth()).then_some(next)
            }
            _ => None,
        };
        if let Some(after) = after {
            found.extend(heads(&tokens, after));
        }
        at += 1;
    }
    found
}

/// Places where the crate `name` is used: `name::…`, `use name;` or `use name as …`.
pub(crate) fn uses_of_crate(source: &Source, name: &str) -> Vec<usize> {
    let tokens = tokens(&source.code);
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let mut lines = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == name) {
        let before = if at == 0 { "" } else { text(at - 1) };
        let inner = before == "::" && at > 1 && tokens[at - 2].is_word();
        let path = text(at + 1) == "::" && !inner && before != ".";
        if path || matches!(before, "use" | "crate") {
            lines.push(token.line);
        }
    }
    lines
}

fn separator(tokens: &[Token<'_>], at: usize) -> bool {
    tokens.get(at).is_some_and(|token| token.text == "::")
}

/// How many `super::` stand at `at`, and the place after them.
fn supers(tokens: &[Token<'_>], mut at: usize) -> (usize, usize) {
    let mut count = 0;
    while tokens.get(at).is_some_and(|token| token.text == "super") && separator(tokens, at + 1) {
        count += 1;
        at += 2;
    }
    // `pub(super)` is not a path.
    (count, if count == 0 { at + 1 } else { at })
}

/// The first segments at `at`: of one path, or of every entry of a `{…}`.
fn heads(tokens: &[Token<'_>], at: usize) -> Vec<Named> {
    let named = |token: &Token<'_>| Named { name: token.text.to_owned(), line: token.line };
    let Some(first) = tokens.get(at).filter(|first| first.text == "{") else {
        return tokens.get(at).map(named).into_iter().collect();
    };
    let mut found = Vec::new();
    let (mut depth, mut previous) = (1, first.text);
    for token in &tokens[at + 1..] {
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if depth == 1 && matches!(previous, "{" | ",") => found.push(named(token)),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        previous = token.text;
    }
    found
}

/// Depth of `mod name { … }` around a token: each needs one more `super`.
#[derive(Default)]
struct InlineModules {
    braces: usize,
    opened_at: Vec<usize>,
}

impl InlineModules {
    fn see(&mut self, tokens: &[Token<'_>], at: usize) {
        match tokens[at].text {
            "{" => {
                if at >= 2 && tokens[at - 2].text == "mod" {
                    self.opened_at.push(self.braces);
                }
                self.braces += 1;
            }
            "}" => {
                self.braces = self.braces.saturating_sub(1);
                if self.opened_at.last() == Some(&self.braces) {
                    self.opened_at.pop();
                }
            }
            _ => {}
        }
    }

    fn depth(&self) -> usize {
        self.opened_at.len()
    }
}
