//! What was applied once and is rendered no more. Deletes only what is provably ours and nobody's data.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde_json::Value;

use super::{ENVIRONMENT_LABEL, FIELD_MANAGER, RENDERED_LABEL, inventory::label};
use crate::{
    object::{Digest, ObjectRef, intent, uid},
    plan::{Checked, Effect, Guard, Loss, Propagation, Step, Target},
    wait::Wait,
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
pub(super) fn judge(target: &Target, live: &Value) -> Result<(Step, Loss), String> {
    let (Some(object), Some(uid)) = (ObjectRef::of(live), uid(live)) else {
        return Err("an object without name or UID is left alone".to_string());
    };
    if let Some(reason) = why_kept(target, &object, live) {
        return Err(format!(
            "{object} is rendered no more and left alone: {reason}"
        ));
    }
    let what = format!("{object} is deleted");
    let step = Step {
        act: Effect::Delete {
            object,
            uid: uid.clone(),
            propagation: Propagation::Background,
        },
        guard: Guard::Unchanged {
            uid: uid.clone(),
            intent: Digest::of(&intent(live)),
        },
        until: Wait::Gone { uid },
        undo: None,
        changes: Vec::new(),
        checked: Checked::Nothing,
    };
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
        Some(format!("a {} is only deleted on purpose", object.kind))
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
        Some(format!("{FIELD_MANAGER} is not among its field managers"))
    } else if live.pointer("/metadata/deletionTimestamp").is_some() {
        Some("it is being deleted already".to_string())
    } else {
        None
    }
}
