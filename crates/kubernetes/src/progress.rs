//! What goes on, for whoever shows it.

use jiff::Timestamp;
use longrun_core::{
    plan::{Effect, Step},
    wait::Warning,
};

/// What is being done at this moment.
#[derive(Clone, Debug)]
pub enum Progress<'a> {
    /// A step's effect is being done.
    Step {
        /// Index of the step.
        index: usize,
        /// How many steps there are.
        of: usize,
        /// The step.
        step: &'a Step,
    },
    /// A step is done, and waits for what must hold before the next one.
    Waiting {
        /// Index of the step.
        index: usize,
        /// How many steps there are.
        of: usize,
        /// The step.
        step: &'a Step,
        /// What is waited for.
        cause: &'a str,
        /// Since when the step waits.
        since: Timestamp,
        /// The newest warning about it, if there is one.
        latest: Option<&'a Warning>,
    },
    /// A step has ended.
    Ended {
        /// Index of the step.
        index: usize,
        /// How many steps there are.
        of: usize,
        /// The step.
        step: &'a Step,
    },
    /// A step that was done is being taken back.
    Undoing {
        /// What takes it back.
        effect: &'a Effect,
    },
    /// Anything else that takes time, as a sentence: the API server does not answer, another operation
    /// holds the lease.
    Note(&'a str),
}

/// Takes what goes on. It is called often and must return at once.
pub type OnProgress<'a> = &'a (dyn Fn(&Progress<'_>) + Send + Sync);
