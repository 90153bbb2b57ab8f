//! What a plan that stopped leaves behind.

use alloc::vec::Vec;

use super::{Journal, undo::is_finding};
use crate::plan::Effect;

/// What a plan that stopped leaves behind: in what state the cluster is.
#[derive(Clone, Debug, PartialEq)]
pub struct Traces<'a> {
    /// Changes that are made and stay.
    pub made: Vec<&'a Effect>,
    /// Those of them that can be taken back, and were not.
    pub in_effect: Vec<&'a Effect>,
    /// How many changes were taken back.
    pub taken_back: usize,
    /// Changes that should have been taken back and could not be, with the cause.
    pub not_taken_back: Vec<(&'a Effect, &'a str)>,
}

impl Journal {
    /// What it leaves behind.
    #[must_use]
    pub fn traces(&self) -> Traces<'_> {
        let mut traces = Traces {
            made: Vec::new(),
            in_effect: Vec::new(),
            taken_back: 0,
            not_taken_back: Vec::new(),
        };
        let stopped = self.stopped.is_some();
        for (index, entry) in self.entries.iter().enumerate() {
            let Some(step) = self.plan.steps.get(entry.step) else {
                continue;
            };
            let is_taken_back = entry.undone && !step.undo.as_ref().is_some_and(is_finding);
            match &entry.note {
                Some(cause) if is_taken_back => traces.not_taken_back.push((&step.act, cause)),
                _ if is_taken_back => traces.taken_back += 1,
                _ => {
                    if stopped && self.undo_of(index).is_some() {
                        traces.in_effect.push(&step.act);
                    }
                    if entry.acted.is_some() && !step.act.is_watch() {
                        traces.made.push(&step.act);
                    }
                }
            }
        }
        traces
    }
}
