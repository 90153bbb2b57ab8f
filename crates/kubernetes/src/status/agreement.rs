//! The same Jobs, as `status`, the recorder and triage see them: one answer to what became of each.

use longrun_core::{
    names::INTERRUPTED_LABEL,
    object::Uid,
    plan::Target,
    records::{JobTracker, Task},
    triage::{Verdict, judge},
};
use serde_json::{Value, json};

use super::{Attempted, status};
use crate::{
    server::Server,
    triage::{Found, evidence, failed_tests, test_jobs},
};

/// What is seen of a Job, and what became of it.
struct Case {
    name: &'static str,
    conditions: &'static [&'static str],
    interrupted: bool,
    /// As `status` shows it.
    shown: &'static str,
    /// As the recorder writes it down; nothing while it is not over.
    written: Option<&'static str>,
}

const fn case(
    name: &'static str,
    conditions: &'static [&'static str],
    interrupted: bool,
    shown: &'static str,
    written: Option<&'static str>,
) -> Case {
    Case {
        name,
        conditions,
        interrupted,
        shown,
        written,
    }
}

const COMPLETE: &[&str] = &["SuccessCriteriaMet", "Complete"];
const FAILED: &[&str] = &["FailureTarget", "Failed"];

const CASES: [Case; 8] = [
    case("test-1", &[], false, "running", None),
    case("test-2", &["SuccessCriteriaMet"], false, "running", None),
    case("test-3", &["FailureTarget"], false, "running", None),
    case("test-4", COMPLETE, false, "succeeded", Some("succeeded")),
    case("test-5", FAILED, false, "failed", Some("failed")),
    case("test-6", COMPLETE, true, "interrupted", Some("interrupted")),
    case("test-7", FAILED, true, "interrupted", Some("interrupted")),
    case("test-8", &[], true, "interrupted", None),
];

fn job(name: &str, conditions: &[&str], interrupted: bool) -> Value {
    let conditions = conditions.iter().map(|kind| {
        json!({"type": kind, "status": "True", "reason": "BackoffLimitExceeded", "message": "given up",
            "lastTransitionTime": "2026-01-01T00:09:00Z"})
    });
    let labels = match interrupted {
        true => json!({INTERRUPTED_LABEL: "wipe"}),
        false => json!({}),
    };
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "namespace": "calm", "uid": name, "labels": labels,
            "creationTimestamp": "2026-01-01T00:08:00Z"},
        "spec": {"template": {"spec": {"containers": [{"name": "test"}]}}},
        "status": {"startTime": "2026-01-01T00:08:00Z", "failed": 1,
            "conditions": conditions.collect::<Vec<_>>()}})
}

#[tokio::test]
async fn status_recorder_and_triage_agree_on_what_became_of_a_test() {
    let server = Server::new();
    server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "calm"}}));
    for case in CASES {
        server.put(job(case.name, case.conditions, case.interrupted));
    }
    let client = server.client();
    let target = Target {
        cluster: "dev".to_owned(),
        kube_system: Uid("k".to_owned()),
        environment: "calm".to_owned(),
    };
    let shown = status(&client, "calm", client.now()).await.unwrap();
    let shown = shown.running.unwrap().tests;
    let written = JobTracker::default().look(&test_jobs(&client, "calm").await.unwrap());
    let listed = failed_tests(&client, "calm").await.unwrap();
    for case in CASES {
        let name = case.name;
        let test = shown.iter().find(|test| test.name == name).unwrap();
        let word = match &test.result {
            Attempted::Running => "running",
            Attempted::Succeeded => "succeeded",
            Attempted::Failed(_) => "failed",
            Attempted::Interrupted(_) => "interrupted",
        };
        assert_eq!(word, case.shown, "{name} in status");
        let outcome = written.iter().find_map(|task| match task {
            Task::Record(entry) if entry.job == name => Some(entry.outcome.word()),
            Task::Fail(job) if job.name == name => Some("failed"),
            Task::Record(_) | Task::Fail(_) | Task::Gather(_) => None,
        });
        assert_eq!(outcome, case.written, "{name} in the records");
        let is_listed = listed.iter().any(|case| case.job.name == name);
        assert_eq!(
            is_listed,
            case.written == Some("failed"),
            "{name} in triage"
        );
        let found = evidence(&client, &target, name, &[], Default::default()).await;
        let Found::Evidence(evidence) = found.unwrap() else {
            panic!("{name} is there");
        };
        let is_interrupted = judge(&evidence.case).0 == Verdict::Interrupted;
        assert_eq!(is_interrupted, case.interrupted, "{name} judged");
    }
}
