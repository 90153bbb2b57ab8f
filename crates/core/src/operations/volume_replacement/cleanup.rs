//! What an unfinished operation left: the steps that delete its temporary objects, and the end of its journal
//! when a deployment or a restore takes its place.

use alloc::vec::Vec;

use serde_json::Value;

use crate::{
    gate::{is_going, name, text},
    journal::{Journal, Stored},
    names::{CLAIM, TEMPORARY_LABEL},
    object::{ObjectRef, Uid, uid},
    plan::{Effect, Guard, Policy, Propagation, Step, Target},
    wait::Wait,
};

/// Of a journal that can only be closed, what it would have cleared away itself, and may stay
/// until all is well: the old volume, the rehearsal. What is in the way until then is found by its label.
pub(in crate::operations) fn left(journal: &Journal) -> Vec<Step> {
    journal
        .remaining()
        .into_iter()
        .filter(|step| match &step.act {
            Effect::Delete { object, .. } => {
                object.kind == "VolumeSnapshot" && is_made(journal, &step.act)
            }
            Effect::Reclaim { policy, .. } => {
                *policy == Policy::Delete && !is_only_copy(journal, &step.guard)
            }
            _ => false,
        })
        .map(Step::soft)
        .collect()
}

/// Whether a volume is of a claim that the journal's own plan was to delete and did not come to: what is on it was
/// perhaps never compared with anything.
fn is_only_copy(journal: &Journal, guard: &Guard) -> bool {
    let Guard::Release(release) = guard else {
        return false;
    };
    let past = journal.point_of_no_return().is_some();
    let mut steps = journal.plan().steps.iter();
    !past
        && steps
            .any(|step| matches!(&step.act, Effect::Delete { uid, .. } if *uid == release.claim))
}

fn is_made(journal: &Journal, deletion: &Effect) -> bool {
    let Effect::Delete { uid, .. } = deletion else {
        return false;
    };
    let made = |entry: &crate::journal::Entry| entry.uid.as_ref() == Some(uid) && !entry.undone;
    journal.entries().iter().any(made)
}

/// The journal's last word, when a deployment takes its place.
pub(in crate::operations) fn close(stored: &Stored, uid: Uid, by: &str) -> Step {
    let act = Effect::Update {
        object: stored.superseded(by).manifest(),
        force: true,
    };
    Step::new(act, Guard::Is { uid }, Wait::None).why("its operation has ended")
}

/// Deletes Jobs first: their pods hold the claims.
pub(in crate::operations) fn delete_temporary<'a>(
    target: &Target,
    jobs: impl IntoIterator<Item = &'a Value>,
    claims: impl IntoIterator<Item = &'a Value>,
) -> Vec<Step> {
    let jobs = jobs.into_iter().map(|job| (job, "batch/v1", "Job"));
    let claims = claims.into_iter();
    let claims = claims.map(|claim| (claim, "v1", "PersistentVolumeClaim"));
    jobs.chain(claims)
        .filter(|(object, _, _)| is_temporary(object) && !is_going(object))
        .filter_map(|(object, version, kind)| {
            let uid = uid(object)?;
            let object = ObjectRef::namespaced(version, kind, &target.environment, name(object));
            Some(clear_away(object, uid).why("left by a killed operation"))
        })
        .collect()
}

/// Deletes what nobody comes back for, and goes on if that does not succeed.
pub(in crate::operations) fn clear_away(object: ObjectRef, uid: Uid) -> Step {
    let gone = Wait::Gone { uid: uid.clone() };
    let act = Effect::Delete {
        object,
        uid,
        propagation: Propagation::Foreground,
    };
    Step::new(act, Guard::None, gone).soft()
}

/// A claim that was never bound goes, as long as it is so: a volume would be part of what is compared.
pub(in crate::operations) fn discard(claim: &Value) -> Option<Step> {
    let uid = uid(claim)?;
    let guard = Guard::unchanged(uid.clone(), claim);
    let gone = Wait::Gone { uid: uid.clone() };
    let act = Effect::Delete {
        object: ObjectRef::of(claim)?,
        uid,
        propagation: Propagation::Background,
    };
    Some(Step::new(act, guard, gone).why("it was never bound: it has no data"))
}

/// Whether a claim was never bound: then it holds nothing.
pub(in crate::operations) fn is_empty(claim: &Value) -> bool {
    text(claim, "/status/phase") == "Pending" && !is_going(claim)
}

/// Whether an operation made it to delete it again. The database is never that, whatever labels it has.
pub(in crate::operations) fn is_temporary(object: &Value) -> bool {
    let labels = object.pointer("/metadata/labels");
    let is_labelled = labels.is_some_and(|labels| labels.get(TEMPORARY_LABEL).is_some());
    is_labelled && name(object) != CLAIM
}
