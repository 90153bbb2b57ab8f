//! A journal as a story: what it asked for, line by line.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use insta::assert_snapshot;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::{
    approval::Ask,
    cluster::tests::live,
    object::{Digest, ObjectRef, intent},
    plan::{Checked, Policy, Target},
    wait::Wait,
};

mod closes;
mod driver;
mod gone;
mod patience;
mod stored;
mod undo;
mod visitors;

fn place(name: &str) -> ObjectRef {
    ObjectRef::namespaced("batch/v1", "CronJob", "restate", name)
}

fn object(name: &str, uid: &str, suspend: bool) -> Value {
    live(json!({"apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": name, "namespace": "restate", "uid": uid},
        "spec": {"suspend": suspend, "schedule": "*/5 * * * *"}, "status": {}}))
}

fn step(act: Effect, guard: Guard, until: Wait) -> Step {
    let undo = match &act {
        Effect::Suspend { object, suspend } => Some(Effect::Suspend {
            object: object.clone(),
            suspend: !suspend,
        }),
        _ => None,
    };
    Step {
        act,
        guard,
        until,
        undo,
        changes: vec![],
        checked: Checked::Nothing,
        soft: false,
        why: String::new(),
    }
}

fn suspend(name: &str) -> Step {
    let (object, suspend) = (place(name), true);
    let uid = Uid("1".into());
    step(
        Effect::Suspend { object, suspend },
        Guard::Is { uid },
        Wait::None,
    )
}

fn update(name: &str) -> Step {
    let live = object(name, "1", false);
    let mut object = live.clone();
    object["spec"] = json!({"schedule": "* * * * *"});
    let act = Effect::Update {
        object,
        force: false,
    };
    let (uid, intent) = (Uid("1".into()), Digest::of(&intent(&live)));
    step(act, Guard::Unchanged { uid, intent }, Wait::None)
}

fn delete(name: &str) -> Step {
    let uid = Uid("1".into());
    let act = Effect::Delete {
        object: place(name),
        uid: uid.clone(),
        propagation: crate::plan::Propagation::Background,
    };
    let live = intent(&object(name, "1", false));
    let intent = Digest::of(&live);
    let guard = Guard::Unchanged {
        uid: uid.clone(),
        intent,
    };
    step(act, guard, Wait::Gone { uid })
}

fn watch(until: Wait) -> Step {
    step(
        Effect::Watch {
            object: place("watched"),
        },
        Guard::None,
        until,
    )
}

