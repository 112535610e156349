use super::Bump;

#[test]
fn places_are_aligned_and_disjoint() {
    let mut bump = Bump::new(64);
    assert_eq!(bump.reserve(1), Some(0));
    assert_eq!(bump.reserve(9), Some(8));
    assert_eq!(bump.reserve(0), Some(24));
    assert_eq!(bump.reserve(8), Some(24));
}

#[test]
fn what_does_not_fit_is_refused_and_costs_nothing() {
    let mut bump = Bump::new(64);
    assert_eq!(bump.reserve(65), None);
    assert_eq!(bump.reserve(usize::MAX), None);
    assert_eq!(bump.reserve(64), Some(0));
    assert_eq!(bump.reserve(1), None);
}

#[test]
fn reset_starts_again() {
    let mut bump = Bump::new(16);
    assert_eq!(bump.reserve(16), Some(0));
    bump.reset();
    assert_eq!(bump.reserve(16), Some(0));
}
