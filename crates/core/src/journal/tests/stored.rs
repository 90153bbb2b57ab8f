//! A journal that outlives its driver: who may go on with it, who may take it back, and what others see.

use super::*;
use crate::cluster::tests::{all, live};
use crate::plan::{Loss, Policy, Propagation};

fn object_of(kind: &str, name: &str, uid: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind,
        "metadata": {"name": name, "namespace": "restate", "uid": uid}})
}

fn place_of(kind: &str, name: &str) -> ObjectRef {
    ObjectRef::namespaced("v1", kind, "restate", name)
}

/// Makes something that it deletes again.
fn temporary() -> Vec<Step> {
    let mut object = object_of("Pod", "p", "");
    object["metadata"]
        .as_object_mut()
        .unwrap()
        .shift_remove("uid");
    let discard = Effect::Discard {
        object: place_of("Pod", "p"),
        propagation: Propagation::Foreground,
    };
    let create = Step::new(Effect::Create { object }, Guard::Absent, Wait::None);
    vec![
        create.undo(discard.clone()),
        Step::new(discard, Guard::None, Wait::None),
    ]
}

fn stop() -> Step {
    let scale = |replicas| Effect::Scale {
        object: place_of("StatefulSet", "restate"),
        replicas,
    };
    let guard = Guard::Is {
        uid: Uid("1".into()),
    };
    Step::new(scale(0), guard, Wait::None).undo(scale(1))
}

fn next(journal: &mut Journal, object: Option<Value>, second: i64) -> String {
    match journal.next(&observation(object), at(second)) {
        Next::Do(effect) => format!("do {}", json!(effect)["effect"]),
        Next::Undo(effect) => format!("undo: {effect}"),
        Next::Stop(reason) => format!("stop: {reason}"),
        other => format!("{other:?}"),
    }
}

fn target() -> Target {
    journal(vec![]).plan().target.clone()
}

fn stored(steps: Vec<Step>) -> Stored {
    Stored::begin(journal(steps), None, at(0))
}

/// The first steps are done, the last one perhaps.
fn begun(steps: Vec<Step>, seen: &[Option<Value>]) -> Stored {
    let mut stored = stored(steps);
    for (second, object) in (0..).zip(seen) {
        if let Next::Do(_) = stored
            .journal
            .next(&observation(object.clone()), at(second))
        {
            stored.journal.acted(Some(Uid("made".into())), at(second));
        }
    }
    stored
}

#[test]
fn what_a_plan_made_is_deleted_and_nothing_else_of_that_name() {
    let mut first = journal(temporary());
    assert_eq!(next(&mut first, None, 0), "do \"create\"");
    first.acted(Some(Uid("made".into())), at(0));
    assert_eq!(next(&mut first, None, 1), "Look");
    let Some(Step {
        act: Effect::Delete { uid, .. },
        until: Wait::Gone { .. },
        ..
    }) = first.current()
    else {
        panic!("{:?}", first.current())
    };
    assert_eq!(uid, Uid("made".into()));
    let mut other = first.clone();
    let made = Some(object_of("Pod", "p", "made"));
    assert_eq!(next(&mut first, made, 2), "do \"delete\"");
    // Somebody deleted it, and made another one.
    assert_eq!(
        next(&mut other, Some(object_of("Pod", "p", "else")), 2),
        "Look"
    );
    assert_eq!(next(&mut other, None, 3), "Done");
}

#[test]
fn an_owner_that_the_plan_makes_is_named_when_it_exists() {
    let owned = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s",
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]}});
    let mut steps = temporary();
    steps[1] = Step::new(Effect::Create { object: owned }, Guard::Absent, Wait::None);
    let stored = begun(steps, &[None, None]);
    let Some(Effect::Create { object }) = stored.journal.current().map(|step| step.act) else {
        panic!("{:?}", stored.journal.current())
    };
    assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], "made");
}

