//! Which failure it is.

use longrun_program::Symptom;

#[test]
fn a_symptom_is_told_by_the_counters_and_by_what_is_open() {
    let right = (2, 2);
    for (counters, open, symptom) in [
        (&[right, right][..], 0, None),
        (&[right, (2, 1)], 0, Some(Symptom::Lost)),
        (&[right, (2, 1)], 3, Some(Symptom::Stuck)),
        (&[right, right], 1, Some(Symptom::Stuck)),
        (&[right, (2, 3)], 0, Some(Symptom::Doubled)),
        // Nothing that is open takes an increment back.
        (&[(1, 2), (2, 1)], 3, Some(Symptom::Doubled)),
        (&[], 0, None),
    ] {
        let told = Symptom::of(counters.iter().copied(), open);
        assert_eq!(told, symptom, "{counters:?}, {open} open");
    }
}

#[test]
fn what_a_test_says_at_last_tells_which_failure_it_is() {
    for (code, counters, open, symptom) in [
        ("internal", &[(2, 1)][..], 0, Symptom::Lost),
        ("internal", &[(2, 1)], 4, Symptom::Stuck),
        ("internal", &[(1, 2)], 0, Symptom::Doubled),
        // An error that is no counter's.
        ("internal", &[], 0, Symptom::Down),
        ("deadline_exceeded", &[(2, 1)], 0, Symptom::Stuck),
        ("unavailable", &[], 0, Symptom::Down),
        ("unheard-of", &[(1, 2)], 0, Symptom::Down),
    ] {
        let told = Symptom::told(code, counters.iter().copied(), open);
        assert_eq!(told, symptom, "{code}, {counters:?}, {open} open");
    }
}

#[test]
fn what_is_down_is_down_for_all_programs_on_it() {
    for symptom in [Symptom::Doubled, Symptom::Stuck, Symptom::Lost] {
        assert!(symptom.is_of_one_program(), "{symptom}");
    }
    assert!(!Symptom::Down.is_of_one_program());
}
