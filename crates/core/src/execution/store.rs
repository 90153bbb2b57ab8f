//! Where a journal is kept: in the driver's memory alone, or in the namespace as well, where another driver can go on
//! with it.

use alloc::boxed::Box;
use core::ops::{Deref, DerefMut};

use crate::{
    approval::Approved,
    journal::{Journal, Stored},
};

/// A journal, and where it is kept.
#[derive(Clone, Debug)]
pub enum JournalStore {
    /// In memory: what is not finished is planned anew.
    Memory(Box<Journal>),
    /// In the namespace: what is not finished is gone on with.
    Namespace(Box<Stored>),
}

impl From<Approved> for JournalStore {
    fn from(approved: Approved) -> Self {
        Self::Memory(Box::new(Journal::open(approved)))
    }
}

impl From<Stored> for JournalStore {
    fn from(stored: Stored) -> Self {
        Self::Namespace(Box::new(stored))
    }
}

impl JournalStore {
    /// Whether another driver can go on with it.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Namespace(_))
    }

    /// The journal alone.
    #[must_use]
    pub fn into_journal(self) -> Journal {
        match self {
            Self::Memory(journal) => *journal,
            Self::Namespace(stored) => stored.journal,
        }
    }
}

impl Deref for JournalStore {
    type Target = Journal;

    fn deref(&self) -> &Journal {
        match self {
            Self::Memory(journal) => journal,
            Self::Namespace(stored) => &stored.journal,
        }
    }
}

impl DerefMut for JournalStore {
    fn deref_mut(&mut self) -> &mut Journal {
        match self {
            Self::Memory(journal) => journal,
            Self::Namespace(stored) => &mut stored.journal,
        }
    }
}
