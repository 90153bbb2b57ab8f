//! A journal as people read it: what is done, since when, and what is next.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use jiff::Timestamp;
use serde::Serialize;

use super::{Journal, Kept, State, undo::is_finding};
use crate::{approval::By, plan::Target};

/// A journal as people read it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checklist {
    /// `wipe`, …
    pub operation: String,
    /// Where.
    pub target: Target,
    /// Names the plan.
    pub digest: String,
    /// Who consented.
    pub by: By,
    /// Where it stands as a whole.
    pub state: State,
    /// When the first step began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    /// The snapshot that it took of the present database, and what became of that; whoever looked fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
    /// Why it stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// One a step.
    pub items: Vec<Item>,
    /// What another driver would do first; absent when nothing remains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// What is done.
    pub step: String,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// How far it is.
    pub mark: Mark,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    /// When what it waited for held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Why it did not succeed, or was not taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Mark {
    /// Not begun.
    Open,
    /// Begun: its effect was asked for, and perhaps not done.
    Begun,
    /// Its effect is done, and it waits.
    Waits,
    /// Done.
    Done,
    /// Done, and taken back.
    TakenBack,
    /// It did not succeed, or could not be taken back: the note says why.
    Failed,
}

impl Journal {
    /// The journal as people read it.
    #[must_use]
    pub fn checklist(&self) -> Checklist {
        let state = self.state();
        let next = match state {
            State::Open | State::PastReturn => self.current().map(|step| step.act.to_string()),
            _ => None,
        };
        Checklist {
            operation: self.plan.operation.clone(),
            target: self.plan.target.clone(),
            digest: self.plan.digest().short().to_string(),
            by: self.by.clone(),
            began: self.entries.first().map(|entry| entry.began),
            kept: None,
            stopped: self.stopped.as_ref().map(ToString::to_string),
            items: (0..self.plan.steps.len())
                .filter_map(|index| self.item(index))
                .collect(),
            state,
            next,
        }
    }

    fn item(&self, index: usize) -> Option<Item> {
        let step = self.plan.steps.get(index)?;
        let entry = self.entries.iter().find(|entry| entry.step == index);
        let is_finding = step.undo.as_ref().is_some_and(is_finding);
        let mark = match entry {
            None => Mark::Open,
            Some(entry) if entry.note.is_some() => Mark::Failed,
            Some(entry) if entry.undone && !is_finding => Mark::TakenBack,
            Some(entry) if entry.ended.is_some() => Mark::Done,
            Some(entry) if entry.acted.is_some() => Mark::Waits,
            Some(_) => Mark::Begun,
        };
        Some(Item {
            step: step.act.to_string(),
            why: step.why.clone(),
            mark,
            began: entry.map(|entry| entry.began),
            ended: entry.and_then(|entry| entry.ended),
            note: entry.and_then(|entry| entry.note.clone()),
        })
    }
}
