//! What was applied once and is rendered no more. Deletes only what is provably ours and nobody's data.

use alloc::{
    format,
    string::{String, ToString},
};

use serde_json::Value;

use super::{inventory::label, recreate::deletion};
use crate::{
    names::{ENVIRONMENT_LABEL, FIELD_MANAGER, RENDERED_LABEL},
    object::{ObjectRef, Uid, intent},
    plan::{Loss, Propagation, Step, Target},
};

/// Kinds whose deletion loses data or other people's objects: never a side effect of a deployment.
const KEPT_KINDS: [&str; 7] = [
    "CustomResourceDefinition",
    "Namespace",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "VolumeSnapshot",
    "VolumeSnapshotClass",
    "VolumeSnapshotContent",
];

/// Deletion of one surplus object, or why it is left alone.
pub(super) fn judge(
    target: &Target,
    object: ObjectRef,
    uid: Uid,
    live: &Value,
) -> Result<(Step, Loss), String> {
    if let Some(reason) = why_kept(target, &object, live) {
        return Err(format!(
            "{object} is no longer rendered and left alone: {reason}"
        ));
    }
    let what = format!("{object} is deleted");
    // The Jobs of a CronJob are evidence: they outlive it.
    let propagation = match object.kind.as_str() {
        "CronJob" => Propagation::Orphan,
        _ => Propagation::Background,
    };
    let step = deletion(object, uid, &intent(live), propagation);
    Ok((step, Loss::Disruption { what }))
}

fn why_kept(target: &Target, object: &ObjectRef, live: &Value) -> Option<String> {
    let owners = live
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    let manager = |entry: &Value| {
        entry.get("manager").and_then(Value::as_str) == Some(FIELD_MANAGER)
            && entry.get("operation").and_then(Value::as_str) == Some("Apply")
    };
    let managers = live
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    if KEPT_KINDS.contains(&object.kind.as_str()) {
        Some(format!("a {} is never pruned", object.kind))
    } else if object.namespace.as_deref() != Some(target.environment.as_str()) {
        Some(format!("it is not in the namespace {}", target.environment))
    } else if takes_claims_along(live) {
        Some("its claims would go with it".to_string())
    } else if owners.is_some_and(|owners| !owners.is_empty()) {
        Some("it has an owner".to_string())
    } else if label(live, RENDERED_LABEL).is_none() {
        Some(format!("it does not carry the label {RENDERED_LABEL}"))
    } else if label(live, ENVIRONMENT_LABEL) != Some(target.environment.as_str()) {
        Some(format!(
            "its label {ENVIRONMENT_LABEL} is not {}",
            target.environment
        ))
    } else if !managers.is_some_and(|managers| managers.iter().any(manager)) {
        Some(format!("{FIELD_MANAGER} is not one of its field managers"))
    } else if live.pointer("/metadata/deletionTimestamp").is_some() {
        Some("it is already being deleted".to_string())
    } else {
        None
    }
}

/// Whether a StatefulSet's claims, and the data in them, are deleted with it.
fn takes_claims_along(live: &Value) -> bool {
    live.pointer("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted")
        .and_then(Value::as_str)
        == Some("Delete")
}
