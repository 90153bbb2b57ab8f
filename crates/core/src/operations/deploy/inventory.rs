//! The list of what was applied: the only thing that prune believes.

use alloc::{collections::BTreeSet, string::ToString, vec::Vec};

use serde_json::{Value, json};

use super::{ENVIRONMENT_LABEL, Facts, INVENTORY};
use crate::{
    change::changes,
    object::{ObjectRef, intent, uid},
    plan::{Checked, Effect, Guard, Step, Target},
    wait::Wait,
};

/// What an inventory lists. An unreadable one lists nothing, so that nothing is pruned by it.
#[must_use]
pub fn listed(inventory: &Value) -> Vec<ObjectRef> {
    inventory
        .pointer("/data/objects")
        .and_then(Value::as_str)
        .and_then(|list| serde_json::from_str(list).ok())
        .unwrap_or_default()
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
                "app.kubernetes.io/managed-by": "longrun",
                ENVIRONMENT_LABEL: target.environment,
            },
        },
        "data": {"objects": Value::Array(list).to_string()},
    });
    let live = facts.inventory_object.as_ref();
    let (act, guard) = match live.and_then(uid) {
        Some(uid) => (
            Effect::Update {
                object: desired.clone(),
                force: false,
            },
            Guard::Is { uid },
        ),
        // The second of two steps on an inventory that the first one created.
        None if !before.is_empty() => (
            Effect::Update {
                object: desired.clone(),
                force: false,
            },
            Guard::None,
        ),
        None => (
            Effect::Create {
                object: desired.clone(),
            },
            Guard::Absent,
        ),
    };
    let changes = live
        .map(|live| changes(&intent(live), &desired))
        .unwrap_or_default();
    let checked = Checked::Locally;
    Some(Step {
        act,
        guard,
        until: Wait::None,
        undo: None,
        changes,
        checked,
    })
}

pub(super) fn label<'a>(object: &'a Value, label: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(label)?.as_str()
}
