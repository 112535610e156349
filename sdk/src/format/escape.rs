//! Values that cannot break the line they are written to.

/// Appends a log field: printable UTF-8 as it is; control bytes, `"`, `\` and bytes that are not
/// UTF-8 as `\xNN` (nginx's rule).
pub(super) fn write_log_field(value: &[u8], out: &mut Vec<u8>) {
    if value.iter().all(|byte| is_plain(*byte)) {
        return out.extend_from_slice(value);
    }
    for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '"' || c == '\\' {
                let mut utf8 = [0; 4];
                c.encode_utf8(&mut utf8).bytes().for_each(|byte| write_hex(byte, out));
            } else {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        chunk.invalid().iter().for_each(|byte| write_hex(*byte, out));
    }
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn hex_digit(nibble: u8) -> u8 {
    match nibble & 15 {
        digit @ 0..=9 => b'0' + digit,
        letter => b'A' + letter - 10,
    }
}

fn write_hex(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'\\', b'x', hex_digit(byte >> 4), hex_digit(byte)]);
}

/// Appends a JSON string; bytes that are not UTF-8 become U+FFFD.
pub fn write_json_string(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if value.iter().all(|byte| is_plain(*byte)) {
        out.extend_from_slice(value);
        return out.push(b'"');
    }
    for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                // Below U+0100 there are only two digits to write. U+2028 and U+2029 are line
                // breaks to some readers.
                '\u{2028}' => out.extend_from_slice(b"\\u2028"),
                '\u{2029}' => out.extend_from_slice(b"\\u2029"),
                c if c.is_control() => {
                    let byte = u32::from(c) as u8;
                    out.extend_from_slice(b"\\u00");
                    out.extend_from_slice(&[hex_digit(byte >> 4), hex_digit(byte)]);
                }
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{FFFD}".as_bytes());
        }
    }
    out.push(b'"');
}

/// Appends a decimal number.
pub(super) fn write_number(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    write_padded(value.unsigned_abs(), 1, out);
}

/// Appends a decimal number with leading zeros up to `width` digits.
pub(super) fn write_padded(value: u64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    let mut rest = value;
    while rest > 0 || out.len() - start < width {
        out.push(b'0' + (rest % 10) as u8);
        rest /= 10;
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}
