//! The pause and the snapshot of a failure, as the API server sees them.

use jiff::SignedDuration;
use longrun_core::{
    faults::FAULTS,
    journal::{Journal, Stored},
    names::JOURNAL,
    object::Uid,
    operations::snapshot::Limits,
    plan::{Effect, Guard, Plan, Step},
    records::Outcome,
    triage::{Job, JobState},
    wait::Wait,
};
use serde_json::json;

use super::*;
use crate::server::{Fate, Server};

const LIMITS: Limits = Limits {
    per_day: 1,
    kept: 5,
};

fn target() -> Target {
    Target {
        cluster: "dev".to_owned(),
        kube_system: Uid("k".to_owned()),
        environment: "calm".to_owned(),
    }
}

fn failure(client: &Client) -> Entry {
    let job = Job {
        name: "test-1".to_owned(),
        uid: Uid("j".to_owned()),
        created: client.now(),
        started: None,
        ended: Some(client.now()),
        state: JobState::Succeeded,
        pods: 7,
        failed: 7,
        program: None,
        interrupted: None,
    };
    Entry::of(&job, Outcome::Failed)
}

fn two_hours() -> Wanted {
    Wanted(SignedDuration::from_hours(2))
}

#[tokio::test]
async fn chaos_is_paused_once_and_a_longer_pause_stays() {
    let server = Server::new();
    let client = server.client();
    let failure = failure(&client);
    let paused = pause_chaos(&client, "calm", two_hours(), &failure).await;
    assert!(paused.unwrap().is_some());
    let reference = ObjectRef::namespaced("v1", "ConfigMap", "calm", PAUSE);
    // The small server puts what is created where it was sent to.
    let longer = Pause {
        until: client.now() + SignedDuration::from_hours(9),
        since: client.now(),
        reason: "a person is at work".to_owned(),
        by: "a person".to_owned(),
    };
    server.put(longer.manifest("calm"));
    let paused = pause_chaos(&client, "calm", two_hours(), &failure).await;
    assert_eq!(paused.unwrap(), None);
    let there = client.get(&reference).await.unwrap().unwrap();
    assert_eq!(Pause::read(Some(&there)), Ok(Some(longer)));
}

#[tokio::test]
async fn a_pause_that_was_written_in_between_is_looked_at_again() {
    let server = Server::new();
    let client = server.client();
    server.put(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": PAUSE, "namespace": "calm"}, "data": {}}));
    let tries = std::sync::Mutex::new(0);
    server.goes_wrong(move |method, _, _| {
        let mut tries = tries.lock().unwrap();
        *tries += usize::from(*method == http::Method::PUT);
        match *method == http::Method::PUT && *tries < 3 {
            true => Fate::Refused(409),
            false => Fate::Served,
        }
    });
    let paused = pause_chaos(&client, "calm", two_hours(), &failure(&client)).await;
    assert!(paused.unwrap().is_some());
}

/// The journal of a wipe that has stopped the tests and got no further.
fn begun_wipe() -> Value {
    let suspend = Effect::Suspend {
        object: ObjectRef::namespaced("batch/v1", "CronJob", "calm", "test"),
        suspend: true,
    };
    let plan = Plan {
        operation: "wipe".to_owned(),
        target: target(),
        steps: vec![Step::new(suspend, Guard::None, Wait::None)],
        loses: Vec::new(),
        notes: Vec::new(),
        generated: Vec::new(),
    };
    let approved = Ask::new(plan).typed("y").unwrap();
    let now = "2026-01-05T10:00:00Z".parse().unwrap();
    Stored::begin(Journal::open(approved), None, now).manifest()
}

fn with_database() -> Server {
    let server = Server::new();
    server.put(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": "calm", "uid": "c"}, "status": {"phase": "Bound"}}));
    server
}

async fn snapshot(server: &Server) -> Result<String, NoSnapshot> {
    snapshot_failure(
        &server.client(),
        &target(),
        "test-1",
        "keeps",
        LIMITS,
        "a policy",
    )
    .await
}

#[tokio::test]
async fn a_snapshot_is_one_write() {
    let server = with_database();
    assert_eq!(snapshot(&server).await.unwrap(), "failure-test-1");
    let writes = server.writes();
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert!(
        writes[0].ends_with("/volumesnapshots/failure-test-1"),
        "{writes:?}"
    );
}

#[tokio::test]
async fn while_an_operation_is_at_work_none_is_taken() {
    let server = with_database();
    server.put(
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "longrun", "namespace": "calm"},
        "spec": {"holderIdentity": "ana wipe 1", "leaseDurationSeconds": 15}}),
    );
    let refused = snapshot(&server).await.unwrap_err();
    assert!(refused.to_string().contains("is running"), "{refused}");
    assert!(server.writes().is_empty());
}

#[tokio::test]
async fn a_wipe_whose_driver_died_is_not_disturbed_and_a_fault_is_no_operation() {
    let server = with_database();
    let hold = |operation: &str| {
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "longrun", "namespace": "calm",
                "annotations": {"longrun/operation": operation}},
            "spec": {"holderIdentity": operation, "leaseDurationSeconds": 15}})
    };
    server.put(hold(&FAULTS[0].at_work()));
    assert_eq!(snapshot(&server).await.unwrap(), "failure-test-1");

    let server = with_database();
    server.put(begun_wipe());
    let refused = snapshot(&server).await.unwrap_err();
    assert!(refused.to_string().contains("is not finished"), "{refused}");
    assert!(server.writes().is_empty());

    let server = with_database();
    server.put(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": JOURNAL, "namespace": "calm"}, "data": {"epoch": "1", "journal": "?"}}));
    let refused = snapshot(&server).await.unwrap_err();
    assert!(refused.to_string().contains("cannot be read"), "{refused}");
    assert!(server.writes().is_empty());
}

#[tokio::test]
async fn a_recorder_that_is_not_there_is_no_empty_answer() {
    let server = Server::new();
    server.goes_wrong(|_, _, _| Fate::Refused(404));
    // The API server says of which kind nothing was found; the recorder does not.
    let answer = recorded(&server.client(), "calm", "evidence/test-1").await;
    assert_eq!(answer.unwrap(), None);
    server.goes_wrong(|_, _, _| Fate::Refused(503));
    assert!(recorded(&server.client(), "calm", "results").await.is_err());
}
