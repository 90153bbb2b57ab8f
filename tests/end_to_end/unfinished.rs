//! Operations on the database that are killed, taken back, gone on with and cured: nothing is lost.

use nix::sys::signal::Signal;

use crate::{database::deployed, house::House};

/// Begins a wipe and kills it when a step of this object's kind is at work.
pub(crate) fn killed_when(house: &House, what: &str, mut holds: impl FnMut() -> bool) {
    let digest = house.digest("wipe", &[]);
    let run = house.begin_data("wipe", &["--approve", &digest]);
    house.until(what, || holds() || run.has_ended());
    run.signal(Signal::SIGKILL);
    assert_eq!(run.end().code, None);
}

#[test]
fn until_the_deletion_everything_can_be_taken_back_and_afterwards_a_deployment_cures() {
    let house = deployed("abort");
    house.increment();
    let (claim, fingerprint) = (house.claim(), house.fingerprint());

    killed_when(&house, "the node is stopped", || {
        house.field("statefulset/restate", "/spec/replicas") == 0
    });
    house
        .data("wipe", &[])
        .exits(2)
        .says(&["is not finished", "operation abort -n"]);
    // The node does not run on, and a slow snapshot would hold the claim. By its Lease the wipe may be alive.
    house
        .data("snapshot", &["--name", "beside", "--yes"])
        .exits(2)
        .says(&["a wipe of", "is not finished", "operation abort -n"]);
    house.data("status", &[]).exits(0).prints(&[
        "NOT FINISHED   a wipe",
        "nothing is lost yet",
        "operation status",
    ]);
    // It is the only one, and need not be named.
    house
        .run(&["operation", "abort"])
        .exits(0)
        .says(&["everything is taken back"]);
    house
        .run(&["operation", "status"])
        .exits(2)
        .says(&["no operation is unfinished in", "-n ENVIRONMENT"]);
    house.until("the node runs", || {
        house.field("statefulset/restate", "/status/readyReplicas") == 1
    });
    assert_eq!(house.claim(), claim);
    assert_eq!(house.fingerprint(), fingerprint);
    assert_eq!(house.counter(), 1);
    let volume = house.field("pvc/storage-restate-0", "/spec/volumeName");
    let volume = format!("pv/{}", volume.as_str().expect("bound"));
    let policy = house.field(&volume, "/spec/persistentVolumeReclaimPolicy");
    assert_eq!(policy, "Delete");
    house
        .operation("resume", &[])
        .exits(2)
        .says(&["was taken back", "nothing to resume"]);

    // The kept copy is deleted from under it: then the claim stays.
    killed_when(&house, "the copy is compared", || {
        house
            .kubectl(&["get", "jobs", "--output", "name"])
            .contains("-check")
    });
    for snapshot in house.snapshots() {
        let name = snapshot["name"].as_str().expect("a name");
        if snapshot["purpose"] == "before-wipe" {
            house.kubectl(&["delete", "volumesnapshot", name]);
        }
    }
    house
        .operation("resume", &[])
        .exits(3)
        .says(&["its changes are taken back"]);
    assert_eq!(house.claim(), claim);
    assert_eq!(house.counter(), 1);

    // Beyond the deletion only forward: a deployment is let in, and closes it.
    killed_when(&house, "the claim is gone", || house.claim() != claim);
    house
        .operation("abort", &[])
        .exits(2)
        .says(&["cannot be taken back"]);
    house.deploy(&["--yes"]).exits(0);
    assert_eq!(house.counter(), 0);
    assert_eq!(house.last_operation()["state"]["state"], "superseded");
    house.is_tidy();
    house.deploy(&["--yes"]).exits(0).says(&["nothing to do"]);
}

#[test]
fn a_wipe_whose_new_node_cannot_start_is_cured_by_a_deployment() {
    let house = deployed("cure");
    house.increment();
    let (claim, fingerprint) = (house.claim(), house.fingerprint());
    // The node that runs does not mind, and the next one cannot start.
    house.kubectl(&[
        "patch",
        "statefulset",
        "restate",
        "--type",
        "strategic",
        "--patch",
        r#"{"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}, "template": {"spec":
            {"containers": [{"name": "restate", "command": ["/nowhere"]}]}}}}"#,
    ]);
    let stopped = house.wipe().exits(3);
    let kept = house.kept();
    stopped.says(&[
        "/nowhere",
        &format!("as VolumeSnapshot {kept}"),
        "or close it:  cargo xtask deploy",
        &format!("-s {kept}"),
    ]);
    assert_ne!(house.claim(), claim);
    house
        .operation("abort", &["--dry-run"])
        .exits(2)
        .says(&["cannot be taken back"]);
    house
        .operation("resume", &["--dry-run"])
        .exits(0)
        .prints(&["go on:", &format!("as VolumeSnapshot {kept}")]);

    let rolls = r#"{"spec": {"updateStrategy": {"type": "RollingUpdate"}}}"#;
    house.kubectl(&[
        "patch",
        "statefulset",
        "restate",
        "--type",
        "merge",
        "--patch",
        rolls,
    ]);
    house
        .deploy(&["--take-over", "StatefulSet/restate", "--yes"])
        .exits(0);
    assert_eq!(house.last_operation()["state"]["state"], "superseded");
    assert_eq!(house.counter(), 0);
    house.is_tidy();
    house.restore(&kept).exits(0);
    assert_eq!(house.fingerprint(), fingerprint);
    assert_eq!(house.counter(), 1);
}

