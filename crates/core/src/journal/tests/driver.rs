//! Another driver goes on, or takes back, with what the first one left written.

use super::*;
use crate::cluster::tests::{all, live};
use crate::{names::OPERATIONS_MANAGER, plan::Policy, wait::Counted};

fn target() -> Target {
    journal(vec![]).plan().target.clone()
}

fn resumed(journal: Journal, second: i64) -> Journal {
    let stored = Stored::begin(journal, None, at(0));
    stored.resume(&target(), at(second)).unwrap().journal
}

#[test]
fn another_driver_has_all_the_time_again() {
    type See = fn(i64) -> Observation;
    let moving: See = |second| Observation {
        open_invocations: Some(Counted {
            count: second as u64 + 1,
            at: at(second),
        }),
        ..Observation::default()
    };
    let still: See = |_| observation(Some(live(json!({}))));
    let bad: See = |_| {
        let state = json!({"waiting": {"reason": "ImagePullBackOff"}});
        let statuses = json!({"containerStatuses": [{"name": "c", "state": state}]});
        Observation {
            pods: all([json!({"metadata": {"name": "p"}, "status": statuses})]),
            ..observation(Some(live(json!({}))))
        }
    };
    for (wait, seen, before, then) in [
        (Wait::Drained, moving, 800, 900),
        (Wait::Complete, still, 200, 240),
        (Wait::Complete, bad, 20, 30),
    ] {
        let mut first = journal(vec![watch(wait)]);
        for second in [0, before] {
            let next = first.next(&seen(second), at(second));
            assert!(matches!(next, Next::Wait { .. }), "{next:?}");
        }
        let mut second = resumed(first, 1000);
        let given_up =
            (1000..4000).find(|now| matches!(second.next(&seen(*now), at(*now)), Next::Stop(_)));
        assert_eq!(given_up, Some(1000 + then));
    }
}

#[test]
fn what_is_being_taken_back_is_taken_back_by_the_next_one_too() {
    let mut first = journal(vec![suspend("a"), watch(Wait::Complete)]);
    let live = observation(Some(object("a", "1", false)));
    assert!(matches!(first.next(&live, at(0)), Next::Do(_)));
    first.acted(None, at(0));
    first.interrupt("Ctrl-C".into());
    assert_eq!(first.state(), State::Open);
    let mut second = resumed(first, 9);
    let Next::Undo(undo) = second.next(&observation(None), at(9)) else {
        panic!("it goes on instead")
    };
    assert_eq!(undo.to_string(), "resume CronJob a");
    second.undone();
    assert_eq!(second.state(), State::TakenBack);
    let over = Stored::begin(second, None, at(0));
    assert_eq!(admit("wipe", Some(&over), None), Ok(Admission::Free));
    assert!(over.resume(&target(), at(10)).is_err());
}

#[test]
fn what_was_taken_back_beyond_the_point_of_no_return_is_made_again() {
    let mut first = journal(vec![delete("a"), suspend("b"), update("c")]);
    let live = |name| observation(Some(object(name, "1", false)));
    assert!(matches!(first.next(&live("a"), at(0)), Next::Do(_)));
    assert_eq!(first.state(), State::Open, "nobody knows that it is lost");
    first.acted(None, at(0));
    assert_eq!(first.state(), State::PastReturn);
    assert_eq!(first.next(&observation(None), at(1)), Next::Look);
    assert!(matches!(first.next(&live("b"), at(2)), Next::Do(_)));
    first.acted(None, at(2));
    assert_eq!(first.next(&live("b"), at(3)), Next::Look);
    assert!(matches!(
        first.next(&observation(None), at(4)),
        Next::Undo(_)
    ));
    first.undone();
    let mut second = resumed(first, 9);
    let Next::Do(again) = second.next(&live("b"), at(9)) else {
        panic!("the tests run while it goes on")
    };
    assert_eq!(again.to_string(), "suspend CronJob b");
}

#[test]
fn only_a_cure_takes_the_place_of_what_is_past_its_point_of_no_return() {
    let mut past = journal(vec![delete("a"), watch(Wait::Complete)]);
    let live = observation(Some(object("a", "1", false)));
    assert!(matches!(past.next(&live, at(0)), Next::Do(_)));
    past.acted(None, at(0));
    let past = Stored::begin(past, None, at(0));
    let cures =
        ["deploy", "restore", "wipe", "snapshot"].map(|cure| admit(cure, Some(&past), None).ok());
    let supersedes = Some(Admission::Supersedes);
    assert_eq!(cures, [supersedes, supersedes, None, None]);
}

