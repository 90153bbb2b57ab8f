//! Consent cannot be met by accident.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use insta::assert_snapshot;
use serde_json::json;

use super::*;
use crate::{
    object::{Digest, Uid},
    plan::{Checked, Effect, Guard, Step, Target},
    wait::Wait,
};

fn step(name: &str) -> Step {
    Step {
        act: Effect::Create {
            object: json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}),
        },
        guard: Guard::Absent,
        until: Wait::None,
        undo: None,
        changes: vec![],
        checked: Checked::ByServer,
        soft: false,
        why: String::new(),
    }
}

fn plan(cluster: &str, loses: Vec<Loss>) -> Plan {
    Plan {
        operation: "wipe".into(),
        target: Target {
            cluster: cluster.into(),
            kube_system: Uid(format!("{cluster}-1")),
            environment: "restate-chaos".into(),
        },
        steps: vec![step("a"), step("b")],
        loses,
        notes: vec![],
        generated: Vec::new(),
    }
}

fn database() -> Plan {
    let claim = Uid("claim-1".into());
    plan("dev", vec![Loss::Database { claim }])
}

fn snapshot() -> Plan {
    let name = "target-restate-0-20260105".into();
    plan("dev", vec![Loss::Snapshot { name }])
}

fn restart() -> Plan {
    let what = "pods restart".into();
    plan("dev", vec![Loss::Disruption { what }])
}

#[test]
fn the_demanded_answer_is_accepted() {
    for answer in ["y", "Y", "yes"] {
        assert!(Ask::new(restart()).typed(answer).is_ok(), "{answer}");
    }
    assert!(
        Ask::new(snapshot())
            .typed("target-restate-0-20260105")
            .is_ok()
    );
    assert!(Ask::new(database()).typed("dev/restate-chaos").is_ok());
    assert!(Ask::new(restart()).piped(true, None).is_ok());
    let digest = database().digest();
    assert!(
        Ask::new(database())
            .piped(false, Some(digest.short()))
            .is_ok()
    );
    assert!(
        Ask::new(database())
            .piped(true, Some(&digest.to_string()))
            .is_ok()
    );
}

#[test]
fn a_near_miss_is_refused() {
    let typed: [(Plan, &str); 26] = [
        (restart(), ""),
        (restart(), " "),
        (restart(), "n"),
        (restart(), " y"),
        (restart(), "y "),
        (restart(), "y\n"),
        (restart(), "yy"),
        (restart(), "ye"),
        (restart(), "YES"),
        (restart(), "true"),
        (restart(), "dev/restate-chaos"),
        (snapshot(), ""),
        (snapshot(), "y"),
        (snapshot(), "target-restate-0"),
        (snapshot(), "target-restate-0-20260105 "),
        (snapshot(), "Target-restate-0-20260105"),
        (snapshot(), "dev/restate-chaos"),
        (database(), ""),
        (database(), "y"),
        (database(), "yes"),
        (database(), "restate-chaos"),
        (database(), "dev/restate"),
        (database(), "dev/Restate-chaos"),
        (database(), "dev/restate-chaos "),
        (database(), "local/restate-chaos"),
        (
            plan(
                "dev",
                vec![Loss::Snapshot {
                    name: String::new(),
                }],
            ),
            "",
        ),
    ];
    for (plan, answer) in typed {
        let worst = plan.worst_loss().cloned();
        assert!(
            Ask::new(plan).typed(answer).is_err(),
            "{worst:?}: {answer:?}"
        );
    }
    assert!(
        Ask::new(database())
            .typed(database().digest().short())
            .is_err()
    );
}

#[test]
fn a_pipe_can_only_approve_what_somebody_has_seen() {
    let digest = |plan: Plan| plan.digest().short().to_string();
    let elsewhere = plan("local", database().loses);
    let piped: [(&str, Plan, bool, Option<String>); 11] = [
        ("nothing said", restart(), false, None),
        ("--yes for a snapshot", snapshot(), true, None),
        ("--yes for a database", database(), true, None),
        ("empty digest", database(), true, Some(String::new())),
        (
            "the phrase as digest",
            database(),
            true,
            Some("dev/restate-chaos".into()),
        ),
        (
            "another plan's digest",
            database(),
            false,
            Some(digest(snapshot())),
        ),
        (
            "the digest on another cluster",
            database(),
            false,
            Some(digest(elsewhere)),
        ),
        (
            "too short",
            database(),
            false,
            Some(digest(database())[..11].into()),
        ),
        (
            "upper case",
            database(),
            false,
            Some(digest(database()).to_uppercase()),
        ),
        (
            "trailing space",
            database(),
            false,
            Some(digest(database()) + " "),
        ),
        (
            "--yes beside a wrong digest",
            restart(),
            true,
            Some(digest(database())),
        ),
    ];
    for (case, plan, yes, approve) in piped {
        assert!(
            Ask::new(plan).piped(yes, approve.as_deref()).is_err(),
            "{case}"
        );
    }
}

