//! Bad input: all reasons at once, each with the way on.

use super::*;
use crate::cluster::tests::all;
use crate::{
    approval::Ask,
    journal::{AtWork, Journal, Stored},
    operations::{
        data::Permission,
        restore,
        snapshot::{Wish, take},
        wipe::{self, Copy},
    },
};

fn wiped(twist: impl FnOnce(&mut Facts)) -> String {
    let mut facts = facts();
    twist(&mut facts);
    story(wipe::plan(&target(), &facts, &options(), Copy::Verified))
}

fn restored(twist: impl FnOnce(&mut Facts)) -> String {
    let mut facts = facts();
    twist(&mut facts);
    story(restore::plan(&target(), &facts, &options(), "kept"))
}

fn snapshot(facts: &mut Facts) -> &mut Value {
    &mut facts.snapshots.as_mut().unwrap()[0]
}

#[test]
fn what_a_wipe_refuses() {
    let stories = [
        wiped(|facts| {
            facts.snapshots = None;
            facts.classes.clear();
        }),
        wiped(|facts| {
            facts.classes.remove(0);
            facts.classes[0]["deletionPolicy"] = json!("Delete");
        }),
        wiped(|facts| facts.classes[1]["driver"] = json!("ebs.csi.aws.com")),
        wiped(|facts| {
            facts.denied.push(Permission {
                verb: "create".into(),
                resource: "volumesnapshots".into(),
                group: "snapshot.storage.k8s.io".into(),
                namespace: Some("restate".into()),
            });
        }),
        wiped(|facts| {
            facts.set = None;
            facts.claim = None;
        }),
        wiped(|facts| facts.claim = Some(claim("Pending"))),
        wiped(|facts| {
            let claim = facts.claim.as_mut().unwrap();
            claim["metadata"]["deletionTimestamp"] = json!("2026-01-05T09:00:00Z");
        }),
        wiped(|facts| {
            let spec = &mut facts.volume.as_mut().unwrap()["spec"];
            spec.as_object_mut().unwrap().shift_remove("csi");
        }),
        wiped(|facts| {
            facts
                .mounts
                .extend(all([json!({"metadata": {"name": "debug"}})]));
        }),
        wiped(|facts| snapshot(facts)["status"]["readyToUse"] = json!(false)),
    ];
    assert_snapshot!(stories.join("\n"), @r#"
    cannot do this; nothing was changed
      - the cluster does not serve VolumeSnapshots: install the CRDs and the snapshot-controller of kubernetes-csi/external-snapshotter, and a CSI driver that takes snapshots
    cannot do this; nothing was changed
      - the cluster has no VolumeSnapshotClass delete (there are: retain): `cargo xtask deploy` creates the classes of the cluster's file
      - the deletionPolicy of VolumeSnapshotClass retain is Delete, expected Retain; correct the class or the cluster's file
    cannot do this; nothing was changed
      - the driver of VolumeSnapshotClass retain is ebs.csi.aws.com, expected csi.example; correct the class or the cluster's file
    cannot do this; nothing was changed
      - no permission to create volumesnapshots in restate, with a Role: grant it with a rule {apiGroups: ["snapshot.storage.k8s.io"], resources: ["volumesnapshots"], verbs: ["create"]}
    cannot do this; nothing was changed
      - PersistentVolumeClaim storage-restate-0 is mounted by restate-0, which may go on writing and block its deletion: delete those pods first
      - dev/restate has no node: cargo xtask deploy -n restate --cluster dev
      - no database: PersistentVolumeClaim storage-restate-0 does not exist; deploy creates an empty one, restore creates one from a snapshot
    cannot do this; nothing was changed
      - PersistentVolumeClaim storage-restate-0 is Pending: it has no data to keep or lose
    cannot do this; nothing was changed
      - PersistentVolumeClaim storage-restate-0 is being deleted by another client (finalizers: kubernetes.io/pvc-protection): it goes when no pod uses it any more, with its data unless its volume is retained; `kubectl describe pvc storage-restate-0` shows its users
    cannot do this; nothing was changed
      - PersistentVolume pvc-1 is provisioned by no CSI driver, the cluster's file says csi.example: it cannot be snapshotted
    cannot do this; nothing was changed
      - PersistentVolumeClaim storage-restate-0 is mounted by debug, which may go on writing and block its deletion: delete those pods first
    cannot do this; nothing was changed
      - the snapshot kept of the claim is not ready (the storage has not finished the snapshot) and would block the deletion: wait until it is, or delete it by name
    "#);
}

#[test]
fn what_a_restore_refuses() {
    let stories = [
        restored(|facts| facts.snapshots.as_mut().unwrap().clear()),
        restored(|facts| {
            snapshot(facts)["spec"]["source"]["persistentVolumeClaimName"] = json!("other");
        }),
        restored(|facts| {
            snapshot(facts)["metadata"]["labels"]["longrun/environment"] = json!("restate-chaos");
        }),
        restored(|facts| {
            snapshot(facts)["status"] =
                json!({"readyToUse": false, "error": {"message": "no space left"}});
        }),
        restored(|facts| {
            snapshot(facts)["metadata"]["deletionTimestamp"] = json!("2026-01-05T09:00:00Z");
        }),
        restored(|facts| facts.contents.clear()),
        restored(|facts| snapshot(facts)["status"]["restoreSize"] = json!("20Gi")),
    ];
    assert_snapshot!(stories.join("\n"), @"
    cannot do this; nothing was changed
      - restate has no VolumeSnapshot kept (there are: none)
    cannot do this; nothing was changed
      - the snapshot kept is of PersistentVolumeClaim other, not of storage-restate-0: it is another database
    cannot do this; nothing was changed
      - the snapshot kept is of the environment restate-chaos, not of restate: it is another database
    cannot do this; nothing was changed
      - the snapshot kept cannot be restored: the snapshot controller retries after: no space left
      - the snapshot kept of the claim is not ready (no space left) and would block the deletion: wait until it is, or delete it by name
    cannot do this; nothing was changed
      - the snapshot kept cannot be restored: it is being deleted
    cannot do this; nothing was changed
      - the snapshot kept cannot be restored: it is not bound to any content
    cannot do this; nothing was changed
      - the snapshot kept needs 20Gi, the claim would have 10Gi: raise `restate.storage` in the environment's file (and `storage.largestClaim` in the cluster's)
    ");
}

/// What comes of a snapshot that is to have this name.
fn named(name: &str) -> String {
    let wish = Wish {
        name: Some(name.into()),
        ..Wish::default()
    };
    story(take(&target(), &facts(), &options(), &wish))
}

#[test]
fn a_name_leaves_room_for_the_job_of_its_attachment() {
    let long = |length| named(&"x".repeat(length));
    assert!(!long(56).contains("is not a name"));
    assert!(long(57).contains("is not a name"));
}

#[test]
fn what_a_snapshot_refuses() {
    assert_snapshot!([named("kept"), named("No Name"), named("a.b")].join("\n"), @"
    cannot do this; nothing was changed
      - VolumeSnapshot kept already exists
    cannot do this; nothing was changed
      - `No Name` is not a name: 1 to 56 lower-case letters, digits and `-`, with a letter or digit at both ends
    cannot do this; nothing was changed
      - `a.b` is not a name: 1 to 56 lower-case letters, digits and `-`, with a letter or digit at both ends
    ");
}

#[test]
fn an_operation_that_is_not_finished_leaves_room_for_nothing_else() {
    let plan = wipe::plan(&target(), &facts(), &options(), Copy::Verified).unwrap();
    let approved = Ask::new(plan).typed("dev/restate").unwrap();
    let mut begun = facts();
    begun.stored = Some(Stored::begin(Journal::open(approved), None, now()));
    let fenced = Wish {
        fence: true,
        ..Wish::default()
    };
    let refused = story(restore::plan(&target(), &begun, &options(), "kept"));
    assert_snapshot!(refused, @r#"
    cannot do this; nothing was changed
      - no restore, and nothing was changed: a wipe of dev/restate is not finished; nothing is lost yet; it stands at step 1 of 23 (suspend CronJob chaos)
      see it:       cargo xtask operation status -n restate --cluster dev
      go on:        cargo xtask operation resume -n restate --cluster dev
      take it back: cargo xtask operation abort -n restate --cluster dev
    "#);
    for other in [
        story(wipe::plan(&target(), &begun, &options(), Copy::Verified)),
        story(take(&target(), &begun, &options(), &fenced)),
        // The node may be down, and a slow one would hold the claim.
        story(take(&target(), &begun, &options(), &Wish::default())),
    ] {
        assert!(other.contains("is not finished"), "{other}");
    }
    // By its Lease a killed one may be alive for minutes: who asks must not have to wait for that.
    let mut killed = begun.clone();
    killed.at_work = Some(at_work("wipe", false));
    let killed = story(take(&target(), &killed, &options(), &Wish::default()));
    for said in [
        "ana@laptop is running wipe",
        "\n  if it was killed: a wipe of dev/restate is not finished",
        "operation abort",
    ] {
        assert!(killed.contains(said), "{killed}");
    }
}

fn at_work(operation: &str, is_fault: bool) -> AtWork {
    AtWork {
        who: "ana@laptop".into(),
        operation: operation.into(),
        since: "2026-01-05T09:58:00Z".into(),
        is_fault,
    }
}

#[test]
fn nothing_is_taken_of_a_database_that_an_operation_works_on() {
    let beside = |operation: &str, is_fault: bool| {
        let mut facts = facts();
        facts.at_work = Some(at_work(operation, is_fault));
        story(take(&target(), &facts, &options(), &Wish::default()))
    };
    assert_snapshot!(beside("wipe", false), @r#"
    cannot do this; nothing was changed
      - ana@laptop is running wipe in dev/restate since 2026-01-05T09:58:00Z; a snapshot could block it: wait until it has ended (cargo xtask status -n restate --cluster dev shows its progress), or ask ana@laptop to end it
    "#);
    // A fault takes nothing away: what is found is what a power failure would leave, too.
    assert!(beside("fault kill-restate", true).starts_with("snapshot VolumeSnapshot"));
}
