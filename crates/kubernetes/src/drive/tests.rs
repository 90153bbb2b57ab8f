//! Plans driven against a small API server that goes wrong. Time passes as fast as the tests let it.

use std::{sync::Mutex, time::Duration};

use http::Method;
use longrun_core::{
    approval::{Approved, Ask},
    gate::{Database, Incarnation},
    journal::{State, Stored},
    names::JOURNAL,
    object::{ObjectRef, Uid},
    plan::{Effect, Guard, Plan, Policy, Propagation, Step, Target},
    wait::Wait,
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::*;
use crate::{
    data::last_operation,
    lease::{Holder, LeaseError},
    progress::Progress,
    server::{Fate, Server},
};

fn place(api_version: &str, kind: &str, name: &str) -> ObjectRef {
    ObjectRef::namespaced(api_version, kind, "restate", name)
}

fn step(act: Effect, until: Wait) -> Step {
    Step::new(act, Guard::None, until)
}

fn suspend() -> Step {
    let object = place("batch/v1", "CronJob", "test");
    let suspend = |suspend| Effect::Suspend {
        object: object.clone(),
        suspend,
    };
    step(suspend(true), Wait::None).undo(suspend(false))
}

fn wait_for_job() -> Step {
    let object = place("batch/v1", "Job", "discover");
    step(Effect::Watch { object }, Wait::Complete)
}

fn create(name: &str) -> Step {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "restate"}});
    step(Effect::Create { object }, Wait::None)
}

fn approved(steps: Vec<Step>) -> Approved {
    let plan = Plan {
        operation: "deploy".to_owned(),
        target: Target {
            cluster: "dev".to_owned(),
            kube_system: Uid("k".to_owned()),
            environment: "restate".to_owned(),
        },
        steps,
        loses: Vec::new(),
        notes: Vec::new(),
        generated: Vec::new(),
    };
    Ask::new(plan).piped(true, None).unwrap()
}

/// A server with the tests' CronJob and a Job that does not end by itself.
fn server() -> Server {
    let server = Server::new();
    let metadata = |name: &str| json!({"name": name, "namespace": "restate"});
    server.put(json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata("test")}));
    server.put(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata("discover")}));
    server
}

fn complete(server: &Server) {
    server.put(json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "discover", "namespace": "restate"},
        "status": {"conditions": [{"type": "Complete", "status": "True"}]}}));
}

fn holder(who: &str) -> Holder {
    Holder {
        who: who.to_owned(),
        operation: "deploy".to_owned(),
        run: "1".to_owned(),
    }
}

/// What the driver says in the end, what it wrote apart from the lease, and how many seconds it took.
async fn driven(
    server: &Server,
    steps: Vec<Step>,
    interrupted: impl Future<Output = ()>,
) -> (Result<(), String>, Vec<String>, u64) {
    let client = server.client();
    let progress = |_: &Progress<'_>| {};
    let lease = Lease::acquire(&client, "restate", &holder("ana"), &progress)
        .await
        .unwrap();
    let began = Instant::now();
    let outcome = drive(
        &client,
        approved(steps),
        Some(&lease),
        &progress,
        interrupted,
    )
    .await;
    let took = began.elapsed().as_secs();
    let names = server.writes().into_iter().filter_map(|write| {
        let name = write.rsplit('/').next()?.to_owned();
        (!write.contains("/leases")).then_some(name)
    });
    let outcome = outcome.map(|_| ()).map_err(|stopped| stopped.to_string());
    (outcome, names.collect(), took)
}

fn never() -> impl Future<Output = ()> {
    std::future::pending()
}

