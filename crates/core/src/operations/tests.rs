//! Operations on data as people read them: facts in, plan or refusals out.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use insta::assert_snapshot;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    data::{Facts, Options},
    refusal::Refusals,
};
use crate::cluster::tests::all;
use crate::{
    names::CLAIM,
    object::Uid,
    plan::{Effect, Plan, Step, Target},
    wait::Wait,
};

mod attach;
mod kept;
mod node;
mod orphan;
mod refusals;
mod retention;
mod snapshot;
mod versions;
mod volume_replacement;

fn target() -> Target {
    Target {
        cluster: "dev".into(),
        kube_system: Uid("k".into()),
        environment: "restate".into(),
    }
}

fn now() -> Timestamp {
    "2026-01-05T10:00:00Z".parse().unwrap()
}

fn options() -> Options {
    let security = json!({"runAsUser": 65532, "fsGroup": 65532});
    let container = json!({"name": "restate", "image": "restate:1.7.12",
        "securityContext": {"readOnlyRootFilesystem": true}});
    Options {
        now: now(),
        driver: "csi.example".into(),
        delete_class: "delete".into(),
        retain_class: "retain".into(),
        set: json!({"kind": "StatefulSet", "spec": {
            "template": {"spec": {
                "serviceAccountName": "restate", "shareProcessNamespace": true,
                "securityContext": security, "containers": [container]}},
            "volumeClaimTemplates": [{"metadata": {"name": "storage", "labels": {"a": "b"}},
                "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
                    "resources": {"requests": {"storage": "10Gi"}}}}]}}),
        discover: json!({"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "discover", "namespace": "restate"}}),
        verification_image: "verification:1".into(),
        busybox_image: "busybox:1".into(),
    }
}

fn claim(phase: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": "restate", "uid": "claim-1", "labels": {"a": "b"},
            "finalizers": ["kubernetes.io/pvc-protection"]},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "volumeName": "pvc-1",
            "resources": {"requests": {"storage": "10Gi"}}},
        "status": {"phase": phase, "capacity": {"storage": "10Gi"}}})
}

fn cron_job(name: &str, suspended_by: Option<&str>) -> Value {
    let managed = suspended_by
        .map(|manager| json!([{"manager": manager, "fieldsV1": {"f:spec": {"f:suspend": {}}}}]));
    json!({"metadata": {"name": name, "uid": format!("{name}-1"),
            "labels": {"longrun/environment": "restate"}, "managedFields": managed},
        "spec": {"suspend": suspended_by.is_some(),
            "jobTemplate": {"metadata": {"labels": {"c": "d"}}, "spec": {"backoffLimit": 6}}}})
}

/// A snapshot of the claim and what it is bound to.
fn taken(name: &str, created: &str, purpose: &str) -> (Value, Value) {
    let snapshot = json!({
        "metadata": {"name": name, "uid": format!("{name}-1"), "creationTimestamp": created,
            "labels": {"longrun/environment": "restate", "longrun/purpose": purpose,
                "longrun/consistency": "crash", "longrun/source-claim-uid": "claim-1"},
            "annotations": {"longrun/opened-by": "1.7.12"}},
        "spec": {"source": {"persistentVolumeClaimName": CLAIM}},
        "status": {"readyToUse": true, "restoreSize": "10Gi",
            "boundVolumeSnapshotContentName": format!("content-{name}")}});
    let content = json!({
        "metadata": {"name": format!("content-{name}"), "uid": format!("content-{name}-1")},
        "spec": {"deletionPolicy": "Retain", "source": {"volumeHandle": "vol-1"},
            "volumeSnapshotRef": {"uid": format!("{name}-1")}},
        "status": {"readyToUse": true, "snapshotHandle": format!("snap-{name}")}});
    (snapshot, content)
}

/// Everything runs, and one snapshot is there.
fn facts() -> Facts {
    let (snapshot, content) = taken("kept", "2026-01-04T10:00:00Z", "manual");
    let class = |name: &str, policy: &str| json!({"metadata": {"name": name}, "driver": "csi.example", "deletionPolicy": policy});
    Facts {
        claim: Some(claim("Bound")),
        volume: Some(json!({"metadata": {"name": "pvc-1", "uid": "pv-1"},
            "spec": {"persistentVolumeReclaimPolicy": "Delete",
                "csi": {"driver": "csi.example", "volumeHandle": "vol-1"}}})),
        set: Some(json!({"metadata": {"name": "restate", "uid": "set-1"}})),
        mounts: all([
            json!({"metadata": {"name": "restate-0", "ownerReferences": [{"uid": "set-1"}]}}),
        ]),
        claims: [claim("Bound")].into(),
        snapshots: Some([snapshot].into()),
        contents: [content].into(),
        classes: [class("delete", "Delete"), class("retain", "Retain")].into(),
        cron_jobs: [cron_job("chaos", None), cron_job("test", None)].into(),
        jobs: [json!({"metadata": {"name": "discover", "uid": "discover-1"}})].into(),
        ..Facts::default()
    }
}

fn until(wait: &Wait) -> String {
    match wait {
        Wait::None => String::new(),
        Wait::Gone { .. } => " until Gone".into(),
        Wait::Stopped { .. } => " until Stopped".into(),
        wait => format!(" until {wait:?}"),
    }
}

fn line(step: &Step) -> String {
    let undo = step.undo.as_ref();
    let undo = undo.map_or(String::new(), |undo| format!("; undo: {undo}"));
    let soft = if step.soft { "; may fail" } else { "" };
    format!("{}{}{undo}{soft}\n", step.act, until(&step.until))
}

fn story(planned: Result<Plan, Refusals>) -> String {
    match planned {
        Ok(plan) => {
            let steps = plan.steps.iter().map(line);
            let loses = plan.loses.iter().map(|loss| format!("! {loss:?}\n"));
            let notes = plan.notes.iter().map(|note| format!("note: {note}\n"));
            steps.chain(loses).chain(notes).collect()
        }
        Err(refusals) => refusals.to_string(),
    }
}

fn step_of(plan: &Plan, act: &str) -> Step {
    let step = plan.steps.iter().find(|step| step.act.to_string() == act);
    step.unwrap().clone()
}
