//! How long a step waits, and with what words it gives up.

use super::*;
use crate::cluster::tests::{all, live};
use crate::wait::{Counted, Warning};

/// After how many minutes a wait is given up, by what its object's status is in each of them.
fn minutes(wait: Wait, status: fn(i64) -> Value) -> Option<i64> {
    let mut journal = journal(vec![watch(wait)]);
    (0..2000).find(|minute| {
        let seen = observation(Some(live(json!({"status": status(*minute)}))));
        matches!(journal.next(&seen, at(minute * 60)), Next::Stop(_))
    })
}

#[test]
fn a_snapshot_may_take_its_time_and_not_for_ever() {
    let working = |_| json!({"boundVolumeSnapshotContentName": "c"});
    assert_eq!(minutes(Wait::SnapshotReady, working), Some(12 * 60));
    let untouched = |_| json!({});
    assert_eq!(minutes(Wait::SnapshotReady, untouched), Some(10));
    let failing = |_| json!({"error": {"message": "throttled"}});
    assert_eq!(minutes(Wait::SnapshotReady, failing), Some(10));
    // The controller leaves an error there until the snapshot is ready.
    let begun = |_| {
        json!({"boundVolumeSnapshotContentName": "c", "creationTime": "2023-06-15T16:40:00Z",
            "error": {"message": "throttled"}})
    };
    assert_eq!(minutes(Wait::SnapshotReady, begun), Some(12 * 60));
    // An error that comes and goes is none.
    let now_and_then = |minute| match minute % 9 {
        0 => json!({"boundVolumeSnapshotContentName": "c"}),
        _ => json!({"error": {"message": "throttled"}}),
    };
    assert_eq!(minutes(Wait::SnapshotReady, now_and_then), Some(12 * 60));
}

