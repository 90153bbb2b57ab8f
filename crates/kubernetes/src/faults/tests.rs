//! A runner that is killed at each of its requests, and the one that comes next.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::SignedDuration;
use longrun_core::{
    faults::{
        self, Settings,
        ledger::{Ledger, Outcome},
    },
    names::{CHAOS_LABEL, RULES_ANNOTATION, SERVICE_POLICY},
    object::{ObjectRef, Uid},
    plan::Target,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{LEDGER, Order, Ran, run};
use crate::server::{Fate, Server};

const ENVIRONMENT: &str = "restate-chaos";

fn order(pod: &str) -> Order {
    Order {
        fault: faults::find("cut-network").unwrap(),
        settings: Settings {
            target: Target {
                cluster: "dev".to_owned(),
                kube_system: Uid("k".to_owned()),
                environment: ENVIRONMENT.to_owned(),
            },
            replicas: 1,
            // By the clock on the wall, which no test moves.
            hold: SignedDuration::ZERO,
            enforces_policies: true,
            seed: 7,
        },
        by: "schedule".to_owned(),
        pod: pod.to_owned(),
        jitter: Duration::ZERO,
    }
}

fn rules() -> Value {
    json!({"ingress": [{"from": ["the service"]}], "egress": []})
}

/// An environment in which everything is well.
fn server() -> Server {
    let server = Server::new();
    let workload = |kind: &str, name: &str, uid: &str| {
        json!({"apiVersion": "apps/v1", "kind": kind,
            "metadata": {"name": name, "namespace": ENVIRONMENT, "uid": uid, "generation": 1,
                "annotations": {"deployment.kubernetes.io/revision": "1"}},
            "spec": {"replicas": 1},
            "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
                "availableReplicas": 1}})
    };
    let owned = |mut object: Value, by: &str| {
        object["metadata"]["ownerReferences"] = json!([{"uid": by}]);
        object
    };
    let pod = |name: &str, by: &str| {
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": ENVIRONMENT, "uid": name},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "a", "restartCount": 0, "ready": true}]}});
        owned(pod, by)
    };
    let set = workload("ReplicaSet", "verification-1", "replicas");
    let annotation = json!({RULES_ANNOTATION: rules().to_string()});
    for object in [
        json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": ENVIRONMENT, "labels": {CHAOS_LABEL: "true"}}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": SERVICE_POLICY, "namespace": ENVIRONMENT, "annotations": annotation},
            "spec": rules()}),
        workload("StatefulSet", "restate", "node"),
        workload("Deployment", "verification", "services"),
        owned(set, "services"),
        pod("restate-0", "node"),
        pod("verification-1-a", "replicas"),
    ] {
        server.put(object);
    }
    server
}

/// What a process of its own does, with a clock that goes on when it waits. When it is over, so is all that it began.
fn process<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

fn object(server: &Server, version: &str, kind: &str, name: &str) -> Option<Value> {
    let object = ObjectRef::namespaced(version, kind, ENVIRONMENT, name);
    process(async { server.client().get(&object).await.unwrap() })
}

fn is_cut(server: &Server) -> bool {
    let door = object(
        server,
        "networking.k8s.io/v1",
        "NetworkPolicy",
        SERVICE_POLICY,
    );
    door.unwrap()["spec"] != rules()
}

fn ledger(server: &Server) -> Ledger {
    Ledger::read(object(server, "v1", "ConfigMap", LEDGER).as_ref())
}

/// Runs the fault with nobody who would interrupt it.
async fn ran(server: &Server, pod: &str) -> Ran {
    let (client, order) = (server.client(), order(pod));
    let ran = run(&client, &order, &|_| {}, std::future::pending());
    ran.await.unwrap()
}

/// A runner that is gone in the moment of its request of this number: before it is served, or before the answer is
/// here. Answers how many requests it made.
fn killed(server: &Server, at: usize, is_served: bool) -> usize {
    let (made, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (count, kill) = (Arc::clone(&made), Arc::clone(&over));
    server.goes_wrong(move |_, _, _| {
        let now = count.fetch_add(1, Ordering::Relaxed);
        if now >= at {
            kill.notify_one();
        }
        if now < at || (now == at && is_served) {
            Fate::Served
        } else {
            Fate::Silence
        }
    });
    process(async {
        tokio::select! {
            biased;
            () = over.notified() => {}
            _ = ran(server, "first") => {}
        }
    });
    server.goes_wrong(|_, _, _| Fate::Served);
    made.load(Ordering::Relaxed)
}

#[test]
fn a_runner_may_be_killed_at_each_request_and_the_next_one_takes_back_what_it_left() {
    let (mut cut, mut taken_back) = (0, 0);
    for is_served in [false, true] {
        for at in 0.. {
            let server = server();
            if killed(&server, at, is_served) <= at {
                break;
            }
            let was_cut = is_cut(&server);
            let next = process(ran(&server, "second"));
            assert!(!is_cut(&server), "request {at}: {next:?}");
            assert_eq!(ledger(&server).open().count(), 0, "request {at}: {next:?}");
            let healed = next.healed_earlier.len();
            // It heals, or it is an ordinary run; it never does both.
            let outcome = (healed == 0).then_some(Outcome::Recovered);
            assert_eq!(next.outcome, outcome, "request {at}: {next:?}");
            assert!(!was_cut || healed == 1, "request {at}: {next:?}");
            cut += usize::from(was_cut);
            taken_back += healed;
        }
    }
    assert!(
        cut > 10 && taken_back > cut,
        "{cut} were cut, {taken_back} taken back"
    );
}
