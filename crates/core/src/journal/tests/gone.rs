//! Somebody deletes the database while its node is stopped: nothing starts the node on an empty one, and what is left
//! is named.

use super::*;
use crate::{
    gate::{Database, Gate, Incarnation},
    names::{CLAIM, NODE},
};

fn claim() -> ObjectRef {
    ObjectRef::namespaced("v1", "PersistentVolumeClaim", "restate", CLAIM)
}

/// Suspends, stops the node, and waits.
fn operation(volume: Option<&str>) -> Journal {
    let set = ObjectRef::namespaced("apps/v1", "StatefulSet", "restate", NODE);
    let scale = |replicas| Effect::Scale {
        object: set.clone(),
        replicas,
    };
    let guard = Guard::Node {
        uid: Uid("set".into()),
        database: Database {
            claim: claim(),
            incarnation: Incarnation::Is(Uid("c".into())),
            volume: volume.map(ToString::to_string),
        },
    };
    let stopped = Wait::Stopped { claim: claim() };
    journal(vec![
        suspend("a"),
        Step::new(scale(0), guard, stopped).undo(scale(1)),
        watch(Wait::Complete),
    ])
}

fn with_claim(object: Option<Value>, claim: Option<Value>) -> Observation {
    Observation {
        claim,
        ..observation(object)
    }
}

fn live_claim() -> Value {
    json!({"metadata": {"name": CLAIM, "uid": "c"}})
}

fn set(replicas: u64) -> Value {
    live(
        json!({"kind": "StatefulSet", "metadata": {"name": "restate", "uid": "set", "generation": 2},
        "spec": {"replicas": replicas}, "status": {"observedGeneration": 2, "replicas": 0}}),
    )
}

/// So many steps are done, and the next one is asked for.
fn done(steps: usize, volume: Option<&str>) -> Journal {
    let mut journal = operation(volume);
    let seen = [
        (Some(object("a", "1", false)), Some(object("a", "1", true))),
        (Some(set(1)), Some(set(0))),
    ];
    for (before, after) in seen.into_iter().take(steps) {
        let before = with_claim(before, Some(live_claim()));
        assert!(matches!(journal.next(&before, at(0)), Next::Do(_)));
        let uid = after.as_ref().and_then(uid);
        journal.acted(uid, at(0));
        assert_eq!(journal.next(&observation(after), at(0)), Next::Look);
    }
    journal
}

/// Takes it back, with this claim, and says what was done and what was not.
fn taken_back(journal: &mut Journal, claim: Option<Value>) -> String {
    journal.interrupt("Ctrl-C".into());
    let mut told = String::new();
    let seen = with_claim(Some(set(0)), claim);
    for _ in 0..10 {
        match journal.next(&seen, at(1)) {
            Next::Undo(effect) => {
                told.push_str(&format!("{effect}\n"));
                journal.undone();
            }
            Next::Look => {}
            Next::Stop(_) => break,
            other => panic!("{other:?}"),
        }
    }
    for (effect, note) in journal.notes() {
        told.push_str(&format!("not taken back: {effect}: {note}\n"));
    }
    format!("{told}{}\n", journal.state())
}