#[test]
fn a_soft_step_that_fails_is_noted() {
    let mut journal = journal(vec![update("a").soft(), suspend("b")]);
    let elsewhere = Some(object("a", "2", false));
    assert_eq!(next(&mut journal, elsewhere, 0), "Look");
    assert_eq!(journal.unknown(), None, "it is known not to be done");
    let live = Some(object("b", "1", false));
    assert_eq!(next(&mut journal, live, 1), "do \"suspend\"");
    journal.acted(None, at(1));
    let notes: Vec<String> = journal
        .notes()
        .iter()
        .map(|(effect, note)| format!("{effect}: {note}"))
        .collect();
    assert_snapshot!(notes.join("\n"), @"update CronJob a: it has been recreated in the meantime: the plan is for UID 1, it is 2");
}

#[test]
fn a_soft_step_that_is_refused_is_noted() {
    let mut journal = journal(vec![suspend("a").soft(), suspend("b")]);
    let live = |name| Some(object(name, "1", false));
    assert_eq!(next(&mut journal, live("a"), 0), "do \"suspend\"");
    journal.refused("forbidden".into(), at(0));
    assert_eq!(journal.notes()[0].1, "forbidden");
    assert_eq!(next(&mut journal, live("b"), 1), "do \"suspend\"");
    journal.refused("forbidden".into(), at(1));
    assert_eq!(journal.stopped().unwrap().cause(), "forbidden");
}

#[test]
fn what_was_perhaps_made_is_looked_for_before_anything_is_taken_back() {
    for (met, then) in [(Some("made"), "undo: delete Pod p"), (None, "stop")] {
        let mut killed = stored(temporary());
        assert_eq!(next(&mut killed.journal, None, 0), "do \"create\"");
        let mut aborted = killed.abort(&target(), "asked for").unwrap().journal;
        assert!(aborted.needs_observation());
        let met = met.map(|uid| object_of("Pod", "p", uid));
        assert_eq!(next(&mut aborted, met.clone(), 9), "Look");
        let said = next(&mut aborted, met, 9);
        assert!(said.starts_with(then), "{said}");
    }
}

#[test]
fn a_node_that_was_perhaps_stopped_is_started_without_a_look() {
    let mut killed = stored(vec![stop(), suspend("a")]);
    let live = Some(object_of("StatefulSet", "restate", "1"));
    assert_eq!(next(&mut killed.journal, live, 0), "do \"scale\"");
    let mut aborted = killed.abort(&target(), "asked for").unwrap().journal;
    assert!(!aborted.needs_observation());
    assert_eq!(
        next(&mut aborted, None, 9),
        "undo: start StatefulSet restate"
    );
}

#[test]
fn a_volume_that_its_claim_gave_up_is_kept() {
    let volume_of = |claim: &str, phase: &str| {
        let mut volume = object_of("PersistentVolume", "v", "1");
        volume["spec"] = json!({"claimRef": {"uid": claim}});
        volume["status"] = json!({"phase": phase});
        Some(volume)
    };
    let volume = |phase| volume_of("c", phase);
    let reclaim = |policy| Effect::Reclaim {
        object: place_of("PersistentVolume", "v"),
        uid: Uid("1".into()),
        policy,
    };
    let guard = Guard::Bound {
        uid: Uid("1".into()),
        claim: Uid("c".into()),
    };
    let keep = Step::new(reclaim(Policy::Retain), guard, Wait::None).undo(reclaim(Policy::Delete));
    let steps = vec![keep.clone(), update("a")];
    let mut stopped = begun(steps, &[volume("Bound"), None]).journal;
    let moved = stopped.next(&observation(None), at(9));
    assert!(
        matches!(moved, Next::TurnBack(_)),
        "the volume is not seen yet: {moved:?}"
    );
    let mut kept = begun(vec![keep, watch(Wait::Complete)], &[volume("Bound"), None]);
    kept.journal.interrupt("Ctrl-C".into());
    let mut bound = kept.clone();
    let mut of_another = kept.clone();
    let released = volume_of("d", "Bound");
    assert_eq!(next(&mut of_another.journal, released, 9), "Look");
    assert!(bound.journal.needs_observation());
    let seen = Observation {
        claim: Some(json!({"metadata": {"uid": "c"}})),
        ..observation(volume("Bound"))
    };
    let undone = bound.journal.next(&seen, at(9));
    assert_eq!(undone, Next::Undo(reclaim(Policy::Delete)));
    assert_eq!(next(&mut kept.journal, volume("Released"), 9), "Look");
    assert!(next(&mut kept.journal, None, 9).starts_with("stop"));
    assert_eq!(kept.journal.notes().len(), 1);
    assert_eq!(kept.journal.state(), State::TakenBack);
}

