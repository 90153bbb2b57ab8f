//! Restate's data under another version of the node.

use super::*;
use crate::{
    approval::{Ask, Demand},
    names::OPENED_BY_ANNOTATION,
    version::ImageVersion,
};

const KEY: &str = "82a934cde840";

/// A node of one version runs, and the environment's file asks for another one.
fn changed(from: &str, to: &str) -> Cluster {
    let mut cluster = Cluster::up_to_date();
    let set = cluster.of("StatefulSet");
    set.live.as_mut().unwrap()["spec"]["template"] = node(from);
    set.desired["spec"]["template"] = node(to);
    cluster.dry_run();
    let from = ImageVersion::of(&format!("restate:{from}")).to_string();
    note(&mut cluster.facts.claims[0], &from);
    cluster
}

fn node(tag: &str) -> Value {
    image("restate", &format!("host:5000/longrun/restate:{tag}"))
}

fn note(object: &mut Value, opened_by: &str) {
    object["metadata"]["annotations"] = json!({OPENED_BY_ANNOTATION: opened_by});
}

/// A snapshot of the claim.
fn taken(name: &str, created: &str, opened_by: &str) -> Value {
    let mut snapshot = json!({"metadata": {"name": name, "creationTimestamp": created},
        "spec": {"source": {"persistentVolumeClaimName": "target-restate-0"}},
        "status": {"readyToUse": true}});
    note(&mut snapshot, opened_by);
    snapshot
}

/// What a deployment does about the node's data, in short.
fn outcome(cluster: &Cluster) -> String {
    let text = check(&cluster.facts);
    let about = ["snapshot", "note", "Incomparable", "Restate"];
    let lines = text.lines().map(str::trim);
    let told: Vec<&str> = lines
        .filter(|line| about.iter().any(|word| line.contains(word)))
        .collect();
    match &told[..] {
        [] => "rolled".to_string(),
        told => told.join("\n    "),
    }
}

