//! One look at an environment, as the API server answers it.

use jiff::SignedDuration;
use longrun_core::{faults::Pause, names::CHAOS_LABEL, records::Cell};
use serde_json::json;

use super::*;
use crate::server::Server;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_607_200 + seconds).unwrap()
}

fn with_faults() -> Server {
    let server = Server::new();
    server.put(json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "twin", "labels": {CHAOS_LABEL: "true"}}}));
    for (name, suspend) in [("test", false), ("fault-kill-restate", true)] {
        server.put(json!({"apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": {"name": name, "namespace": "twin", "uid": name},
            "spec": {"schedule": "* * * * *", "suspend": suspend}}));
    }
    server
}

async fn seen(server: &Server, at: Timestamp) -> Running {
    let status = status(&server.client(), "twin", at).await.unwrap();
    assert_eq!(status.at, at);
    status.running.unwrap()
}

#[tokio::test]
async fn the_hour_is_the_one_before_the_moment_of_the_look_however_late_it_is_read() {
    let server = with_faults();
    let name = format!("test-{}", at(0).as_second() / 60);
    server.put(json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "namespace": "twin", "ownerReferences": [{"uid": "test"}]},
        "spec": {"template": {"spec": {"containers": []}}},
        "status": {"failed": 2, "conditions": [{"type": "Failed", "status": "True"}]}}));
    for (minutes, cell) in [(1, 59), (60, 0)] {
        let running = seen(&server, at(minutes * 60)).await;
        let failed = running
            .hour
            .cells
            .iter()
            .position(|cell| *cell == Cell::Failed);
        assert_eq!(failed, Some(cell), "{minutes} minutes later");
    }
}

#[tokio::test]
async fn faults_that_do_not_happen_are_told_with_the_reason() {
    let server = with_faults();
    let chaos = |running: Running| match running.chaos {
        Known::Value(turns) => turns.unwrap(),
        Known::Unknown(why) => panic!("{why}"),
    };
    let running = seen(&server, at(0)).await;
    assert_eq!(running.suspended, Some(false), "the tests go on");
    let turns = chaos(running);
    assert_eq!(turns.suspended, ["kill-restate"]);
    assert_eq!(turns.pause, None);

    let now = server.client().now();
    let pause = Pause {
        until: now + SignedDuration::from_hours(1),
        since: now,
        reason: "test-29931187 failed".to_owned(),
        by: "recorder".to_owned(),
    };
    server.put(pause.manifest("twin"));
    assert_eq!(chaos(seen(&server, at(0)).await).pause, Some(pause));
}
