//! Stored snapshots that nothing stands for: found, and used again.

use super::*;
use crate::operations::snapshot::{Adoption, StoredSnapshots, adopt};

const CONTENT: &str = "snapcontent-1";

/// What a deleted `VolumeSnapshot` left (external-snapshotter 8).
fn content() -> Value {
    json!({
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent",
        "metadata": {"name": CONTENT, "uid": "0123456789"},
        "spec": {"deletionPolicy": "Retain", "driver": "csi.example", "sourceVolumeMode": "Filesystem",
            "source": {"volumeHandle": "vol-1"}, "volumeSnapshotClassName": "retain",
            "volumeSnapshotRef": {"name": "lost", "namespace": "restate", "uid": "gone"}},
        "status": {"readyToUse": true, "snapshotHandle": "snap-1", "restoreSize": 536_870_912,
            "creationTime": 1_767_607_200_000_000_000_i64}})
}

fn stored(contents: Vec<Value>, snapshots: Vec<Value>) -> StoredSnapshots {
    StoredSnapshots {
        snapshots,
        contents,
    }
}

fn orphans(twist: impl FnOnce(&mut Value), snapshots: Vec<Value>) -> Vec<String> {
    let mut content = content();
    twist(&mut content);
    let orphans = stored([content].into(), snapshots).orphans();
    orphans
        .iter()
        .map(|one| {
            format!(
                "{} was {}/{}, stored as {}, at {:?}, {:?}",
                one.content,
                one.namespace,
                one.name,
                one.handle,
                one.created.map(|time| time.to_string()),
                one.bytes
            )
        })
        .collect()
}

