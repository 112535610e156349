//! From a place in JSON text to the path of the value there.
//!
//! `serde_json` tells line and column only, and wrapping its deserializer to record the path
//! would double the parsing code of every plugin; so the text is walked once more, on errors only.

/// JSON path of the value at `line` and `column` (both from 1), e.g. `policies[0].action`;
/// `$` for the whole document.
pub(super) fn path_at(text: &[u8], line: usize, column: usize) -> String {
    let mut walk = Walk { stack: Vec::new(), expects_key: false };
    let mut rest = text.get(..offset_of(text, line, column)).unwrap_or(text);
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'"' => rest = walk.string(tail),
            b'{' => walk.open(Step::Key(String::new())),
            b'[' => walk.open(Step::Index(0)),
            b'}' | b']' => walk.close(),
            b',' => walk.next(),
            b':' => walk.expects_key = false,
            _ => {}
        }
    }
    walk.path()
}

fn offset_of(text: &[u8], line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    // The column counts the byte that was wrong; what led there is before it.
    before + column.saturating_sub(1)
}

enum Step {
    Key(String),
    Index(usize),
}

struct Walk {
    stack: Vec<Step>,
    expects_key: bool,
}

impl Walk {
    fn open(&mut self, step: Step) {
        self.expects_key = matches!(step, Step::Key(_));
        self.stack.push(step);
    }

    fn close(&mut self) {
        self.stack.pop();
        self.expects_key = false;
    }

    fn next(&mut self) {
        match self.stack.last_mut() {
            Some(Step::Key(_)) => self.expects_key = true,
            Some(Step::Index(index)) => *index += 1,
            None => {}
        }
    }

    /// Consumes a string whose quote has been read; returns what follows it.
    fn string<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let mut escaped = false;
        let closing = text.iter().position(|byte| {
            let closes = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            closes
        });
        let (content, rest) = match closing {
            Some(at) => (text.get(..at), text.get(at + 1..)),
            None => (Some(text), None),
        };
        if self.expects_key
            && let Some(Step::Key(key)) = self.stack.last_mut()
        {
            *key = String::from_utf8_lossy(content.unwrap_or_default()).into_owned();
            self.expects_key = false;
        }
        rest.unwrap_or_default()
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.stack {
            match step {
                Step::Key(key) if key.is_empty() => {}
                Step::Key(key) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(key);
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        if path.is_empty() { "$".to_owned() } else { path }
    }
}
