//! Attachments: what lives as long as the command, and what is left when it is killed.

use jiff::SignedDuration;

use super::*;
use crate::cluster::tests::live;
use crate::{
    names::HOLDER_ANNOTATION,
    operations::{
        attach::{Wish, deadline, end, plan},
        copy,
    },
    plan::Effect,
};

fn wish(snapshot: &str) -> Wish {
    Wish {
        snapshot: snapshot.into(),
        writable: false,
        longest: SignedDuration::from_hours(4),
        who: "somebody@somewhere".into(),
    }
}

fn guardian(ended: bool) -> Value {
    let status = if ended { "True" } else { "False" };
    live(
        json!({"metadata": {"name": "attach-kept", "uid": "g", "labels": {"longrun/attach": "kept"},
            "annotations": {HOLDER_ANNOTATION: "a@b"}},
        "status": {"conditions": [{"type": "Failed", "status": status}]}}),
    )
}

#[test]
fn a_guardian_owns_what_is_attached() {
    let planned = plan(&target(), &facts(), &options(), &wish("kept"));
    assert_snapshot!(story(planned.clone()), @r#"
    create Job attach-kept; undo: delete Job attach-kept
    create PersistentVolumeClaim kept; undo: delete PersistentVolumeClaim kept
    create Pod kept until Ready; undo: delete Pod kept
    note: kubectl -n restate exec -it kept -- sh
    "#);
    let manifests: Vec<Value> = planned
        .unwrap()
        .steps
        .into_iter()
        .filter_map(|step| match step.act {
            Effect::Create { object } => Some(object),
            _ => None,
        })
        .collect();
    assert_snapshot!(serde_json::to_string_pretty(&manifests).unwrap(), @r#"
    [
      {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
          "name": "attach-kept",
          "namespace": "restate",
          "labels": {
            "app.kubernetes.io/name": "attach",
            "app.kubernetes.io/component": "attach",
            "app.kubernetes.io/managed-by": "longrun",
            "longrun/environment": "restate",
            "longrun/attach": "kept"
          },
          "annotations": {
            "longrun/holder": "somebody@somewhere"
          }
        },
        "spec": {
          "parallelism": 0,
          "activeDeadlineSeconds": 60,
          "ttlSecondsAfterFinished": 0,
          "template": {
            "metadata": {
              "labels": {
                "app.kubernetes.io/name": "attach",
                "app.kubernetes.io/component": "attach",
                "app.kubernetes.io/managed-by": "longrun",
                "longrun/environment": "restate",
                "longrun/attach": "kept"
              }
            },
            "spec": {
              "automountServiceAccountToken": false,
              "enableServiceLinks": false,
              "securityContext": {
                "runAsUser": 65532,
                "fsGroup": 65532
              },
              "restartPolicy": "Never",
              "containers": [
                {
                  "name": "none",
                  "image": "busybox:1"
                }
              ]
            }
          }
        }
      },
      {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
          "name": "kept",
          "namespace": "restate",
          "labels": {
            "app.kubernetes.io/name": "attach",
            "app.kubernetes.io/component": "attach",
            "app.kubernetes.io/managed-by": "longrun",
            "longrun/environment": "restate",
            "longrun/attach": "kept"
          },
          "ownerReferences": [
            {
              "apiVersion": "batch/v1",
              "kind": "Job",
              "name": "attach-kept",
              "controller": false,
              "blockOwnerDeletion": true
            }
          ]
        },
        "spec": {
          "accessModes": [
            "ReadWriteOnce"
          ],
          "resources": {
            "requests": {
              "storage": "10Gi"
            }
          },
          "dataSource": {
            "apiGroup": "snapshot.storage.k8s.io",
            "kind": "VolumeSnapshot",
            "name": "kept"
          },
          "storageClassName": "fast"
        }
      },
      {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
          "name": "kept",
          "namespace": "restate",
          "annotations": {
            "kubectl.kubernetes.io/default-container": "busybox"
          },
          "labels": {
            "app.kubernetes.io/name": "attach",
            "app.kubernetes.io/component": "attach",
            "app.kubernetes.io/managed-by": "longrun",
            "longrun/environment": "restate",
            "longrun/attach": "kept"
          },
          "ownerReferences": [
            {
              "apiVersion": "batch/v1",
              "kind": "Job",
              "name": "attach-kept",
              "controller": false,
              "blockOwnerDeletion": true
            }
          ]
        },
        "spec": {
          "automountServiceAccountToken": false,
          "enableServiceLinks": false,
          "securityContext": {
            "runAsUser": 65532,
            "fsGroup": 65532
          },
          "restartPolicy": "Never",
          "terminationGracePeriodSeconds": 1,
          "volumes": [
            {
              "name": "target",
              "persistentVolumeClaim": {
                "claimName": "kept"
              }
            }
          ],
          "containers": [
            {
              "name": "busybox",
              "image": "busybox:1",
              "imagePullPolicy": "IfNotPresent",
              "command": [
                "sh",
                "-c",
                "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait; done"
              ],
              "workingDir": "/target",
              "securityContext": {
                "readOnlyRootFilesystem": true
              },
              "resources": {
                "requests": {
                  "cpu": "10m",
                  "memory": "16Mi"
                },
                "limits": {
                  "memory": "256Mi"
                }
              },
              "volumeMounts": [
                {
                  "name": "target",
                  "mountPath": "/target",
                  "readOnly": true
                }
              ]
            },
            {
              "name": "copy",
              "image": "verification:1",
              "imagePullPolicy": "IfNotPresent",
              "command": [
                "sh",
                "-c",
                "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait; done"
              ],
              "workingDir": "/target",
              "securityContext": {
                "readOnlyRootFilesystem": true
              },
              "resources": {
                "requests": {
                  "cpu": "10m",
                  "memory": "16Mi"
                },
                "limits": {
                  "memory": "256Mi"
                }
              },
              "volumeMounts": [
                {
                  "name": "target",
                  "mountPath": "/target",
                  "readOnly": true
                }
              ]
            }
          ]
        }
      }
    ]
    "#);
}

