//! How far an approved plan has come, and what to do next. The driver does what this says and writes
//! down what it saw; everything that can go wrong between two steps is decided here.

use alloc::{
    collections::BTreeSet,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    approval::{Approved, By},
    object::{Uid, uid},
    plan::{Effect, Finding, Guard, Plan, Step},
    wait::{Observation, Wait, WaitStatus},
};

mod admission;
mod before;
mod checklist;
mod gone;
mod guard;
mod kept;
mod next;
mod patience;
mod reason;
mod resolve;
mod state;
mod stored;
#[cfg(test)]
mod tests;
mod traces;
mod undo;

use before::{known, pods_version};
pub use guard::moved;
use guard::{is_anothers, is_done};

pub use admission::{Admission, AtWork, InTheWay, Unfinished, admit, admit_beside};
pub use checklist::{Checklist, Item, Mark};
pub use gone::DatabaseGone;
pub use kept::{Kept, Standing};
pub use next::Next;
pub use reason::Reason;
pub use state::State;
pub use stored::{NotTaken, Stored};
pub use traces::Traces;

/// The present format of a written journal.
const FORMAT: u32 = 1;

/// A plan that somebody approved, and what has been done of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    #[serde(deserialize_with = "stored::known_format")]
    format: u32,
    #[serde(with = "crate::plan::shared")]
    plan: Arc<Plan>,
    by: By,
    entries: Vec<Entry>,
    /// While it is set, only undoing remains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stopped: Option<Reason>,
    /// Another operation made it void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    superseded: Option<String>,
    /// What became of the node's claim, by somebody else: the node was not started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    database_gone: Option<String>,
}

/// One step that has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Index into the plan's steps.
    pub step: usize,
    /// When it began.
    pub began: Timestamp,
    /// When its effect was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acted: Option<Timestamp>,
    /// The incarnation that the effect made or met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// When what it waited for held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// The Jobs that existed when it began, for [`Wait::FirstSuccess`]: clocks differ, incarnations do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    known: Vec<Uid>,
    /// The StatefulSet's generation when it had stopped: the fence has held as long as it is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The version of the list of pods before it began, for a reader; before the deletion, for what is behind a gate. See
    /// [`Gate::since`](crate::gate::Gate::since).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pods_version: Option<String>,
    /// Behind a gate: it is known that no other pod had the claim until it was gone.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    watched: bool,
    /// Its undo has been done, or will never be.
    #[serde(default)]
    pub undone: bool,
    /// What a reader found, when it is not what it looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<Finding>,
    /// Why its undo was not done, or why a soft step did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When another driver went on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Timestamp>,
    /// Since when it looks bad without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bad_since: Option<Timestamp>,
    /// Since when no new cause of waiting has come up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    still_since: Option<Timestamp>,
    /// An answer was lost: it may have been done.
    #[serde(skip)]
    again: bool,
    /// Every cause so far: going back and forth between two is no progress. Another driver begins anew.
    #[serde(skip)]
    causes: BTreeSet<String>,
}

impl Journal {
    /// Begins a journal. The approval is used up.
    #[must_use]
    pub fn open(approved: Approved) -> Self {
        let (plan, by) = approved.into_parts();
        Self {
            format: FORMAT,
            plan: Arc::new(plan),
            by,
            entries: Vec::new(),
            stopped: None,
            superseded: None,
            database_gone: None,
        }
    }

    /// What is being done.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Who consented.
    #[must_use]
    pub fn by(&self) -> &By {
        &self.by
    }

    /// The steps that have begun, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The step that is to be looked at next: its object is what the next [`Observation`] is about. While the
    /// plan is taken back, it is an undo.
    #[must_use]
    pub fn current(&self) -> Option<Step> {
        if self.stopped.is_some() && !self.is_unsettled() {
            return self.undo_step(self.to_undo()?);
        }
        self.resolved(self.position())
    }

