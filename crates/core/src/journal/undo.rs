//! What of a stopped plan can be taken back, in what order, and what stays.

use alloc::vec::Vec;

use super::Journal;
use crate::plan::Effect;

impl Journal {
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

    /// Whether the latest step was begun and nobody has heard whether it was done.
    #[must_use]
    pub fn unknown(&self) -> Option<&Effect> {
        let entry = self.entries.last().filter(|entry| entry.acted.is_none())?;
        Some(&self.plan.steps.get(entry.step)?.act)
    }

    /// What takes a step back, unless a later one has done just that. Also what may have been done: its
    /// answer was lost.
    pub(super) fn undo_of(&self, index: usize) -> Option<Effect> {
        let entry = self.entries.get(index)?;
        let undo = self.plan.steps.get(entry.step)?.undo.as_ref()?;
        let later = self.entries.get(index + 1..)?.iter();
        let done = later
            .filter(|entry| entry.acted.is_some())
            .any(|entry| self.plan.steps.get(entry.step).map(|step| &step.act) == Some(undo));
        (!done).then(|| undo.clone())
    }
}
