//! Objects as Kubernetes 1.36 writes them, with what clusters inject, with fields that are absent, and with fields
//! that cannot be read.

use alloc::{format, string::ToString, vec::Vec};

use insta::assert_snapshot;
use serde_json::json;

use super::*;

/// An object as it would be live, of what a test says of it.
pub(crate) fn live(mut object: Value) -> Value {
    let name = object.pointer("/metadata/name").cloned();
    let name = name.unwrap_or_else(|| json!("a"));
    for (place, field, value) in [
        ("metadata", "uid", name.clone()),
        ("metadata", "name", name),
        (
            "metadata",
            "creationTimestamp",
            json!("2026-01-05T10:00:00Z"),
        ),
        ("spec", "containers", json!([])),
        ("spec", "schedule", json!("* * * * *")),
        ("spec", "template", json!({"spec": {"containers": []}})),
    ] {
        if object[place].get(field).is_none() {
            object[place][field] = value;
        }
    }
    for list in ["containerStatuses", "initContainerStatuses"] {
        let statuses = object
            .get_mut("status")
            .and_then(|status| status.get_mut(list));
        let statuses = statuses.and_then(Value::as_array_mut);
        for status in statuses.into_iter().flatten() {
            for (field, value) in [("ready", json!(false)), ("restartCount", json!(0))] {
                if status.get(field).is_none() {
                    status[field] = value;
                }
            }
        }
    }
    object
}

/// Pods, Jobs or others as they would be live, of what a test says of them.
pub(crate) fn all<T: View>(objects: impl IntoIterator<Item = Value>) -> Vec<T> {
    let objects = objects.into_iter();
    objects
        .map(|object| T::read(&live(object)).unwrap())
        .collect()
}

fn test_job(status: &Value) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "test-28114121", "namespace": "calm", "uid": "j", "generation": 1,
            "creationTimestamp": "2023-06-15T12:41:00Z",
            "labels": {"app.kubernetes.io/component": "test", "longrun/interrupted": "wipe"}},
        "spec": {"backoffLimit": 6, "template": {"spec": {"containers": [
            {"name": "istio-proxy", "image": "istio/proxyv2:1.26.0", "args": ["proxy", "sidecar"]},
            {"name": "test", "image": "verification:1", "args": ["v1-s300-all-$(TEST_JOB)", "--deadline=10m"]},
        ]}}},
        "status": status})
}

#[test]
fn a_job_is_over_when_a_condition_says_so_and_not_before() {
    let ends = |kind: &str, status: &str| {
        let object = test_job(
            &json!({"startTime": "2023-06-15T12:41:00Z", "active": 1, "failed": 6,
            "conditions": [{"type": kind, "status": status, "reason": "BackoffLimitExceeded",
                "message": "Job has reached the specified backoff limit",
                "lastTransitionTime": "2023-06-15T13:02:00Z"}]}),
        );
        let job = Job::read(&object).unwrap();
        match job.end() {
            None => "not over".to_string(),
            Some(JobEnd::Complete(_)) => format!("complete at {}", job.ended().unwrap()),
            Some(JobEnd::Failed(why)) => format!("{} at {}", why.words(), job.ended().unwrap()),
        }
    };
    assert_eq!(ends("SuccessCriteriaMet", "True"), "not over");
    assert_eq!(ends("FailureTarget", "True"), "not over");
    assert_eq!(ends("Failed", "False"), "not over");
    assert_eq!(ends("Complete", "True"), "complete at 2023-06-15T13:02:00Z");
    assert_eq!(
        ends("Failed", "True"),
        "BackoffLimitExceeded: Job has reached the specified backoff limit at 2023-06-15T13:02:00Z"
    );
}

#[test]
fn the_program_of_a_test_is_read_from_its_own_container() {
    let job = Job::read(&test_job(&json!({}))).unwrap();
    assert_eq!(job.program().as_deref(), Some("v1-s300-all-test-28114121"));
    assert_eq!(job.interrupted(), Some("wipe"));
    assert_eq!((job.attempts(), job.end(), job.ended()), (0, None, None));
    let mut other = test_job(&json!({}));
    other["spec"]["template"]["spec"]["containers"] =
        json!([{"name": "discover", "args": ["discover", "--wait=2m"]}]);
    assert_eq!(Job::read(&other).unwrap().program(), None);
}

