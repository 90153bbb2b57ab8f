//! Which evidence goes when there is no room.

use super::*;

fn kept(job: u32, signature: &str, bytes: u64) -> Kept {
    Kept {
        job: format!("test-{job}"),
        uid: None,
        failed: true,
        signature: signature.to_string(),
        created: Timestamp::from_second(i64::from(job) * 60).unwrap(),
        bytes,
    }
}

#[test]
fn nothing_goes_while_there_is_room() {
    let all = [kept(1, "a", 50), kept(2, "b", 30)];
    assert!(leaving(&all, Some(&kept(3, "c", 20)), 100).is_empty());
}

/// Ten bad minutes do not erase the only trace of another fault.
#[test]
fn a_rare_failure_outlives_a_frequent_one() {
    let all = [
        kept(1, "rare", 10),
        kept(2, "often", 10),
        kept(3, "often", 10),
        kept(4, "often", 10),
    ];
    let coming = kept(5, "often", 10);
    assert_eq!(leaving(&all, Some(&coming), 40), ["test-2"]);
    assert_eq!(
        leaving(&all, Some(&coming), 20),
        ["test-2", "test-3", "test-4"]
    );
    assert_eq!(
        leaving(&all, Some(&coming), 10),
        ["test-2", "test-3", "test-4", "test-1"],
        "only when nothing else is left"
    );
}

#[test]
fn what_is_coming_makes_the_one_before_it_an_older_one() {
    let all = [kept(1, "a", 10), kept(2, "b", 10)];
    assert_eq!(leaving(&all, Some(&kept(3, "b", 10)), 20), ["test-2"]);
}

/// A first attempt fails often, and the Job verifies after all.
#[test]
fn what_may_yet_verify_goes_before_the_only_failure_of_its_kind() {
    let all = [
        kept(1, "a", 10),
        Kept {
            failed: false,
            ..kept(2, "a", 10)
        },
    ];
    assert_eq!(leaving(&all, Some(&kept(3, "b", 10)), 20), ["test-2"]);
    let coming = Kept {
        failed: false,
        ..kept(3, "a", 10)
    };
    assert_eq!(
        leaving(
            &[kept(1, "a", 10), kept(2, "b", 10), kept(4, "b", 10)],
            Some(&coming),
            30
        ),
        ["test-2"]
    );
}

proptest! {
    #[test]
    fn what_stays_fits_and_nothing_goes_before_its_turn(
        sizes in proptest::collection::vec((0_u8..4, 1_u64..50), 0..20),
        coming in (0_u8..4, 1_u64..50),
        budget in 0_u64..400,
    ) {
        let all: Vec<Kept> = (1..)
            .zip(&sizes)
            .map(|(job, (signature, bytes))| kept(job, &format!("{signature}"), *bytes))
            .collect();
        let coming = kept(1000, &format!("{}", coming.0), coming.1);
        let gone = leaving(&all, Some(&coming), budget);
        let is_gone = |one: &Kept| gone.contains(&one.job.as_str());
        let stay: Vec<&Kept> = all.iter().filter(|one| !is_gone(one)).collect();
        let left: u64 = stay.iter().map(|one| one.bytes).sum::<u64>() + coming.bytes;
        // It fits, unless nothing is left to go.
        prop_assert!(left <= budget || stay.is_empty());
        // Nothing went that did not have to: with the last one to go it would not have fitted.
        if let Some(last) = gone.last() {
            let last = all.iter().find(|one| one.job == *last).unwrap();
            prop_assert!(left + last.bytes > budget);
        }
        // Of one signature, no newer one went before an older one.
        for one in all.iter().filter(|one| is_gone(one)) {
            for older in all.iter().filter(|older| older.signature == one.signature) {
                prop_assert!(older.created >= one.created || is_gone(older));
            }
        }
        // The last of a signature went only when no repetition was left.
        let signatures: BTreeSet<&str> = stay
            .iter()
            .map(|one| one.signature.as_str())
            .chain([coming.signature.as_str()])
            .collect();
        let lost = all.iter().any(|one| !signatures.contains(one.signature.as_str()));
        prop_assert!(!lost || stay.len() < signatures.len());
    }
}
