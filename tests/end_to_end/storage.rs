//! A wipe on storage that goes wrong: what is slow is waited for, and what is no copy is not believed.

use nix::sys::signal::Signal;

use crate::{database::deployed, house::House};

/// Makes the copies of this environment's wipes with a class that goes wrong.
fn with_class(house: &House, parameters: &str) {
    with_class_of(house, "retain", parameters);
}

/// Snapshots of which what is stored is to be kept, or to go with them, go wrong.
fn with_class_of(house: &House, policy: &str, parameters: &str) {
    let class = format!("{}-{policy}", house.name);
    let word = if policy == "retain" {
        "Retain"
    } else {
        "Delete"
    };
    house
        .try_kubectl(&["delete", "volumesnapshotclass", &class])
        .ok();
    house.apply(
        &format!(
            r#"{{"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
            "metadata": {{"name": "{class}"}}, "driver": "csi.longrun.dev", "deletionPolicy": "{word}",
            "parameters": {parameters}}}"#
        ),
        &[],
    );
    let file = format!("clusters/{}.yaml", crate::setting::setting().cluster);
    let text = std::fs::read_to_string(house.path(&file)).expect("the cluster's file");
    if !text.contains(&class) {
        let classes = format!("storage:\n  snapshotClasses: {{{policy}: {class}}}\n");
        house.write(&file, &text.replace("storage:\n", &classes));
    }
}

#[test]
fn a_wipe_waits_for_slow_storage_and_believes_no_empty_copy() {
    let house = deployed("storage");
    house.increment();
    let (claim, fingerprint) = (house.claim(), house.fingerprint());
    let unchanged = || {
        assert_eq!(house.claim(), claim);
        assert_eq!(house.fingerprint(), fingerprint);
        assert_eq!(house.counter(), 1);
        house.is_tidy();
    };

    with_class(&house, r#"{"content": "empty"}"#);
    let ran = house
        .wipe()
        .exits(3)
        .says(&["its changes are taken back", "EMPTY: "]);
    let (_, end) = ran.stderr.split_once("are taken back").expect("it says so");
    assert!(!end.contains("cargo xtask restore"), "{ran}");
    unchanged();
    let empty = house.kept();
    assert_eq!(house.snapshots()[0]["verification"], "empty");
    house
        .run(&["snapshot", "list", "-n", &house.name])
        .exits(0)
        .prints(&["ready, EMPTY"]);
    assert_eq!(house.last_operation()["kept"]["standing"], "empty");
    house
        .data("restore", &["-s", &empty])
        .exits(2)
        .says(&["is EMPTY: it has no database"]);

    for (fault, says) in [
        (
            r#"{"ready": "never"}"#,
            "the storage has not finished the snapshot",
        ),
        (
            r#"{"fail": "internal"}"#,
            "the snapshot controller retries after",
        ),
        // What a storage says that is full.
        (r#"{"fail": "exhausted"}"#, "ResourceExhausted"),
    ] {
        with_class(&house, fault);
        let digest = house.digest("wipe", &[]);
        let run = house.begin_data("wipe", &["--approve", &digest]);
        run.hears(says);
        run.signal(Signal::SIGINT);
        run.end().exits(3).says(&["its changes are taken back"]);
        unchanged();
        // It would hold the claim's deletion: it has to be deleted by name.
        let snapshots = house.snapshots();
        let hanging = snapshots.iter().find(|one| one["ready"] == false);
        assert_eq!(
            hanging.map(|one| &one["verification"]),
            Some(&"unverified".into())
        );
        assert_eq!(house.last_operation()["kept"]["standing"], "notReady");
        let hanging = hanging
            .and_then(|one| one["name"].as_str())
            .expect("it is listed");
        house
            .data("wipe", &[])
            .exits(2)
            .says(&[hanging, "not ready", "delete it by name"]);
        with_class(&house, "{}");
        // The storage works again. A snapshot that is deleted in the moment in which it becomes ready may never go
        // (external-snapshotter 8).
        if fault.contains("fail") {
            house.until("the storage has finished it", || {
                let snapshots = house.snapshots();
                let it = snapshots.iter().find(|one| one["name"] == hanging);
                it.is_some_and(|one| one["ready"] == true)
            });
        }
        let delete = ["snapshot", "delete", hanging, "-n", &house.name];
        let digest = house
            .run(&[&delete[..], &["--dry-run"]].concat())
            .exits(0)
            .stdout;
        let digest = digest.trim().rsplit(' ').next().expect("a digest");
        house
            .run(&[&delete[..], &["--approve", digest]].concat())
            .exits(0);
    }

    with_class(
        &house,
        r#"{"fail": "unavailable", "failTimes": "2", "readyAfter": "5s"}"#,
    );
    house.wipe().exits(0);
    assert_ne!(house.claim(), claim);
    assert_eq!(house.counter(), 0);
    house.is_tidy();
    let class = format!("{}-retain", house.name);
    house.kubectl(&["delete", "volumesnapshotclass", &class]);
}

#[test]
fn a_snapshot_that_is_ready_and_empty_takes_nobodys_place() {
    let house = deployed("hollow");
    house.increment();
    let claim = house.claim();
    let node = || house.field("pod/restate-0", "/metadata/uid");
    let before = node();
    with_class_of(&house, "delete", r#"{"content": "empty"}"#);
    house
        .data("snapshot", &["--name", "hollow", "--yes"])
        .exits(0);
    house
        .restore("hollow")
        .exits(3)
        .says(&["-source", "its changes are taken back"]);
    assert_eq!(house.snapshots()[0]["verification"], "empty");
    house
        .data("restore", &["-s", "hollow"])
        .exits(2)
        .says(&["is EMPTY: it has no database"]);
    assert_eq!(node(), before, "the node was not stopped for it");
    assert_eq!(house.claim(), claim);
    assert_eq!(house.counter(), 1);
    house.is_tidy();
    let class = format!("{}-delete", house.name);
    house.kubectl(&["delete", "volumesnapshotclass", &class]);
}
