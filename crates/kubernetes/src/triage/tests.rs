//! What there is of a Job is gathered, and what there is not is said.

use longrun_core::{cluster::View as _, object::Uid};
use serde_json::json;

use super::*;
use crate::server::{Fate, Server};

const JOB: &str = "test-28114121";

fn job(name: &str, status: &Value) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "namespace": "calm", "uid": format!("uid of {name}"),
            "creationTimestamp": "2023-06-15T12:41:00Z"},
        "spec": {"template": {"spec": {"containers": [
            {"name": "sidecar", "args": ["proxy"]},
            {"name": "test", "args": ["v1-s300-all-$(TEST_JOB)", "--deadline=10m"]}
        ]}}},
        "status": status,
    })
}

fn failed() -> Value {
    json!({"failed": 7, "startTime": "2023-06-15T12:41:00Z", "conditions": [
        {"type": "FailureTarget", "status": "True"},
        {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "given up",
            "lastTransitionTime": "2023-06-15T13:02:00Z"},
    ]})
}

fn pod(name: &str, owner: &str, state: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "calm", "creationTimestamp": "2023-06-15T12:42:00Z",
            "ownerReferences": [{"uid": format!("uid of {owner}")}]},
        "spec": {"containers": [{"name": "sidecar"}, {"name": "test"}]},
        "status": {"phase": "Failed", "containerStatuses": [
            {"name": "sidecar", "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": 0, "startedAt": "2023-06-15T12:41:59Z"}}},
            {"name": "test", "ready": false, "restartCount": 0, "state": state}]},
    })
}

fn ended() -> Value {
    json!({"terminated": {"exitCode": 1, "reason": "Error", "startedAt": "2023-06-15T12:42:01Z",
        "finishedAt": "2023-06-15T12:43:31Z"}})
}

fn target() -> Target {
    Target {
        cluster: "dev".to_owned(),
        kube_system: Uid("k".to_owned()),
        environment: "calm".to_owned(),
    }
}

async fn gather(server: &Server, job: &str) -> Found {
    let twins = ["chaos".to_owned()];
    evidence(&server.client(), &target(), job, &twins, BTreeMap::new())
        .await
        .unwrap()
}

async fn gathered(server: &Server) -> Evidence {
    match gather(server, JOB).await {
        Found::Evidence(evidence) => *evidence,
        absent @ Found::Absent { .. } => panic!("{absent:?}"),
    }
}

/// The kubelet answers so when the container is gone, with code 200.
#[test]
fn a_sentence_about_a_log_is_no_log() {
    let sentence = "unable to retrieve container logs for containerd://0123456789abcdef";
    assert_eq!(as_log(sentence), Known::Unknown(sentence.to_owned()));
    let said = |text: &str| as_log(text).known().map(Vec::len);
    assert_eq!(said("one\ntwo\n"), Some(2));
    assert_eq!(said(""), Some(0));
}

/// The result is in the last lines.
#[test]
fn of_a_long_log_the_end_is_kept() {
    let long = format!("{}\nlast but one\nlast", "x".repeat(LONGEST_LOG));
    let kept = as_log(&long);
    assert_eq!(
        kept.known().map(Vec::as_slice),
        Some(&["last but one".to_owned(), "last".to_owned()][..])
    );
}

#[tokio::test]
async fn a_job_is_gathered_with_its_own_pods_and_with_why_a_log_is_not_there() {
    let server = Server::new();
    server.put(job(JOB, &failed()));
    server.put(pod("mine", JOB, &ended()));
    server.put(pod("of-another", "test-1", &ended()));
    let found = gathered(&server).await;
    let job = &found.case.job;
    assert_eq!(job.program.as_deref(), Some("v1-s300-all-test-28114121"));
    assert_eq!(job.pods, 7);
    assert_eq!(job.ended.unwrap().to_string(), "2023-06-15T13:02:00Z");
    let attempts = found.case.attempts.known().unwrap();
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    assert_eq!(
        (attempts[0].pod.as_str(), attempts[0].exit),
        ("mine", Some(1))
    );
    assert_eq!(attempts[0].log.why_not(), Some("the answer is 404"));
    assert_eq!(found.faults, Known::Value(None), "there is no ledger");
    assert_eq!(found.twins[0].case, Known::Value(None));
}

#[tokio::test]
async fn a_container_that_never_started_has_no_log_to_ask_for() {
    let server = Server::new();
    server.put(job(JOB, &failed()));
    let waits = json!({"waiting": {"reason": "ErrImagePull", "message": "no such image"}});
    let start_error = json!({"terminated": {"exitCode": 128, "reason": "StartError",
        "startedAt": "1970-01-01T00:00:00Z", "finishedAt": "2023-06-15T12:42:01Z"}});
    for state in [waits, start_error] {
        server.put(pod("one", JOB, &state));
        let found = gathered(&server).await;
        let attempt = &found.case.attempts.known().unwrap()[0];
        assert_eq!(attempt.started, None, "{state}");
        assert!(
            attempt
                .reason
                .as_deref()
                .unwrap()
                .starts_with(|c| "ES".contains(c))
        );
        assert_eq!(attempt.log.why_not(), Some("its container has not started"));
    }
}