#[test]
fn a_claim_that_somebody_else_deletes_is_not_taken_for_ours() {
    let house = deployed("deleted");
    house.increment();
    let fingerprint = house.fingerprint();
    killed_when(&house, "the copy is compared", || {
        house
            .kubectl(&["get", "jobs", "--output", "name"])
            .contains("-check")
    });
    // It stays until the pod that compares is gone.
    house.kubectl(&["delete", "pvc", "storage-restate-0", "--wait=false"]);
    // Whether the copy was compared before depends on who was faster: it is a way back only then.
    house.operation("resume", &[]).exits(3).says(&[
        "the database is not the one from before",
        "bring it back: ",
        "not taken back: keep the data of PersistentVolume",
        "its claim is gone",
        &format!("VolumeSnapshot {}", house.kept()),
    ]);
    assert_eq!(
        house.field("statefulset/restate", "/spec/replicas"),
        0,
        "it would make an empty one"
    );
    house
        .operation("status", &[])
        .exits(0)
        .prints(&["the database is not the one from before", "bring it back: "]);
    assert_eq!(house.last_operation()["state"]["state"], "databaseGone");
    house
        .data("wipe", &[])
        .exits(2)
        .says(&["the database is not the one from before"]);
    house.diff().exits(1);
    house.restore(&house.kept()).exits(0);
    assert_eq!(house.fingerprint(), fingerprint);
    assert_eq!(house.counter(), 1);
    house.is_tidy();

    // One that cannot go, because the node has it.
    let claim = ["delete", "pvc", "storage-restate-0", "--wait=false"];
    house.kubectl(&claim);
    house
        .data("wipe", &[])
        .exits(2)
        .says(&["storage-restate-0", "kubernetes.io/pvc-protection"]);
    assert_eq!(house.counter(), 1);
}

#[test]
fn a_database_whose_claim_somebody_deleted_comes_back_from_its_volume() {
    let house = deployed("volume");
    house.increment();
    let (claim, fingerprint) = (house.claim(), house.fingerprint());
    let volume = house.field("pvc/storage-restate-0", "/spec/volumeName");
    let volume = volume.as_str().expect("it is bound").to_owned();
    killed_when(&house, "the node is stopped", || {
        house.field("statefulset/restate", "/spec/replicas") == 0
    });
    house.kubectl(&["delete", "pvc", "storage-restate-0"]);
    let patch = r#"{"spec":{"claimRef":{"uid":null,"resourceVersion":null}}}"#;
    house.operation("resume", &[]).exits(3).says(&[
        "the database is not the one from before",
        "PersistentVolumeClaim storage-restate-0 was deleted meanwhile",
        &format!(
            "kubectl patch pv {volume} --type=merge --patch='{patch}', then cargo xtask deploy"
        ),
    ]);
    house.kubectl(&["patch", "pv", &volume, "--type=merge", "--patch", patch]);
    house
        .deploy(&["--yes"])
        .exits(0)
        .says(&["the database is not the one from before a wipe"]);
    assert_ne!(house.claim(), claim);
    assert_eq!(
        house.field("pvc/storage-restate-0", "/spec/volumeName"),
        volume.as_str()
    );
    assert_eq!(house.fingerprint(), fingerprint);
    assert_eq!(house.counter(), 1);
    assert_eq!(house.last_operation()["state"]["state"], "superseded");
    house.is_tidy();
    house.deploy(&["--yes"]).exits(0).says(&["nothing to do"]);
    // It goes with its namespace, as before.
    let policy = r#"{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}"#;
    house.kubectl(&["patch", "pv", &volume, "--type=merge", "--patch", policy]);
}

#[test]
fn one_wipe_at_a_time() {
    let house = deployed("two-wipes");
    let digest = house.digest("wipe", &[]);
    let first = house.begin_data("wipe", &["--approve", &digest]);
    house.until("the first is at work", || {
        let holder = house.field("lease/longrun", "/spec/holderIdentity");
        holder
            .as_str()
            .is_some_and(|holder| holder.contains(" wipe "))
    });
    house
        .data("snapshot", &["--name", "beside", "--yes"])
        .exits(2)
        .says(&["is running wipe in"]);
    let second = house.data("wipe", &["--approve", &digest]).exits(2);
    assert!(
        second.stderr.contains("is running wipe in")
            || second.stderr.contains("nothing was changed"),
        "{second}"
    );
    first.end().exits(0);
}
