//! How a plan that could not be done to its end is told.

use std::fmt;

use longrun_core::{
    journal::{Journal, Reason, State},
    operations::snapshot::kept,
};

use crate::report::Report;

/// A plan that was not done to its end, and what state that leaves.
#[derive(Debug)]
pub struct Stopped {
    /// Why.
    pub reason: Reason,
    /// How far it came.
    pub journal: Journal,
    /// Whether the journal is kept, so that it can be gone on with.
    pub is_kept: bool,
    /// What the reader needs to find the cause.
    pub report: Report,
}

impl std::error::Error for Stopped {}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = &self.journal.plan().steps;
        let writes = steps.iter().filter(|step| !step.act.is_watch()).count();
        let traces = self.journal.traces();
        let made = traces.made.len();
        writeln!(f, "{}", self.reason)?;
        write!(f, "{}", self.report)?;
        if self.journal.state() == State::TakenBack && traces.taken_back > 0 {
            f.write_str("what it changed is taken back")?;
        } else if made == 0 && traces.not_taken_back.is_empty() {
            f.write_str("nothing is changed")?;
        } else if made == 0 {
            f.write_str("not all that it changed is taken back")?;
        } else {
            write!(f, "{made} of {writes} changes are made and stay")?;
        }
        if let Some(effect) = self.journal.unknown() {
            write!(f, ", and whether this is done is not known: {effect}")?;
        }
        if self.journal.state() != State::TakenBack && traces.taken_back > 0 {
            write!(f, ", {} taken back", traces.taken_back)?;
        }
        for effect in traces.in_effect {
            write!(f, "\nstill in effect: {effect}")?;
        }
        for (effect, cause) in traces.not_taken_back {
            write!(f, "\nnot taken back: {effect}: {cause}")?;
        }
        f.write_str(&self.way_on())
    }
}

impl Stopped {
    fn way_on(&self) -> String {
        let flags = self.journal.plan().target.flags();
        let kept = kept(&self.journal);
        let state = self.journal.state();
        match state {
            _ if !self.is_kept => match kept {
                None => {
                    "\nrun the same command again when the cause is gone: it goes on from there"
                        .to_owned()
                }
                Some(name) => format!(
                    "\nVolumeSnapshot {name} stays, and the storage may still finish it: cargo xtask snapshot list {flags}\nor give it up:  cargo xtask snapshot delete {name} {flags}"
                ),
            },
            State::Open | State::PastReturn => {
                let copy = kept.filter(|_| state == State::PastReturn);
                let said = copy.map(|name| {
                    format!("kept:         the database as it was, as VolumeSnapshot {name}")
                });
                let lines = said.into_iter().chain(state.ways_on(&flags, kept));
                lines.map(|line| format!("\n{line}")).collect()
            }
            State::Done | State::TakenBack | State::Superseded { .. } => {
                let again = "\nrun the same command again when the cause is gone";
                let said = kept.map(|name| {
                    format!(
                        "\nkept: {name}; should the database not be what it was: cargo xtask restore {flags} -s {name}"
                    )
                });
                said.unwrap_or_default() + again
            }
        }
    }
}
