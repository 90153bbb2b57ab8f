//! Attachments: what lives as long as the command, and what is left when it is killed.

use jiff::SignedDuration;

use super::*;
use crate::{
    operations::attach::{HOLDER_ANNOTATION, Wish, deadline, plan},
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
    json!({"metadata": {"name": "attach-kept", "uid": "g", "labels": {"longrun/attach": "kept"},
            "annotations": {HOLDER_ANNOTATION: "a@b"}},
        "status": {"conditions": [{"type": "Failed", "status": status}]}})
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
    this cannot be done; nothing was changed
      - the snapshot kept is attached already, by a@b: kubectl -n restate exec -it kept -- sh
    delete Job attach-kept until Gone; may fail
    create Job attach-kept; undo: delete Job attach-kept
    create PersistentVolumeClaim kept; undo: delete PersistentVolumeClaim kept
    create Pod kept until Ready; undo: delete Pod kept
    note: kubectl -n restate exec -it kept -- sh
    "#);
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
