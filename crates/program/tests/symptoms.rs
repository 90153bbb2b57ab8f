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
