use super::*;
use proptest::prelude::*;

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

proptest! {
    /// Against a vector that does the obvious.
    #[test]
    fn edits_are_those_of_a_vector(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..10), 1..4),
        edits in prop::collection::vec(
            (0usize..30, prop_oneof![0usize..30, Just(usize::MAX)],
             prop::collection::vec(any::<u8>(), 0..10), any::<bool>()),
            0..8,
        ),
        front in prop::collection::vec(any::<u8>(), 0..10),
    ) {
        let (mut body, mut model) = (BodyBuffer::default(), Vec::new());
        for frame in frames {
            model.extend_from_slice(&frame);
            body.push(Bytes::from(frame));
        }
        for (start, len, data, grow) in edits {
            if grow {
                model.extend_from_slice(&data);
                body.push(Bytes::from(data));
            } else {
                let start_in = start.min(model.len());
                let end = start_in.saturating_add(len).min(model.len());
                model.splice(start_in..end, data.iter().copied());
                body.splice(start, len, &data);
            }
            prop_assert_eq!(body.as_slice(), model.as_slice());
            prop_assert_eq!(body.len(), model.len());
        }
        let whole = [front.clone(), model].concat();
        body.put_before(Bytes::from(front));
        prop_assert_eq!(body.take(), whole);
        prop_assert!(body.is_empty());
    }
}