#[tokio::test(start_paused = true)]
async fn a_plan_whose_object_may_not_be_read_any_more_ends_and_is_taken_back() {
    let server = server();
    server.goes_wrong(|_, path, _| match path.ends_with("jobs/discover") {
        true => Fate::Refused(403),
        false => Fate::Served,
    });
    let (outcome, writes, took) = driven(&server, vec![suspend(), wait_for_job()], never()).await;
    let said = outcome.unwrap_err();
    assert!(said.contains("the answer is 403"), "{said}");
    assert!(said.contains("its changes are taken back"), "{said}");
    assert_eq!(writes, ["test", "test"]);
    assert!(took < 5, "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_api_server_is_given_up_and_what_stays_is_said() {
    let server = server();
    server.goes_wrong(|_, _, requests| match requests > 30 {
        true => Fate::Silence,
        false => Fate::Served,
    });
    let (outcome, _, took) = driven(&server, vec![suspend(), wait_for_job()], never()).await;
    let said = outcome.unwrap_err();
    assert!(said.contains("does not answer"), "{said}");
    assert!(
        said.contains("still in effect: suspend CronJob test"),
        "{said}"
    );
    assert!((60..150).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn an_interruption_ends_a_wait_and_the_silence_too() {
    let server = server();
    let soon = sleep(Duration::from_secs(7));
    let (outcome, writes, took) = driven(&server, vec![suspend(), wait_for_job()], soon).await;
    let said = outcome.unwrap_err();
    assert!(said.contains("it was interrupted"), "{said}");
    assert_eq!(writes, ["test", "test"], "it is resumed");
    assert!((7..10).contains(&took), "{took}");

    let silent = self::server();
    silent.goes_wrong(
        |_, path, _| match path.contains("/leases/") || path.contains("/leases") {
            true => Fate::Served,
            false => Fate::Silence,
        },
    );
    let soon = sleep(Duration::from_secs(7));
    let (outcome, _, took) = driven(&silent, vec![create("a")], soon).await;
    assert!(outcome.unwrap_err().contains("nothing is changed"));
    assert!(took < 15, "{took}");
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_behind_a_guard_is_looked_at() {
    let server = server();
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "storage", "namespace": "restate", "uid": "c"}});
    let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v", "uid": "v"},
        "spec": {"claimRef": {"namespace": "restate", "name": "storage", "uid": "c"}}, "status": {"phase": "Bound"}});
    let object = ObjectRef::of(&volume).unwrap();
    server.put(claim);
    server.put(volume);
    let reclaim = |policy| Effect::Reclaim {
        object: object.clone(),
        uid: Uid("v".to_owned()),
        policy,
    };
    let guard = Guard::Bound {
        uid: Uid("v".to_owned()),
        claim: Uid("c".to_owned()),
    };
    let keep = Step::new(reclaim(Policy::Retain), guard, Wait::None).undo(reclaim(Policy::Delete));
    // The step that is interrupted has acted: what is looked at is not its object any more.
    let soon = sleep(Duration::from_secs(7));
    let (outcome, writes, _) = driven(&server, vec![keep, wait_for_job()], soon).await;
    assert!(outcome.unwrap_err().contains("its changes are taken back"));
    assert_eq!(writes, ["v", "v"]);
}

#[tokio::test(start_paused = true)]
async fn what_appears_between_the_look_and_the_creation_is_not_touched() {
    let server = server();
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"of": "theirs"},
        "metadata": {"name": "a", "namespace": "restate", "uid": "theirs"}});
    server.goes_wrong(
        move |method, path, _| match path.ends_with("configmaps/a") {
            true if *method == Method::PATCH => Fate::Overtaken(theirs.clone()),
            _ => Fate::Served,
        },
    );
    let (outcome, writes, _) = driven(&server, vec![create("a"), suspend()], never()).await;
    let said = outcome.unwrap_err();
    assert!(said.contains("it appeared meanwhile"), "{said}");
    assert_eq!(writes, [""; 0], "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_claim_somebody_deletes_meanwhile_is_not_started_again_and_that_is_said_first()
{
    let server = server();
    let claim = place("v1", "PersistentVolumeClaim", "storage-restate-0");
    let set = place("apps/v1", "StatefulSet", "restate");
    server.put(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": claim.name, "namespace": "restate", "uid": "c"}}));
    server.put(
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"replicas": 1},
        "metadata": {"name": set.name, "namespace": "restate", "uid": "s"}}),
    );
    let scale = |replicas| Effect::Scale {
        object: set.clone(),
        replicas,
    };
    let guard = Guard::Node {
        uid: Uid("s".to_owned()),
        database: Database {
            claim: claim.clone(),
            incarnation: Incarnation::Is(Uid("c".to_owned())),
            volume: Some("pv".to_owned()),
        },
    };
    let stop = Step::new(scale(0), guard, Wait::None).undo(scale(1));
    let kubectl = server.client();
    let interrupted = async move {
        sleep(Duration::from_secs(7)).await;
        let uid = Uid("c".to_owned());
        let propagation = Propagation::Background;
        kubectl
            .delete(&claim, &uid, None, propagation)
            .await
            .unwrap();
    };
    let steps = vec![suspend(), stop, wait_for_job()];
    let (outcome, writes, _) = driven(&server, steps, interrupted).await;
    let said = outcome.unwrap_err();
    let first = said.lines().next().unwrap();
    assert!(first.contains("not the one from before"), "{said}");
    assert!(said.contains("kubectl patch pv pv"), "{said}");
    assert!(
        said.contains("not all of its changes are taken back"),
        "{said}"
    );
    assert_eq!(writes, ["test", "restate", "storage-restate-0"], "{said}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_while_the_lease_is_overdue() {
    let server = server();
    let clock = Instant::now();
    server.goes_wrong(move |method, path, _| {
        let renewal = path.contains("/leases") && *method == http::Method::PUT;
        match renewal && clock.elapsed().as_secs() > 5 {
            true => Fate::Silence,
            false => Fate::Served,
        }
    });
    let later = server.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(25)).await;
        complete(&later);
    });
    let (outcome, writes, took) = driven(&server, vec![wait_for_job(), create("a")], never()).await;
    let said = outcome.unwrap_err();
    assert!(said.contains("the lease could not be renewed"), "{said}");
    assert_eq!(writes, Vec::<String>::new());
    assert!((60..100).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_hiccup_of_the_store_is_waited_out() {
    let server = server();
    let times = Mutex::new((0, 0));
    server.goes_wrong(move |method, path, _| {
        let mut times = times.lock().unwrap();
        if *method == http::Method::PATCH {
            times.0 += 1;
        } else if *method == http::Method::PUT {
            times.1 += 1;
        } else {
            return Fate::Served;
        }
        let count = if path.contains("/leases") {
            times.1
        } else {
            times.0
        };
        if count < 3 {
            Fate::Refused(500)
        } else {
            Fate::Served
        }
    });
    let (outcome, writes, _) = driven(&server, vec![create("a")], never()).await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(writes, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_taken_over_from_the_silent_and_from_nobody_else() {
    let server = server();
    let client = server.client();
    let progress = |_: &Progress<'_>| {};
    let acquire = |who: &'static str| {
        let client = &client;
        let progress = &progress;
        async move { Lease::acquire(client, "restate", &holder(who), progress).await }
    };
    let first = acquire("ana").await.unwrap();
    let refused = acquire("ben").await.unwrap_err();
    assert!(matches!(refused, LeaseError::Held { .. }), "{refused}");

    // Killed: nothing is released.
    drop(first);
    let since = Instant::now();
    let second = acquire("ben").await.unwrap();
    assert!(since.elapsed().as_secs() >= 15);

    second.release().await.unwrap();
    let since = Instant::now();
    acquire("ana").await.unwrap();
    assert!(since.elapsed().as_secs() < 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_another_has_taken_stops_its_first_holder() {
    let server = server();
    let other = server.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(6)).await;
        other.put(
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "longrun", "namespace": "restate"},
            "spec": {"holderIdentity": "ben", "leaseDurationSeconds": 15}}),
        );
    });
    let (outcome, writes, took) = driven(&server, vec![suspend(), wait_for_job()], never()).await;
    let said = outcome.unwrap_err();
    assert!(
        said.contains("ben (an operation) has taken the lease over"),
        "{said}"
    );
    assert_eq!(
        writes,
        ["test"],
        "nothing is touched any more, not even to take it back"
    );
    assert!(took < 12, "{took}");
}

