//! Deleting a snapshot, and with it what is stored, whatever its class says.

use alloc::{format, string::ToString, vec, vec::Vec};

use super::{Listed, Purpose, Refusals, Verification, list, listed::unknown};
use crate::{
    gate::{content_of, name},
    names::SNAPSHOT_API,
    object::{ObjectRef, uid},
    operations::{data::Facts, database::possible, refusal::Refusal},
    plan::{Effect, Guard, Loss, Plan, Policy, Propagation, Step, Target},
    wait::Wait,
};

/// The plan of a deletion by name. What retention keeps can be deleted so, also what never got ready, whose
/// finalizer would hold its claim for ever.
///
/// # Errors
/// Everything that speaks against it.
pub fn delete(target: &Target, facts: &Facts, wanted: &str) -> Result<Plan, Refusals> {
    let mut against = possible(facts);
    let listed = list(facts);
    let found = listed.iter().find(|listed| listed.name == wanted);
    match found {
        None => against.push(unknown(target, facts, wanted)),
        Some(found) => against.extend(found.used_by.clone().map(|by| Refusal::InUse {
            name: wanted.to_string(),
            by,
        })),
    }
    let (Some(found), []) = (found, &against[..]) else {
        return Err(Refusals(against));
    };
    Ok(Plan {
        operation: "snapshot delete".to_string(),
        target: target.clone(),
        steps: deletion(target, facts, found),
        loses: vec![Loss::Snapshot {
            name: wanted.to_string(),
        }],
        notes: notes(found, &listed),
        generated: Vec::new(),
    })
}

/// What the reader may have overlooked.
fn notes(found: &Listed, all: &[Listed]) -> Vec<alloc::string::String> {
    let mut notes = Vec::new();
    if found.verification == Verification::Empty {
        notes.push("it was read, and is EMPTY".to_string());
    } else if let Some(
        purpose @ (Purpose::BeforeWipe
        | Purpose::BeforeRestore
        | Purpose::Failure
        | Purpose::Adopted),
    ) = found.purpose
    {
        notes.push(format!(
            "it was taken as {}: perhaps the only copy of what was there then",
            purpose.word()
        ));
    }
    let others = all.iter().any(|other| {
        let holds_something = other.ready && other.verification != Verification::Empty;
        holds_something && other.name != found.name && other.source_uid == found.source_uid
    });
    if found.ready && found.verification != Verification::Empty && !others {
        notes.push("this claim has no other ready snapshot".to_string());
    }
    if found.kept {
        notes.push("it is marked to be kept".to_string());
    }
    notes
}

/// The steps that delete one snapshot as it was seen.
pub(super) fn deletion(target: &Target, facts: &Facts, listed: &Listed) -> Vec<Step> {
    let mut snapshots = facts.snapshots.iter().flatten();
    let Some(live) = snapshots.find(|snapshot| name(snapshot) == listed.name) else {
        return Vec::new();
    };
    let content =
        content_of(live, &facts.contents).filter(|_| listed.policy == Some(Policy::Retain));
    let stored = content.and_then(|content| {
        let object = ObjectRef::whole(SNAPSHOT_API, "VolumeSnapshotContent", name(content));
        let uid = uid(content)?;
        let reclaim = |policy| Effect::Reclaim {
            object: object.clone(),
            uid: uid.clone(),
            policy,
        };
        let guard = Guard::Is { uid: uid.clone() };
        Some(
            Step::new(reclaim(Policy::Delete), guard, Wait::None)
                .undo(reclaim(Policy::Retain))
                .why("its class retains the stored snapshot; this deletion is intended"),
        )
    });
    let uid = listed.uid.clone();
    let guard = match listed.ready {
        // Somebody may ask to keep it meanwhile.
        true => Guard::unchanged(uid.clone(), live),
        // The storage is still at work on it, and writes to it.
        false => Guard::Is { uid: uid.clone() },
    };
    let gone = Wait::Gone { uid: uid.clone() };
    let act = Effect::Delete {
        object: ObjectRef::namespaced(
            SNAPSHOT_API,
            "VolumeSnapshot",
            &target.environment,
            &listed.name,
        ),
        uid,
        propagation: Propagation::Background,
    };
    stored
        .into_iter()
        .chain([Step::new(act, guard, gone)])
        .collect()
}
