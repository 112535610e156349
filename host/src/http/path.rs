//! Istio's BASE path normalisation, so that policy, routing and upstream read the same path.
//!
//! RFC 3986 §6.2.2: percent-encoded unreserved characters are decoded, dot segments removed; and
//! `\` becomes `/`, as browsers read it. Slashes are not merged: `//a` stays (MERGE_SLASHES does).

use std::borrow::Cow;

/// The normal form of a path without query; `None` when it climbs above the root or holds
/// an encoded NUL.
pub(super) fn normalize(path: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !needs_work(path) {
        return Some(Cow::Borrowed(path));
    }
    // A NUL ends the path for whoever reads it as a C string; Envoy refuses it too.
    if path.windows(3).any(|escape| escape == b"%00") {
        return None;
    }
    remove_dot_segments(&decode_unreserved(path)).map(Cow::Owned)
}

fn needs_work(path: &[u8]) -> bool {
    path.iter().any(|byte| matches!(byte, b'%' | b'\\'))
        || path.windows(2).any(|pair| pair == b"/.")
}

fn decode_unreserved(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let decoded = match (byte, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        match decoded {
            Some(plain) if plain.is_ascii_alphanumeric() || b"-._~".contains(&plain) => {
                out.push(plain);
                rest = after.get(2..).unwrap_or_default();
            }
            _ if *byte == b'\\' => out.push(b'/'),
            _ => out.push(*byte),
        }
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

/// RFC 3986 §5.2.4, on an absolute path.
fn remove_dot_segments(path: &[u8]) -> Option<Vec<u8>> {
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut inner = path.strip_prefix(b"/")?.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = inner.next() {
        let last = inner.peek().is_none();
        match segment {
            b"." if last => segments.push(b""),
            b"." => {}
            b".." => {
                segments.pop()?;
                if last {
                    segments.push(b"");
                }
            }
            other => segments.push(other),
        }
    }
    let mut out = Vec::with_capacity(path.len());
    for segment in segments {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    if out.is_empty() {
        out.push(b'/');
    }
    Some(out)
}

#[cfg(test)]
mod tests;
