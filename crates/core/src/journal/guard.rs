//! Whether a step may still be done, and whether it was done by a driver that died.

use alloc::{
    format,
    string::{String, ToString},
};

use serde_json::Value;

use crate::{
    change::asked,
    cluster::is_left,
    gate::{found, is_going, text},
    object::{Digest, Uid, intent, uid},
    plan::{Effect, Guard, Step, grown},
    version::{ImageVersion, noted},
    wait::Observation,
};

/// Whether an effect, of which nobody knows, must have been done before its driver died.
pub(super) fn is_done(effect: &Effect, guard: &Guard, observation: &Observation) -> bool {
    let object = observation.object.as_ref();
    let met = object.and_then(uid);
    let same = match guard {
        Guard::None | Guard::Absent => true,
        Guard::Is { uid }
        | Guard::Unchanged { uid, .. }
        | Guard::Bound { uid, .. }
        | Guard::Node { uid, .. } => met.as_ref() == Some(uid),
        Guard::Gate(gate) => met.as_ref() == Some(&gate.claim),
        Guard::Release(release) => met.as_ref() == Some(&release.volume),
    };
    match (effect, object) {
        (Effect::Delete { uid, .. }, object) => {
            let is_gone = met.as_ref() != Some(uid) || object.is_some_and(is_going);
            // A claim that went after the node had been started again was not ours to delete.
            is_gone && fence_doubt(guard, observation).is_none()
        }
        (
            Effect::Create { object: desired }
            | Effect::Update {
                object: desired, ..
            }
            | Effect::Snapshot {
                object: desired, ..
            },
            Some(live),
        ) => same && asked(live, desired).is_empty(),
        // What a person suspended meanwhile was not done by us.
        (Effect::Suspend { suspend: true, .. }, Some(live)) => same && is_left(live),
        (Effect::Suspend { suspend: false, .. }, Some(live)) => {
            same && live.pointer("/spec/suspend").and_then(Value::as_bool) == Some(false)
        }
        (Effect::Scale { replicas, .. }, Some(live)) => {
            same && live.pointer("/spec/replicas").and_then(Value::as_u64) == Some(*replicas)
        }
        (Effect::Grow { object, storage }, Some(live)) => {
            same && asked(live, &grown(object, storage)).is_empty()
        }
        (Effect::Reclaim { policy, .. }, Some(live)) => {
            let spec = |field| live.get("spec")?.get(field)?.as_str();
            let now = spec("persistentVolumeReclaimPolicy").or_else(|| spec("deletionPolicy"));
            same && now == Some(policy.word())
        }
        (
            Effect::RecordFinding {
                uid: Some(uid),
                finding,
                ..
            },
            Some(live),
        ) => met.as_ref() == Some(uid) && found(live) == Some(*finding),
        (Effect::RecordNode { image, .. }, Some(live)) => {
            same && noted(live) == Some(ImageVersion::of(image))
        }
        (Effect::Interrupt { .. }, Some(_)) => observation.running().is_empty(),
        // Nothing tells what was struck from what was not. Once more does no harm.
        (_, None)
        | (Effect::RecordFinding { uid: None, .. }, _)
        | (Effect::Discard { .. } | Effect::Inject { .. } | Effect::Watch { .. }, _) => false,
    }
}

fn fence_doubt(guard: &Guard, observation: &Observation) -> Option<String> {
    match guard {
        Guard::Gate(gate) => gate.fence_doubt(observation),
        Guard::None
        | Guard::Absent
        | Guard::Is { .. }
        | Guard::Unchanged { .. }
        | Guard::Bound { .. }
        | Guard::Node { .. }
        | Guard::Release(_) => None,
    }
}

/// Whether somebody else did what was never asked for: made an object, or put another one in the place of one that was to
/// be deleted.
pub(super) fn is_anothers(step: &Step, observation: &Observation) -> bool {
    let met = observation.object.as_ref().and_then(uid);
    match &step.act {
        Effect::Delete { uid, .. } => {
            step.guard != Guard::None && met.is_some_and(|met| met != *uid)
        }
        act => act.makes(),
    }
}

/// What moved since the plan was made, if anything did.
#[must_use]
pub fn moved(guard: &Guard, observation: &Observation) -> Option<String> {
    let met = observation.object.as_ref().and_then(uid);
    match (guard, &observation.object) {
        (Guard::Absent, Some(_)) => Some("it appeared meanwhile".to_string()),
        (
            Guard::Is { .. } | Guard::Unchanged { .. } | Guard::Bound { .. } | Guard::Node { .. },
            None,
        ) => Some("it has been deleted in the meantime".to_string()),
        (
            Guard::Is { uid }
            | Guard::Unchanged { uid, .. }
            | Guard::Bound { uid, .. }
            | Guard::Node { uid, .. },
            Some(_),
        ) if met.as_ref() != Some(uid) => Some(format!(
            "it has been recreated in the meantime: the plan is for UID {uid}, it is {}",
            met.map_or_else(|| "unknown".to_string(), |met| met.to_string())
        )),
        (
            Guard::Unchanged {
                intent: planned, ..
            },
            Some(object),
        ) if !is_as_planned(object, planned) => {
            Some("another client changed it in the meantime".to_string())
        }
        (Guard::Bound { claim, .. }, Some(volume)) => not_bound(volume, claim),
        (Guard::Node { database, .. }, Some(_)) => database.doubt(observation),
        (Guard::Gate(gate), _) => gate.doubt(observation),
        (Guard::Release(release), _) => release.doubt(observation),
        (Guard::None, _)
        | (Guard::Absent, None)
        | (Guard::Is { .. } | Guard::Unchanged { .. }, Some(_)) => None,
    }
}

/// Journals that older versions wrote have the finalizers in it.
fn is_as_planned(object: &Value, planned: &Digest) -> bool {
    Digest::of_intent(object) == *planned || Digest::of(&intent(object)) == *planned
}

/// Why a volume must stay kept although its operation is taken back: a claim that is going takes it along.
pub(super) fn would_go(guard: &Guard, observation: &Observation) -> Option<String> {
    let Guard::Bound { claim, .. } = guard else {
        return None;
    };
    let stays = |live: &&Value| uid(live).as_ref() == Some(claim) && !is_going(live);
    if observation.claim.as_ref().filter(stays).is_some() {
        return None;
    }
    Some("its claim is gone or being deleted: its data would be lost".to_string())
}

fn not_bound(volume: &Value, claim: &Uid) -> Option<String> {
    let phase = text(volume, "/status/phase");
    if text(volume, "/spec/claimRef/uid") != claim.0 {
        Some("it belongs to another claim".to_string())
    } else if phase != "Bound" {
        Some(format!(
            "its claim is gone and its phase is {phase}: its data would be lost"
        ))
    } else {
        None
    }
}
