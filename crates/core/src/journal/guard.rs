//! Whether a step may still be done, and whether it was done by a driver that died.

use alloc::{
    format,
    string::{String, ToString},
};

use serde_json::Value;

use crate::{
    change::asked,
    object::{Digest, intent, uid},
    plan::{Effect, Guard},
    wait::Sight,
};

/// Whether an effect, whose guard does not hold, must have been done before its driver died.
pub(super) fn is_done(effect: &Effect, guard: &Guard, sight: &Sight) -> bool {
    let object = sight.object.as_ref();
    let same = match guard {
        Guard::None | Guard::Absent => true,
        Guard::Is { uid: planned } | Guard::Unchanged { uid: planned, .. } => {
            object.and_then(uid).as_ref() == Some(planned)
        }
    };
    match (effect, object) {
        (Effect::Delete { .. }, object) => {
            !same
                || object.is_some_and(|live| live.pointer("/metadata/deletionTimestamp").is_some())
        }
        (
            Effect::Create { object: desired }
            | Effect::Update {
                object: desired, ..
            },
            Some(live),
        ) => same && asked(live, desired).is_empty(),
        (Effect::Suspend { suspend, .. }, Some(live)) => {
            same && live.pointer("/spec/suspend").and_then(Value::as_bool) == Some(*suspend)
        }
        (
            Effect::Snapshot {
                object: desired, ..
            },
            Some(live),
        ) => asked(live, desired).is_empty(),
        (_, None) | (Effect::Watch { .. }, _) => false,
    }
}

/// What moved since the plan was made, if anything did.
#[must_use]
pub fn moved(guard: &Guard, sight: &Sight) -> Option<String> {
    let met = sight.object.as_ref().and_then(uid);
    match (guard, &sight.object) {
        (Guard::Absent, Some(_)) => Some("it appeared meanwhile".to_string()),
        (Guard::Is { .. } | Guard::Unchanged { .. }, None) => {
            Some("it was deleted meanwhile".to_string())
        }
        (Guard::Is { uid } | Guard::Unchanged { uid, .. }, Some(_))
            if met.as_ref() != Some(uid) =>
        {
            Some(format!(
                "it was recreated meanwhile: the plan was for UID {uid}, it is {}",
                met.map_or_else(|| "unknown".to_string(), |met| met.to_string())
            ))
        }
        (
            Guard::Unchanged {
                intent: planned, ..
            },
            Some(object),
        ) if Digest::of(&intent(object)) != *planned => {
            Some("somebody changed it meanwhile".to_string())
        }
        (Guard::None, _)
        | (Guard::Absent, None)
        | (Guard::Is { .. } | Guard::Unchanged { .. }, Some(_)) => None,
    }
}