#[test]
fn a_wait_that_stands_still_ends_with_its_cause() {
    assert_snapshot!(story(journal(vec![suspend("a"), watch(Wait::Complete)]), ""), @r#"
    do suspend CronJob a
    look
    wait: no pod has started
    undo: resume CronJob a
    stop: wait for CronJob watched: gave up waiting: nothing has changed for 240 s: no pod has started
    "#);
}

#[test]
fn a_bad_state_counts_when_it_has_held() {
    let looks = |bad: fn(i64) -> bool| {
        let mut journal = journal(vec![watch(Wait::Complete)]);
        (0..200).find(|second| {
            let reason = if bad(*second) {
                "ImagePullBackOff"
            } else {
                "ContainerCreating"
            };
            let pods = all([
                json!({"metadata": {"name": "p"}, "status": {"containerStatuses": [
                {"name": "c", "state": {"waiting": {"reason": reason}}}]}}),
            ]);
            let seen = Observation {
                object: Some(live(json!({}))),
                pods,
                ..Observation::default()
            };
            matches!(journal.next(&seen, at(*second)), Next::Stop(_))
        })
    };
    assert_eq!(looks(|_| true), Some(30));
    assert_eq!(looks(|second| second > 50), Some(81));
    assert_eq!(looks(|second| second % 20 != 0), None);
}

fn open(count: u64, second: i64) -> Option<Counted> {
    let at = at(second);
    Some(Counted { count, at })
}

#[test]
fn going_back_and_forth_is_no_progress() {
    let mut journal = journal(vec![watch(Wait::Drained)]);
    let given_up = (0..2000).find_map(|second| {
        let warning = Warning {
            last: at(0),
            about: "Pod test-1".into(),
            reason: "FailedMount".into(),
            message: "no such volume".into(),
        };
        let seen = Observation {
            open_invocations: open(1 + (second as u64 / 60) % 2, second),
            warnings: vec![warning],
            ..Observation::default()
        };
        match journal.next(&seen, at(second)) {
            Next::Stop(reason) => Some((second, reason.to_string())),
            _ => None,
        }
    });
    let (second, said) = given_up.unwrap();
    assert_eq!(second, 660);
    assert_snapshot!(said, @"wait for CronJob watched: gave up waiting: nothing has changed for 600 s: 2 invocations are open; the latest warning is Pod test-1: FailedMount: no such volume; inspect the open invocations, or accept mixed versions of the service: deploy --no-drain");
}

#[test]
fn a_drain_is_bounded_however_much_moves() {
    let mut journal = journal(vec![watch(Wait::Drained)]);
    let given_up = (0..2000).find(|second| {
        let seen = Observation {
            open_invocations: open(*second as u64 + 1, *second),
            ..Observation::default()
        };
        matches!(journal.next(&seen, at(*second)), Next::Stop(_))
    });
    assert_eq!(given_up, Some(900));
}

#[test]
fn a_test_has_as_long_to_begin_as_its_schedule_says() {
    let given_up = |schedule: &str| {
        let mut journal = journal(vec![watch(Wait::FirstSuccess)]);
        let seen = observation(Some(live(json!({"spec": {"schedule": schedule}}))));
        (0..2000).find(|second| matches!(journal.next(&seen, at(*second)), Next::Stop(_)))
    };
    assert_eq!(given_up("* * * * *"), Some(4 * 60));
    assert_eq!(given_up("*/5 * * * *"), Some((4 + 4) * 60));
    // Of the others nobody knows: a deployment does not wait for them.
    assert_eq!(given_up("* 3 * * *"), Some(4 * 60));
}

#[test]
fn reading_a_volume_may_take_its_time() {
    let reading = |_| json!({"active": 1});
    assert_eq!(minutes(Wait::Verified, reading), Some(30));
    assert_eq!(minutes(Wait::Complete, reading), Some(4));
}

#[test]
fn what_a_step_made_must_stay_there_while_it_is_waited_for() {
    let made = json!({"apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "a", "namespace": "restate"}});
    let until = Wait::Complete;
    let create = step(Effect::Create { object: made }, Guard::Absent, until);
    let lost = |then: Option<Value>| {
        let mut journal = journal(vec![create.clone()]);
        assert!(matches!(
            journal.next(&observation(None), at(0)),
            Next::Do(_)
        ));
        journal.acted(Some(Uid("1".into())), at(0));
        let there = observation(Some(object("a", "1", false)));
        let Next::Wait { since, .. } = journal.next(&there, at(1)) else {
            panic!("it is not waited for")
        };
        assert_eq!(since, at(0));
        let Next::Stop(reason) = journal.next(&observation(then), at(2)) else {
            panic!("it is waited for")
        };
        // Whoever goes on makes it again.
        assert!(journal.entries().is_empty());
        reason.to_string()
    };
    let stories = [lost(None), lost(Some(object("a", "2", false)))];
    assert_snapshot!(stories.join("\n"), @r#"
    create CronJob a: not done, because it has been deleted in the meantime
    create CronJob a: not done, because it has been recreated in the meantime: the plan is for UID 1, it is 2
    "#);
}

#[test]
fn what_an_earlier_step_made_and_somebody_deleted_or_replaced_is_not_waited_for() {
    let object = json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
        "metadata": {"name": "s", "namespace": "restate"}});
    let place = ObjectRef::of(&object).unwrap();
    let claim = Uid("c".into());
    let steps = vec![
        Step::new(
            Effect::Snapshot { object, claim },
            Guard::Absent,
            Wait::None,
        ),
        Step::watch(place, Wait::SnapshotReady),
    ];
    let other = json!({"metadata": {"uid": "2"}, "status": {"readyToUse": true}});
    for seen in [None, Some(other)] {
        let mut journal = journal(steps.clone());
        assert!(matches!(
            journal.next(&observation(None), at(0)),
            Next::Do(_)
        ));
        journal.acted(Some(Uid("1".into())), at(0));
        let made = json!({"metadata": {"uid": "1"}, "status": {}});
        assert_eq!(journal.next(&observation(Some(made)), at(1)), Next::Look);
        let next = journal.next(&observation(seen), at(2));
        assert!(
            matches!(&next, Next::Stop(Reason::Moved { .. })),
            "{next:?}"
        );
    }
}
