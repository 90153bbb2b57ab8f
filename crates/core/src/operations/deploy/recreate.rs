//! Objects that cannot be changed in place: another incarnation takes their place, and nothing that
//! belongs to them is lost.

use alloc::{vec, vec::Vec};

use serde_json::Value;

use super::{Facts, Observed, decision::creation};
use crate::{
    change::{Change, asked},
    object::{ObjectRef, Uid, bytes},
    plan::{Checked, Effect, Guard, Propagation, Step},
    wait::Wait,
};

/// A Job's template cannot be changed, and a failed Job does not run again: a new one takes its place.
pub(super) fn replacement(
    observed: &Observed,
    object: ObjectRef,
    uid: Uid,
    live: &Value,
) -> Vec<Step> {
    let changes = asked(live, &observed.desired);
    vec![
        deletion(object, uid, live, Propagation::Background),
        creation(observed, Checked::Locally, changes),
    ]
}

/// A StatefulSet whose claim templates grew is made anew around its pods; its claims have grown before. `None` when
/// more than that changed, or a claim would shrink.
pub(super) fn recreation(
    observed: &Observed,
    object: ObjectRef,
    uid: Uid,
    live: &Value,
) -> Option<Vec<Step>> {
    let changes = asked(live, &observed.desired);
    if !changes.iter().any(is_claim_size) || !changes.iter().all(is_allowed) {
        return None;
    }
    let (old, new) = (templates(live), templates(&observed.desired));
    for ((_, size), (_, wanted)) in old.iter().zip(&new) {
        if bytes(wanted)? < bytes(size)? {
            return None;
        }
    }
    Some(vec![
        deletion(object, uid, live, Propagation::Orphan),
        creation(observed, Checked::Locally, changes),
    ])
}

fn is_claim_size(change: &Change) -> bool {
    change.path.starts_with("spec.volumeClaimTemplates")
        && change.path.ends_with("resources.requests.storage")
}

/// What may change together with the size: what a StatefulSet takes in place.
fn is_allowed(change: &Change) -> bool {
    let in_place = [
        "spec.template",
        "spec.replicas",
        "spec.updateStrategy",
        "spec.minReadySeconds",
        "metadata",
    ];
    is_claim_size(change) || in_place.iter().any(|path| change.path.starts_with(path))
}

/// Name and size of each claim template.
pub(super) fn templates(stateful_set: &Value) -> Vec<(&str, &str)> {
    stateful_set
        .pointer("/spec/volumeClaimTemplates")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|template| {
            Some((
                template.pointer("/metadata/name")?.as_str()?,
                template
                    .pointer("/spec/resources/requests/storage")?
                    .as_str()?,
            ))
        })
        .collect()
}

/// The claims that a StatefulSet made from a template: `<template>-<set>-<ordinal>`.
pub(super) fn claims<'a>(
    live: &'a [Value],
    template: &'a str,
    set: &'a str,
) -> impl Iterator<Item = &'a Value> {
    live.iter().filter(move |claim| {
        let name = claim.pointer("/metadata/name").and_then(Value::as_str);
        name.and_then(|name| {
            let ordinal = name
                .strip_prefix(template)?
                .strip_prefix('-')?
                .strip_prefix(set)?
                .strip_prefix('-')?;
            ordinal.parse::<u32>().ok()
        })
        .is_some()
    })
}

/// All claims of a StatefulSet.
pub(super) fn claims_of<'a>(facts: &'a Facts, stateful_set: &'a Value) -> Vec<&'a Value> {
    let set = stateful_set
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    templates(stateful_set)
        .into_iter()
        .flat_map(|(template, _)| claims(&facts.claims, template, set))
        .collect()
}

/// Deletion of this incarnation as it was seen.
pub(super) fn deletion(
    object: ObjectRef,
    uid: Uid,
    live: &Value,
    propagation: Propagation,
) -> Step {
    let guard = Guard::unchanged(uid.clone(), live);
    let gone = Wait::Gone { uid: uid.clone() };
    let act = Effect::Delete {
        object,
        uid,
        propagation,
    };
    Step::new(act, guard, gone)
}