#[test]
fn a_refusal_says_what_would_have_done() {
    let refused = Ask::new(database()).typed("yes").unwrap_err();
    assert_snapshot!(refused, @r#"not confirmed; nothing was changed: expected "dev/restate-chaos", got "yes""#);
    let flag = Ask::new(database()).flag();
    assert_eq!(flag, format!("--approve {}", database().digest().short()));
    assert_eq!(Ask::new(restart()).flag(), "--yes");
}

#[test]
fn the_worst_loss_is_what_has_to_be_said() {
    let mut plan = snapshot();
    plan.loses.extend(database().loses);
    plan.loses.extend(restart().loses);
    let demand = Ask::new(plan).demand();
    assert_eq!(demand, Demand::Phrase("dev/restate-chaos".into()));
}

#[test]
fn what_loses_something_needs_consent_even_without_steps() {
    let mut plan = database();
    plan.steps.clear();
    assert!(Ask::new(plan).unneeded().is_err());
}

#[test]
fn consent_is_to_one_plan() {
    let moved = |twist: fn(&mut Plan)| {
        let mut fresh = database();
        twist(&mut fresh);
        let approved = Ask::new(database()).typed("dev/restate-chaos").unwrap();
        approved.renew(fresh, 0).is_err()
    };
    assert!(!moved(|_| {}));
    assert!(!moved(|plan| plan.notes.push("time passed".into())));
    assert!(!moved(|plan| plan.steps[0].checked = Checked::Locally));
    assert!(moved(|plan| plan.target.environment = "restate".into()));
    assert!(moved(|plan| plan.target.kube_system = Uid("other".into())));
    assert!(moved(|plan| plan.operation = "deploy".into()));
    assert!(moved(|plan| plan.loses.clear()));
    assert!(moved(|plan| plan.steps.swap(0, 1)));
    assert!(moved(|plan| plan.steps.truncate(1)));
    assert!(moved(|plan| plan.steps[1].guard = Guard::None));
}

#[test]
fn what_moved_is_said() {
    let moved = |twist: fn(&mut Plan)| {
        let mut fresh = database();
        twist(&mut fresh);
        let approved = Ask::new(database()).typed("dev/restate-chaos").unwrap();
        approved.renew(fresh, 0).unwrap_err().to_string()
    };
    let stories = [
        moved(|plan| plan.steps[1].guard = Guard::None),
        moved(|plan| plan.steps.truncate(1)),
        moved(|plan| plan.loses.clear()),
    ];
    assert_snapshot!(stories.join("\n"), @"
    the cluster changed while the plan waited for approval; nothing was changed: plan 9114e80edb70 was approved, the plan is now 451f92f82cb0
      - create ConfigMap b: its precondition changed
    the cluster changed while the plan waited for approval; nothing was changed: plan 9114e80edb70 was approved, the plan is now 4f6fc538372b
      - no longer: create ConfigMap b
    the cluster changed while the plan waited for approval; nothing was changed: plan 9114e80edb70 was approved, the plan is now 045bc48dfd41
      - the order of the steps, the target or the losses changed
    ");
}

#[test]
fn steps_that_are_done_are_not_asked_for_again() {
    let mut fresh = restart();
    fresh.steps.remove(0);
    let approved = Ask::new(restart()).typed("y").unwrap();
    assert!(approved.renew(fresh.clone(), 1).is_ok());
    let approved = Ask::new(restart()).typed("y").unwrap();
    assert!(approved.renew(fresh, 0).is_err());
}

#[test]
fn the_name_of_a_snapshot_may_be_another_and_what_it_is_of_may_not() {
    let digest = |name: &str, claim: &str| {
        let mut plan = snapshot();
        plan.steps[0].act = Effect::Snapshot {
            object: json!({"kind": "VolumeSnapshot", "metadata": {"name": name}}),
            claim: Uid(claim.into()),
        };
        plan.digest()
    };
    let at_ten: Digest = digest("target-1000", "claim-1");
    assert_eq!(at_ten, digest("target-1001", "claim-1"));
    assert_ne!(at_ten, digest("target-1000", "claim-2"));
}
