//! How a plan that could not be done to its end is told.

use std::fmt;

use longrun_core::{
    journal::{Journal, Reason, State},
    operations::snapshot::{Kept, taken},
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
    /// The snapshot that it took of the present database, as it is now.
    pub kept: Option<Kept>,
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
        let state = self.journal.state();
        if let State::DatabaseGone(gone) = &state {
            writeln!(
                f,
                "the database is not the one from before: {}, and the node stays stopped\n{}",
                gone.why,
                gone.way_back(&self.journal.plan().target.flags(), self.kept.as_ref())
            )?;
        }
        writeln!(f, "{}", self.reason)?;
        write!(f, "{}", self.report)?;
        if state == State::TakenBack && traces.taken_back > 0 {
            f.write_str("its changes are taken back")?;
        } else if made == 0 && traces.not_taken_back.is_empty() {
            f.write_str("nothing is changed")?;
        } else if made == 0 {
            f.write_str("not all of its changes are taken back")?;
        } else {
            write!(f, "{made} of {writes} changes are made and stay")?;
        }
        if let Some(effect) = self.journal.unknown() {
            write!(f, ", and whether this is done is not known: {effect}")?;
        }
        if state != State::TakenBack && traces.taken_back > 0 {
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
        let state = self.journal.state();
        let name = taken(&self.journal);
        let again = "fix the cause and run the same command again";
        let lines = match (&state, name, &self.kept) {
            // How it comes back is said in the first lines.
            (State::DatabaseGone(_), _, kept) => kept.iter().map(ToString::to_string).collect(),
            _ if !self.is_kept => match name {
                None => vec![format!("{again}: it goes on from there")],
                Some(name) => vec![
                    format!(
                        "VolumeSnapshot {name} stays, and the storage may still finish it: cargo xtask snapshot list {flags}"
                    ),
                    format!("or give it up:  cargo xtask snapshot delete {name} {flags}"),
                ],
            },
            (State::Open, _, kept) => state.ways_on(&flags, kept.as_ref()),
            (State::PastReturn, _, kept) => {
                let said = kept.iter().map(ToString::to_string);
                said.chain(state.ways_on(&flags, kept.as_ref())).collect()
            }
            (State::Done | State::TakenBack | State::Superseded { .. }, _, kept) => {
                let mut lines: Vec<String> = kept.iter().map(ToString::to_string).collect();
                lines.extend(kept.as_ref().and_then(Kept::way_back).map(|name| {
                    format!("should the database not be what it was: cargo xtask restore {flags} -s {name}")
                }));
                lines.push(again.to_owned());
                lines
            }
        };
        lines.iter().map(|line| format!("\n{line}")).collect()
    }
}
