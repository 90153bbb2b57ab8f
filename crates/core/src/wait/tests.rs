//! Each wait ends with a cause: one line an observation.

use alloc::{format, string::String, vec, vec::Vec};

use insta::assert_snapshot;
use serde_json::json;

use super::*;
use crate::cluster::tests::{all, live};

mod reader;

const BEGAN: &str = "2026-01-05T10:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn check(until: &Wait, observations: &[Observation]) -> String {
    observations
        .iter()
        .map(|observation| match until.assess(observation, time(BEGAN)) {
            WaitStatus::Met => "holds\n".into(),
            WaitStatus::Pending { cause } => format!("not yet: {cause}\n"),
            WaitStatus::Unhealthy { cause } => format!("bad: {cause}\n"),
            WaitStatus::Failed { cause } => format!("never: {cause}\n"),
        })
        .collect()
}

fn of(object: Value) -> Observation {
    Observation {
        object: Some(live(object)),
        ..Observation::default()
    }
}

fn with(object: &Value, pods: Vec<Value>, warnings: Vec<Warning>) -> Observation {
    Observation {
        object: Some(live(object.clone())),
        pods: all(pods),
        warnings,
        ..Observation::default()
    }
}

fn deployment(observed: u64, updated: u64, all: u64, available: u64) -> Value {
    json!({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 3},
        "status": {"observedGeneration": observed, "updatedReplicas": updated, "replicas": all,
            "availableReplicas": available}})
}

fn pod(name: &str, hash: &str, made: &str, container: &Value) -> Value {
    let mut container = container.clone();
    container["name"] = json!("main");
    json!({"metadata": {"name": name, "creationTimestamp": made,
            "labels": {"pod-template-hash": hash, "controller-revision-hash": hash}},
        "status": {"containerStatuses": [container]}})
}

fn waiting(reason: &str) -> Value {
    json!({"state": {"waiting": {"reason": reason, "message": "back-off"}}})
}

fn warning(last: &str, about: &str, reason: &str) -> Warning {
    Warning {
        last: time(last),
        about: about.into(),
        reason: reason.into(),
        message: "exceeded quota".into(),
    }
}

fn condition(kind: &str, status: &str, made: &str, uid: &str) -> Value {
    json!({"metadata": {"name": format!("test-{uid}"), "uid": uid, "creationTimestamp": made},
        "status": {"conditions": [{"type": kind, "status": status, "reason": "BackoffLimitExceeded"}]}})
}

#[test]
fn a_deployment_runs_what_its_template_says_and_only_that() {
    let mut stuck = deployment(2, 1, 4, 3);
    stuck["status"]["conditions"] =
        json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
    let mut denied = deployment(2, 1, 4, 3);
    denied["status"]["conditions"] = json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}]);
    let observations = vec![
        Observation::default(),
        of(deployment(1, 3, 3, 3)),
        of(deployment(2, 1, 4, 3)),
        of(deployment(2, 3, 4, 3)),
        of(deployment(2, 3, 3, 2)),
        of(deployment(2, 3, 3, 3)),
        of(stuck),
        of(denied),
    ];
    assert_snapshot!(check(&Wait::RolledOut, &observations), @r#"
    not yet: it does not exist
    not yet: its controller has not observed generation 2
    not yet: 1 of 3 pods run the current template
    not yet: 1 surplus pods remain
    not yet: 2 of 3 pods are ready
    holds
    never: ProgressDeadlineExceeded
    bad: FailedCreate: exceeded quota
    "#);
}