/// The same with a journal that is kept in the namespace.
async fn kept(server: &Server, steps: Vec<Step>) -> Result<Journal, Box<Stopped>> {
    let client = server.client();
    let progress = |_: &Progress<'_>| {};
    let lease = Lease::acquire(&client, "restate", &holder("ana"), &progress)
        .await
        .unwrap();
    let stored = Stored::begin(Journal::open(approved(steps)), None, client.now());
    drive(&client, stored, Some(&lease), &progress, never()).await
}

#[tokio::test(start_paused = true)]
async fn a_kept_journal_is_written_before_each_effect() {
    let server = server();
    kept(&server, vec![create("a"), create("b")]).await.unwrap();
    let writes: Vec<String> = server
        .writes()
        .into_iter()
        .filter_map(|write| Some(write.rsplit('/').next()?.to_owned()))
        .filter(|name| ["a", "b", "configmaps", JOURNAL].contains(&name.as_str()))
        .collect();
    let at = |name: &str| writes.iter().position(|write| write == name).unwrap();
    // It is created, and replaced from then on.
    assert!(at("configmaps") < at("a"), "{writes:?}");
    assert_eq!(writes[at("b") - 1], JOURNAL, "{writes:?}");
    let last = last_operation(&server.client(), "restate").await.unwrap();
    assert_eq!(last.unwrap().journal.state(), State::Done);
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_another_has_overtaken_does_nothing_more() {
    let server = server();
    let other = server.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(5)).await;
        other.put(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": JOURNAL, "namespace": "restate"}, "data": {"epoch": "2"}}));
        complete(&other);
    });
    let stopped = kept(&server, vec![suspend(), wait_for_job(), create("a")]).await;
    let said = stopped.unwrap_err().to_string();
    assert!(
        said.contains("another process took the journal over"),
        "{said}"
    );
    let a = |write: &String| write.ends_with("/a");
    assert!(!server.writes().iter().any(a));
    let suspensions = server
        .writes()
        .iter()
        .filter(|write| write.ends_with("/test"))
        .count();
    assert_eq!(suspensions, 1, "it is not taken back either");
}