#[test]
fn a_node_starts_again_with_the_claim_that_it_had_and_with_no_other() {
    let going = json!({"metadata": {"name": CLAIM, "uid": "c", "deletionTimestamp": "now"}});
    let other = json!({"metadata": {"name": CLAIM, "uid": "d"}});
    let told = [Some(live_claim()), None, Some(going), Some(other)]
        .map(|claim| taken_back(&mut done(2, None), claim));
    assert_snapshot!(told.join("\n"), @r#"
    start StatefulSet restate
    resume CronJob a
    was taken back

    not taken back: suspend CronJob a: the node stays stopped
    not taken back: stop StatefulSet restate: PersistentVolumeClaim storage-restate-0 was deleted meanwhile
    was taken back, and the database is not the one from before: PersistentVolumeClaim storage-restate-0 was deleted meanwhile, and the node stays stopped

    not taken back: suspend CronJob a: the node stays stopped
    not taken back: stop StatefulSet restate: PersistentVolumeClaim storage-restate-0 is being deleted
    was taken back, and the database is not the one from before: PersistentVolumeClaim storage-restate-0 is being deleted, and the node stays stopped

    not taken back: suspend CronJob a: the node stays stopped
    not taken back: stop StatefulSet restate: PersistentVolumeClaim storage-restate-0 was deleted and recreated meanwhile: the plan was for UID c
    was taken back, and the database is not the one from before: PersistentVolumeClaim storage-restate-0 was deleted and recreated meanwhile: the plan was for UID c, and the node stays stopped
    "#);
}

#[test]
fn the_way_back_is_the_best_of_what_is_left() {
    let way = |volume, standing: Option<Standing>| {
        let mut journal = done(2, volume);
        taken_back(&mut journal, None);
        let name = "kept".to_string();
        let kept = standing.map(|standing| Kept { name, standing });
        let ways = journal.state().ways_on("-n restate", kept.as_ref());
        ways.join("\n")
    };
    let ways = [
        way(Some("pv"), Some(Standing::Verified)),
        way(Some("pv"), Some(Standing::Unverified)),
        way(None, Some(Standing::Unverified)),
        way(None, Some(Standing::Empty)),
    ];
    assert_snapshot!(ways.join("\n\n"), @r#"
    bring it back: cargo xtask restore -n restate -s kept
    or begin anew: cargo xtask deploy -n restate

    bring it back: its volume is kept; when PersistentVolumeClaim storage-restate-0 is gone, the next one of that name gets it: kubectl patch pv pv --type=merge --patch='{"spec":{"claimRef":{"uid":null,"resourceVersion":null}}}', then cargo xtask deploy -n restate
    or begin anew: cargo xtask deploy -n restate

    what is left:  VolumeSnapshot kept, which was not compared with it: cargo xtask restore -n restate -s kept
    or begin anew: cargo xtask deploy -n restate

    no snapshot of it is left; to go back to another one: cargo xtask restore -n restate -s SNAPSHOT
    or begin anew: cargo xtask deploy -n restate
    "#);
}

#[test]
fn until_it_is_closed_nothing_else_begins() {
    let mut journal = done(2, None);
    taken_back(&mut journal, None);
    let stored = Stored::read(&Stored::begin(journal, None, at(100)).manifest()).unwrap();
    for cure in ["deploy", "restore"] {
        assert_eq!(admit(cure, Some(&stored), None), Ok(Admission::Supersedes));
    }
    for other in ["wipe", "snapshot", "fault"] {
        let refused = admit(other, Some(&stored), None).unwrap_err().to_string();
        assert!(refused.contains("is not the one from before"), "{refused}");
    }
    let target = stored.journal.plan().target.clone();
    assert!(stored.clone().resume(&target, at(101)).is_err());
    // What took its place gives it back, when it is taken back itself.
    let mut next = journal_over(&stored);
    next.journal.interrupt("Ctrl-C".into());
    assert_eq!(next.written().journal, stored.journal);
}

fn journal_over(stored: &Stored) -> Stored {
    Stored::begin(journal(vec![suspend("b")]), Some(stored), at(200))
}

#[test]
fn a_node_does_not_stop_for_another_database_than_the_planned_one() {
    let mut journal = done(1, None);
    let next = journal.next(&with_claim(Some(set(1)), None), at(1));
    let Next::Undo(undo) = next else {
        panic!("{next:?}")
    };
    assert_eq!(undo.to_string(), "resume CronJob a");
}

/// The deletion of the claim was asked for, and nobody has heard: what is it taken for when another driver sees the claim
/// gone, and the set like this?
fn claim_gone(set: Option<&Value>) -> String {
    let gate = Gate {
        claim: Uid("c".into()),
        handle: "h".into(),
        set: ObjectRef::namespaced("apps/v1", "StatefulSet", "restate", NODE),
        generation: Some(2),
        since: None,
        reader: None,
        snapshot: None,
        made: None,
        source: None,
    };
    let uid = Uid("c".into());
    let delete = Effect::Delete {
        object: claim(),
        uid: uid.clone(),
        propagation: crate::plan::Propagation::Background,
    };
    let gone = Wait::Gone { uid };
    let mut journal = journal(vec![Step::new(delete, Guard::Gate(gate), gone)]);
    let volume = json!({"metadata": {"name": "pv"}, "spec": {"csi": {"volumeHandle": "h"},
        "claimRef": {"uid": "c"}, "persistentVolumeReclaimPolicy": "Retain"}});
    let seen = |object, set| Observation {
        volume: Some(volume.clone()),
        set,
        ..observation(object)
    };
    let next = journal.next(&seen(Some(live_claim()), Some(self::set(0))), at(0));
    assert!(matches!(next, Next::Do(_)), "{next:?}");
    journal.unanswered();
    for second in 1..5 {
        match journal.next(&seen(None, set.cloned()), at(second)) {
            Next::Look | Next::TurnBack(_) => {}
            end => return format!("{end:?}: {}", journal.state()),
        }
    }
    "goes on for ever".into()
}

#[test]
fn a_claim_that_went_after_the_node_was_started_again_is_not_taken_for_the_one_that_the_plan_deleted()
 {
    let mut started = set(1);
    started["metadata"]["generation"] = json!(3);
    let stopped = set(0);
    let told = [Some(&stopped), Some(&started), None].map(claim_gone);
    assert_snapshot!(told.join("\n"), @r#"
    Done: is done
    Stop(Moved { step: "delete PersistentVolumeClaim storage-restate-0", moved: "another client deleted the claim in the meantime" }): was taken back
    Stop(Moved { step: "delete PersistentVolumeClaim storage-restate-0", moved: "another client deleted the claim in the meantime" }): was taken back
    "#);
}
