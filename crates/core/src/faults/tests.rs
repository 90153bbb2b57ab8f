//! What each fault comes to as a plan, what stands against one, and what a killed runner leaves.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    ledger::{Entry, Ledger},
    *,
};
use crate::{
    approval::Ask,
    cluster::{
        Namespace, View as _,
        tests::{all, live},
    },
    journal::{Journal, Stored},
    names::CHAOS_LABEL,
    object::Uid,
    plan::{Guard, Loss, Plan},
    wait::{Observation, Wait},
};

mod ledger;
mod rotation_status;
mod stopping;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_607_200 + seconds).unwrap()
}

fn settings() -> Settings {
    Settings {
        target: Target {
            cluster: "local".into(),
            kube_system: Uid("k".into()),
            environment: "restate-chaos".into(),
        },
        replicas: 3,
        hold: SignedDuration::from_secs(30),
        enforces_policies: true,
        seed: 7,
    }
}

fn pod(name: &str, uid: &str, restarts: u64, ready: bool) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "restate-chaos", "uid": uid},
        "status": {"phase": "Running",
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
            "containerStatuses": [{"name": "a", "restartCount": restarts, "ready": ready}]}})
}

fn workload(kind: &str, name: &str, replicas: u64, pods: Vec<Value>) -> Observation {
    let object = json!({"apiVersion": "apps/v1", "kind": kind,
        "metadata": {"name": name, "namespace": "restate-chaos", "uid": format!("uid-{name}"), "generation": 1},
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas,
            "readyReplicas": replicas, "availableReplicas": replicas}});
    Observation {
        object: Some(live(object)),
        pods: all(pods),
        ..Observation::default()
    }
}

fn node(pods: Vec<Value>) -> Observation {
    workload("StatefulSet", "restate", 1, pods)
}

fn services() -> Observation {
    let pods = ["a", "b", "c"].map(|name| pod(&format!("verification-{name}"), name, 0, true));
    workload("Deployment", "verification", 3, pods.to_vec())
}

fn namespace(labels: &Value) -> Namespace {
    Namespace::read(&live(json!({"metadata": {"labels": labels}}))).unwrap()
}

/// Everything is well, and faults are asked for.
fn facts() -> Facts {
    Facts {
        namespace: Some(namespace(&json!({CHAOS_LABEL: "true"}))),
        node: node(vec![pod("restate-0", "n", 1, true)]),
        services: services(),
        ..Facts::default()
    }
}

fn fault(name: &str) -> &'static Fault {
    find(name).unwrap()
}

fn planned(name: &str) -> Plan {
    decide(fault(name), &settings(), &facts(), at(0)).unwrap()
}

fn told(plan: &Plan) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        text += &format!("  {}", step.act);
        match &step.guard {
            Guard::None => {}
            Guard::Is { uid } => text += &format!(" if it is {uid}"),
            other => text += &format!(" if {other:?}"),
        }
        match &step.until {
            Wait::None => {}
            Wait::Held { seconds } => text += &format!(", for {seconds} s"),
            Wait::Renewed { before, within } => {
                text += &format!(", healthy within {within} s");
                let other: Vec<String> = before
                    .iter()
                    .map(|before| format!("{} restarted {} times", before.uid, before.restarts))
                    .collect();
                if !other.is_empty() {
                    text += &format!(", and not: {}", other.join(", "));
                }
            }
            other => text += &format!(" until {other:?}"),
        }
        if let Some(undo) = &step.undo {
            text += &format!("; taken back: {undo}");
        }
        text += "\n";
    }
    text
}

#[test]
fn every_fault_strikes_is_taken_back_and_waits_until_its_target_is_well() {
    let all: Vec<String> = FAULTS
        .iter()
        .map(|fault| format!("{}\n{}", fault.name, told(&planned(fault.name))))
        .collect();
    assert_snapshot!(all.join(""));
}

#[test]
fn what_a_killed_runner_left_is_taken_back_by_name_alone() {
    let all: Vec<String> = FAULTS
        .iter()
        .map(|fault| format!("{}\n{}", fault.name, told(&heal(fault, &settings(), at(0)))))
        .collect();
    assert_snapshot!(all.join(""));
}