fn journal(steps: Vec<Step>) -> Journal {
    let plan = Plan {
        operation: "deploy".into(),
        target: Target {
            cluster: "dev".into(),
            kube_system: Uid("k".into()),
            environment: "restate".into(),
        },
        steps,
        loses: vec![],
        notes: vec![],
        generated: Vec::new(),
    };
    Journal::open(Ask::new(plan).piped(true, None).unwrap())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn observation(object: Option<Value>) -> Observation {
    Observation {
        object,
        ..Observation::default()
    }
}

/// Every object is there as planned, every effect is done, except the one that is refused.
fn story(mut journal: Journal, refused: &str) -> String {
    let mut story = Vec::new();
    for second in 0..2000 {
        let step = journal.current().and_then(|step| step.act.object());
        let observation = observation(step.map(|place| object(&place.name, "1", false)));
        let next = journal.next(&observation, at(second));
        let line = match &next {
            Next::Do(effect) => format!("do {effect}"),
            Next::Undo(effect) => format!("undo: {effect}"),
            Next::Stop(reason) => format!("stop: {reason}"),
            Next::Done => "done".to_string(),
            Next::Look => "look".to_string(),
            Next::TurnBack(_) => "turn back".to_string(),
            Next::Wait { cause, .. } => format!("wait: {cause}"),
        };
        if story.last() != Some(&line) {
            story.push(line.clone());
        }
        match next {
            _ if !refused.is_empty() && line.ends_with(refused) => {
                journal.refused("forbidden".into(), at(9));
            }
            Next::Do(_) => journal.acted(None, at(second)),
            Next::Undo(_) => journal.undone(),
            Next::Stop(_) | Next::Done => break,
            Next::Look | Next::TurnBack(_) | Next::Wait { .. } => {}
        }
    }
    story.extend(
        journal
            .traces()
            .in_effect
            .iter()
            .map(|effect| format!("left: {effect}")),
    );
    story.join("\n")
}

#[test]
fn steps_are_done_in_order() {
    assert_snapshot!(story(journal(vec![suspend("a"), update("b"), suspend("c")]), ""), @r#"
    do suspend CronJob a
    look
    do update CronJob b
    look
    do suspend CronJob c
    look
    done
    "#);
}

#[test]
fn a_guard_that_does_not_hold_stops_before_anything_is_done() {
    let changed = |twist: fn(&mut Value)| {
        let mut live = object("a", "1", false);
        twist(&mut live);
        match journal(vec![update("a")]).next(&observation(Some(live)), at(0)) {
            Next::Stop(reason) => format!("{reason}\n"),
            other => format!(
                "{}\n",
                if matches!(other, Next::Do(_)) {
                    "done"
                } else {
                    "?"
                }
            ),
        }
    };
    let table = [
        changed(|live| live["status"] = json!({"lastScheduleTime": "now"})),
        changed(|live| live["spec"]["suspend"] = json!(true)),
        changed(|live| live["metadata"]["uid"] = json!("2")),
    ];
    assert_snapshot!(table.concat(), @r#"
    done
    update CronJob a: not done, because another client changed it in the meantime
    update CronJob a: not done, because it has been recreated in the meantime: the plan is for UID 1, it is 2
    "#);
    let next = journal(vec![update("a")]).next(&observation(None), at(0));
    assert!(matches!(next, Next::Stop(Reason::Moved { .. })));
}

/// The driver wrote that it began, and died. What was met when another one looked again?
fn resumed(step: Step, met: Option<Value>) -> String {
    let before = observation(Some(object("a", "1", false)));
    let mut begun = journal(vec![step]);
    assert!(matches!(begun.next(&before, at(0)), Next::Do(_)));
    let written = serde_json::to_string(&begun).unwrap();
    let mut read: Journal = serde_json::from_str(&written).unwrap();
    read.unanswered();
    match read.next(&observation(met), at(60)) {
        Next::Do(_) => "again".into(),
        Next::Look => "was done".into(),
        Next::Wait { .. } => "was done, waits".into(),
        Next::Stop(reason) | Next::TurnBack(reason) => reason.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_driver_that_takes_over_looks_before_it_acts() {
    let live = object("a", "1", false);
    let mut updated = live.clone();
    updated["spec"]["schedule"] = json!("* * * * *");
    let mut edited = live.clone();
    edited["spec"]["schedule"] = json!("0 * * * *");
    let mut going = live.clone();
    going["metadata"]["deletionTimestamp"] = json!("2026-01-05T10:00:00Z");
    let other = Some(object("a", "2", false));
    let story = [
        ("update, not done", resumed(update("a"), Some(live.clone()))),
        ("update, answer lost", resumed(update("a"), Some(updated))),
        ("update, edited since", resumed(update("a"), Some(edited))),
        (
            "update, recreated since",
            resumed(update("a"), other.clone()),
        ),
        ("delete, not done", resumed(delete("a"), Some(live))),
        ("delete, answer lost", resumed(delete("a"), None)),
        ("delete, still going", resumed(delete("a"), Some(going))),
        ("delete, recreated since", resumed(delete("a"), other)),
    ];
    let lines: Vec<String> = story
        .iter()
        .map(|(case, end)| format!("{case}: {end}"))
        .collect();
    assert_snapshot!(lines.join("\n"), @r#"
    update, not done: again
    update, answer lost: was done
    update, edited since: update CronJob a: not done, because another client changed it in the meantime
    update, recreated since: update CronJob a: not done, because it has been recreated in the meantime: the plan is for UID 1, it is 2
    delete, not done: again
    delete, answer lost: was done
    delete, still going: was done, waits
    delete, recreated since: was done
    "#);
}

#[test]
fn a_journal_of_another_format_is_not_read() {
    let mut written = serde_json::to_value(journal(vec![])).unwrap();
    written["format"] = json!(2);
    let error = serde_json::from_value::<Journal>(written).unwrap_err();
    assert_snapshot!(error, @"this journal has format 2, this program reads 1: use the version that wrote it");
}