#[test]
fn what_is_written_is_read() {
    let mut written = begun(
        vec![suspend("a"), delete("a")],
        &[Some(object("a", "1", false)), None],
    );
    written.journal.interrupt("Ctrl-C".into());
    let config_map = written.manifest();
    let read = Stored::read(&config_map).unwrap();
    assert_eq!((read.epoch, read.journal), (written.epoch, written.journal));

    let mut edited = config_map.clone();
    let plan = edited["data"]["journal"].as_str().unwrap();
    edited["data"]["journal"] = json!(plan.replace("\"name\":\"a\"", "\"name\":\"b\""));
    assert_snapshot!(Stored::read(&edited).unwrap_err(), @"ConfigMap longrun-journal cannot be read: its plan is not the one that was approved; it records an operation on the database: inspect it before you delete it");
}

#[test]
fn a_driver_that_was_overtaken_writes_nothing() {
    let first = begun(
        vec![suspend("a"), delete("a")],
        &[Some(object("a", "1", false))],
    );
    assert_eq!(first.may_replace(None), Ok(()));
    assert_eq!(first.may_replace(Some(&first.manifest())), Ok(()));
    let second = first.clone().resume(&target(), at(9)).unwrap();
    let overtaken = first.may_replace(Some(&second.manifest())).unwrap_err();
    assert_snapshot!(overtaken, @"another process took the journal over (epoch 2, this one had 1): this one has stopped");
    let by = json!(second.resume(&target(), at(9)).unwrap().journal.by());
    assert_eq!(
        by,
        json!({"by": "resumed", "consent": {"by": "piped", "digest": null}})
    );
    let again = Stored::begin(journal(vec![]), Some(&first), at(0));
    assert_eq!(again.epoch, 2);
}