#[test]
fn a_fault_disturbs_and_loses_nothing_else() {
    for fault in FAULTS {
        let plan = planned(fault.name);
        assert!(
            matches!(plan.loses[..], [Loss::Disruption { .. }]),
            "{}: {:?}",
            fault.name,
            plan.loses
        );
        assert!(Ask::new(plan).standing("chaos").is_ok(), "{}", fault.name);
    }
}

#[test]
fn a_standing_approval_never_covers_what_is_lost() {
    for loss in [
        Loss::Copy { name: "a".into() },
        Loss::Evidence { job: "a".into() },
        Loss::Snapshot { name: "a".into() },
        Loss::Database {
            claim: Uid("a".into()),
        },
        Loss::OnlyCopy {
            claim: Uid("a".into()),
        },
    ] {
        let mut plan = planned("kill-restate");
        plan.loses.push(loss);
        let refused = Ask::new(plan).standing("chaos").unwrap_err();
        assert!(
            refused.to_string().contains("does not cover this plan"),
            "{refused}"
        );
    }
}

fn no_go(name: &str, change: impl Fn(&mut Facts, &mut Settings)) -> String {
    let (mut facts, mut settings) = (facts(), settings());
    change(&mut facts, &mut settings);
    match decide(fault(name), &settings, &facts, at(0)) {
        Ok(_) => "go".to_string(),
        Err(reason) => reason.to_string(),
    }
}

fn paused(until: i64) -> Value {
    let pause = Pause {
        until: at(until),
        since: at(-60),
        reason: "a release".into(),
        by: "ana@laptop".into(),
    };
    pause.manifest("restate-chaos")
}

fn open(fault: &str) -> Value {
    let mut ledger = Ledger::default();
    ledger.begin(Entry::begin(fault, "schedule", vec![], at(-100)));
    ledger.manifest("restate-chaos")
}

#[test]
fn what_stands_against_a_fault() {
    let kill = |change: fn(&mut Facts, &mut Settings)| no_go("kill-restate", change);
    let lines = [
        ("all is well", kill(|_, _| {})),
        (
            "no label",
            kill(|facts, _| facts.namespace = Some(namespace(&json!({})))),
        ),
        (
            "label says no",
            kill(|facts, _| {
                facts.namespace = Some(namespace(&json!({CHAOS_LABEL: "false"})));
            }),
        ),
        ("no namespace", kill(|facts, _| facts.namespace = None)),
        ("a pause", kill(|facts, _| facts.pause = Some(paused(60)))),
        (
            "a pause that is over",
            kill(|facts, _| facts.pause = Some(paused(0))),
        ),
        (
            "a pause nobody can read",
            kill(|facts, _| {
                facts.pause = Some(json!({"data": {"pause": "{}"}}));
            }),
        ),
        (
            "a fault that has not ended",
            kill(|facts, _| facts.ledger = Some(open("stop-services"))),
        ),
        (
            "an operation that is not finished",
            kill(|facts, _| {
                let journal = Journal::open(
                    Ask::new(planned("stop-services"))
                        .standing("chaos")
                        .unwrap(),
                );
                facts.journal = Some(Stored::begin(journal, None, at(0)).manifest());
            }),
        ),
        (
            "the node is not ready",
            kill(|facts, _| {
                facts.node = node(vec![pod("restate-0", "n", 1, false)]);
            }),
        ),
        (
            "the node is stopped",
            kill(|facts, _| facts.node = workload("StatefulSet", "restate", 0, vec![])),
        ),
        (
            "the node is on its way out",
            kill(|facts, _| {
                facts.node.pods[0].metadata.deleted = Some(at(0));
            }),
        ),
        (
            "a service is not ready",
            kill(|facts, _| {
                facts.services.pods[1..2].clone_from_slice(&all([pod(
                    "verification-b",
                    "b",
                    0,
                    false,
                )]));
            }),
        ),
        (
            "no service at all",
            kill(|facts, _| facts.services = Observation::default()),
        ),
        (
            "policies are not enforced",
            kill(|_, settings| settings.enforces_policies = false),
        ),
        (
            "and the network is to be cut",
            no_go("cut-network", |_, settings| {
                settings.enforces_policies = false;
            }),
        ),
    ];
    let text: Vec<String> = lines
        .iter()
        .map(|(case, answer)| format!("{case}: {answer}"))
        .collect();
    assert_snapshot!(text.join("\n"));
}

