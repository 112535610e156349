use super::{Generator, Percentage, below};

#[test]
fn resolution_is_a_ten_thousandth_of_a_percent() {
    assert_eq!(Percentage::try_from(0.0001).unwrap().millionths(), 1);
    assert_eq!(Percentage::try_from(0.1).unwrap().millionths(), 1_000);
    assert_eq!(Percentage::try_from(100.0).unwrap(), Percentage::ALL);
    for refused in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
        assert!(Percentage::try_from(refused).is_err(), "{refused}");
    }
}

#[test]
fn all_is_always_and_zero_is_never() {
    for bits in [0, 1, u64::MAX / 2, u64::MAX] {
        assert!(Percentage::ALL.includes(bits));
        assert!(!Percentage::default().includes(bits));
    }
}

#[test]
fn draws_are_uniform_enough() {
    let mut generator = Generator::new(7);
    let tenth = Percentage::try_from(10.0).unwrap();
    let hits = (0..100_000).filter(|_| tenth.includes(generator.next())).count();
    assert!((9_500..10_500).contains(&hits), "{hits}");
    assert!((0..1000).all(|_| below(generator.next(), 3) < 3));
}