    /// The step whose object the next decision depends on, or nothing when nothing that could be seen matters: a write
    /// may be enough, and most of what is taken back is taken back blindly.
    #[must_use]
    pub fn to_observe(&self) -> Option<Step> {
        let step = self.current().filter(|_| self.needs_observation())?;
        let entry = self.entries.last();
        let acted =
            entry.is_some_and(|entry| entry.step == self.position() && entry.acted.is_some());
        let is_enough = self.stopped.is_none() && acted && step.until == Wait::None;
        (!is_enough).then_some(step)
    }

    /// Index of the current step; the number of steps when all are done.
    #[must_use]
    pub fn position(&self) -> usize {
        match self.entries.last() {
            None => 0,
            Some(entry) if entry.ended.is_some() => entry.step + 1,
            Some(entry) => entry.step,
        }
    }

    /// Why only undoing remains, or nothing. See [`Journal::needs_observation`].
    #[must_use]
    pub fn stopped(&self) -> Option<&Reason> {
        self.stopped.as_ref()
    }

    /// Whether there is nothing left to write: not even an undo.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self.stopped {
            Some(_) => !self.is_unsettled() && self.to_undo().is_none(),
            None => self.current().is_none(),
        }
    }

    /// What to do next, by what was just seen of the current step's object.
    pub fn next(&mut self, observation: &Observation, now: Timestamp) -> Next {
        if let Some(reason) = self.stopped.clone() {
            return self.take_back(reason, observation, now);
        }
        let index = self.position();
        let Some(step) = self.resolved(index) else {
            return Next::Done;
        };
        let begun = self.entries.last().is_some_and(|entry| entry.step == index);
        if !begun {
            if let Some(moved) = moved(&step.guard, observation) {
                return self.fail(&step, observation, now, |step| Reason::Moved {
                    step,
                    moved,
                });
            }
            // What the plan itself made may be gone already.
            let nothing_to_do = step.act.is_watch()
                || step.guard == Guard::None && is_done(&step.act, &step.guard, observation);
            self.entries.push(Entry {
                known: known(&step, observation),
                pods_version: pods_version(&step, observation),
                ..Entry::new(index, now)
            });
            if !nothing_to_do {
                return Next::Do(step.act);
            }
            self.acted(None, now);
        }
        self.wait(&step, observation, now)
    }

    fn wait(&mut self, step: &Step, observation: &Observation, now: Timestamp) -> Next {
        let watched = step.act.object().filter(|_| step.act.is_watch());
        let watched = watched.and_then(|object| self.made(&object));
        let Some(entry) = self.entries.last_mut() else {
            return Next::Done;
        };
        if entry.acted.is_none() {
            let is_ours = entry.again || !is_anothers(step, observation);
            if is_ours && is_done(&step.act, &step.guard, observation) {
                entry.acted = Some(now);
                entry.uid = observation.object.as_ref().and_then(uid);
            } else if let Some(moved) = moved(&step.guard, observation) {
                return self.fail(step, observation, now, |step| Reason::Moved { step, moved });
            } else {
                entry.pods_version = pods_version(step, observation);
                return Next::Do(step.act.clone());
            }
        }
        if let Some(moved) = entry.lost(step, watched, observation) {
            // Whoever goes on makes it again.
            self.entries.pop();
            return self.fail(step, observation, now, |step| Reason::Moved { step, moved });
        }
        let standing = step
            .until
            .assess(&entry.news(step, observation), entry.since());
        let given_up = match standing {
            WaitStatus::Met => {
                entry.watched = matches!(&step.guard, Guard::Gate(gate) if gate.visitors_doubt(observation).is_none());
                return self.end(observation, now);
            }
            WaitStatus::Failed { cause } => {
                entry.found = step.until.finding(observation);
                Err(cause)
            }
            WaitStatus::Unhealthy { cause } => entry.looks_bad(step, cause, now),
            WaitStatus::Pending { cause } => {
                entry.bad_since = None;
                Ok(cause)
            }
        };
        match given_up.and_then(|cause| entry.be_patient(step, cause, observation, now)) {
            Ok(_) if entry.has_had_its_time(step, now) => self.end(observation, now),
            Ok(cause) => Next::Wait {
                cause,
                since: entry.began,
            },
            Err(cause) => self.fail(step, observation, now, |step| Reason::Waited {
                step,
                cause,
            }),
        }
    }

    fn end(&mut self, observation: &Observation, now: Timestamp) -> Next {
        if let Some(entry) = self.entries.last_mut() {
            entry.ended = Some(now);
            entry.generation = observation
                .object
                .as_ref()
                .and_then(|object| object.pointer("/metadata/generation")?.as_u64());
        }
        Next::Look
    }

    /// A soft step ends with a note; any other one stops the plan.
    fn fail(
        &mut self,
        step: &Step,
        observation: &Observation,
        now: Timestamp,
        reason: impl FnOnce(String) -> Reason,
    ) -> Next {
        let reason = reason(step.act.to_string());
        if !step.soft {
            return self.stop(reason);
        }
        self.note(reason.cause().to_string(), now);
        self.end(observation, now)
    }

    /// The present step is soft and did not succeed.
    fn note(&mut self, cause: String, now: Timestamp) {
        let index = self.position();
        if self.entries.last().is_none_or(|entry| entry.step != index) {
            self.entries.push(Entry::new(index, now));
        }
        if let Some(entry) = self.entries.last_mut() {
            entry.note = Some(cause);
            entry.ended = Some(now);
        }
    }

    /// The effect that [`Next::Do`] asked for is done.
    pub fn acted(&mut self, uid: Option<Uid>, now: Timestamp) {
        if let Some(entry) = self.entries.last_mut() {
            entry.acted = Some(now);
            entry.uid = uid;
        }
    }

    /// What [`Next::Do`] asked for may have been done: nobody has heard.
    pub fn unanswered(&mut self) {
        let waits = |entry: &&mut Entry| entry.acted.is_none() && entry.ended.is_none();
        if let Some(entry) = self.entries.last_mut().filter(waits) {
            entry.again = true;
        }
    }

    /// The effect that [`Next::Do`] or [`Next::Undo`] asked for was refused.
    pub fn refused(&mut self, cause: String, now: Timestamp) {
        if self.stopped.is_some() {
            // It cannot be taken back: the ones before it still can.
            return self.not_undone(cause);
        }
        if self.current().is_some_and(|step| step.soft) {
            return self.note(cause, now);
        }
        let step = self.current_step();
        let again = self.entries.last().is_some_and(|entry| entry.again);
        // The action may have been done although the last answer is a refusal, and what takes it back harms nothing.
        let may_be_done = self.current().is_some_and(|step| {
            matches!(step.act, Effect::Inject { .. }) && (step.undo.is_some() || again)
        });
        if !may_be_done {
            self.entries.pop();
        }
        self.stopped = Some(Reason::Refused { step, cause });
    }

    /// Nothing more is begun. What is done is taken back as far as the plan says how. Of a plan that is
    /// done already, nothing is left to interrupt.
    pub fn interrupt(&mut self, cause: String) {
        if let (None, Some(step)) = (&self.stopped, self.current()) {
            let step = step.act.to_string();
            self.stopped = Some(Reason::Interrupted { step, cause });
        }
    }

    fn current_step(&self) -> String {
        self.current()
            .map_or_else(String::new, |step| step.act.to_string())
    }

    /// What did not succeed although the plan went on, or could not be taken back: step and cause.
    #[must_use]
    pub fn notes(&self) -> Vec<(&Effect, &str)> {
        self.entries
            .iter()
            .filter_map(|entry| {
                let step = self.plan.steps.get(entry.step)?;
                Some((&step.act, entry.note.as_deref()?))
            })
            .collect()
    }
}

impl Entry {
    fn new(step: usize, now: Timestamp) -> Self {
        Self {
            step,
            began: now,
            acted: None,
            uid: None,
            ended: None,
            known: Vec::new(),
            generation: None,
            pods_version: None,
            watched: false,
            undone: false,
            found: None,
            note: None,
            resumed: None,
            bad_since: None,
            still_since: None,
            again: false,
            causes: BTreeSet::new(),
        }
    }
}
