//! What may begin while another operation is at work, or an earlier operation on data is not finished. The one place
//! that decides it: operations that take the Lease ask [`admit`], those that do without ask [`admit_beside`].

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
};
use core::fmt;

use super::{Kept, State, Stored};
use crate::plan::Target;

/// How an operation may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Nothing is in its way.
    Free,
    /// An earlier operation can only be closed: this one takes its place and does that.
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
    /// The snapshot that it took of the present database.
    pub kept: Option<Kept>,
}

/// Operations that make an environment whole again, whatever was left of it.
const CURES: [&str; 2] = ["deploy", "restore"];

/// Whether an operation may begin, by the journal that the namespace holds, and by what became of the snapshot that the
/// journal's operation took.
///
/// # Errors
/// When an earlier one is not finished and this one cannot take its place.
pub fn admit(
    operation: &str,
    stored: Option<&Stored>,
    kept: Option<Kept>,
) -> Result<Admission, Unfinished> {
    let Some(stored) = stored else {
        return Ok(Admission::Free);
    };
    let journal = &stored.journal;
    match journal.state() {
        State::Done | State::TakenBack | State::Superseded { .. } => Ok(Admission::Free),
        state if state.can_be_closed() && CURES.contains(&operation) => Ok(Admission::Supersedes),
        state @ (State::Open | State::PastReturn | State::DatabaseGone(_)) => {
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
                kept,
            })
        }
    }
}

/// The operation that holds an environment's Lease and is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtWork {
    /// `ana@laptop`
    pub who: String,
    /// What the holder does: `wipe`, `fault kill-restate`.
    pub operation: String,
    /// Since when, by the holder's clock.
    pub since: String,
    /// It injects a fault, and takes it back.
    pub is_fault: bool,
}

/// Why something does not begin beside another operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InTheWay {
    /// It is at work, as far as its Lease tells: that of a killed one looks the same for some minutes.
    #[error(
        "{} is running {} in {target} since {}; a {wanted} could block it: wait until it has ended (cargo xtask status {flags} shows its progress), or ask {} to end it{}",
        at_work.who, at_work.operation, at_work.since, at_work.who, if_killed(unfinished.as_deref())
    )]
    AtWork {
        /// What was to begin.
        wanted: String,
        /// Where.
        target: String,
        /// What a command takes to mean it.
        flags: String,
        /// What is at work.
        at_work: AtWork,
        /// What its journal says, unless nothing is unfinished: the ways on if its program was killed.
        unfinished: Option<Box<Unfinished>>,
    },
    /// Nobody is at work, and an operation is not finished: it may hold the node and the tests.
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
}

/// Whether something may begin without the Lease that an operation could stumble over: a snapshot of the running
/// node holds the deletion of the claim until it is ready. A fault deletes no claim, and what a snapshot finds
/// during one is what a power failure would leave, too.
///
/// # Errors
/// When an operation is at work or not finished.
pub fn admit_beside(
    wanted: &str,
    target: &Target,
    stored: Option<&Stored>,
    kept: Option<Kept>,
    at_work: Option<&AtWork>,
) -> Result<(), InTheWay> {
    let admitted = admit(wanted, stored, kept);
    // Of an operation that is alive, the journal is unfinished too: going on with it is the holder's.
    if let Some(at_work) = at_work.filter(|at_work| !at_work.is_fault) {
        return Err(InTheWay::AtWork {
            wanted: wanted.to_string(),
            target: target.to_string(),
            flags: target.flags(),
            at_work: at_work.clone(),
            unfinished: admitted.err().map(Box::new),
        });
    }
    admitted?;
    Ok(())
}

fn if_killed(unfinished: Option<&Unfinished>) -> String {
    unfinished.map_or_else(String::new, |unfinished| {
        format!("\n  if it was killed: {}", Found(unfinished))
    })
}

impl core::error::Error for Unfinished {}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no {}, and nothing was changed: {}",
            self.wanted,
            Found(self)
        )
    }
}

/// What is unfinished, and the ways on.
struct Found<'a>(&'a Unfinished);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unfinished {
            wanted: _,
            operation,
            target,
            flags,
            state,
            at,
            kept,
        } = self.0;
        write!(
            f,
            "a {operation} of {target} {state}; it stands at {at}\n  see it:       cargo xtask operation status {flags}"
        )?;
        if let Some(kept) = kept {
            write!(f, "\n  {kept}")?;
        }
        let mut ways = state.ways_on(flags, kept.as_ref()).into_iter();
        ways.try_for_each(|way| write!(f, "\n  {way}"))
    }
}