#[test]
fn what_is_kept_and_stands_for_nothing_is_found() {
    let found = orphans(|_| {}, Vec::new());
    assert_snapshot!(found.join("\n"), @r#"snapcontent-1 was restate/lost, stored as snap-1, at Some("2026-01-05T10:00:00Z"), Some(536870912)"#);
    let namesake = json!({"metadata": {"name": "lost", "namespace": "restate", "uid": "another"}});
    assert_eq!(
        orphans(|_| {}, [namesake].into()).len(),
        1,
        "it is another one"
    );
    let same = json!({"metadata": {"name": "lost", "namespace": "restate", "uid": "gone"}});
    let pre_bound = |content: &mut Value| {
        content["spec"]["volumeSnapshotRef"]["uid"] = json!("");
    };
    let no_orphans = [
        orphans(|_| {}, [same.clone()].into()),
        orphans(pre_bound, [same].into()),
        orphans(
            |content| content["spec"]["deletionPolicy"] = json!("Delete"),
            Vec::new(),
        ),
        orphans(
            |content| content["metadata"]["deletionTimestamp"] = json!("now"),
            Vec::new(),
        ),
        orphans(|content| content["status"] = json!({}), Vec::new()),
    ];
    assert_eq!(no_orphans.concat(), [""; 0]);
}

#[test]
fn one_that_was_adopted_is_no_orphan_any_more() {
    let snapshot = json!({"metadata": {"name": "back", "namespace": "restate", "uid": "b"},
        "status": {"boundVolumeSnapshotContentName": "adopted"}});
    let adopted = json!({"metadata": {"name": "adopted", "uid": "a"},
        "spec": {"deletionPolicy": "Retain", "source": {"snapshotHandle": "snap-1"},
            "volumeSnapshotRef": {"uid": "b"}}});
    let stored = stored([content(), adopted].into(), [snapshot].into());
    assert_eq!(stored.orphans(), []);
    let refused = story(adopt(&target(), &facts(), &stored, &wish(None)));
    assert!(
        refused.contains("VolumeSnapshot back in restate is bound to it"),
        "{refused}"
    );
}

fn wish(name: Option<&str>) -> Adoption {
    Adoption {
        content: CONTENT.into(),
        name: name.map(ToString::to_string),
    }
}

#[test]
fn a_stored_snapshot_is_adopted_by_a_pair_that_is_bound_to_each_other() {
    let stored = stored([content()].into(), Vec::new());
    let plan = adopt(&target(), &facts(), &stored, &wish(None));
    assert_snapshot!(story(plan.clone()), @r#"
    create VolumeSnapshotContent longrun-restate-lost-01234567; undo: delete VolumeSnapshotContent longrun-restate-lost-01234567
    create VolumeSnapshot lost until SnapshotReady; undo: delete VolumeSnapshot lost
    delete VolumeSnapshotContent snapcontent-1; may fail
    note: it is UNVERIFIED: look into it (cargo xtask attach -n restate --cluster dev -s lost); a restore reads it before anything is stopped
    "#);
    let made: Vec<Value> = plan
        .unwrap()
        .steps
        .into_iter()
        .filter_map(|step| match step.act {
            Effect::Create { object } => Some(object),
            _ => None,
        })
        .collect();
    assert_snapshot!(serde_json::to_string_pretty(&made).unwrap(), @r#"
    [
      {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotContent",
        "metadata": {
          "name": "longrun-restate-lost-01234567",
          "labels": {
            "app.kubernetes.io/managed-by": "longrun",
            "longrun/environment": "restate",
            "longrun/purpose": "adopted"
          }
        },
        "spec": {
          "deletionPolicy": "Retain",
          "driver": "csi.example",
          "source": {
            "snapshotHandle": "snap-1"
          },
          "volumeSnapshotRef": {
            "apiVersion": "snapshot.storage.k8s.io/v1",
            "kind": "VolumeSnapshot",
            "name": "lost",
            "namespace": "restate"
          },
          "sourceVolumeMode": "Filesystem",
          "volumeSnapshotClassName": "retain"
        }
      },
      {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {
          "name": "lost",
          "namespace": "restate",
          "labels": {
            "app.kubernetes.io/managed-by": "longrun",
            "longrun/environment": "restate",
            "longrun/purpose": "adopted"
          }
        },
        "spec": {
          "source": {
            "volumeSnapshotContentName": "longrun-restate-lost-01234567"
          },
          "volumeSnapshotClassName": "retain"
        }
      }
    ]
    "#);
}

#[test]
fn what_cannot_be_adopted_is_refused() {
    let refused = |twist: fn(&mut Value), facts: Facts, name: Option<&str>| {
        let mut content = content();
        twist(&mut content);
        let stored = stored([content].into(), Vec::new());
        story(adopt(&target(), &facts, &stored, &wish(name)))
    };
    let nowhere = Facts {
        snapshots: Some(Vec::new()),
        ..Facts::default()
    };
    let unknown = Adoption {
        content: "other".into(),
        name: Some("x".into()),
    };
    let stories = [
        refused(|_| {}, nowhere, None),
        refused(|_| {}, facts(), Some("kept")),
        refused(|_| {}, facts(), Some("No Name")),
        refused(
            |content| content["spec"]["deletionPolicy"] = json!("Delete"),
            facts(),
            None,
        ),
        refused(|content| content["status"] = json!({}), facts(), None),
        story(adopt(
            &target(),
            &facts(),
            &stored([content()].into(), Vec::new()),
            &unknown,
        )),
    ];
    assert_snapshot!(stories.join("\n"), @"
    cannot do this; nothing was changed
      - dev/restate has no node: cargo xtask deploy -n restate --cluster dev
    cannot do this; nothing was changed
      - VolumeSnapshot kept already exists
    cannot do this; nothing was changed
      - `No Name` is not a name: 1 to 56 lower-case letters, digits and `-`, with a letter or digit at both ends
    cannot do this; nothing was changed
      - VolumeSnapshotContent snapcontent-1 cannot be adopted: its deletion policy is not Retain: the storage may be deleting what it stands for
    cannot do this; nothing was changed
      - VolumeSnapshotContent snapcontent-1 cannot be adopted: the storage never said what it calls it
    cannot do this; nothing was changed
      - VolumeSnapshotContent other cannot be adopted: it does not exist (those whose VolumeSnapshot is gone: snapcontent-1)
    ");
}