#[test]
fn versions_are_compared_as_versions() {
    let table = [
        ("1.6.2-82a934cde840", "1.6.2-0123456789ab"),
        ("1.6.2", "1.6.3-82a934cde840"),
        ("1.6.3", "1.6.2"),
        ("1.6.10", "1.6.9"),
        ("1.6.2", "1.7.0"),
        ("1.6.2", "1.8.0"),
        ("1.7.0", "1.6.9"),
        ("1.7.0", "2.0.0"),
        ("1.8.0-rc.1-82a934cde840", "1.8.0-82a934cde840"),
        ("1.8.0-82a934cde840", "1.8.0-rc.1-82a934cde840"),
        ("1.8.0-rc.2", "1.8.0-rc.10"),
        ("1.8.0-rc.10", "1.8.0-rc.2"),
        ("1.7.12", "1.8.0-rc.1"),
        ("1.8.0-rc.1", "1.7.12"),
        ("1.7.0", "nightly"),
        ("main", "1.7.0"),
        ("main-82a934cde840", "main-82a934cde840"),
        ("main-82a934cde840", "main-0123456789ab"),
    ];
    let outcome =
        |(from, to): (&str, &str)| format!("{from} → {to}:\n    {}\n", outcome(&changed(from, to)));
    assert_snapshot!(table.map(outcome).concat(), @r#"
    1.6.2-82a934cde840 → 1.6.2-0123456789ab:
        rolled
    1.6.2 → 1.6.3-82a934cde840:
        snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
        note Restate 1.6.3 as the node of PersistentVolumeClaim target-restate-0
    1.6.3 → 1.6.2:
        snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
        note Restate 1.6.2 as the node of PersistentVolumeClaim target-restate-0
    1.6.10 → 1.6.9:
        snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
        note Restate 1.6.9 as the node of PersistentVolumeClaim target-restate-0
    1.6.2 → 1.7.0:
        snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
        note Restate 1.7.0 as the node of PersistentVolumeClaim target-restate-0
    1.6.2 → 1.8.0:
        - Restate 1.6.2 has opened PersistentVolumeClaim target-restate-0, and 1.8.0 must not open it after that: Restate supports upgrades to the next minor version only, one after the other; there is no snapshot of it that Restate 1.8.0 may open; to start it on an empty database: cargo xtask wipe -n restate --cluster dev
    1.7.0 → 1.6.9:
        - Restate 1.7.0 has opened PersistentVolumeClaim target-restate-0, and 1.6.9 must not open it after that: Restate supports the way back only to the minor version before, and only while no feature of the newer one was used, which cannot be told here; there is no snapshot of it that Restate 1.6.9 may open; to start it on an empty database: cargo xtask wipe -n restate --cluster dev
    1.7.0 → 2.0.0:
        - Restate 1.7.0 has opened PersistentVolumeClaim target-restate-0, and 2.0.0 must not open it after that: Restate supports upgrades to the next minor version only, one after the other; there is no snapshot of it that Restate 2.0.0 may open; to start it on an empty database: cargo xtask wipe -n restate --cluster dev
    1.8.0-rc.1-82a934cde840 → 1.8.0-82a934cde840:
        snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
        note Restate 1.8.0 as the node of PersistentVolumeClaim target-restate-0
    1.8.0-82a934cde840 → 1.8.0-rc.1-82a934cde840:
        - Restate 1.8.0 has opened PersistentVolumeClaim target-restate-0, and 1.8.0-rc.1 must not open it after that: Restate supports the way back only to the minor version before, and only while no feature of the newer one was used, which cannot be told here; there is no snapshot of it that Restate 1.8.0-rc.1 may open; to start it on an empty database: cargo xtask wipe -n restate --cluster dev
    1.8.0-rc.2 → 1.8.0-rc.10:
        snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
        note Restate 1.8.0-rc.10 as the node of PersistentVolumeClaim target-restate-0
    1.8.0-rc.10 → 1.8.0-rc.2:
        - Restate 1.8.0-rc.10 has opened PersistentVolumeClaim target-restate-0, and 1.8.0-rc.2 must not open it after that: Restate supports the way back only to the minor version before, and only while no feature of the newer one was used, which cannot be told here; there is no snapshot of it that Restate 1.8.0-rc.2 may open; to start it on an empty database: cargo xtask wipe -n restate --cluster dev
    1.7.12 → 1.8.0-rc.1:
        snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
        note Restate 1.8.0-rc.1 as the node of PersistentVolumeClaim target-restate-0
    1.8.0-rc.1 → 1.7.12:
        - Restate 1.8.0-rc.1 has opened PersistentVolumeClaim target-restate-0, and 1.7.12 must not open it after that: Restate supports the way back only to the minor version before, and only while no feature of the newer one was used, which cannot be told here; there is no snapshot of it that Restate 1.7.12 may open; to start it on an empty database: cargo xtask wipe -n restate --cluster dev
    1.7.0 → nightly:
        snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
        note Restate nightly as the node of PersistentVolumeClaim target-restate-0
        ! Incomparable { opened_by: Some("1.7.0"), node: "nightly" }
    main → 1.7.0:
        snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
        note Restate 1.7.0 as the node of PersistentVolumeClaim target-restate-0
        ! Incomparable { opened_by: Some("main"), node: "1.7.0" }
    main-82a934cde840 → main-82a934cde840:
        rolled
    main-82a934cde840 → main-0123456789ab:
        snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
        note Restate main-0123456789ab as the node of PersistentVolumeClaim target-restate-0
        ! Incomparable { opened_by: Some("main-82a934cde840"), node: "main-0123456789ab" }
    "#);
}

#[test]
fn what_cannot_be_compared_takes_more_than_a_yes() {
    let plan = planned(&changed("1.7.0", "main").facts);
    assert_eq!(
        Ask::new(plan).demand(),
        Demand::Phrase("dev/restate".to_string())
    );
    let plan = planned(&changed("1.7.0", "1.7.1").facts);
    assert_eq!(Ask::new(plan).demand(), Demand::Yes);
}

#[test]
fn an_older_version_is_told_the_newest_snapshot_that_it_may_open() {
    let mut cluster = changed("1.7.12", "1.6.2");
    cluster.facts.snapshots = vec![
        taken("older", "2026-01-03T10:00:00Z", "1.6.1"),
        taken("newest", "2026-01-04T10:00:00Z", "1.6.2"),
        taken("too-new", "2026-01-05T10:00:00Z", "1.7.12"),
        taken("nobody-knows", "2026-01-05T10:00:00Z", "main"),
    ];
    let mut hanging = taken("hanging", "2026-01-05T10:00:00Z", "1.6.2");
    hanging["status"]["readyToUse"] = json!(false);
    let mut empty = taken("empty", "2026-01-05T10:00:00Z", "1.6.2");
    empty["metadata"]["labels"] = json!({"longrun/found": "empty"});
    cluster.facts.snapshots.extend([hanging, empty]);
    assert_snapshot!(check(&cluster.facts), @r#"
    cannot deploy; nothing was changed
      - Restate 1.7.12 has opened PersistentVolumeClaim target-restate-0, and 1.6.2 must not open it after that: Restate supports the way back only to the minor version before, and only while no feature of the newer one was used, which cannot be told here; to start Restate 1.6.2 on a copy of snapshot newest instead, which is read first, in one plan: cargo xtask restore -n restate --cluster dev -s newest; to start it on an empty database: cargo xtask wipe -n restate --cluster dev
    "#);
}

#[test]
fn a_claim_is_judged_by_the_newest_node_that_has_opened_it() {
    // The image was changed back by hand, or the set was deleted.
    let mut by_hand = changed("1.6.2", "1.6.3");
    note(&mut by_hand.facts.claims[0], "1.7.12");
    let mut deleted = changed("1.6.2", "1.6.3");
    deleted.of("StatefulSet").live = None;
    deleted.facts.claims[0]["metadata"]["annotations"].take();
    let without_note = outcome(&deleted);
    note(&mut deleted.facts.claims[0], "1.6.2");
    let with_note = outcome(&deleted);
    note(&mut deleted.facts.claims[0], "1.7.12");
    let with_newer = outcome(&deleted);
    // Nothing is to be changed: what it is now is not for a deployment to refuse.
    let mut as_wanted = changed("1.6.2", "1.6.2");
    note(&mut as_wanted.facts.claims[0], "1.7.12");
    // A deployment was killed before it came to note it.
    let mut half_way = changed("1.7.12", "1.7.12");
    note(&mut half_way.facts.claims[0], "1.6.2");
    // Nothing is noted yet: what runs is, before that changes.
    let mut first = changed("1.6.2", "1.7.12");
    first.facts.claims[0]["metadata"]["annotations"].take();
    let told = [
        outcome(&by_hand),
        without_note,
        with_note,
        with_newer,
        outcome(&as_wanted),
        outcome(&half_way),
        outcome(&first),
    ];
    assert_snapshot!(told.join("\n"), @r#"
    - Restate 1.7.12 has opened PersistentVolumeClaim target-restate-0, and 1.6.3 must not open it after that: Restate supports the way back only to the minor version before, and only while no feature of the newer one was used, which cannot be told here; there is no snapshot of it that Restate 1.6.3 may open; to start it on an empty database: cargo xtask wipe -n restate --cluster dev
    snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
        note Restate 1.6.3 as the node of PersistentVolumeClaim target-restate-0
        ! Incomparable { opened_by: None, node: "1.6.3" }
    snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
        note Restate 1.6.3 as the node of PersistentVolumeClaim target-restate-0
    - Restate 1.7.12 has opened PersistentVolumeClaim target-restate-0, and 1.6.3 must not open it after that: Restate supports the way back only to the minor version before, and only while no feature of the newer one was used, which cannot be told here; there is no snapshot of it that Restate 1.6.3 may open; to start it on an empty database: cargo xtask wipe -n restate --cluster dev
    rolled
    note Restate 1.7.12 as the node of PersistentVolumeClaim target-restate-0
    snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
        note Restate 1.6.2 as the node of PersistentVolumeClaim target-restate-0
        note Restate 1.7.12 as the node of PersistentVolumeClaim target-restate-0
    "#);
}

#[test]
fn without_data_any_version_may_follow() {
    let mut cluster = changed("1.7.12", "1.6.2");
    cluster.facts.claims[0]["metadata"]["annotations"].take();
    cluster.facts.claims[0]["status"]["phase"] = json!("Pending");
    let pending = outcome(&cluster);
    // It is to be made of a snapshot.
    cluster.facts.claims[0]["spec"]["dataSource"] =
        json!({"kind": "VolumeSnapshot", "name": "kept"});
    cluster.facts.snapshots = vec![json!({"metadata": {"name": "kept"}})];
    let to_be_restored = outcome(&cluster);
    cluster.facts.claims.clear();
    let absent = outcome(&cluster);
    assert_snapshot!([pending, to_be_restored, absent].join("\n"), @r#"
    note Restate 1.6.2 as the node of PersistentVolumeClaim target-restate-0
    - Restate 1.7.12 has opened PersistentVolumeClaim target-restate-0, and 1.6.2 must not open it after that: Restate supports the way back only to the minor version before, and only while no feature of the newer one was used, which cannot be told here; there is no snapshot of it that Restate 1.6.2 may open; to start it on an empty database: cargo xtask wipe -n restate --cluster dev
    note Restate 1.6.2 as the node of PersistentVolumeClaim target-restate-0
    "#);
}

#[test]
fn snapshots_are_looked_at_only_where_they_matter() {
    let asked = |cluster: &Cluster| needs_snapshots(&cluster.facts.objects, &cluster.facts.claims);
    assert!(!asked(&Cluster::absent()));
    assert!(!asked(&Cluster::up_to_date()));
    assert!(!asked(&Cluster::with_new_service()));
    let tag = |key: &str| format!("1.6.2-{key}");
    assert!(!asked(&changed(&tag(KEY), &tag("0123456789ab"))));
    assert!(asked(&changed("1.6.2", "1.6.3")));
    let mut waiting = Cluster::up_to_date();
    waiting.facts.claims[0]["spec"]["dataSource"] = json!({"kind": "VolumeSnapshot"});
    assert!(!asked(&waiting));
    waiting.facts.claims[0]["status"]["phase"] = json!("Pending");
    assert!(asked(&waiting));
}
