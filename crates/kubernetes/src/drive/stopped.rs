//! How a plan that could not be done to its end is told.

use std::fmt;

use longrun_core::journal::{Journal, Reason, State};

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
        let entries = self.journal.entries();
        let acted = entries.iter().filter(|entry| {
            let watch = steps
                .get(entry.step)
                .is_some_and(|step| step.act.is_watch());
            entry.acted.is_some() && !entry.undone && !watch
        });
        let writes = steps.iter().filter(|step| !step.act.is_watch()).count();
        let undone = entries.iter().filter(|entry| entry.undone).count();
        writeln!(f, "{}", self.reason)?;
        write!(f, "{}", self.report)?;
        let acted = acted.count();
        if acted == 0 {
            f.write_str("nothing is changed")?;
        } else {
            write!(f, "{acted} of {writes} changes are made and stay")?;
        }
        if let Some(effect) = self.journal.unknown() {
            write!(f, ", and whether this is done is not known: {effect}")?;
        }
        if undone > 0 {
            write!(f, ", {undone} taken back")?;
        }
        for effect in self.journal.left() {
            write!(f, "\nstill in effect: {effect}")?;
        }
        f.write_str(&self.way_on())
    }
}

impl Stopped {
    fn way_on(&self) -> String {
        let environment = &self.journal.plan().target.environment;
        let resume = format!("\ngo on:        cargo xtask wipe -n {environment} --resume");
        match self.journal.state() {
            _ if !self.is_kept => {
                "\nrun the same command again when the cause is gone: it goes on from there"
                    .to_owned()
            }
            State::Open => {
                format!("{resume}\ntake it back: cargo xtask wipe -n {environment} --abort")
            }
            State::PastReturn => format!(
                "{resume}\nor close it:  cargo xtask deploy -n {environment}, or restore -n {environment} -s SNAPSHOT"
            ),
            State::Done | State::TakenBack | State::Superseded { .. } => {
                "\neverything is as it was; run the same command again when the cause is gone"
                    .to_owned()
            }
        }
    }
}
