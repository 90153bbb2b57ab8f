//! What may begin while an earlier operation on data is not finished.

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt;

use super::{State, Stored};
use crate::operations::snapshot::kept;

/// How an operation may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nothing is in its way.
    Free,
    /// An earlier operation is past its point of no return: this one takes its place and closes it.
    Supersedes,
}

/// An earlier operation is not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// What was to begin.
    pub wanted: String,
    /// What is not finished.
    pub operation: String,
    /// Where.
    pub target: String,
    /// What a command takes to mean it.
    pub flags: String,
    /// Where it stands.
    pub state: State,
    /// `step 7 of 20 (…)`
    pub at: String,
    /// The snapshot that it took of the present database and that stays.
    pub kept: Option<String>,
}

/// Operations that make an environment whole again, whatever was left of it.
const CURES: [&str; 2] = ["deploy", "restore"];

/// Whether an operation may begin, by the journal that the namespace holds.
///
/// # Errors
/// When an earlier one is not finished and this one cannot take its place.
pub fn admit(operation: &str, stored: Option<&Stored>) -> Result<Admission, Unfinished> {
    let Some(stored) = stored else {
        return Ok(Admission::Free);
    };
    let journal = &stored.journal;
    match journal.state() {
        State::Done | State::TakenBack | State::Superseded { .. } => Ok(Admission::Free),
        State::PastReturn if CURES.contains(&operation) => Ok(Admission::Supersedes),
        state @ (State::Open | State::PastReturn) => {
            let steps = journal.plan().steps.len();
            let position = journal.position();
            let step = journal.plan().steps.get(position);
            Err(Unfinished {
                wanted: operation.to_string(),
                operation: journal.plan().operation.clone(),
                target: journal.plan().target.to_string(),
                flags: journal.plan().target.flags(),
                state,
                at: step.map_or_else(String::new, |step| {
                    format!("step {} of {steps} ({})", position + 1, step.act)
                }),
                kept: kept(journal).map(ToString::to_string),
            })
        }
    }
}

impl core::error::Error for Unfinished {}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            wanted,
            operation,
            target,
            flags,
            state,
            at,
            kept,
        } = self;
        write!(
            f,
            "no {wanted}, and nothing was changed: a {operation} of {target} {state}; it stands at {at}\n  see it:       cargo xtask wipe {flags} --status"
        )?;
        let mut ways = state.ways_on(flags, kept.as_deref()).into_iter();
        ways.try_for_each(|way| write!(f, "\n  {way}"))
    }
}
