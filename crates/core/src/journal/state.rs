//! Where an operation stands as a whole.

use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Kept;
use super::{DatabaseGone, Entry, Journal};
use crate::plan::Effect;

/// Where an operation stands as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum State {
    /// It is not finished, and all of it can still be taken back. Perhaps that has begun.
    Open,
    /// It is not finished, and something of it cannot be taken back.
    PastReturn,
    /// All steps are done.
    Done,
    /// It stopped, and everything was taken back.
    TakenBack,
    /// It stopped, and was taken back as far as that goes: somebody else deleted the database meanwhile.
    DatabaseGone(Box<DatabaseGone>),
    /// Another operation took its place.
    Superseded {
        /// Which one.
        by: String,
    },
}

impl State {
    /// What can be done about an operation that is not finished, a line each; nothing about another one. `flags` mean
    /// its target, `kept` is the snapshot that it took: it is named only if it is a way back.
    #[must_use]
    pub fn ways_on(&self, flags: &str, kept: Option<&Kept>) -> Vec<String> {
        let other = match self {
            Self::Open => format!("take it back: cargo xtask operation abort {flags}"),
            Self::PastReturn => format!(
                "or close it:  cargo xtask deploy {flags}, or restore {flags} -s {}",
                kept.and_then(Kept::way_back).unwrap_or("SNAPSHOT")
            ),
            Self::DatabaseGone(gone) => {
                let anew = format!("or begin anew: cargo xtask deploy {flags}");
                return [gone.way_back(flags, kept), anew].into();
            }
            Self::Done | Self::TakenBack | Self::Superseded { .. } => return Vec::new(),
        };
        let resume = format!("go on:        cargo xtask operation resume {flags}");
        [resume, other].into()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("is not finished; nothing is lost yet"),
            Self::PastReturn => f.write_str("is not finished and can no longer be taken back"),
            Self::Done => f.write_str("is done"),
            Self::TakenBack => f.write_str("was taken back"),
            Self::DatabaseGone(gone) => write!(
                f,
                "was taken back, and the database is not the one from before: {}, and the node stays stopped",
                gone.why
            ),
            Self::Superseded { by } => write!(f, "was closed by a {by}"),
        }
    }
}

impl State {
    /// Whether somebody has to go on with it, take it back, or bring back what it was about.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        match self {
            Self::Open | Self::PastReturn | Self::DatabaseGone(_) => true,
            Self::Done | Self::TakenBack | Self::Superseded { .. } => false,
        }
    }

    /// Whether an operation that makes an environment whole may take its place.
    #[must_use]
    pub fn can_be_closed(&self) -> bool {
        match self {
            Self::PastReturn | Self::DatabaseGone(_) => true,
            Self::Open | Self::Done | Self::TakenBack | Self::Superseded { .. } => false,
        }
    }
}

impl Journal {
    /// Where the operation stands.
    #[must_use]
    pub fn state(&self) -> State {
        let past = self.point_of_no_return().is_some();
        if let Some(by) = &self.superseded {
            return State::Superseded { by: by.clone() };
        }
        if self.position() == self.plan.steps.len() {
            return State::Done;
        }
        let stopped = self.stopped.is_some();
        if stopped && !past && !self.is_unsettled() && self.to_undo().is_none() {
            self.database_gone()
                .map_or(State::TakenBack, |gone| State::DatabaseGone(Box::new(gone)))
        } else if past {
            State::PastReturn
        } else {
            State::Open
        }
    }

    /// The last thing done that cannot be taken back, if there is one.
    #[must_use]
    pub fn point_of_no_return(&self) -> Option<&Effect> {
        let acted = self.entries.iter().rev();
        acted
            .filter(|entry| entry.acted.is_some())
            .filter_map(|entry| self.plan.steps.get(entry.step))
            .find(|step| step.act.stays() && step.undo.is_none())
            .map(|step| &step.act)
    }

    /// For how long a node was stopped: from when it was told to stop to when it was ready again.
    #[must_use]
    pub fn stopped_for(&self) -> Option<SignedDuration> {
        let scaled = |entry: &Entry, stop: bool| {
            let step = self.plan.steps.get(entry.step);
            step.is_some_and(|step| {
                matches!(step.act, Effect::Scale { replicas, .. } if (replicas == 0) == stop)
            })
        };
        let stopped = self.entries.iter().find(|entry| scaled(entry, true))?;
        let started = self.entries.iter().find(|entry| scaled(entry, false))?;
        Some(started.ended?.duration_since(stopped.acted?))
    }

    /// Another driver takes over. What had stopped beyond the point of no return is tried again; what is
    /// being taken back is taken back.
    pub(super) fn go_on(&mut self, now: Timestamp) {
        if self.point_of_no_return().is_some() {
            self.stopped = None;
            // What was taken back there is made again.
            if self.entries.last().is_some_and(|entry| entry.undone) {
                self.entries.pop();
            }
        }
        if let Some(entry) = self.entries.last_mut() {
            entry.resumed = Some(now);
            entry.bad_since = None;
            entry.still_since = None;
        }
    }
}
