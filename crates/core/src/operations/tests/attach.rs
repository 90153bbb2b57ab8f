//! Attachments: what lives as long as the command, and what is left when it is killed.

use jiff::SignedDuration;

use super::*;
use crate::{
    operations::attach::{HOLDER_ANNOTATION, Wish, deadline, plan},
    plan::Effect,
};

fn wish(snapshot: &str) -> Wish {
    Wish {
        snapshot: snapshot.into(),
        writable: false,
        longest: SignedDuration::from_hours(4),
        who: "somebody@somewhere".into(),
    }
}

fn guardian(ended: bool) -> Value {
    let status = if ended { "True" } else { "False" };
    json!({"metadata": {"name": "attach-kept", "uid": "g", "labels": {"longrun/attach": "kept"},
            "annotations": {HOLDER_ANNOTATION: "a@b"}},
        "status": {"conditions": [{"type": "Failed", "status": status}]}})
}

#[test]
fn a_guardian_owns_what_is_attached() {
    let planned = plan(&target(), &facts(), &options(), &wish("kept"));
    assert_snapshot!(story(planned.clone()), @"");
    let manifests: Vec<Value> = planned
        .unwrap()
        .steps
        .into_iter()
        .filter_map(|step| match step.act {
            Effect::Create { object } => Some(object),
            _ => None,
        })
        .collect();
    assert_snapshot!(serde_json::to_string_pretty(&manifests).unwrap(), @"");
}

#[test]
fn one_that_is_attached_is_not_attached_again_and_one_that_ended_is_cleared_away() {
    let with = |ended| {
        let mut facts = facts();
        facts.jobs.push(guardian(ended));
        story(plan(&target(), &facts, &options(), &wish("kept")))
    };
    assert_snapshot!([with(false), with(true)].join("\n"), @"");
}

#[test]
fn the_deadline_moves_with_the_heartbeat_up_to_the_end() {
    let minutes = SignedDuration::from_mins;
    let at = |elapsed| deadline(elapsed, minutes(10));
    assert_eq!(at(SignedDuration::ZERO), 60);
    assert_eq!(at(minutes(5)), 360);
    assert_eq!(at(minutes(9)), 600);
    assert_eq!(at(minutes(60)), 600);
}
