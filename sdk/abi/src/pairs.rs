//! The serialized multi-map of the ABI.
//!
//! `u32` count, then `u32` key length and `u32` value length for each pair, then each key and each
//! value followed by one NUL byte; all little endian.

use alloc::vec::Vec;

/// Pairs accepted from the other side at most, as in proxy-wasm-cpp-host.
pub const PAIRS_MAX: usize = 1024;

/// Bytes of one serialized map at most, as in proxy-wasm-cpp-host.
pub const PAIRS_BYTES_MAX: usize = 1 << 20;

/// Why bytes are not a serialized map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairsError {
    /// The buffer ends before the lengths it announces.
    Truncated,
    /// More than [`PAIRS_MAX`] pairs or [`PAIRS_BYTES_MAX`] bytes.
    TooLarge,
}

/// Number of bytes `encode` appends for these pairs.
pub fn encoded_len<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> usize {
    pairs.fold(4, |total, (key, value)| total + 8 + key.len() + value.len() + 2)
}

/// Appends the serialized form of `pairs` to `out`.
pub fn encode<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone, out: &mut Vec<u8>) {
    let count = pairs.clone().count() as u32;
    out.extend_from_slice(&count.to_le_bytes());
    for (key, value) in pairs.clone() {
        out.extend_from_slice(&(key.len() as u32).to_le_bytes());
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    }
    for (key, value) in pairs {
        out.extend_from_slice(key);
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
}

/// Iterates over a serialized map without copying. An empty buffer is an empty map.
///
/// The whole layout is checked here; the iterator cannot fail.
pub fn decode(bytes: &[u8]) -> Result<Pairs<'_>, PairsError> {
    if bytes.is_empty() {
        return Ok(Pairs { lengths: &[], data: &[] });
    }
    if bytes.len() > PAIRS_BYTES_MAX {
        return Err(PairsError::TooLarge);
    }
    let (count, rest) = bytes.split_first_chunk::<4>().ok_or(PairsError::Truncated)?;
    let count = u32::from_le_bytes(*count) as usize;
    if count > PAIRS_MAX {
        return Err(PairsError::TooLarge);
    }
    let (lengths, data) = rest.split_at_checked(count * 8).ok_or(PairsError::Truncated)?;
    let (lengths, _) = lengths.as_chunks::<8>();
    let mut needed = 0u64;
    for entry in lengths {
        let (key, value) = entry_lengths(entry);
        needed += key as u64 + value as u64 + 2;
    }
    if needed > data.len() as u64 {
        return Err(PairsError::Truncated);
    }
    Ok(Pairs { lengths, data })
}

fn entry_lengths(entry: &[u8; 8]) -> (usize, usize) {
    let [a, b, c, d, e, f, g, h] = *entry;
    (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]) as usize)
}

/// Borrowed pairs of a serialized map. See [`decode`].
#[derive(Debug, Clone)]
pub struct Pairs<'a> {
    lengths: &'a [[u8; 8]],
    data: &'a [u8],
}

impl Pairs<'_> {
    /// A map without pairs.
    pub const EMPTY: Self = Self { lengths: &[], data: &[] };
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (entry, lengths) = self.lengths.split_first()?;
        let (key_len, value_len) = entry_lengths(entry);
        let (key, rest) = self.data.split_at_checked(key_len)?;
        let (value, rest) = rest.get(1..)?.split_at_checked(value_len)?;
        self.lengths = lengths;
        self.data = rest.get(1..)?;
        Some((key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.lengths.len(), Some(self.lengths.len()))
    }
}

#[cfg(test)]
mod tests;
