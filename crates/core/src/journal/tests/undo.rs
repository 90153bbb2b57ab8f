//! What is taken back when a plan stops, and what is left.

use super::*;

#[test]
fn what_can_be_taken_back_is_in_reverse_order() {
    assert_snapshot!(story(journal(vec![suspend("a"), suspend("b"), update("c")]), "update CronJob c"), @r#"
    do suspend CronJob a
    look
    do suspend CronJob b
    look
    do update CronJob c
    undo: resume CronJob b
    undo: resume CronJob a
    stop: update CronJob c: refused: forbidden
    "#);
}

#[test]
fn nothing_from_before_a_change_that_stays_is_taken_back() {
    let steps = vec![suspend("a"), update("b"), suspend("c"), update("d")];
    assert_snapshot!(story(journal(steps), "update CronJob d"), @r#"
    do suspend CronJob a
    look
    do update CronJob b
    look
    do suspend CronJob c
    look
    do update CronJob d
    undo: resume CronJob c
    stop: update CronJob d: refused: forbidden
    left: suspend CronJob a
    "#);
}

#[test]
fn what_a_later_step_took_back_is_not_taken_back_again() {
    let mut resume = suspend("a");
    resume.act = resume.undo.take().unwrap();
    assert_snapshot!(story(journal(vec![suspend("a"), resume, update("b")]), "update CronJob b"), @r#"
    do suspend CronJob a
    look
    do resume CronJob a
    look
    do update CronJob b
    stop: update CronJob b: refused: forbidden
    "#);
}

#[test]
fn an_undo_that_is_refused_does_not_keep_the_others_from_it() {
    let mut journal = journal(vec![suspend("a"), suspend("b"), watch(Wait::Complete)]);
    for (second, name) in [(0, "a"), (1, "a"), (2, "b"), (3, "b")] {
        let seen = observation(Some(object(name, "1", false)));
        if let Next::Do(_) = journal.next(&seen, at(second)) {
            journal.acted(None, at(second));
        }
    }
    journal.interrupt("Ctrl-C".into());
    let seen = observation(None);
    let mut undone = Vec::new();
    while let Next::Undo(effect) = journal.next(&seen, at(9)) {
        undone.push(effect.to_string());
        journal.refused("forbidden".into(), at(9));
    }
    assert_eq!(undone, ["resume CronJob b", "resume CronJob a"]);
    let notes: Vec<String> = journal
        .notes()
        .iter()
        .map(|(effect, note)| format!("{effect}: {note}"))
        .collect();
    let kept = [
        "suspend CronJob a: forbidden",
        "suspend CronJob b: forbidden",
    ];
    assert_eq!(notes, kept);
    assert_eq!(journal.stopped().unwrap().cause(), "Ctrl-C");
}

#[test]
fn a_resumption_that_was_perhaps_not_done_is_done_again() {
    let mut resume = suspend("a");
    resume.act = resume.undo.take().unwrap();
    let mut journal = journal(vec![suspend("a"), resume]);
    let mut suspended = false;
    for second in 0..3 {
        let seen = observation(Some(object("a", "1", suspended)));
        match journal.next(&seen, at(second)) {
            Next::Do(_) if !suspended => {
                journal.acted(None, at(second));
                suspended = true;
            }
            Next::Do(effect) => assert_eq!(effect.to_string(), "resume CronJob a"),
            other => assert_eq!(other, Next::Look),
        }
    }
    // Its answer is lost.
    journal.interrupt("Ctrl-C".into());
    let Next::Undo(undo) = journal.next(&Observation::default(), at(9)) else {
        panic!("it may be suspended");
    };
    assert_eq!(undo.to_string(), "resume CronJob a");
}

#[test]
fn the_first_reason_to_stop_is_the_one_that_is_told() {
    let mut journal = journal(vec![suspend("a"), watch(Wait::Complete)]);
    let live = observation(Some(object("a", "1", false)));
    assert!(matches!(journal.next(&live, at(0)), Next::Do(_)));
    journal.acted(None, at(0));
    journal.interrupt("the API server is silent".into());
    journal.interrupt("Ctrl-C".into());
    assert_eq!(
        journal.stopped().unwrap().cause(),
        "the API server is silent"
    );
}

#[test]
fn an_effect_without_answer_is_taken_back_like_one_that_is_done() {
    let mut journal = journal(vec![suspend("a"), update("b")]);
    let seen = observation(Some(object("a", "1", false)));
    assert!(matches!(journal.next(&seen, at(0)), Next::Do(_)));
    assert!(!journal.is_over());
    journal.interrupt("the API server is silent".into());
    assert_eq!(journal.unknown().unwrap().to_string(), "suspend CronJob a");
    let Next::Undo(undo) = journal.next(&Observation::default(), at(1)) else {
        panic!("it may be suspended");
    };
    assert_eq!(undo.to_string(), "resume CronJob a");
    assert!(!journal.is_over());
    journal.undone();
    assert!(journal.is_over());
}

#[test]
fn a_plan_that_is_done_cannot_be_interrupted() {
    let mut journal = journal(vec![]);
    journal.interrupt("Ctrl-C".into());
    assert_eq!(journal.stopped(), None);
    assert_eq!(journal.next(&Observation::default(), at(0)), Next::Done);
}

#[test]
fn a_volume_stays_kept_when_its_claim_is_being_deleted() {
    let volume = ObjectRef {
        api_version: "v1".into(),
        kind: "PersistentVolume".into(),
        namespace: None,
        name: "pv".into(),
    };
    let reclaim = |policy| Effect::Reclaim {
        object: volume.clone(),
        uid: Uid("v".into()),
        policy,
    };
    let guard = Guard::Bound {
        uid: Uid("v".into()),
        claim: Uid("c".into()),
    };
    let keep = Step::new(reclaim(Policy::Retain), guard, Wait::None).undo(reclaim(Policy::Delete));
    let seen = |claim: Option<Value>| Observation {
        object: Some(
            json!({"metadata": {"uid": "v"}, "spec": {"claimRef": {"uid": "c"},
            "persistentVolumeReclaimPolicy": "Delete"}, "status": {"phase": "Bound"}}),
        ),
        claim,
        ..Observation::default()
    };
    let next = |claim: Option<Value>| {
        let mut journal = journal(vec![keep.clone(), watch(Wait::Complete)]);
        assert!(matches!(journal.next(&seen(None), at(0)), Next::Do(_)));
        journal.acted(None, at(0));
        journal.interrupt("Ctrl-C".into());
        let next = journal.next(&seen(claim), at(1));
        (next, journal)
    };
    let (stays, _) = next(Some(json!({"metadata": {"uid": "c"}})));
    assert_eq!(stays, Next::Undo(reclaim(Policy::Delete)));
    let going = json!({"metadata": {"uid": "c", "deletionTimestamp": "now"}});
    let other = json!({"metadata": {"uid": "d"}});
    for claim in [Some(going), Some(other), None] {
        let (next, journal) = next(claim);
        assert_eq!(next, Next::Look);
        assert_eq!(
            journal.entries()[0].note.as_deref(),
            Some("its claim is gone or being deleted: its data would be lost")
        );
    }
}

#[test]
fn only_a_volume_that_its_claim_still_has_is_kept_by_a_plan() {
    let volume = ObjectRef::whole("v1", "PersistentVolume", "pv");
    let guard = Guard::Bound {
        uid: Uid("v".into()),
        claim: Uid("c".into()),
    };
    let keep = Effect::Reclaim {
        object: volume,
        uid: Uid("v".into()),
        policy: Policy::Retain,
    };
    let next = |uid: &str, claim: &str, phase: &str| {
        let seen = json!({"metadata": {"uid": uid}, "spec": {"claimRef": {"uid": claim}},
            "status": {"phase": phase}});
        let steps = vec![Step::new(keep.clone(), guard.clone(), Wait::None)];
        match journal(steps).next(&observation(Some(seen)), at(0)) {
            Next::Do(_) => "done".to_string(),
            Next::Stop(reason) => reason.cause().to_string(),
            other => format!("{other:?}"),
        }
    };
    let table = [
        next("v", "c", "Bound"),
        next("v", "c", "Released"),
        next("v", "d", "Bound"),
        next("w", "c", "Bound"),
    ];
    assert_snapshot!(table.join("\n"), @"
    done
    its claim is gone and its phase is Released: its data would be lost
    it belongs to another claim
    it has been recreated in the meantime: the plan is for UID v, it is w
    ");
}