#[test]
fn what_is_over_or_of_elsewhere_is_not_taken_back() {
    let mut open = journal(vec![suspend("a")]);
    let live = observation(Some(object("a", "1", false)));
    assert!(matches!(open.next(&live, at(0)), Next::Do(_)));
    let mut done = open.clone();
    done.acted(None, at(0));
    assert_eq!(done.next(&live, at(1)), Next::Look);
    let mut elsewhere = target();
    elsewhere.environment = "restate-chaos".into();
    let abort =
        |journal, target: &Target| Stored::begin(journal, None, at(0)).abort(target, "asked for");
    assert!(abort(done, &target()).is_err());
    assert!(abort(open.clone(), &elsewhere).is_err());
    assert!(abort(open, &target()).is_ok());
}

/// Begun by a driver that died, and met like this by the next one.
fn met(act: &Effect, live: &Value, jobs: &[Value]) -> &'static str {
    let uid = Uid("1".into());
    let begun = Step::new(act.clone(), Guard::Is { uid }, Wait::None);
    let mut first = journal(vec![begun]);
    let before = observation(Some(object("a", "1", false)));
    assert!(matches!(first.next(&before, at(0)), Next::Do(_)));
    let seen = Observation {
        jobs: all(jobs.to_vec()),
        ..observation(Some(live.clone()))
    };
    match resumed(first, 9).next(&seen, at(9)) {
        Next::Do(_) => "again",
        Next::Look => "was done",
        Next::Stop(Reason::Moved { .. }) => "moved",
        other => panic!("{other:?}"),
    }
}

#[test]
fn whether_an_effect_was_done_is_seen_in_its_object() {
    let managed =
        |manager: &str| json!([{"manager": manager, "fieldsV1": {"f:spec": {"f:suspend": {}}}}]);
    let metadata = json!({"uid": "1", "managedFields": managed(OPERATIONS_MANAGER)});
    let done = |spec: Value| json!({"metadata": metadata, "spec": spec});
    let object = place("a");
    let suspend = Effect::Suspend {
        object: object.clone(),
        suspend: true,
    };
    let scale = Effect::Scale {
        object: object.clone(),
        replicas: 0,
    };
    let keep = Effect::Reclaim {
        object: object.clone(),
        uid: Uid("1".into()),
        policy: Policy::Retain,
    };
    let table = [
        (
            &suspend,
            json!({"suspend": true}),
            json!({"suspend": false}),
        ),
        (&scale, json!({"replicas": 0}), json!({"replicas": 1})),
        (
            &keep,
            json!({"persistentVolumeReclaimPolicy": "Retain"}),
            json!({"persistentVolumeReclaimPolicy": "Delete"}),
        ),
    ];
    for (effect, after, before) in table {
        let mut recreated = done(after.clone());
        recreated["metadata"]["uid"] = json!("2");
        let ends = [done(after), done(before), recreated].map(|live| met(effect, &live, &[]));
        assert_eq!(ends, ["was done", "again", "moved"], "{effect}");
    }
    let mut by_a_person = done(json!({"suspend": true}));
    by_a_person["metadata"]["managedFields"] = managed("kubectl-patch");
    assert_eq!(met(&suspend, &by_a_person, &[]), "again");
    let interrupt = Effect::Interrupt {
        object,
        operation: "wipe".into(),
    };
    let running = json!({"metadata": {"name": "test-1", "namespace": "restate"}});
    assert_eq!(met(&interrupt, &done(json!({})), &[running]), "again");
    assert_eq!(met(&interrupt, &done(json!({})), &[]), "was done");
}

#[test]
fn what_appeared_meanwhile_is_not_created_over() {
    let created = object("a", "1", false);
    let create = Effect::Create { object: created };
    let mut journal = journal(vec![step(create, Guard::Absent, Wait::None)]);
    let there = observation(Some(object("a", "2", false)));
    let Next::Stop(reason) = journal.next(&there, at(0)) else {
        panic!("it is taken for ours")
    };
    assert_snapshot!(reason, @"create CronJob a: not done, because it appeared meanwhile");
}

#[test]
fn what_took_the_place_of_an_object_before_its_deletion_was_asked_for_is_not_its_deletion() {
    let mut journal = journal(vec![delete("a")]);
    let seen = |uid| observation(Some(object("a", uid, false)));
    assert!(matches!(journal.next(&seen("1"), at(0)), Next::Do(_)));
    let (Next::TurnBack(reason) | Next::Stop(reason)) = journal.next(&seen("2"), at(1)) else {
        panic!("it goes on");
    };
    assert!(
        reason.to_string().contains("recreated in the meantime"),
        "{reason}"
    );
}
