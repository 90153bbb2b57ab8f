//! Wipe and restore, step by step.

use super::*;
use crate::cluster::tests::all;
use crate::{
    approval::Ask,
    journal::{Journal, Next, Stored},
    operations::{
        restore,
        wipe::{self, Copy},
    },
    plan::{Effect, Guard},
    wait::Observation,
};

fn wiped(facts: &Facts) -> String {
    story(wipe::plan(&target(), facts, &options(), Copy::Verified))
}

fn restored(facts: &Facts) -> String {
    story(restore::plan(&target(), facts, &options(), "kept"))
}

#[test]
fn a_wipe_keeps_reads_and_compares_before_it_deletes() {
    assert_snapshot!(wiped(&facts()), @r#"
    suspend CronJob chaos; undo: resume CronJob chaos
    suspend CronJob test; undo: resume CronJob test
    wait for CronJob test until Ended
    mark the running Jobs as interrupted of CronJob test
    keep the data of PersistentVolume pvc-1; undo: no longer keep the data of PersistentVolume pvc-1
    snapshot VolumeSnapshot storage-restate-0-20260105-100000-rehearsal until SnapshotReady; undo: delete VolumeSnapshot storage-restate-0-20260105-100000-rehearsal
    stop StatefulSet restate until Stopped; undo: start StatefulSet restate
    snapshot VolumeSnapshot storage-restate-0-20260105-100000 until SnapshotReady; undo: mark as empty VolumeSnapshot storage-restate-0-20260105-100000
    create PersistentVolumeClaim storage-restate-0-20260105-100000-check; undo: delete PersistentVolumeClaim storage-restate-0-20260105-100000-check
    create Job storage-restate-0-20260105-100000-check until Verified; undo: delete Job storage-restate-0-20260105-100000-check
    delete Job storage-restate-0-20260105-100000-check
    delete PersistentVolumeClaim storage-restate-0-20260105-100000-check
    mark as verified VolumeSnapshot storage-restate-0-20260105-100000
    delete PersistentVolumeClaim storage-restate-0 until Gone
    start StatefulSet restate until RolledOut
    note Restate 1.7.12 as the node of PersistentVolumeClaim storage-restate-0; may fail
    delete Job discover until Gone
    create Job discover until Complete
    resume CronJob chaos
    resume CronJob test
    wait for CronJob test until FirstSuccess; may fail
    no longer keep the data of PersistentVolume pvc-1 until Gone; may fail
    delete VolumeSnapshot storage-restate-0-20260105-100000-rehearsal; may fail
    ! Database { claim: Uid("claim-1") }
    note: the present database is kept as VolumeSnapshot storage-restate-0-20260105-100000, until it is deleted by name; the way back: cargo xtask restore -n restate --cluster dev -s storage-restate-0-20260105-100000
    note: the node is stopped while the storage makes the snapshot and the copy is compared: minutes, and hours for large volumes; until the claim is deleted everything can be taken back
    note: the empty database is opened by Restate 1.7.12, as the environment's file says (restate:1.7.12)
    "#);
}

#[test]
fn a_restore_keeps_the_present_state_and_makes_the_claim_before_the_node_starts() {
    assert_snapshot!(restored(&facts()), @r#"
    wait for VolumeSnapshot kept until SnapshotReady; undo: mark as empty VolumeSnapshot kept
    create PersistentVolumeClaim storage-restate-0-20260105-100000-source; undo: delete PersistentVolumeClaim storage-restate-0-20260105-100000-source
    create Job storage-restate-0-20260105-100000-source until Verified; undo: delete Job storage-restate-0-20260105-100000-source
    delete Job storage-restate-0-20260105-100000-source
    delete PersistentVolumeClaim storage-restate-0-20260105-100000-source
    suspend CronJob chaos; undo: resume CronJob chaos
    suspend CronJob test; undo: resume CronJob test
    wait for CronJob test until Ended
    mark the running Jobs as interrupted of CronJob test
    keep the data of PersistentVolume pvc-1; undo: no longer keep the data of PersistentVolume pvc-1
    snapshot VolumeSnapshot storage-restate-0-20260105-100000-rehearsal until SnapshotReady; undo: delete VolumeSnapshot storage-restate-0-20260105-100000-rehearsal
    stop StatefulSet restate until Stopped; undo: start StatefulSet restate
    snapshot VolumeSnapshot storage-restate-0-20260105-100000 until SnapshotReady; undo: mark as empty VolumeSnapshot storage-restate-0-20260105-100000
    create PersistentVolumeClaim storage-restate-0-20260105-100000-check; undo: delete PersistentVolumeClaim storage-restate-0-20260105-100000-check
    create Job storage-restate-0-20260105-100000-check until Verified; undo: delete Job storage-restate-0-20260105-100000-check
    delete Job storage-restate-0-20260105-100000-check
    delete PersistentVolumeClaim storage-restate-0-20260105-100000-check
    mark as verified VolumeSnapshot storage-restate-0-20260105-100000
    delete PersistentVolumeClaim storage-restate-0 until Gone
    create PersistentVolumeClaim storage-restate-0
    create Job storage-restate-0-20260105-100000-restored until Verified; undo: delete Job storage-restate-0-20260105-100000-restored
    delete Job storage-restate-0-20260105-100000-restored
    start StatefulSet restate until RolledOut
    note Restate 1.7.12 as the node of PersistentVolumeClaim storage-restate-0; may fail
    delete Job discover until Gone
    create Job discover until Complete
    resume CronJob chaos
    resume CronJob test
    wait for CronJob test until FirstSuccess; may fail
    no longer keep the data of PersistentVolume pvc-1 until Gone; may fail
    delete VolumeSnapshot storage-restate-0-20260105-100000-rehearsal; may fail
    ! Database { claim: Uid("claim-1") }
    note: the present database is kept as VolumeSnapshot storage-restate-0-20260105-100000, until it is deleted by name; the way back: cargo xtask restore -n restate --cluster dev -s storage-restate-0-20260105-100000
    note: the node is stopped while the storage makes a snapshot and a volume: minutes, and hours for large ones; until the claim is deleted everything can be taken back
    note: the copy is opened by Restate 1.7.12, as the environment's file says (restate:1.7.12)
    "#);
}

#[test]
fn without_a_database_a_restore_loses_nothing() {
    let mut empty = facts();
    empty.claim = None;
    empty.volume = None;
    empty.mounts.clear();
    let absent = restored(&empty);
    empty.claim = Some(claim("Pending"));
    let pending = restored(&empty);
    assert_snapshot!(absent, @r#"
    suspend CronJob chaos; undo: resume CronJob chaos
    suspend CronJob test; undo: resume CronJob test
    wait for CronJob test until Ended
    mark the running Jobs as interrupted of CronJob test
    stop StatefulSet restate until Stopped
    create PersistentVolumeClaim storage-restate-0
    create Job storage-restate-0-20260105-100000-restored until Verified; undo: delete Job storage-restate-0-20260105-100000-restored
    delete Job storage-restate-0-20260105-100000-restored
    start StatefulSet restate until RolledOut
    note Restate 1.7.12 as the node of PersistentVolumeClaim storage-restate-0; may fail
    delete Job discover until Gone
    create Job discover until Complete
    resume CronJob chaos
    resume CronJob test
    wait for CronJob test until FirstSuccess; may fail
    ! Disruption { what: "the node is stopped while the volume is made" }
    note: there is no database at present: nothing is lost
    note: the copy is opened by Restate 1.7.12, as the environment's file says (restate:1.7.12)
    "#);
    assert_eq!(
        pending,
        absent.replacen(
            "until Stopped\n",
            "until Stopped; undo: start StatefulSet restate\ndelete PersistentVolumeClaim storage-restate-0 until Gone\n",
            1
        )
    );
}

#[test]
fn the_only_copy_goes_only_by_another_flag() {
    let plan = wipe::plan(&target(), &facts(), &options(), Copy::None);
    assert_snapshot!(story(plan), @r#"
    suspend CronJob chaos; undo: resume CronJob chaos
    suspend CronJob test; undo: resume CronJob test
    wait for CronJob test until Ended
    mark the running Jobs as interrupted of CronJob test
    keep the data of PersistentVolume pvc-1; undo: no longer keep the data of PersistentVolume pvc-1
    stop StatefulSet restate until Stopped; undo: start StatefulSet restate
    delete PersistentVolumeClaim storage-restate-0 until Gone
    start StatefulSet restate until RolledOut
    note Restate 1.7.12 as the node of PersistentVolumeClaim storage-restate-0; may fail
    delete Job discover until Gone
    create Job discover until Complete
    resume CronJob chaos
    resume CronJob test
    wait for CronJob test until FirstSuccess; may fail
    no longer keep the data of PersistentVolume pvc-1 until Gone; may fail
    ! OnlyCopy { claim: Uid("claim-1") }
    note: NOTHING OF THE PRESENT DATABASE IS KEPT: there is no way back
    note: the empty database is opened by Restate 1.7.12, as the environment's file says (restate:1.7.12)
    "#);
}

#[test]
fn broken_snapshots_are_no_reason_to_keep_what_is_to_go() {
    let healthy = story(wipe::plan(&target(), &facts(), &options(), Copy::None));
    let broken: [fn(&mut Facts); 3] = [
        |facts| facts.snapshots = None,
        |facts| facts.classes = Vec::new(),
        |facts| facts.volume.as_mut().unwrap()["spec"]["csi"]["driver"] = json!("another"),
    ];
    for breaks in broken {
        let mut facts = facts();
        breaks(&mut facts);
        assert!(wipe::plan(&target(), &facts, &options(), Copy::Verified).is_err());
        let plan = wipe::plan(&target(), &facts, &options(), Copy::None);
        assert_eq!(story(plan), healthy);
    }
}

#[test]
fn what_a_person_suspended_stays_so_and_one_job_checks() {
    let mut paused = facts();
    paused.cron_jobs = [
        cron_job("chaos", Some("longrun-operations")),
        cron_job("test", Some("kubectl-patch")),
        json!({"metadata": {"name": "backup", "uid": "b"}, "spec": {}}),
    ]
    .into();
    let plan = wipe::plan(&target(), &paused, &options(), Copy::Verified).unwrap();
    let of_cron_jobs = |step: &&Step| {
        let object = step.act.object();
        object.is_some_and(|object| object.kind == "CronJob" || object.name.starts_with("test-"))
    };
    let steps: String = plan.steps.iter().filter(of_cron_jobs).map(line).collect();
    assert_snapshot!(steps, @r#"
    wait for CronJob test until Ended
    mark the running Jobs as interrupted of CronJob test
    resume CronJob chaos
    create Job test-29460120 until Complete; may fail
    "#);
    let Effect::Create { object } = step_of(&plan, "create Job test-29460120").act else {
        unreachable!()
    };
    assert_snapshot!(serde_json::to_string_pretty(&object).unwrap(), @r#"
    {
      "apiVersion": "batch/v1",
      "kind": "Job",
      "metadata": {
        "name": "test-29460120",
        "namespace": "restate",
        "labels": {
          "c": "d"
        },
        "annotations": {
          "cronjob.kubernetes.io/instantiate": "manual"
        },
        "ownerReferences": [
          {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": "test",
            "uid": "test-1",
            "controller": true
          }
        ]
      },
      "spec": {
        "backoffLimit": 6
      }
    }
    "#);
    assert_eq!(plan.notes.len(), 4);
}

#[test]
fn what_a_killed_operation_left_goes_first() {
    let mut left = facts();
    let labels = json!({"longrun/temporary": "wipe"});
    left.jobs
        .push(json!({"metadata": {"name": "old-check", "uid": "j", "labels": labels}}));
    left.claims
        .push(json!({"metadata": {"name": "old-check", "uid": "c", "labels": labels}}));
    left.mounts.extend(all([
        json!({"metadata": {"name": "old-check-x", "ownerReferences": [{"uid": "j"}]}}),
    ]));
    // The database is nobody's to clear away, whatever label it has.
    left.claims[0]["metadata"]["labels"] = labels;
    let story = wiped(&left);
    let first: Vec<&str> = story.lines().take(3).collect();
    assert_snapshot!(first.join("\n"), @r#"
    delete Job old-check until Gone; may fail
    delete PersistentVolumeClaim old-check until Gone; may fail
    suspend CronJob chaos; undo: resume CronJob chaos
    "#);
}

#[test]
fn time_does_not_change_what_is_approved_and_the_world_does() {
    let digest = |facts: &Facts, options: &Options| {
        let plan = restore::plan(&target(), facts, options, "kept").unwrap();
        plan.digest().to_string()
    };
    let mut later = options();
    later.now = "2026-01-05T11:30:07Z".parse().unwrap();
    let seen = digest(&facts(), &options());
    assert_eq!(seen, digest(&facts(), &later));
    let twists: [fn(&mut Facts); 5] = [
        |facts| facts.claim.as_mut().unwrap()["metadata"]["uid"] = json!("claim-2"),
        |facts| facts.volume.as_mut().unwrap()["spec"]["csi"]["volumeHandle"] = json!("vol-2"),
        |facts| facts.snapshots.as_mut().unwrap()[0]["metadata"]["uid"] = json!("kept-2"),
        |facts| facts.cron_jobs[0]["metadata"]["uid"] = json!("chaos-2"),
        |facts| {
            facts.set.as_mut().unwrap()["metadata"]["uid"] = json!("set-2");
            facts.mounts.clear();
        },
    ];
    for (index, twist) in twists.into_iter().enumerate() {
        let mut moved = facts();
        twist(&mut moved);
        // A content names its snapshot.
        let uid = moved.snapshots.as_ref().unwrap()[0]["metadata"]["uid"].clone();
        moved.contents[0]["spec"]["volumeSnapshotRef"]["uid"] = uid;
        assert_ne!(seen, digest(&moved, &options()), "twist {index}");
    }
}

#[test]
fn the_reader_runs_as_the_node_does_and_writes_nothing() {
    let plan = wipe::plan(&target(), &facts(), &options(), Copy::Verified).unwrap();
    let Effect::Create { object } =
        step_of(&plan, "create Job storage-restate-0-20260105-100000-check").act
    else {
        unreachable!()
    };
    assert_snapshot!(serde_json::to_string_pretty(&object["spec"]).unwrap(), @r#"
    {
      "backoffLimit": 2,
      "template": {
        "metadata": {
          "labels": {
            "app.kubernetes.io/name": "compare",
            "app.kubernetes.io/component": "compare",
            "app.kubernetes.io/managed-by": "longrun",
            "longrun/environment": "restate",
            "longrun/temporary": "wipe"
          }
        },
        "spec": {
          "securityContext": {
            "runAsUser": 65532,
            "fsGroup": 65532
          },
          "automountServiceAccountToken": false,
          "restartPolicy": "Never",
          "volumes": [
            {
              "name": "original",
              "persistentVolumeClaim": {
                "claimName": "storage-restate-0"
              }
            },
            {
              "name": "copy",
              "persistentVolumeClaim": {
                "claimName": "storage-restate-0-20260105-100000-check"
              }
            }
          ],
          "containers": [
            {
              "name": "compare",
              "image": "verification:1",
              "imagePullPolicy": "IfNotPresent",
              "command": [
                "/usr/local/bin/verification",
                "compare"
              ],
              "args": [
                "/original",
                "/copy"
              ],
              "terminationMessagePolicy": "FallbackToLogsOnError",
              "securityContext": {
                "readOnlyRootFilesystem": true
              },
              "resources": {
                "requests": {
                  "cpu": "25m",
                  "memory": "32Mi"
                },
                "limits": {
                  "memory": "256Mi"
                }
              },
              "volumeMounts": [
                {
                  "name": "original",
                  "mountPath": "/original",
                  "readOnly": true
                },
                {
                  "name": "copy",
                  "mountPath": "/copy",
                  "readOnly": true
                }
              ]
            }
          ]
        }
      }
    }
    "#);
}

#[test]
fn a_node_that_an_unfinished_operation_stopped_is_not_started_by_taking_back_another() {
    let undo = |replicas: u64, stored: Option<Stored>| {
        let mut stopped = facts();
        stopped.stored = stored;
        stopped.set.as_mut().unwrap()["spec"]["replicas"] = json!(replicas);
        let plan = restore::plan(&target(), &stopped, &options(), "kept").unwrap();
        step_of(&plan, "stop StatefulSet restate").undo
    };
    assert_eq!(undo(0, Some(past_return())), None);
    for started in [undo(1, Some(past_return())), undo(0, None)] {
        assert_eq!(started.unwrap().to_string(), "start StatefulSet restate");
    }
}

/// A wipe that has deleted the claim, and no more.
fn past_return() -> Stored {
    let mut plan = wipe::plan(&target(), &facts(), &options(), Copy::None).unwrap();
    plan.steps.retain(|step| {
        let name = step.act.to_string();
        name.ends_with("pvc-1") || name == "delete PersistentVolumeClaim storage-restate-0"
    });
    plan.steps.remove(0);
    plan.steps[0].guard = Guard::None;
    let approved = Ask::new(plan).typed("destroy dev/restate without a copy");
    let mut journal = Journal::open(approved.unwrap());
    let live = Observation {
        object: Some(claim("Bound")),
        ..Observation::default()
    };
    assert!(matches!(journal.next(&live, now()), Next::Do(_)));
    journal.acted(None, now());
    Stored::begin(journal, None, now())
}

#[test]
fn what_takes_the_place_of_another_releases_its_volume() {
    let mut begun = facts();
    begun.stored = Some(past_return());
    let plan = restore::plan(&target(), &begun, &options(), "kept").unwrap();
    let last = plan.steps.last().unwrap();
    assert!(last.soft && matches!(last.guard, Guard::Release(_)));
    assert_eq!(
        last.act.to_string(),
        "no longer keep the data of PersistentVolume pvc-1"
    );
    assert_snapshot!(plan.notes.last().unwrap(), @"the wipe that is not finished is closed, and what it left is cleared away; if this is taken back, that is not finished again");
}

#[test]
fn a_volume_that_is_kept_anyway_is_not_ours_to_release() {
    let mut kept = facts();
    kept.volume.as_mut().unwrap()["spec"]["persistentVolumeReclaimPolicy"] = json!("Retain");
    assert!(!wiped(&kept).contains("PersistentVolume pvc-1"));
}

#[test]
fn the_claim_is_deleted_behind_the_gate() {
    let plan = restore::plan(&target(), &facts(), &options(), "kept").unwrap();
    let step = step_of(&plan, "delete PersistentVolumeClaim storage-restate-0");
    let Guard::Gate(gate) = step.guard else {
        unreachable!()
    };
    assert_eq!(gate.handle, "vol-1");
    assert_eq!(
        gate.snapshot.unwrap().name,
        "storage-restate-0-20260105-100000"
    );
    assert_eq!(gate.source.unwrap().uid, Uid("kept-1".to_string()));
}
