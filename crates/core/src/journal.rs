//! How far an approved plan has come, and what to do next. The driver does what this says and writes
//! down what it saw; everything that can go wrong between two steps is decided here.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    approval::{Approved, By},
    object::{Digest, Uid, intent, uid},
    plan::{Effect, Guard, Plan, Step},
    wait::{BAD_HOLDS, Sight, Standing},
};

/// The present format of a written journal.
const FORMAT: u32 = 1;

/// A plan that somebody approved, and what has been done of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    format: u32,
    plan: Plan,
    by: By,
    entries: Vec<Entry>,
    /// Set once; from then on only undoing remains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stopped: Option<Reason>,
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
    /// Its undo has been done.
    #[serde(default)]
    pub undone: bool,
    /// Since when it looks bad without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bad_since: Option<Timestamp>,
    /// The latest cause of waiting, and since when it has been the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<(String, Timestamp)>,
}

/// Why a plan cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "reason")]
pub enum Reason {
    /// The world is not the one that was approved.
    #[error("{step}: not done, because {moved}")]
    Moved {
        /// The step.
        step: String,
        /// What moved.
        moved: String,
    },
    /// The API server refused the effect.
    #[error("{step}: refused: {cause}")]
    Refused {
        /// The step.
        step: String,
        /// In the API server's words.
        cause: String,
    },
    /// What was waited for will not happen, or looked bad or stood still for too long.
    #[error("{step}: done, but {cause}")]
    Waited {
        /// The step.
        step: String,
        /// What is wrong.
        cause: String,
    },
}

/// What the driver does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Do this step's effect, then say [`Journal::acted`].
    Do(Effect),
    /// The step has ended: look at the next one's object.
    Look,
    /// Look again when something has changed.
    Wait {
        /// What is waited for.
        cause: String,
        /// Since when the step waits.
        since: Timestamp,
    },
    /// Do this effect, then say [`Journal::undone`].
    Undo(Effect),
    /// Everything is done.
    Done,
    /// Nothing more can be done.
    Stop(Reason),
}

impl Journal {
    /// Begins a journal. The approval is used up.
    #[must_use]
    pub fn open(approved: Approved) -> Self {
        let (plan, by) = approved.into_parts();
        Self {
            format: FORMAT,
            plan,
            by,
            entries: Vec::new(),
            stopped: None,
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

    /// The step that is to be looked at next: its object is what the next [`Sight`] is about.
    #[must_use]
    pub fn current(&self) -> Option<&Step> {
        self.plan.steps.get(self.position())
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

    /// What to do next, by what was just seen of the current step's object.
    pub fn next(&mut self, sight: &Sight, now: Timestamp) -> Next {
        if let Some(reason) = self.stopped.clone() {
            return self.stop(reason);
        }
        let index = self.position();
        let Some(step) = self.plan.steps.get(index) else {
            return Next::Done;
        };
        let begun = self.entries.last().is_some_and(|entry| entry.step == index);
        if !begun {
            if let Some(moved) = moved(&step.guard, sight) {
                let step = step.act.to_string();
                return self.stop(Reason::Moved { step, moved });
            }
            let effect = step.act.clone();
            let watch = effect.is_watch();
            self.entries.push(Entry {
                step: index,
                began: now,
                acted: watch.then_some(now),
                uid: None,
                ended: None,
                undone: false,
                bad_since: None,
                cause: None,
            });
            if !watch {
                return Next::Do(effect);
            }
        }
        self.wait(index, sight, now)
    }

    fn wait(&mut self, index: usize, sight: &Sight, now: Timestamp) -> Next {
        let (Some(step), Some(entry)) = (self.plan.steps.get(index), self.entries.last_mut())
        else {
            return Next::Done;
        };
        if entry.acted.is_none() {
            return Next::Do(step.act.clone());
        }
        let (cause, bad) = match step.until.assess(sight, entry.began) {
            Standing::Holds => {
                entry.ended = Some(now);
                return Next::Look;
            }
            Standing::Never { cause } => {
                let step = step.act.to_string();
                return self.stop(Reason::Waited { step, cause });
            }
            Standing::Bad { cause } => (cause, true),
            Standing::NotYet { cause } => (cause, false),
        };
        entry.bad_since = if bad {
            entry.bad_since.or(Some(now))
        } else {
            None
        };
        if entry
            .cause
            .as_ref()
            .is_none_or(|(latest, _)| *latest != cause)
        {
            entry.cause = Some((cause.clone(), now));
        }
        let still_since = entry.cause.as_ref().map_or(now, |(_, since)| *since);
        let given_up = if entry
            .bad_since
            .is_some_and(|since| now.duration_since(since) >= BAD_HOLDS)
        {
            Some(cause.clone())
        } else {
            let patience = step
                .until
                .patience()
                .filter(|patience| now.duration_since(still_since) >= *patience);
            patience.map(|patience| {
                format!("nothing has changed for {} s: {cause}", patience.as_secs())
            })
        };
        if let Some(cause) = given_up {
            let step = step.act.to_string();
            return self.stop(Reason::Waited { step, cause });
        }
        Next::Wait {
            cause,
            since: entry.began,
        }
    }

    /// The effect that [`Next::Do`] asked for is done.
    pub fn acted(&mut self, uid: Option<Uid>, now: Timestamp) {
        if let Some(entry) = self.entries.last_mut() {
            entry.acted = Some(now);
            entry.uid = uid;
        }
    }

    /// The effect that [`Next::Do`] or [`Next::Undo`] asked for was refused.
    pub fn refused(&mut self, cause: String) {
        let undoing = self.stopped.is_some();
        let Some(entry) = self.entries.iter_mut().rev().find(|entry| !entry.undone) else {
            return;
        };
        let Some(step) = self.plan.steps.get(entry.step) else {
            return;
        };
        let step = step.act.to_string();
        if undoing {
            entry.undone = true;
        } else {
            self.entries.pop();
            self.stopped = Some(Reason::Refused { step, cause });
        }
    }

    /// The effect that [`Next::Undo`] asked for is done.
    pub fn undone(&mut self) {
        if let Some(index) = self.to_undo() {
            self.entries[index].undone = true;
        }
    }

    fn stop(&mut self, reason: Reason) -> Next {
        self.stopped = Some(reason.clone());
        self.to_undo()
            .and_then(|index| self.undo_of(index))
            .map_or(Next::Stop(reason), Next::Undo)
    }

    /// The latest step whose effect is done and can be taken back.
    fn to_undo(&self) -> Option<usize> {
        (0..self.entries.len())
            .rev()
            .find(|index| !self.entries[*index].undone && self.undo_of(*index).is_some())
    }

    fn undo_of(&self, index: usize) -> Option<Effect> {
        let entry = self.entries.get(index)?;
        entry.acted?;
        self.plan.steps.get(entry.step)?.undo.clone()
    }
}

/// What moved since the plan was made, if anything did.
fn moved(guard: &Guard, sight: &Sight) -> Option<String> {
    let met = sight.object.as_ref().and_then(uid);
    match (guard, &sight.object) {
        (Guard::None, _) | (Guard::Absent, None) => None,
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
        (Guard::Is { .. } | Guard::Unchanged { .. }, Some(_)) => None,
    }
}
