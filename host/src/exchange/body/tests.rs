use super::*;

#[test]
fn a_lone_frame_is_not_copied() {
    let frame = Bytes::from_static(b"hello");
    let mut body = BodyBuffer::default();
    body.push(frame.clone());
    assert_eq!(body.take().as_ptr(), frame.as_ptr());
    assert!(!body.is_edited());
}

#[test]
fn held_frames_accumulate_and_ranges_are_replaced() {
    let mut body = BodyBuffer::default();
    body.push(Bytes::from_static(b"hello "));
    body.push(Bytes::from_static(b"world"));
    assert_eq!(body.as_slice(), b"hello world");
    body.splice(0, 0, b">> ");
    body.splice(3, 5, b"goodbye");
    body.splice(100, 7, b"!");
    assert_eq!(body.as_slice(), b">> goodbye world!");
    body.splice(usize::MAX, usize::MAX, b"");
    assert_eq!(body.take(), &b">> goodbye world!"[..]);
    assert!(body.is_empty() && body.is_edited());
}
