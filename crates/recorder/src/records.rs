//! What is kept, in memory: what is answered without the disk.

use std::collections::BTreeMap;

use longrun_core::{
    object::Uid,
    records::{Entry, Faults, Kept, Outcome},
};

#[derive(Default)]
pub(crate) struct Records {
    pub(crate) entries: BTreeMap<Uid, Entry>,
    /// By Job.
    pub(crate) evidence: BTreeMap<String, Kept>,
    pub(crate) faults: Faults,
    /// How much evidence was let go since the start.
    pub(crate) let_go: u64,
    /// How many writes failed since the start.
    pub(crate) failed_writes: u64,
    /// The bytes that can be written, when that was last looked at; `None` when nobody says.
    pub(crate) free: Option<u64>,
}

impl Records {
    /// All results that are kept.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// All evidence that is kept.
    pub(crate) fn evidence(&self) -> impl Iterator<Item = &Kept> {
        self.evidence.values()
    }

    /// Whether a Job is written down as one that needs no evidence.
    pub(crate) fn came_right(&self, job: &Uid) -> bool {
        let entry = self.entries.get(job);
        entry.is_some_and(|entry| !is_worth_keeping(entry.outcome))
    }

    /// Whether the evidence under this name is that of this incarnation.
    pub(crate) fn is_of(&self, job: &str, uid: &Uid) -> bool {
        let kept = self.evidence.get(job);
        kept.is_some_and(|kept| kept.uid.as_ref() == Some(uid))
    }

    /// The room that the evidence of a Job takes.
    pub(crate) fn bytes_of(&self, job: &str) -> u64 {
        self.evidence.get(job).map_or(0, |kept| kept.bytes)
    }
}

/// What came right needs no evidence; what nobody has seen the end of does.
pub(crate) fn is_worth_keeping(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed | Outcome::Unknown)
}