#[test]
fn only_what_is_open_is_taken_over_and_only_where_it_belongs() {
    let live = || Some(object("a", "1", false));
    let gone = delete("a");
    let past = begun(
        vec![suspend("a"), gone, suspend("b")],
        &[live(), None, live(), None],
    );
    assert_eq!(past.journal.state(), State::PastReturn);
    let done = begun(vec![suspend("a")], &[live(), None]);
    let mut elsewhere = target();
    elsewhere.kube_system = Uid("other".into());
    let refusals = [
        past.clone().abort(&target(), "asked for").unwrap_err(),
        past.clone().resume(&elsewhere, at(9)).unwrap_err(),
        done.resume(&target(), at(9)).unwrap_err(),
        past.superseded("deploy")
            .resume(&target(), at(9))
            .unwrap_err(),
    ];
    let lines: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    assert_snapshot!(lines.join("\n"), @"
    the deploy of dev/restate cannot be taken back: delete CronJob a is done; go on with `cargo xtask operation resume -n restate --cluster dev`, or with `deploy` or `restore`, which close it
    the journal belongs to dev/restate (kube-system UID k), this is dev/restate (kube-system UID other): it was copied from there and does not apply here
    the last deploy of dev/restate is done: there is nothing to resume or abort
    the last deploy of dev/restate was closed by a deploy: there is nothing to resume or abort
    ");
    assert!(admit("wipe", Some(&past), None).is_err());
    assert_eq!(
        admit("deploy", Some(&past), None),
        Ok(Admission::Supersedes)
    );
    assert_eq!(
        admit("wipe", Some(&past.superseded("deploy")), None),
        Ok(Admission::Free)
    );
}

#[test]
fn beyond_the_point_of_no_return_another_driver_tries_again() {
    let steps = vec![delete("a"), watch(Wait::Complete)];
    let mut past = begun(steps, &[Some(object("a", "1", false)), None]);
    let failed =
        json!({"status": {"conditions": [{"type": "Failed", "status": "True", "reason": "bad"}]}});
    assert!(next(&mut past.journal, Some(live(failed)), 3).starts_with("stop"));
    assert!(next(&mut past.journal, Some(live(json!({}))), 4).starts_with("stop"));
    let mut resumed = past.resume(&target(), at(9)).unwrap().journal;
    assert!(next(&mut resumed, Some(live(json!({}))), 9).starts_with("Wait"));
}

#[test]
fn the_checklist_says_what_is_done_and_what_is_next() {
    let live = Some(object("a", "1", false));
    let mut stored = begun(
        vec![suspend("a").why("silence"), stop(), update("b")],
        &[live, None],
    );
    let claim = Uid("c".into());
    let plan = alloc::sync::Arc::make_mut(&mut stored.journal.plan);
    plan.loses.push(Loss::Database { claim });
    let checklist = stored.journal.checklist();
    let mut lines: Vec<String> = checklist
        .items
        .iter()
        .map(|item| {
            format!(
                "{:?} {} ({}) {:?} {:?}",
                item.mark,
                item.step,
                item.why,
                item.began.map(Timestamp::as_second),
                item.ended.map(Timestamp::as_second)
            )
        })
        .collect();
    lines.push(format!(
        "{}; next: {}",
        checklist.state,
        checklist.next.unwrap()
    ));
    assert_snapshot!(lines.join("\n"), @r#"
    Done suspend CronJob a (silence) Some(0) Some(1)
    Open stop StatefulSet restate () None None
    Open update CronJob b () None None
    is not finished; nothing is lost yet; next: stop StatefulSet restate
    "#);
}

#[test]
fn running_tests_have_their_time_and_no_more() {
    let job =
        |index| json!({"metadata": {"name": format!("test-{index}"), "namespace": "restate"}});
    let running = |count: usize| Observation {
        jobs: all((0..count).map(job)),
        ..Observation::default()
    };
    let ends = |seen: &Observation| {
        let mut journal = journal(vec![watch(Wait::Ended)]);
        (0..2000).find(|second| matches!(journal.next(seen, at(*second)), Next::Look))
    };
    assert_eq!(ends(&running(0)), Some(0));
    assert_eq!(ends(&running(2)), Some(300));
}

#[test]
fn only_tests_that_began_after_the_step_prove_something_whatever_the_clocks_say() {
    let job = |uid: &str| {
        json!({"metadata": {"name": "test-1", "uid": uid,
            "creationTimestamp": "2030-01-01T00:00:00Z"},
        "status": {"conditions": [{"type": "Complete", "status": "True"}]}})
    };
    let seen = |jobs: Vec<Value>| Observation {
        object: Some(live(json!({"kind": "CronJob"}))),
        jobs: all(jobs),
        ..Observation::default()
    };
    let mut journal = journal(vec![watch(Wait::FirstSuccess)]);
    let waits = |next: Next| matches!(next, Next::Wait { .. });
    assert!(waits(journal.next(&seen(vec![job("old")]), at(0))));
    assert!(waits(journal.next(&seen(vec![job("old")]), at(60))));
    let next = journal.next(&seen(vec![job("old"), job("new")]), at(61));
    assert_eq!(next, Next::Look);
}

#[test]
fn a_clock_that_is_set_back_does_not_make_it_wait_longer() {
    let mut journal = journal(vec![watch(Wait::Complete)]);
    assert!(next(&mut journal, Some(live(json!({}))), 10_000).starts_with("Wait"));
    let given_up = (0..1000).find(|second| {
        let seen = observation(Some(live(json!({}))));
        matches!(journal.next(&seen, at(*second)), Next::Stop(_))
    });
    assert_eq!(given_up, Some(240));
}