#[test]
fn only_the_pods_of_the_present_template_count() {
    let rolling = deployment(2, 1, 4, 3);
    let bad = waiting("ImagePullBackOff");
    let old = pod("old", "1", "2026-01-05T09:00:00Z", &bad);
    let fine = json!({"state": {"running": {}}, "ready": false});
    let new = |container| pod("new", "2", "2026-01-05T10:00:01Z", container);
    let set = json!({"kind": "StatefulSet", "metadata": {"generation": 1}, "spec": {"replicas": 1},
        "status": {"observedGeneration": 1, "updateRevision": "2", "replicas": 1}});
    let observations = vec![
        with(&rolling, vec![old.clone(), new(&fine)], vec![]),
        with(&rolling, vec![old.clone(), new(&bad)], vec![]),
        with(&set, vec![old], vec![]),
        with(&set, vec![new(&waiting("CrashLoopBackOff"))], vec![]),
    ];
    assert_snapshot!(check(&Wait::RolledOut, &observations), @r#"
    not yet: 1 of 3 pods run the current template (new main is running but not ready)
    bad: new: container main: ImagePullBackOff: back-off
    not yet: 0 of 1 pods run the current template
    bad: new: container main: CrashLoopBackOff: back-off
    "#);
}

#[test]
fn a_container_that_keeps_exiting_is_bad_even_while_it_runs() {
    let object = deployment(2, 1, 3, 0);
    let crashing = |restarts: u64, ready: bool| {
        let container = json!({"state": {"running": {}}, "ready": ready, "restartCount": restarts,
            "lastState": {"terminated": {"exitCode": 137}}});
        with(&object, vec![pod("p", "2", BEGAN, &container)], vec![])
    };
    let mut pending = pod("p", "2", BEGAN, &json!({}));
    pending["status"] = json!({"conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu"}]});
    let observations = vec![
        crashing(1, false),
        crashing(2, false),
        crashing(2, true),
        with(&object, vec![pending], vec![]),
    ];
    assert_snapshot!(check(&Wait::RolledOut, &observations), @r#"
    not yet: 1 of 3 pods run the current template (p main is running but not ready)
    bad: p: container main keeps exiting: 2 restarts, last exit code 137
    not yet: 1 of 3 pods run the current template
    bad: p cannot be scheduled: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu
    "#);
}

