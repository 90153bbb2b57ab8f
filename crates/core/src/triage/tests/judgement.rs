//! Verdicts, signatures and groups.

use super::*;
use crate::known::Known;

#[track_caller]
fn check(case: &Case, verdict: Verdict, because: &str) {
    let (found, why) = judge(case);
    assert_eq!(found, verdict, "{why}");
    assert!(why.contains(because), "{why}");
}

#[test]
fn fewer_wrong_increments_each_time_are_converging() {
    let logs = vec![
        wrong(&[(1, 5, 2), (7, 1, 0)]),
        wrong(&[(1, 5, 3)]),
        wrong(&[(1, 5, 4)]),
    ];
    check(
        &case(logs),
        Verdict::Converging,
        "off by 4 → off by 2 → off by 1",
    );
}

#[test]
fn what_comes_no_closer_is_stuck_also_after_a_good_beginning() {
    let stuck = vec![
        wrong(&[(1, 5, 2)]),
        wrong(&[(1, 5, 4)]),
        wrong(&[(1, 5, 4)]),
    ];
    check(&case(stuck), Verdict::Stuck, "came no closer");
}

#[test]
fn a_counter_that_was_nearer_before_is_worse() {
    let logs = vec![wrong(&[(1, 5, 4)]), wrong(&[(1, 5, 3)])];
    check(&case(logs), Verdict::Worse, "off by 1 → off by 2");
}

#[test]
fn an_increment_too_many_is_said_to_be_incurable() {
    let logs = vec![wrong(&[(1, 1, 2), (3, 4, 0)]), wrong(&[(1, 1, 2)])];
    check(&case(logs), Verdict::Converging, "which no waiting cures");
}

#[test]
fn where_only_the_first_is_named_a_later_first_one_is_closer() {
    // The pods of the users' page: 117 at first, 148 at last.
    let closer = vec![first_wrong(117, 1, 0), first_wrong(148, 1, 0)];
    check(
        &case(closer),
        Verdict::Converging,
        "target 117 first → target 148 first",
    );
    let same = vec![first_wrong(117, 1, 0), first_wrong(117, 1, 0)];
    check(&case(same), Verdict::Stuck, "");
    let back = vec![first_wrong(148, 1, 0), first_wrong(117, 1, 0)];
    check(&case(back), Verdict::Worse, "");
}

#[test]
fn a_program_that_restate_never_took_never_ran() {
    let refused = vec![said("execute", "unavailable", "connection refused")];
    check(
        &case(vec![refused.clone(), refused]),
        Verdict::NeverRan,
        "connection refused",
    );
    let mut waits = attempt(40, vec![]);
    waits.started = None;
    waits.phase = "Pending".to_string();
    waits.reason = Some("ErrImagePull: no such image".to_string());
    check(&of(NAME, vec![waits]), Verdict::NeverRan, "no such image");
}

#[test]
fn a_program_that_ran_and_gave_no_answer_is_another_thing() {
    let late = vec![ok("execute"), said("verify", "unavailable", "no leader")];
    check(&case(vec![late]), Verdict::Unanswered, "no leader");
    let killed = vec![ok("execute")];
    check(
        &case(vec![killed]),
        Verdict::Unanswered,
        "exit code 1, Error",
    );
}

#[test]
fn what_is_gone_is_unknown_and_neither_green_nor_never_ran() {
    let mut gone = case(vec![]);
    gone.job.pods = 7;
    check(&gone, Verdict::Unknown, "");
    gone.attempts = Known::Unknown("forbidden".to_string());
    check(&gone, Verdict::Unknown, "");
    let mut lost = attempt(40, vec![]);
    lost.log = Known::Unknown("the node is gone".to_string());
    check(&of(NAME, vec![lost]), Verdict::Unknown, "");
    // Half of them: the rest is judged.
    let mut half = case(vec![wrong(&[(1, 5, 2)]), wrong(&[(1, 5, 2)])]);
    half.job.pods = 7;
    check(&half, Verdict::Stuck, "");
}

#[test]
fn one_result_leads_nowhere_yet() {
    check(
        &case(vec![wrong(&[(1, 5, 2)])]),
        Verdict::Once,
        "target 1 is 2 and not 5",
    );
}

#[test]
fn what_an_operation_interrupted_is_no_failure() {
    let mut case = case(vec![wrong(&[(1, 5, 2)])]);
    case.job.interrupted = Some("wipe".to_string());
    check(&case, Verdict::Interrupted, "a wipe stopped the node");
}

#[test]
fn a_last_attempt_that_verified_is_verified() {
    let mut good = attempt(45, vec![ok("execute"), ok("verify")]);
    good.phase = "Succeeded".to_string();
    let attempts = vec![attempt(41, wrong(&[(1, 5, 2)])), good];
    check(&of(NAME, attempts), Verdict::Verified, "");
}

#[test]
fn signatures_have_no_numbers_and_no_ids() {
    let pairs = [
        (
            "Uncaught exception for invocation id 0188bfef334072b6a139322ac883b178: Incorrect value",
            "Uncaught exception for invocation id #: Incorrect value",
        ),
        (
            "connect to 10.0.3.17:8080 failed after 90.5s",
            "connect to #:# failed after #s",
        ),
        (
            "inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz of test-28114121",
            "inv_# of test-#",
        ),
    ];
    for (message, expected) in pairs {
        assert_eq!(normalise(message), expected);
    }
}

