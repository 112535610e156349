use super::*;

fn round_trip(pairs: &[(&[u8], &[u8])]) {
    let mut out = Vec::new();
    encode(pairs.iter().copied(), &mut out);
    assert_eq!(out.len(), encoded_len(pairs.iter().copied()));
    assert_eq!(decode(&out).unwrap().collect::<Vec<_>>(), pairs);
}

#[test]
fn what_is_encoded_is_decoded() {
    round_trip(&[]);
    round_trip(&[(b":path", b"/"), (b"x", b""), (b"", b"\xff\x00")]);
}

#[test]
fn lying_lengths_are_refused() {
    let mut out = Vec::new();
    encode([(&b"key"[..], &b"value"[..])].into_iter(), &mut out);
    for cut in 1..out.len() {
        assert!(decode(&out[..cut]).is_err(), "{cut}");
    }
    let mut wrapped = out.clone();
    wrapped[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(decode(&wrapped).unwrap_err(), PairsError::Truncated);
    assert_eq!(decode(&[0xff; 64]).unwrap_err(), PairsError::TooLarge);
}
