//! What a journal asks of its driver.

use alloc::string::String;

use jiff::Timestamp;

use super::Reason;
use crate::plan::Effect;

/// What the driver does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Do this step's effect, then say [`Journal::acted`](super::Journal::acted).
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
    /// The plan cannot go on, for this reason, and what can be taken back is taken back from here on: look
    /// at the next one's object.
    TurnBack(Reason),
    /// Do this effect, then say [`Journal::undone`](super::Journal::undone).
    Undo(Effect),
    /// Everything is done.
    Done,
    /// Nothing more can be done.
    Stop(Reason),
}