fn node_pod(status: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "restate-0", "namespace": "calm", "uid": "p",
            "creationTimestamp": "2023-06-15T12:00:00Z",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "restate", "uid": "s",
                "controller": true, "blockOwnerDeletion": true}]},
        "spec": {"containers": [
            {"name": "istio-proxy", "image": "istio/proxyv2:1.26.0"},
            {"name": "restate", "image": "restate:1.7.12"},
            {"name": "observer", "image": "verification:1"}],
            "volumes": [{"name": "istio-envoy", "emptyDir": {"medium": "Memory"}},
                {"name": "storage", "persistentVolumeClaim": {"claimName": "storage-restate-0"}}]},
        "status": status})
}

#[test]
fn a_sidecar_that_comes_first_is_not_taken_for_the_container() {
    let pod = Pod::read(&node_pod(
        &json!({"phase": "Running", "containerStatuses": [
        {"name": "istio-proxy", "image": "istio/proxyv2:1.26.0", "ready": true, "restartCount": 4,
            "state": {"running": {"startedAt": "2023-06-15T12:00:02Z"}}, "lastState": {}},
        {"name": "restate", "image": "restate:1.7.12", "ready": false, "restartCount": 1,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled",
                "startedAt": "2023-06-15T12:00:03Z", "finishedAt": "2023-06-15T12:01:00Z"}}}]}),
    ))
    .unwrap();
    let image = pod.spec.container("restate").unwrap().image.as_deref();
    assert_eq!(image, Some("restate:1.7.12"));
    let node = pod.status_of("restate").unwrap();
    assert_eq!(node.restarts, 1);
    assert_eq!(node.started(), None);
    assert_eq!(
        node.last_state.terminated.as_ref().unwrap().words(),
        "OOMKilled"
    );
    assert_eq!(pod.status_of("observer"), None);
    assert_eq!(pod.spec.claims().collect::<Vec<_>>(), ["storage-restate-0"]);
}

#[test]
fn a_container_that_never_started_has_no_start() {
    let pod = Pod::read(&node_pod(&json!({"phase": "Failed", "containerStatuses": [
        {"name": "restate", "image": "", "ready": false, "restartCount": 0, "lastState": {},
            "state": {"terminated": {"exitCode": 128, "reason": "StartError",
                "startedAt": "1970-01-01T00:00:00Z", "finishedAt": "2023-06-15T12:42:01Z"}}}]})))
    .unwrap();
    assert_eq!(pod.status_of("restate").unwrap().started(), None);
    assert!(pod.is_over() && !pod.is_ready());
}

#[test]
fn replicas_that_are_absent_are_one_and_a_status_that_is_absent_has_seen_nothing() {
    let set = |spec: Value, status: Value| {
        let mut set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "restate", "uid": "s", "generation": 3,
                "creationTimestamp": "2023-06-15T12:00:00Z"},
            "spec": {"template": {"spec": {"containers": []}}}, "status": status});
        set["spec"]
            .as_object_mut()
            .unwrap()
            .extend(spec.as_object().unwrap().clone());
        Workload::read(&set)
    };
    let absent = set(json!({}), json!({})).unwrap();
    assert_eq!((absent.spec.replicas, absent.is_seen()), (1, false));
    let zero = set(json!({"replicas": 0}), json!({"observedGeneration": 3})).unwrap();
    assert_eq!(
        (zero.spec.replicas, zero.is_seen(), zero.serving()),
        (0, true, 0)
    );
    let late = set(
        json!({}),
        json!({"observedGeneration": 2, "readyReplicas": 1}),
    )
    .unwrap();
    assert!(!late.is_seen());
    let mut uncounted = live(json!({"kind": "Deployment", "spec": {}}));
    assert!(!Workload::read(&uncounted).unwrap().is_seen());
    uncounted["kind"] = json!("DaemonSet");
    assert!(Workload::read(&uncounted).is_err());
}

