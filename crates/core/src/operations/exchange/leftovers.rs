//! What an operation that was never finished left behind, and its end: a deployment or a restore takes its
//! place.

use alloc::vec::Vec;

use crate::{
    journal::{Journal, Stored},
    object::Uid,
    plan::{Effect, Guard, Policy, Step},
    wait::Wait,
};

/// Of a journal that is past its point of no return, what it would have cleared away itself, and may stay
/// until all is well: the old volume, the rehearsal. What is in the way until then is found by its label.
pub(in crate::operations) fn left(journal: &Journal) -> Vec<Step> {
    journal
        .remaining()
        .into_iter()
        .filter(|step| match &step.act {
            Effect::Delete { object, .. } => {
                object.kind == "VolumeSnapshot" && is_made(journal, &step.act)
            }
            Effect::Reclaim { policy, .. } => *policy == Policy::Delete,
            _ => false,
        })
        .map(Step::soft)
        .collect()
}

fn is_made(journal: &Journal, deletion: &Effect) -> bool {
    let Effect::Delete { uid, .. } = deletion else {
        return false;
    };
    let made = |entry: &crate::journal::Entry| entry.uid.as_ref() == Some(uid);
    journal.entries().iter().any(made)
}

/// The journal's last word, when a deployment takes its place.
pub(in crate::operations) fn close(stored: &Stored, uid: Uid, by: &str) -> Step {
    let act = Effect::Update {
        object: stored.superseded(by).manifest(),
        force: true,
    };
    Step::new(act, Guard::Is { uid }, Wait::None).why("its operation is over")
}
