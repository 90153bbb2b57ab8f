//! The list of what was applied: the only thing that prune believes.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde_json::{Value, json};

use super::Facts;
use crate::{
    change::Change,
    names::{ENVIRONMENT_LABEL, FIELD_MANAGER, INVENTORY, MANAGED_BY_LABEL},
    object::{ObjectRef, uid},
    plan::{Checked, Effect, Guard, Step, Target},
    wait::Wait,
};

/// What an inventory lists. An unreadable one lists nothing, so that nothing is pruned by it.
#[must_use]
pub fn listed(inventory: &Value) -> Vec<ObjectRef> {
    read(inventory).unwrap_or_default()
}

fn read(inventory: &Value) -> Option<Vec<ObjectRef>> {
    let list = inventory.pointer("/data/objects")?.as_str()?;
    serde_json::from_str(list).ok()
}

/// The note on an inventory that somebody has broken: what it listed is found by nobody any more.
pub(super) fn unreadable(facts: &Facts) -> Option<String> {
    let inventory = facts.inventory_object.as_ref()?;
    read(inventory).is_none().then(|| {
        format!("ConfigMap {INVENTORY} cannot be read: it is rewritten, and nothing it listed is deleted although no longer rendered")
    })
}

/// The objects that belong to the environment, of all that is rendered: `_shared` ones have no owner.
pub(super) fn owned(facts: &Facts) -> BTreeSet<ObjectRef> {
    facts
        .objects
        .iter()
        .map(|observed| &observed.desired)
        .filter(|object| label(object, ENVIRONMENT_LABEL).is_some())
        .filter_map(ObjectRef::of)
        .filter(|object| object.namespace.is_some())
        .collect()
}

/// The step that makes the inventory list exactly these, unless it does.
pub(super) fn step(
    target: &Target,
    facts: &Facts,
    before: &BTreeSet<ObjectRef>,
    after: &BTreeSet<ObjectRef>,
) -> Option<Step> {
    if before == after {
        return None;
    }
    let list: Vec<Value> = after.iter().map(|object| json!(object)).collect();
    let desired = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": INVENTORY,
            "namespace": target.environment,
            "labels": {
                MANAGED_BY_LABEL: FIELD_MANAGER,
                ENVIRONMENT_LABEL: target.environment,
            },
        },
        "data": {"objects": Value::Array(list).to_string()},
    });
    let live = facts.inventory_object.as_ref();
    let (act, guard) = match live.and_then(uid) {
        Some(uid) => (
            Effect::Update {
                object: desired,
                force: live.is_some_and(is_edited),
            },
            Guard::Is { uid },
        ),
        None => (Effect::Create { object: desired }, Guard::Absent),
    };
    let listed = |object: &ObjectRef| Change {
        path: format!("data.objects[{object}]"),
        before: before.contains(object).then(|| "listed".into()),
        after: after.contains(object).then(|| "listed".into()),
    };
    let changes = match act {
        Effect::Create { .. } => Vec::new(),
        _ => before.symmetric_difference(after).map(listed).collect(),
    };
    Some(Step {
        changes,
        checked: Checked::Locally,
        ..Step::new(act, guard, Wait::None)
    })
}

/// Whether somebody else owns the list: it is ours alone, and would stay theirs for ever.
fn is_edited(inventory: &Value) -> bool {
    let managers = inventory
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    managers.into_iter().flatten().any(|entry| {
        let manager = entry.get("manager").and_then(Value::as_str);
        manager != Some(FIELD_MANAGER) && entry.pointer("/fieldsV1/f:data").is_some()
    })
}

pub(super) fn label<'a>(object: &'a Value, label: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(label)?.as_str()
}