#[test]
fn one_that_is_attached_is_not_attached_again_and_one_that_ended_is_cleared_away() {
    let with = |ended| {
        let mut facts = facts();
        facts.jobs.push(guardian(ended));
        story(plan(&target(), &facts, &options(), &wish("kept")))
    };
    assert_snapshot!([with(false), with(true)].join("\n"), @r#"
    cannot do this; nothing was changed
      - the snapshot kept is attached already, by a@b: kubectl -n restate exec -it kept -- sh
    delete Job attach-kept until Gone; may fail
    create Job attach-kept; undo: delete Job attach-kept
    create PersistentVolumeClaim kept; undo: delete PersistentVolumeClaim kept
    create Pod kept until Ready; undo: delete Pod kept
    note: kubectl -n restate exec -it kept -- sh
    "#);
}

#[test]
fn one_that_is_not_ready_is_not_attached() {
    let mut unready = facts();
    unready.snapshots.as_mut().unwrap()[0]["status"]["readyToUse"] = json!(false);
    assert_snapshot!(story(plan(&target(), &unready, &options(), &wish("kept"))), @r#"
    cannot do this; nothing was changed
      - the snapshot kept cannot be restored: the storage has not finished the snapshot
    "#);
}

#[test]
fn an_attachment_ends_with_its_guardian() {
    let planned = end(&target(), "kept", Uid("g".into()));
    assert_snapshot!(story(Ok(planned)), @"delete Job attach-kept until Gone");
}

/// Where a copy comes from that needs no attachment of its own.
fn copied(twist: impl FnOnce(&mut Facts)) -> String {
    let mut facts = facts();
    twist(&mut facts);
    match copy::attached(&target(), &facts, "kept") {
        Ok(Some(source)) => {
            let command = source.command.join(" ");
            let door = source.door.unwrap();
            assert_eq!(
                door.command.join(" "),
                format!("{command} --at 0.0.0.0:{}", door.port)
            );
            format!(
                "{}: {command} in {}/{}",
                source.name, source.pod, source.container
            )
        }
        Ok(None) => "to be attached".to_string(),
        Err(refusals) => refusals.to_string(),
    }
}

#[test]
fn a_copy_of_a_snapshot_takes_an_attachment_that_is_there_if_nobody_writes_to_it() {
    let writable = |facts: &mut Facts| {
        let mut job = guardian(false);
        job["metadata"]["annotations"]["longrun/writable"] = json!("true");
        facts.jobs.push(job);
    };
    let stories = [
        copied(|_| {}),
        copied(|facts| facts.jobs.push(guardian(false))),
        copied(writable),
        copied(|facts| {
            facts.jobs.push(guardian(false));
            facts.snapshots = Some(Vec::new());
        }),
    ];
    assert_snapshot!(stories.join("\n"), @"
    to be attached
    VolumeSnapshot kept of dev/restate: /usr/local/bin/verification send /target/db in kept/copy
    cannot do this; nothing was changed
      - the snapshot kept is attached writable by a@b and may have been changed; end that attachment, then copy
    cannot do this; nothing was changed
      - restate has no VolumeSnapshot kept (there are: none)
    ");
}

#[test]
fn a_copy_of_the_live_database_takes_the_sidecar_of_the_node() {
    let source = copy::live(&target(), &facts()).unwrap();
    assert_eq!(source.name, "the live database of dev/restate");
    assert_eq!(
        (&source.pod[..], source.container),
        ("restate-0", "observer")
    );
    assert!(!source.still);
    assert_eq!(source.door, None);
    let nothing = Facts::default();
    let refused = copy::live(&target(), &nothing).unwrap_err().to_string();
    assert!(refused.contains("dev/restate has no node"), "{refused}");
}

#[test]
fn the_deadline_moves_with_the_heartbeat_up_to_the_end() {
    let minutes = SignedDuration::from_mins;
    let at = |elapsed| deadline(elapsed, minutes(10));
    assert_eq!(at(SignedDuration::ZERO), 60);
    assert_eq!(at(minutes(5)), 360);
    assert_eq!(at(minutes(9)), 600);
    assert_eq!(at(minutes(60)), 600);
}
