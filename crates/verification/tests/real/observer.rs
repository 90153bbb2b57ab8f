//! The observer tells what the node does not, and never takes silence for zero.

use crate::machine::{Machine, ask, ended, eventually, get, terminate, verification};
use longrun_restate::{
    Object,
    process::{self, Ports},
};
use serde_json::Value;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(15);

async fn invocations(port: u16) -> Value {
    get(port, "/invocations")
        .await
        .map_or(Value::Null, |(_, body)| {
            serde_json::from_str(&body).unwrap()
        })
}

async fn metrics(port: u16) -> String {
    get(port, "/metrics").await.unwrap().1
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_unknown_and_not_idle() {
    let [nobody, listen] = [Ports::free().unwrap().admin, Ports::free().unwrap().admin];
    let nobody = format!("http://127.0.0.1:{nobody}");
    let address = format!("127.0.0.1:{listen}");
    let observer = verification(&["observe", "--listen", &address, "--every", "1s"])
        .env("RESTATE_ADMIN", &nobody)
        .env("RESTATE_NODE", &nobody)
        .spawn()
        .unwrap();
    eventually("it has asked", SOON, async || {
        let error = invocations(listen).await["error"].clone();
        error
            .as_str()
            .is_some_and(|error| error.contains("Connection refused"))
    })
    .await;
    let summary = invocations(listen).await;
    assert_eq!(summary["known"], false);
    assert_eq!(summary["open"], Value::Null);
    let metrics = metrics(listen).await;
    assert!(metrics.contains("\nrestate_observer_up 0\n"), "{metrics}");
    assert!(
        !metrics.contains("\nrestate_observer_open_invocations{"),
        "{metrics}"
    );
    assert_eq!(get(listen, "/ready").await.unwrap().0, 503);
    assert_eq!(
        get(listen, "/live").await.unwrap().0,
        200,
        "its own process is fine"
    );
    terminate(&observer);
    assert_eq!(ended(observer).await.code, Some(0));
}

#[tokio::test]
async fn it_follows_a_node_through_a_kill_and_shows_what_is_stuck() {
    follows(process::VERSION).await;
}

/// Whose metrics have no count of leaders, and one of each partition.
#[tokio::test]
async fn it_follows_the_oldest_restate_as_well() {
    follows(process::OLDEST).await;
}

async fn follows(version: &str) {
    let mut machine = Machine::start_with(version).await;
    let listen = Ports::free().unwrap().admin;
    let address = format!("127.0.0.1:{listen}");
    let _observer = machine
        .command(&["observe", "--listen", &address, "--every", "1s"])
        .spawn()
        .unwrap();
    eventually("ready", SOON, async || {
        get(listen, "/ready")
            .await
            .is_some_and(|(status, _)| status == 200)
    })
    .await;
    eventually("known and idle", SOON, async || {
        invocations(listen).await["open"] == 0
    })
    .await;
    let page = metrics(listen).await;
    let idle = "restate_observer_open_invocations{service=\"interpreter\",status=\"paused\"} 0";
    assert!(page.contains(idle), "a known zero is shown: {page}");

    machine.kill_service().await;
    let key = "0-v1-s30-all-stuck";
    let run = Object {
        service: "interpreter",
        key,
        handler: "run",
    };
    let id = machine
        .ingress()
        .send(run, Some(&"root"), SOON)
        .await
        .unwrap();
    eventually("the invocation backs off", SOON, async || {
        invocations(listen).await["by_status"]["backing-off"] == 1
    })
    .await;
    let summary = invocations(listen).await;
    assert_eq!(summary["services"]["interpreter"]["open"], 1);
    let open = machine
        .admin()
        .open_invocations("v1-s30-all-stuck", 10)
        .await
        .unwrap();
    assert_eq!(open[0].target, "interpreter/0-v1-s30-all-stuck/run");
    assert!(open[0].last_failure.is_some(), "{open:?}");
    assert_eq!(
        machine.admin().count_open("v1-s30-all-stuc").await.unwrap(),
        0
    );

    change(&machine, &id, "pause").await;
    eventually("it is paused", SOON, async || {
        invocations(listen).await["by_status"]["paused"] == 1
    })
    .await;
    let page = metrics(listen).await;
    let paused = "restate_observer_open_invocations{service=\"interpreter\",status=\"paused\"} 1";
    assert!(page.contains(paused), "{page}");

    machine.kill_server().await;
    eventually("not ready", SOON, async || {
        get(listen, "/ready")
            .await
            .is_some_and(|(status, _)| status == 503)
    })
    .await;
    eventually("unknown", SOON, async || {
        invocations(listen).await["known"] == false
    })
    .await;

    machine.restart_server().await;
    eventually("ready again", Duration::from_secs(60), async || {
        get(listen, "/ready")
            .await
            .is_some_and(|(status, _)| status == 200)
    })
    .await;
    machine.start_service().await;
    change(&machine, &id, "resume").await;
    eventually(
        "nothing is stuck any more",
        Duration::from_secs(60),
        async || invocations(listen).await["open"] == 0,
    )
    .await;
}

/// Pauses or resumes an invocation.
async fn change(machine: &Machine, id: &str, how: &str) {
    let path = format!("/invocations/{id}/{how}");
    let (status, body) = ask(machine.ports().admin, "PATCH", &path).await.unwrap();
    assert!((200..300).contains(&status), "{how}: {status} {body}");
}
