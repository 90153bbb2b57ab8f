//! What of a stopped plan can be taken back, in what order, and what stays.

use alloc::string::{String, ToString};

use jiff::Timestamp;

use super::{
    Entry, Journal, Next, Reason,
    guard::{is_done, moved, would_go},
};
use crate::{
    object::uid,
    plan::{Effect, Finding, Guard, Step},
    wait::Observation,
};

/// Whether this takes nothing back: a snapshot stays, with a word about what was found in it.
pub(super) fn is_finding(undo: &Effect) -> bool {
    matches!(undo, Effect::RecordFinding { .. })
}

impl Journal {
    /// The effect that [`Next::Undo`] asked for is done.
    pub fn undone(&mut self) {
        if let Some(index) = self.to_undo() {
            self.entries[index].undone = true;
        }
    }

    pub(super) fn not_undone(&mut self, cause: String) {
        let Some(index) = self.to_undo() else {
            return;
        };
        // What could not be written on a snapshot is not in effect: without it, the snapshot counts as unverified.
        let is_said = !self.undo_of(index).as_ref().is_some_and(is_finding);
        self.entries[index].undone = true;
        self.entries[index].note = Some(cause).filter(|_| is_said);
    }

    /// What the first reader found that came after this entry: it read what the entry made or watched.
    fn finding_after(&self, index: usize) -> Option<Finding> {
        let mut later = self.entries.get(index + 1..)?.iter();
        later.find(|entry| self.is_reader(entry))?.found
    }

    pub(super) fn stop(&mut self, reason: Reason) -> Next {
        self.stopped = Some(reason.clone());
        if self.needs_observation() {
            return Next::TurnBack(reason);
        }
        let undo = self.to_undo().and_then(|index| self.undo_step(index));
        undo.map_or(Next::Stop(reason), |step| Next::Undo(step.act))
    }

    /// Whether the next decision depends on what is seen. Most of what is taken back is taken back blindly:
    /// it does no harm where nothing was done.
    #[must_use]
    pub fn needs_observation(&self) -> bool {
        if self.stopped.is_none() || self.is_unsettled() {
            return true;
        }
        let undo = self.to_undo().and_then(|index| self.undo_step(index));
        undo.is_some_and(|step| step.guard != Guard::None)
    }

    /// The plan has stopped: the next thing to take back, if there is one.
    pub(super) fn take_back(
        &mut self,
        reason: Reason,
        observation: &Observation,
        now: Timestamp,
    ) -> Next {
        if self.is_unsettled() {
            self.settle(observation, now);
            return Next::Look;
        }
        let Some(index) = self.to_undo() else {
            return Next::Stop(reason);
        };
        let Some(step) = self.undo_step(index) else {
            self.not_undone("it is unknown what was created".to_string());
            return Next::Look;
        };
        match self.against(&step, observation) {
            Some(cause) => {
                self.not_undone(cause);
                Next::Look
            }
            None => Next::Undo(step.act),
        }
    }

    /// Why something is not taken back.
    fn against(&mut self, undo: &Step, observation: &Observation) -> Option<String> {
        if let (Some(_), Effect::Suspend { .. }) = (&self.database_gone, &undo.act) {
            return Some("the node stays stopped".to_string());
        }
        if let Guard::Node { database, .. } = &undo.guard {
            // Whoever made the set anew meanwhile: it is told how many pods it has.
            self.database_gone = database.doubt(observation);
            return self.database_gone.clone();
        }
        moved(&undo.guard, observation).or_else(|| would_go(&undo.guard, observation))
    }

    /// Whether an effect was asked for, nobody has heard whether it was done, and it matters: something may
    /// have been made that has to go again, or the claim is gone.
    pub(super) fn is_unsettled(&self) -> bool {
        let step = self
            .unknown()
            .and_then(|_| self.plan.steps.get(self.position()));
        step.is_some_and(|step| {
            matches!(step.undo, Some(Effect::Discard { .. }))
                || matches!(step.guard, Guard::Gate(_))
        })
    }

    /// Finds out whether the last effect was done before the plan stopped.
    fn settle(&mut self, observation: &Observation, now: Timestamp) {
        let done = self
            .resolved(self.position())
            .is_some_and(|step| is_done(&step.act, &step.guard, observation));
        if done {
            self.acted(observation.object.as_ref().and_then(uid), now);
        } else {
            self.entries.pop();
        }
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
        let is_unknown = |entry: &&Entry| entry.acted.is_none() && entry.ended.is_none();
        let entry = self.entries.last().filter(is_unknown)?;
        Some(&self.plan.steps.get(entry.step)?.act)
    }

    /// What takes a step back, unless a later one has done just that. Also what may have been done: its
    /// answer was lost.
    pub(super) fn undo_of(&self, index: usize) -> Option<Effect> {
        let entry = self.entries.get(index)?;
        let undo = self.plan.steps.get(entry.step)?.undo.as_ref()?;
        if is_finding(undo) && self.finding_after(index) != Some(Finding::Empty) {
            return None;
        }
        let later = self.entries.get(index + 1..)?.iter();
        let done = later
            .filter(|entry| entry.acted.is_some())
            .any(|entry| self.plan.steps.get(entry.step).map(|step| &step.act) == Some(undo));
        (!done).then(|| undo.clone())
    }
}