#[test]
fn what_cannot_be_read_says_which_field_of_which_object() {
    let mut lines = Vec::new();
    let mut odd = |read: Result<(), Unreadable>| lines.push(read.unwrap_err().to_string());
    odd(Job::read(&test_job(&json!({"failed": "7"}))).map(drop));
    odd(Job::read(&test_job(&json!({"failed": -1}))).map(drop));
    odd(Pod::read(&node_pod(
        &json!({"containerStatuses": [{"name": "restate", "ready": true}]}),
    ))
    .map(drop));
    odd(Pod::read(&node_pod(&json!({"containerStatuses": [
        {"name": "restate", "ready": true, "restartCount": 0, "state": {"running": {"startedAt": "noon"}}}]})))
    .map(drop));
    odd(Pod::read(&json!({"metadata": {"uid": "1"}})).map(drop));
    odd(Pod::read(&json!({"spec": {"containers": []}})).map(drop));
    odd(CronJob::read(&live(
        json!({"spec": {"schedule": "* * * * *", "suspend": "no"}}),
    ))
    .map(drop));
    odd(WorkloadSpec::of(
        &json!({"kind": "StatefulSet", "metadata": {"name": "restate"}, "spec": {"replicas": 1}}),
    )
    .map(drop));
    assert_snapshot!(lines.join("\n"), @r#"
    Job test-28114121 cannot be read: status.failed: invalid type: string "7", expected u64
    Job test-28114121 cannot be read: status.failed: invalid value: integer `-1`, expected u64
    Pod restate-0 cannot be read: status.containerStatuses[0]: missing field `restartCount`
    Pod restate-0 cannot be read: status.containerStatuses[0].state.running.startedAt: failed to parse four digit integer as year: invalid digit, expected 0-9 but got n
    a Pod without a name cannot be read: metadata: missing field `name`
    a Pod without a name cannot be read: missing field `metadata`
    CronJob a cannot be read: spec.suspend: invalid type: string "no", expected a boolean
    StatefulSet restate cannot be read: spec: missing field `template`
    "#);
}

#[test]
fn a_cron_job_that_does_not_say_is_not_suspended() {
    let cron = |spec: Value| CronJob::read(&live(json!({"spec": spec}))).unwrap();
    assert!(!cron(json!({"schedule": "* * * * *"})).spec.suspend);
    assert!(
        cron(json!({"schedule": "* * * * *", "suspend": true}))
            .spec
            .suspend
    );
    let rendered = CronJobSpec::of(&json!({"kind": "CronJob", "spec": {"schedule": "5 * * * *"}}));
    assert_eq!(rendered.unwrap().schedule, "5 * * * *");
}

#[test]
fn an_event_has_its_time_and_count_whichever_api_wrote_it() {
    let event = |fields: Value| {
        let mut event = json!({
            "metadata": {"name": "restate-0.17", "uid": "e", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "involvedObject": {"kind": "Pod", "name": "restate-0", "uid": "p"},
            "reason": "Killing", "message": "Stopping container restate\n", "type": "Normal",
            "firstTimestamp": null, "lastTimestamp": null, "eventTime": null, "source": {}});
        event
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let event = Event::read(&event).unwrap();
        format!(
            "{} {} ×{}",
            event.title(),
            event.last().strftime("%T"),
            event.times()
        )
    };
    assert_eq!(event(json!({})), "Pod restate-0 00:00:00 ×1");
    let old = json!({"count": 3, "lastTimestamp": "2026-01-01T00:00:05Z"});
    assert_eq!(event(old), "Pod restate-0 00:00:05 ×3");
    let new = json!({"eventTime": "2026-01-01T00:00:03.000001Z",
        "series": {"count": 7, "lastObservedTime": "2026-01-01T00:00:09.000002Z"}});
    assert_eq!(event(new), "Pod restate-0 00:00:09 ×7");
    let once = json!({"eventTime": "2026-01-01T00:00:03.000001Z"});
    assert_eq!(event(once), "Pod restate-0 00:00:03 ×1");
}
