//! What of a stopped plan can be taken back, in what order, and what stays.

use alloc::{string::String, vec::Vec};

use jiff::Timestamp;

use super::{
    Journal, Next, Reason,
    guard::{is_done, moved},
};
use crate::{object::uid, plan::Effect, wait::Sight};

impl Journal {
    /// The effect that [`Next::Undo`] asked for is done.
    pub fn undone(&mut self) {
        if let Some(index) = self.to_undo() {
            self.entries[index].undone = true;
        }
    }

    pub(super) fn not_undone(&mut self, cause: String) {
        if let Some(index) = self.to_undo() {
            self.entries[index].undone = true;
            self.entries[index].note = Some(cause);
        }
    }

    pub(super) fn stop(&mut self, reason: Reason) -> Next {
        self.stopped = Some(reason.clone());
        if self.is_unsettled() || self.to_undo().is_some() {
            Next::TurnBack(reason)
        } else {
            Next::Stop(reason)
        }
    }

    /// The plan has stopped: the next thing to take back, if there is one.
    pub(super) fn take_back(&mut self, reason: Reason, sight: &Sight, now: Timestamp) -> Next {
        if self.is_unsettled() {
            self.settle(sight, now);
            return Next::Look;
        }
        let Some(index) = self.to_undo() else {
            return Next::Stop(reason);
        };
        let Some(step) = self.undo_step(index) else {
            return Next::Stop(reason);
        };
        match moved(&step.guard, sight) {
            Some(moved) => {
                self.not_undone(moved);
                Next::Look
            }
            None => Next::Undo(step.act),
        }
    }

    /// Whether an effect was asked for and nobody knows whether it was done.
    pub(super) fn is_unsettled(&self) -> bool {
        self.entries
            .last()
            .is_some_and(|entry| entry.acted.is_none() && entry.ended.is_none())
    }

    /// Finds out whether the last effect was done before the plan stopped.
    fn settle(&mut self, sight: &Sight, now: Timestamp) {
        let done = self
            .resolved(self.position())
            .is_some_and(|step| is_done(&step.act, &step.guard, sight));
        if done {
            self.acted(sight.object.as_ref().and_then(uid), now);
        } else {
            self.entries.pop();
        }
    }

    /// What is done, could have been taken back, and was not, when the plan stopped: in what state the
    /// cluster is left.
    #[must_use]
    pub fn left(&self) -> Vec<&Effect> {
        let stopped = self.stopped.is_some();
        self.entries
            .iter()
            .enumerate()
            .filter(|_| stopped)
            .filter(|(index, entry)| !entry.undone && self.undo_of(*index).is_some())
            .filter_map(|(_, entry)| Some(&self.plan.steps.get(entry.step)?.act))
            .collect()
    }

    /// The latest step whose effect is done and can be taken back. What came before a change that stays
    /// is not taken back: the tests must not resume while two versions of the service run.
    pub(super) fn to_undo(&self) -> Option<usize> {
        for (index, entry) in self.entries.iter().enumerate().rev() {
            if entry.undone {
                continue;
            }
            if self.undo_of(index).is_some() {
                return Some(index);
            }
            let step = self.plan.steps.get(entry.step)?;
            if step.act.stays() && step.undo.is_none() {
                return None;
            }
        }
        None
    }

    /// What takes a step back, unless a later one has done just that.
    pub(super) fn undo_of(&self, index: usize) -> Option<Effect> {
        let entry = self.entries.get(index)?;
        entry.acted?;
        let undo = self.plan.steps.get(entry.step)?.undo.as_ref()?;
        let later = self.entries.get(index + 1..)?.iter();
        let done = later
            .filter(|entry| entry.acted.is_some())
            .any(|entry| self.plan.steps.get(entry.step).map(|step| &step.act) == Some(undo));
        (!done).then(|| undo.clone())
    }
}