#[tokio::test]
async fn what_cannot_be_listed_is_unknown_and_not_nothing() {
    let server = Server::new();
    server.put(job(JOB, &failed()));
    server.goes_wrong(|_, path, _| {
        if path.ends_with("pods") || path.ends_with("events") || path.contains("chaos") {
            Fate::Refused(403)
        } else {
            Fate::Served
        }
    });
    let found = gathered(&server).await;
    for why in [
        found.case.attempts.why_not(),
        found.pods.why_not(),
        found.events.why_not(),
        found.twins[0].case.why_not(),
    ] {
        assert_eq!(why, Some("the answer is 403"));
    }
}

fn ledger(entry: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "longrun-faults", "namespace": "calm"},
        "data": {"20230615T124130Z-kill-restate": entry}})
}

#[tokio::test]
async fn the_ledger_of_faults_is_read_or_unknown() {
    let server = Server::new();
    server.put(job(JOB, &failed()));
    server.put(ledger(r#"{"fault": "kill-restate", "by": "schedule", "targets": [],
        "began": "2023-06-15T12:41:30Z", "injected": "2023-06-15T12:41:31Z", "healed": "2023-06-15T12:41:31Z",
        "recovered": "2023-06-15T12:41:52Z", "outcome": "recovered", "note": null}"#));
    let faults = gathered(&server).await.faults;
    let [fault] = &faults.known().unwrap().as_ref().unwrap()[..] else {
        panic!("{faults:?}");
    };
    assert_eq!(fault.name, "kill-restate");
    assert_eq!(fault.began.to_string(), "2023-06-15T12:41:31Z");
    assert_eq!(fault.healed.unwrap().to_string(), "2023-06-15T12:41:52Z");

    server.put(ledger("{}"));
    let faults = gathered(&server).await.faults;
    let why = faults.why_not().unwrap();
    assert!(why.contains("20230615T124130Z-kill-restate"), "{why}");
    server.goes_wrong(|_, path, _| match path.ends_with("longrun-faults") {
        true => Fate::Refused(403),
        false => Fate::Served,
    });
    assert_eq!(
        gathered(&server).await.faults.why_not(),
        Some("the answer is 403")
    );
}

#[tokio::test]
async fn only_failed_tests_are_failures() {
    let server = Server::new();
    let mut interrupted = job("test-3", &failed());
    interrupted["metadata"]["labels"] = json!({"longrun/interrupted": "wipe"});
    let done = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    for job in [
        job("test-1", &failed()),
        job("test-2", &done),
        interrupted,
        job("discover", &failed()),
    ] {
        server.put(job);
    }
    let cases = failed_tests(&server.client(), "calm").await.unwrap();
    let names: Vec<&str> = cases.iter().map(|case| case.job.name.as_str()).collect();
    assert_eq!(names, ["test-1"]);
}

#[tokio::test]
async fn a_job_that_is_not_there_comes_with_those_that_are() {
    let server = Server::new();
    server.put(json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "calm", "creationTimestamp": "2023-06-01T00:00:00Z"}}));
    server.put(ledger(
        r#"{"fault": "kill-restate", "began": "2023-06-15T12:41:30Z"}"#,
    ));
    for name in ["test-9", "test-10", "discover"] {
        server.put(job(name, &failed()));
    }
    let Found::Absent { made, kept, faults } = gather(&server, JOB).await else {
        panic!("it is not there");
    };
    assert_eq!(kept, ["test-10", "test-9"]);
    assert_eq!(made.unwrap().to_string(), "2023-06-01T00:00:00Z");
    let faults = faults.known().unwrap().as_ref().unwrap();
    assert_eq!(faults[0].name, "kill-restate");
}

#[test]
fn events_about_others_are_left_out() {
    let event = |name: &str| {
        let event = json!({"metadata": {"creationTimestamp": "2023-06-15T12:42:00Z"},
            "involvedObject": {"kind": "Pod", "name": name}, "reason": "Killing", "message": "m",
            "type": "Normal", "lastTimestamp": null, "eventTime": "2023-06-15T12:42:00.5Z", "count": 3});
        Event::read(&event).unwrap()
    };
    let all = [
        "restate-0",
        "verification-abc-1",
        JOB,
        "test-28114121-x",
        "test-281141219-y",
        "discover-z",
    ]
    .map(event);
    let about = watched_events(&all, JOB)
        .into_iter()
        .map(|event| event.about);
    let about: Vec<String> = about.collect();
    assert_eq!(
        about,
        [
            "Pod restate-0",
            "Pod verification-abc-1",
            "Pod test-28114121",
            "Pod test-28114121-x"
        ]
    );
}

#[test]
fn a_container_that_was_started_again_says_how_it_ended_before() {
    let pod = json!({
        "metadata": {"name": "restate-0", "uid": "p", "creationTimestamp": "2023-06-15T12:00:00Z",
            "labels": {"app.kubernetes.io/component": "restate"}},
        "spec": {"containers": []},
        "status": {"containerStatuses": [{"name": "restate", "ready": true, "restartCount": 1,
            "state": {"running": {"startedAt": "2023-06-15T12:45:02Z"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled",
                "finishedAt": "2023-06-15T12:45:00Z"}}}]},
    });
    let pods = watched_pods(&[Pod::read(&pod).unwrap()]);
    let container = &pods[0].containers[0];
    let before = container.before.as_ref().unwrap();
    assert_eq!((before.exit, before.reason.as_str()), (137, "OOMKilled"));
    assert_eq!(
        container.started.unwrap().to_string(),
        "2023-06-15T12:45:02Z"
    );
}