#[test]
fn a_warning_counts_until_it_is_outdated() {
    let object = deployment(2, 1, 3, 0);
    let running = json!({"state": {"running": {}}});
    let at = |made| vec![pod("p", "2", made, &running)];
    let quota = |last| vec![warning(last, "ReplicaSet r", "FailedCreate")];
    let mount = |about| vec![warning("2026-01-05T10:00:05Z", about, "FailedMount")];
    let observations = vec![
        with(&object, vec![], quota("2026-01-05T10:00:05Z")),
        with(&object, vec![], quota("2026-01-05T09:59:00Z")),
        with(
            &object,
            at("2026-01-05T10:00:03Z"),
            quota("2026-01-05T10:00:05Z"),
        ),
        with(
            &object,
            at("2026-01-05T10:00:06Z"),
            quota("2026-01-05T10:00:05Z"),
        ),
        with(&object, at(BEGAN), mount("Pod p")),
        with(&object, at(BEGAN), mount("Pod other-p")),
    ];
    assert_snapshot!(check(&Wait::RolledOut, &observations), @r#"
    bad: ReplicaSet r: FailedCreate: exceeded quota
    not yet: 1 of 3 pods run the current template
    bad: ReplicaSet r: FailedCreate: exceeded quota
    not yet: 1 of 3 pods run the current template (p main is running but not ready)
    not yet: 1 of 3 pods run the current template (p main is running but not ready)
    bad: Pod other-p: FailedMount: exceeded quota
    "#);
}

#[test]
fn the_first_test_that_succeeds_is_enough() {
    let cron_job = json!({"kind": "CronJob", "spec": {}});
    let jobs = |jobs: Vec<Value>| Observation {
        jobs: all(jobs),
        ..of(cron_job.clone())
    };
    let mut interrupted = condition("Complete", "True", "2026-01-05T10:00:00Z", "1");
    interrupted["metadata"]["labels"] = json!({"longrun/interrupted": "wipe"});
    let stuck = condition("Complete", "False", "2026-01-05T10:01:00Z", "2");
    let next = condition("Complete", "False", "2026-01-05T10:02:00Z", "3");
    let mut failing = jobs(vec![interrupted.clone()]);
    let mut of_old = pod("p", "", BEGAN, &waiting("ImagePullBackOff"));
    of_old["metadata"]["ownerReferences"] = json!([{"uid": "1"}]);
    failing.pods = all([of_old.clone()]);
    let mut fresh = jobs(vec![stuck.clone()]);
    of_old["metadata"]["ownerReferences"] = json!([{"uid": "2"}]);
    fresh.pods = all([of_old]);
    let complete = condition("Complete", "True", "2026-01-05T10:02:00Z", "4");
    let mut denied = jobs(vec![stuck.clone()]);
    denied.warnings = vec![warning(
        "2026-01-05T10:01:01Z",
        "Job test-2",
        "FailedCreate",
    )];
    let observations = vec![
        jobs(vec![]),
        jobs(vec![interrupted.clone()]),
        jobs(vec![next, stuck.clone(), interrupted]),
        jobs(vec![stuck, complete]),
        denied,
        jobs(vec![condition(
            "Failed",
            "True",
            "2026-01-05T10:01:00Z",
            "2",
        )]),
        jobs(vec![condition(
            "Complete",
            "True",
            "2026-01-05T10:01:00Z",
            "2",
        )]),
        failing,
        fresh,
        of(json!({"spec": {"suspend": true}})),
    ];
    assert_snapshot!(check(&Wait::FirstSuccess, &observations), @r#"
    not yet: the next test has not started
    not yet: the next test has not started
    not yet: test-2: no pod has started
    holds
    bad: Job test-2: FailedCreate: exceeded quota
    never: test-2 failed: BackoffLimitExceeded
    holds
    not yet: the next test has not started
    bad: p: container main: ImagePullBackOff: back-off
    never: the CronJob is suspended
    "#);
}

#[test]
fn the_other_waits() {
    let uid = Uid("1".into());
    let held = json!({"metadata": {"uid": "1", "finalizers": ["kubernetes.io/pvc-protection"]}});
    let another = json!({"metadata": {"uid": "2"}});
    let gone = vec![of(held), of(another), Observation::default()];
    assert_snapshot!(check(&Wait::Gone { uid }, &gone), @r#"
    not yet: waiting for finalizers: kubernetes.io/pvc-protection
    holds
    holds
    "#);

    let phase = |phase| of(json!({"status": {"phase": phase}}));
    let active = vec![phase("Active"), phase("Terminating"), of(json!({}))];
    assert_snapshot!(check(&Wait::Active, &active), @r#"
    holds
    never: the namespace is being deleted
    not yet: the namespace has no phase yet
    "#);

    let ready = |status| of(json!({"status": status}));
    let snapshot = vec![
        of(json!({})),
        ready(json!({"boundVolumeSnapshotContentName": "c", "readyToUse": false})),
        ready(json!({"readyToUse": false, "error": {"message": "timeout"}})),
        ready(json!({"readyToUse": true})),
    ];
    assert_snapshot!(check(&Wait::SnapshotReady, &snapshot), @r#"
    bad: no snapshot controller has picked the snapshot up: check that the snapshot-controller of kubernetes-csi/external-snapshotter runs, or install it
    not yet: the storage has not finished the snapshot
    bad: the snapshot controller retries after: timeout
    holds
    "#);
}

#[test]
fn a_drain_believes_no_count_from_before_the_quiet() {
    let drain = |jobs: Vec<Value>, open: Option<(u64, i64)>| Observation {
        jobs: all(jobs),
        open_invocations: open.map(|(count, seconds)| Counted {
            count,
            at: time(BEGAN) + SignedDuration::from_secs(seconds),
        }),
        ..Observation::default()
    };
    let running = vec![json!({"status": {"active": 1}})];
    let ended = |kind, seconds| {
        let end = (time(BEGAN) + SignedDuration::from_secs(seconds)).to_string();
        let condition = json!({"type": kind, "status": "True", "lastTransitionTime": end});
        vec![json!({"status": {"conditions": [condition]}})]
    };
    let drained = vec![
        drain(running, Some((0, 1))),
        drain(vec![], Some((4, 1))),
        drain(vec![], None),
        drain(vec![], Some((0, -1))),
        drain(vec![], Some((0, 0))),
        drain(ended("Failed", 60), Some((0, 57))),
        drain(ended("Complete", 60), Some((0, 57))),
        drain(ended("Complete", 60), Some((0, 61))),
    ];
    assert_snapshot!(check(&Wait::Drained, &drained), @r#"
    not yet: 1 tests are running
    not yet: 4 invocations are open
    not yet: the observer does not report how many invocations are open
    not yet: open invocations have not been counted since the last test ended
    holds
    not yet: open invocations have not been counted since the last test ended
    not yet: open invocations have not been counted since the last test ended
    holds
    "#);
}

#[test]
fn only_tests_that_still_run_are_waited_for() {
    let named = |mut job: Value| {
        job["metadata"]["name"] = json!("test-1");
        job["metadata"]["namespace"] = json!("restate");
        job
    };
    let ended = |kind| json!({"status": {"conditions": [{"type": kind, "status": "True"}]}});
    let marked = json!({"metadata": {"labels": {"longrun/interrupted": "wipe"}}});
    let running = json!({"status": {"active": 1}});
    let observations =
        [marked, ended("Complete"), ended("Failed"), running].map(|job| Observation {
            jobs: all([named(job)]),
            ..Observation::default()
        });
    assert_snapshot!(check(&Wait::Ended, &observations), @r#"
    holds
    holds
    holds
    not yet: 1 tests are running
    "#);
}

#[test]
fn a_node_is_stopped_when_nothing_holds_its_claim() {
    let claim = ObjectRef::namespaced("v1", "PersistentVolumeClaim", "restate", "data");
    let set = |observed: u64, wanted: u64, pods: u64| {
        of(
            json!({"kind": "StatefulSet", "metadata": {"generation": 2}, "spec": {"replicas": wanted},
            "status": {"observedGeneration": observed, "replicas": pods}}),
        )
    };
    let mut mounted = set(2, 0, 0);
    mounted.mounts = all([json!({"metadata": {"name": "check"}})]);
    let observations = [
        set(1, 0, 0),
        set(2, 1, 0),
        set(2, 0, 1),
        mounted,
        set(2, 0, 0),
    ];
    assert_snapshot!(check(&Wait::Stopped { claim }, &observations), @r#"
    not yet: its controller has not observed generation 2
    never: another client scaled it up again
    not yet: 1 of its pods remain
    not yet: PersistentVolumeClaim data is mounted by check
    holds
    "#);
}

#[test]
fn a_definition_is_established_when_it_is_served() {
    let conditions = |conditions: Value| of(json!({"status": {"conditions": conditions}}));
    let observations = [
        conditions(json!([])),
        conditions(
            json!([{"type": "NamesAccepted", "status": "False", "reason": "MultipleNamesNotAllowed"},
            {"type": "Established", "status": "True"}]),
        ),
        conditions(json!([{"type": "NamesAccepted", "status": "True"},
            {"type": "Established", "status": "False"}])),
        conditions(json!([{"type": "NamesAccepted", "status": "True"},
            {"type": "Established", "status": "True"}])),
    ];
    assert_snapshot!(check(&Wait::Established, &observations), @r#"
    not yet: the API server does not serve it yet
    never: MultipleNamesNotAllowed
    not yet: the API server does not serve it yet
    holds
    "#);
}

#[test]
fn a_claim_has_grown_when_its_file_system_has() {
    let claim = |status: Value| {
        let mut status = status;
        status["phase"] = json!("Bound");
        json!({"spec": {"resources": {"requests": {"storage": "3Gi"}}}, "status": status})
    };
    let has = json!({"storage": "2Gi"});
    let pending = json!([{"type": "FileSystemResizePending", "status": "True"}]);
    let error =
        json!([{"type": "ControllerResizeError", "status": "True", "message": "out of range"}]);
    let resizes = claim(json!({"capacity": has}));
    let warned = |last| {
        let warning = warning(last, "PersistentVolumeClaim a", "VolumeResizeFailed");
        with(&resizes, Vec::new(), vec![warning])
    };
    let table = [
        of(claim(json!({}))),
        of(resizes.clone()),
        warned("2026-01-05T10:00:05Z"),
        warned("2026-01-05T09:00:00Z"),
        of(claim(json!({"capacity": has, "conditions": pending}))),
        of(claim(json!({"capacity": has, "conditions": error}))),
        of(claim(json!({"capacity": has, "conditions": error,
            "allocatedResourceStatuses": {"storage": "ControllerResizeInfeasible"}}))),
        of(claim(json!({"capacity": {"storage": "3Gi"}}))),
    ];
    assert_snapshot!(check(&Wait::Grown, &table), @r#"
    not yet: it has no volume
    not yet: it has 2Gi of 3Gi
    bad: it has 2Gi of 3Gi: PersistentVolumeClaim a: VolumeResizeFailed: exceeded quota
    not yet: it has 2Gi of 3Gi
    not yet: it has 2Gi of 3Gi: its volume has grown, its file system grows when a pod mounts it
    bad: it has 2Gi of 3Gi: out of range
    never: it has 2Gi of 3Gi, and the storage cannot do it: out of range
    holds
    "#);
}