#[test]
fn lost_and_doubled_increments_are_two_signatures() {
    let lost = case(vec![wrong(&[(117, 1, 0)])]);
    let lost_elsewhere = case(vec![wrong(&[(3, 12, 10), (9, 2, 1)])]);
    let doubled = case(vec![wrong(&[(117, 1, 2)])]);
    assert_eq!(signature(&lost), signature(&lost_elsewhere));
    assert_ne!(signature(&lost), signature(&doubled));
}

#[test]
fn the_group_with_the_newest_failure_comes_first() {
    let named = |name: &str, log: Vec<String>| of(name, vec![attempt(40, log)]);
    let cases = [
        named("test-9", wrong(&[(1, 2, 1)])),
        named(
            "test-100",
            vec![said("execute", "unavailable", "port 1 is closed")],
        ),
        named("test-20", wrong(&[(3, 2, 1)])),
        named("test-101", wrong(&[(4, 9, 1)])),
    ];
    let groups: Vec<Vec<String>> = group(&cases).into_iter().map(|group| group.jobs).collect();
    assert_eq!(
        groups,
        [vec!["test-101", "test-20", "test-9"], vec!["test-100"]]
    );
}

#[test]
fn only_names_of_tests_are_tests() {
    assert_eq!(minute(NAME).unwrap(), at("16:41:00"));
    for name in [
        "discover",
        "test",
        "test-",
        "test-x",
        "test-01",
        "test-1-abcde",
        "restate-0",
        "test--1",
        "test-99999999999999999999",
        "test-9999999999999",
    ] {
        let error = minute(name).unwrap_err().to_string();
        assert!(error.contains("is not a test Job"), "{error}");
    }
}

#[test]
fn a_job_that_is_not_there_was_never_or_is_gone() {
    let now = at("16:41:30");
    let made = Some(at("16:00:00"));
    let check = |name: &str| absence(name, now, made).unwrap();
    assert!(matches!(check("test-28114122"), Absence::Future(_)));
    assert!(matches!(check(NAME), Absence::Gone(_)));
    assert!(matches!(check("test-28114079"), Absence::Before(_)));
    assert!(matches!(absence("test-1", now, None), Ok(Absence::Gone(_))));
}

#[test]
fn of_several_that_were_kept_the_one_that_knows_most_attempts_is_the_best() {
    let with = |logs: Vec<Vec<String>>, time: &str| {
        let mut evidence = evidence(case(logs));
        evidence.at = at(time);
        evidence
    };
    let first = with(vec![wrong(&[(1, 5, 2)]), wrong(&[(1, 5, 2)])], "17:00:00");
    let half_gone = with(vec![wrong(&[(1, 5, 2)])], "18:00:00");
    let mut unread = with(vec![wrong(&[(1, 5, 2)]), vec![]], "19:00:00");
    if let Known::Value(attempts) = &mut unread.case.attempts {
        attempts[1].log = Known::Unknown("its node is gone".to_string());
    }
    let again = with(vec![wrong(&[(1, 5, 2)]), wrong(&[(1, 5, 2)])], "17:30:00");
    assert!(first.worth() > half_gone.worth());
    assert!(first.worth() > unread.worth());
    assert!(again.worth() > first.worth());
}

fn log() -> impl Strategy<Value = Vec<String>> {
    let counters = prop::collection::vec((0_u32..5, 0_u64..4, 0_u64..4), 1..4);
    prop_oneof![
        counters.prop_map(|counters| wrong(&counters)),
        (0_u32..5, 1_u64..4).prop_map(|(target, expected)| first_wrong(target, expected, 0)),
        Just(vec![ok("execute"), said("verify", "unavailable", "no")]),
        Just(vec![said("execute", "unavailable", "no")]),
        Just(vec![]),
    ]
}

proptest! {
    #[test]
    fn the_order_in_which_pods_are_found_changes_nothing(
        logs in prop::collection::vec(log(), 1..8),
        by in any::<prop::sample::Index>(),
    ) {
        let ordered = case(logs);
        let mut shuffled = ordered.clone();
        if let Known::Value(attempts) = &mut shuffled.attempts {
            let by = by.index(attempts.len());
            attempts.rotate_left(by);
            attempts.reverse();
        }
        prop_assert_eq!(judge(&shuffled), judge(&ordered));
        prop_assert_eq!(signature(&shuffled), signature(&ordered));
        prop_assert_eq!(hear(&shuffled), hear(&ordered));
    }

    #[test]
    fn a_signature_does_not_know_which_numbers_were_in_it(
        words in prop::collection::vec("[ a-zA-Z:.,_/-]{1,12}", 1..6),
        ones in prop::collection::vec(any::<u64>(), 6),
        others in prop::collection::vec(any::<u64>(), 6),
    ) {
        let text = |numbers: &[u64]| {
            let parts = words.iter().zip(numbers);
            parts.map(|(word, number)| format!("{word}{number}")).collect::<String>()
        };
        let signature = normalise(&text(&ones));
        prop_assert_eq!(&signature, &normalise(&text(&others)));
        prop_assert!(!signature.contains(|c: char| c.is_ascii_digit()), "{}", signature);
    }

    #[test]
    fn groups_do_not_depend_on_the_order_of_jobs(minutes in prop::collection::btree_set(1_u32..1000, 1..8)) {
        let cases: Vec<Case> = minutes
            .iter()
            .map(|minute| {
                let kind = format!("kind {}", ["a", "b", "c"][*minute as usize % 3]);
                let log = vec![said("execute", "internal", &kind)];
                of(&format!("test-{minute}"), vec![attempt(40, log)])
            })
            .collect();
        let forth = group(&cases);
        prop_assert_eq!(&forth, &group(cases.iter().rev()));
        prop_assert_eq!(forth.iter().map(|group| group.jobs.len()).sum::<usize>(), cases.len());
    }
}