#[test]
fn what_was_seen_before_the_fault_is_no_recovery() {
    let plan = planned("kill-restate");
    let until = &plan.steps.last().unwrap().until;
    let holds = |pod| until.assess(&node(vec![pod]), at(0)) == crate::wait::WaitStatus::Met;
    assert!(
        !holds(pod("restate-0", "n", 1, true)),
        "it is still the old process"
    );
    assert!(
        !holds(pod("restate-0", "n", 2, false)),
        "the new one is not ready"
    );
    assert!(holds(pod("restate-0", "n", 2, true)));
    assert!(holds(pod("restate-0", "another", 0, true)));
}

#[test]
fn the_choice_of_one_service_moves() {
    let chosen = |seed| {
        let settings = Settings { seed, ..settings() };
        let plan = decide(fault("kill-one-service"), &settings, &facts(), at(0)).unwrap();
        facts().targets(&plan)
    };
    assert_eq!(chosen(0), ["Pod verification-a (a)"]);
    assert_eq!(chosen(1), ["Pod verification-b (b)"]);
    assert_eq!(chosen(5), ["Pod verification-c (c)"]);
}

#[test]
fn the_ledger_says_what_is_aimed_at() {
    let targets = |name: &str| facts().targets(&planned(name)).join(", ");
    assert_eq!(targets("kill-restate"), "Pod restate-0 (n)");
    assert_eq!(targets("delete-restate"), "Pod restate-0 (n)");
    assert_eq!(
        targets("stop-services"),
        "Deployment verification (uid-verification)"
    );
    assert_eq!(targets("cut-network"), "NetworkPolicy allow-service");
}

/// Each rule of a Role, by what it allows.
#[test]
fn a_role_allows_what_its_faults_need_and_no_more() {
    let verbs = |names: &[&str], resource: &str| {
        let faults = names.iter().map(|name| fault(name));
        let rules = rules(faults);
        let of = rules
            .iter()
            .filter(|rule| rule.resources.contains(&resource));
        of.flat_map(|rule| rule.verbs.to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(verbs(&["kill-restate"], "pods/exec"), ["create", "get"]);
    assert_eq!(verbs(&["kill-restate"], "pods"), ["get", "list", "watch"]);
    // What `freeze-restate` left when it was in the file is taken back by the others.
    assert_eq!(verbs(&["kill-services"], "pods/exec"), ["create", "get"]);
    assert_eq!(
        verbs(&["delete-restate"], "pods/eviction"),
        Vec::<&str>::new()
    );
    assert_eq!(
        verbs(&["kill-services", "delete-restate"], "pods"),
        ["get", "list", "watch", "delete"]
    );
    assert_eq!(
        verbs(&["stop-services", "restart-services"], "deployments"),
        ["get", "list", "watch", "patch"]
    );
    assert_eq!(verbs(&["cut-network"], "networkpolicies"), ["get", "patch"]);
}

#[test]
fn every_file_of_a_fault_is_in_the_list() {
    let names: Vec<&str> = FAULTS.iter().map(|fault| fault.name).collect();
    let distinct: alloc::collections::BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(distinct.len(), names.len());
    for name in names {
        assert_eq!(of_cron_job(&fault(name).cron_job()).unwrap().name, name);
        // `fault-<name>-<minute>` is the name of a Job, and of its pods with five letters more.
        assert!(fault(name).cron_job().len() + 9 + 6 <= 63, "{name}");
    }
}

#[test]
fn an_unknown_fault_is_answered_with_the_nearest() {
    let hint = find("kil-restate").err().unwrap();
    assert!(
        hint.starts_with("did you mean `kill-restate`? allowed: delete-restate, "),
        "{hint}"
    );
}
