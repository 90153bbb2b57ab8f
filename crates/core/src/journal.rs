//! How far an approved plan has come, and what to do next. The driver does what this says and writes
//! down what it saw; everything that can go wrong between two steps is decided here.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec::Vec,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    approval::{Approved, By},
    object::{Uid, uid},
    plan::{Effect, Plan, Step},
    wait::{Sight, Standing},
};

mod guard;
#[cfg(test)]
mod tests;
mod undo;

use guard::is_done;
pub use guard::moved;

/// The present format of a written journal.
const FORMAT: u32 = 1;

/// A plan that somebody approved, and what has been done of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    #[serde(deserialize_with = "known_format")]
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
    /// Since when no new cause of waiting has come up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    still_since: Option<Timestamp>,
    /// Every cause so far: going back and forth between two is no progress. Another driver begins anew.
    #[serde(skip)]
    causes: BTreeSet<String>,
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
    #[error("{step}: gave up waiting: {cause}")]
    Waited {
        /// The step.
        step: String,
        /// What is wrong.
        cause: String,
    },
    /// The driver was told to stop, or cannot go on.
    #[error("{step}: not finished, because {cause}")]
    Interrupted {
        /// The step.
        step: String,
        /// By whom or by what.
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

    /// Why only undoing remains, or nothing: then [`Journal::next`] needs to see nothing any more.
    #[must_use]
    pub fn stopped(&self) -> Option<&Reason> {
        self.stopped.as_ref()
    }

    /// Whether there is nothing left to write: not even an undo.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self.stopped {
            Some(_) => self.to_undo().is_none(),
            None => self.current().is_none(),
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
                still_since: None,
                causes: BTreeSet::new(),
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
            // The driver died in between, and perhaps the answer was lost after the effect was done.
            match moved(&step.guard, sight) {
                None => return Next::Do(step.act.clone()),
                Some(_) if is_done(&step.act, &step.guard, sight) => {
                    entry.acted = Some(now);
                    entry.uid = sight.object.as_ref().and_then(uid);
                }
                Some(moved) => {
                    let step = step.act.to_string();
                    return self.stop(Reason::Moved { step, moved });
                }
            }
        }
        let standing = step.until.assess(sight, entry.began);
        let given_up = match standing {
            Standing::Holds => {
                entry.ended = Some(now);
                return Next::Look;
            }
            Standing::Never { cause } => Err(cause),
            Standing::Bad { cause } => entry.looks_bad(cause, step.until.bad_holds(), now),
            Standing::NotYet { cause } => {
                entry.bad_since = None;
                Ok(cause)
            }
        };
        match given_up.and_then(|cause| entry.be_patient(step, cause, sight, now)) {
            Ok(cause) => Next::Wait {
                cause,
                since: entry.began,
            },
            Err(cause) => {
                let step = step.act.to_string();
                self.stop(Reason::Waited { step, cause })
            }
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
        if self.stopped.is_some() {
            // It cannot be taken back: the ones before it still can.
            return self.undone();
        }
        let step = self.current_step();
        self.entries.pop();
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
}

impl Entry {
    /// A bad state counts after it has held for a while: until then it may pass.
    fn looks_bad(
        &mut self,
        cause: String,
        holds: SignedDuration,
        now: Timestamp,
    ) -> Result<String, String> {
        let since = *self.bad_since.get_or_insert(now);
        if now.duration_since(since) >= holds {
            Err(cause)
        } else {
            Ok(cause)
        }
    }

    /// The cause, for as long as there is progress and time.
    fn be_patient(
        &mut self,
        step: &Step,
        cause: String,
        sight: &Sight,
        now: Timestamp,
    ) -> Result<String, String> {
        if self.causes.insert(cause.clone()) {
            self.still_since = Some(now);
        }
        let still = now.duration_since(self.still_since.unwrap_or(self.began));
        let whole = now.duration_since(self.began);
        let given_up = if step.until.patience(sight).is_some_and(|most| still >= most) {
            format!("nothing has changed for {} s: {cause}", still.as_secs())
        } else if step.until.bound().is_some_and(|most| whole >= most) {
            format!("not after {} s: {cause}", whole.as_secs())
        } else {
            return Ok(cause);
        };
        let warned = match sight.warnings.first() {
            None => given_up,
            Some(warning) => format!("{given_up}; the latest warning is {warning}"),
        };
        Err(match step.until.way_on() {
            None => warned,
            Some(way) => format!("{warned}; {way}"),
        })
    }
}

fn known_format<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match u32::deserialize(from)? {
        FORMAT => Ok(FORMAT),
        other => Err(D::Error::custom(format!(
            "this journal has format {other}, and this program knows {FORMAT}: use the version that wrote it"
        ))),
    }
}
