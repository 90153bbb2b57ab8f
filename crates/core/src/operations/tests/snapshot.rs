//! Taking, listing and deleting snapshots.

use super::*;
use crate::{
    approval::{Ask, Demand},
    journal::AtWork,
    operations::snapshot::{Wish, delete, list, take},
};

fn wished(wish: &Wish) -> String {
    story(take(&target(), &facts(), &options(), wish))
}

#[test]
fn a_snapshot_of_the_running_node_is_one_step() {
    assert_snapshot!(wished(&Wish::default()), @r#"
    snapshot VolumeSnapshot storage-restate-0-20260105-100000 until SnapshotReady
    note: the node keeps running: the snapshot is crash-consistent, which Restate recovers from
    note: deleting VolumeSnapshot storage-restate-0-20260105-100000 deletes what is stored
    "#);
    let named = Wish {
        name: Some("mine".into()),
        no_wait: true,
        keep: true,
        ..Wish::default()
    };
    let plan = take(&target(), &facts(), &options(), &named).unwrap();
    assert_snapshot!(serde_json::to_string_pretty(&plan.steps[0].act).unwrap(), @r#"
    {
      "effect": "snapshot",
      "object": {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {
          "name": "mine",
          "namespace": "restate",
          "labels": {
            "app.kubernetes.io/managed-by": "longrun",
            "longrun/environment": "restate",
            "longrun/purpose": "manual",
            "longrun/consistency": "crash",
            "longrun/source-claim-uid": "claim-1",
            "longrun/keep": "true"
          }
        },
        "spec": {
          "volumeSnapshotClassName": "delete",
          "source": {
            "persistentVolumeClaimName": "storage-restate-0"
          }
        }
      },
      "claim": "claim-1"
    }
    "#);
    assert_eq!(plan.steps[0].until, Wait::None);
}

#[test]
fn a_fenced_one_stops_the_node_only_until_it_is_cut() {
    let fenced = Wish {
        fence: true,
        ..Wish::default()
    };
    assert_snapshot!(wished(&fenced), @r#"
    suspend CronJob chaos; undo: resume CronJob chaos
    suspend CronJob test; undo: resume CronJob test
    wait for CronJob test until Ended
    mark the running Jobs as interrupted of CronJob test
    stop StatefulSet restate until Stopped; undo: start StatefulSet restate
    snapshot VolumeSnapshot storage-restate-0-20260105-100000 until SnapshotCut
    start StatefulSet restate until RolledOut
    resume CronJob chaos
    resume CronJob test
    wait for VolumeSnapshot storage-restate-0-20260105-100000 until SnapshotReady
    ! Disruption { what: "the node is stopped until the snapshot's point in time is fixed" }
    "#);
}

#[test]
fn the_list_says_what_can_be_restored_and_what_is_needed() {
    let mut many = facts();
    let snapshots = many.snapshots.as_mut().unwrap();
    let (mut failing, _) = taken("failing", "2026-01-05T09:00:00Z", "before-wipe");
    failing["status"] = json!({"error": {"message": "busy"}, "readyToUse": false});
    failing["metadata"]["labels"]["longrun/source-claim-uid"] = json!("claim-0");
    let (restoring, content) = taken("restoring", "2026-01-05T08:00:00Z", "manual");
    let foreign = json!({"metadata": {"name": "foreign", "uid": "f"}});
    snapshots.extend([failing, restoring, foreign]);
    many.contents.push(content);
    many.claims.push(
        json!({"metadata": {"name": "copy"}, "status": {"phase": "Pending"},
        "spec": {"dataSource": {"kind": "VolumeSnapshot", "name": "restoring"}}}),
    );
    let lines: Vec<String> = list(&many)
        .iter()
        .map(|listed| {
            format!(
                "{} ready {} of {:?} (exists {}) for {:?}, {:?}, used by {:?}, {:?}",
                listed.name,
                listed.ready,
                listed.source_uid.as_ref().map(|uid| &uid.0),
                listed.source_exists,
                listed.purpose,
                listed.error,
                listed.used_by,
                listed.handle
            )
        })
        .collect();
    assert_snapshot!(lines.join("\n"), @r#"
    failing ready false of Some("claim-0") (exists false) for Some(BeforeWipe), Some("busy"), used by None, None
    restoring ready true of Some("claim-1") (exists true) for Some(Manual), None, used by Some("PersistentVolumeClaim copy is being restored from it"), Some("snap-restoring")
    kept ready true of Some("claim-1") (exists true) for Some(Manual), None, used by None, Some("snap-kept")
    foreign ready false of None (exists false) for None, None, used by None, None
    "#);
}

#[test]
fn deleting_one_by_name_deletes_what_is_stored() {
    let plan = delete(&target(), &facts(), "kept");
    assert_snapshot!(story(plan.clone()), @r#"
    no longer keep the data of VolumeSnapshotContent content-kept; undo: keep the data of VolumeSnapshotContent content-kept
    delete VolumeSnapshot kept until Gone
    ! Snapshot { name: "kept" }
    note: this claim has no other ready snapshot
    "#);
    let ask = Ask::new(plan.unwrap());
    assert_eq!(ask.demand(), Demand::Phrase("kept".to_string()));
}

#[test]
fn one_in_use_is_not_deleted_and_an_unknown_one_is_looked_for() {
    let mut used = facts();
    used.jobs
        .push(json!({"metadata": {"name": "attach-kept", "labels": {"longrun/attach": "kept"}}}));
    let mut upgrading = facts();
    upgrading.snapshots.as_mut().unwrap()[0]["metadata"]["labels"]["longrun/purpose"] =
        json!("upgrade");
    upgrading.at_work = Some(AtWork {
        who: "ana@laptop".into(),
        operation: "deploy".into(),
        since: "2026-01-05T09:58:00Z".into(),
        is_fault: false,
    });
    let refusals = [
        story(delete(&target(), &used, "kept")),
        story(delete(&target(), &upgrading, "kept")),
        story(delete(&target(), &facts(), "kep")),
    ];
    assert_snapshot!(refusals.join("\n"), @"
    cannot do this; nothing was changed
      - the snapshot kept is in use: it is attached
    cannot do this; nothing was changed
      - the snapshot kept is in use: the deploy of ana@laptop that is at work may need it
    cannot do this; nothing was changed
      - restate has no VolumeSnapshot kep (there are: kept)
    ");
}
