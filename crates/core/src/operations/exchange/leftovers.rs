//! What an operation that was never finished left behind, and its end: a deployment or a restore takes its
//! place.

use alloc::vec::Vec;

use crate::{
    journal::{Journal, Stored},
    object::Uid,
    plan::{Effect, Guard, Policy, Step},
    wait::Wait,
};

/// What is to be cleared away.
pub(in crate::operations) struct Leftovers {
    /// What would be in the way: Jobs that hold the claim.
    pub(in crate::operations) first: Vec<Step>,
    /// What may stay until all is well: the old volume, the rehearsal.
    pub(in crate::operations) last: Vec<Step>,
}

impl Leftovers {
    /// Of a journal that is past its point of no return: what it would have cleared away itself.
    pub(in crate::operations) fn of(journal: &Journal) -> Self {
        let (first, last) = journal
            .remaining()
            .into_iter()
            .filter(|step| match &step.act {
                Effect::Delete { .. } => step.guard == Guard::None && is_made(journal, &step.act),
                Effect::Reclaim { policy, .. } => *policy == Policy::Delete,
                _ => false,
            })
            .map(Step::soft)
            .partition(|step| {
                let object = step.act.object();
                object.is_some_and(|object| object.kind == "Job")
            });
        Self { first, last }
    }
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
