//! A journal, and where it is kept: in the driver's memory alone, or in the namespace as well, where another
//! driver can go on with it.

use std::ops::{Deref, DerefMut};

use longrun_core::{
    approval::Approved,
    journal::{Journal, Stored},
    names::OPERATIONS_MANAGER,
};
use serde_json::Value;

use super::effect::Trouble;
use crate::{client::Client, data::stored_journal, failure::Failure};

/// How often a write is prepared anew because somebody wrote in between.
const ATTEMPTS: u32 = 5;

/// A journal, and where it is kept.
#[derive(Debug)]
pub enum JournalStore {
    /// In memory: what is not finished is planned anew.
    Memory(Box<Journal>),
    /// In the namespace: what is not finished is gone on with.
    Namespace {
        /// The journal with its driver's epoch.
        stored: Box<Stored>,
        /// Whether it is written as this driver's already.
        is_ours: bool,
    },
}

/// Why a journal is not written. What it says was to be done is not done then.
fn unwritten(failure: Failure) -> Trouble {
    if failure.is_passing() {
        Trouble::Passing(failure)
    } else {
        Trouble::Refused(format!("the journal cannot be written: {failure}"))
    }
}

impl From<Approved> for JournalStore {
    fn from(approved: Approved) -> Self {
        Self::Memory(Box::new(Journal::open(approved)))
    }
}

impl From<Stored> for JournalStore {
    fn from(stored: Stored) -> Self {
        Self::Namespace {
            stored: Box::new(stored),
            is_ours: false,
        }
    }
}

impl JournalStore {
    pub(super) fn is_kept(&self) -> bool {
        matches!(self, Self::Namespace { .. })
    }

    pub(super) fn into_journal(self) -> Journal {
        match self {
            Self::Memory(journal) => *journal,
            Self::Namespace { stored, .. } => stored.journal,
        }
    }

    /// Writes what is kept in the namespace: over exactly the version that was read, and only if no other
    /// driver has taken it over.
    pub(super) async fn write(&mut self, client: &Client) -> Result<(), Trouble> {
        let Self::Namespace { stored, is_ours } = self else {
            return Ok(());
        };
        let mut object = stored.manifest();
        for _ in 0..ATTEMPTS {
            let present = stored_journal(client, &stored.journal.plan().target.environment)
                .await
                .map_err(unwritten)?;
            let allowed = if *is_ours {
                stored.may_replace(present.as_ref())
            } else {
                stored.may_follow(present.as_ref())
            };
            // The answer to a write may have been lost: then it is ours.
            allowed
                .or_else(|refused| {
                    let written = present
                        .as_ref()
                        .is_some_and(|present| present["data"] == object["data"]);
                    if written { Ok(()) } else { Err(refused) }
                })
                .map_err(|refused| Trouble::Refused(refused.to_string()))?;
            let written = match &present {
                None => client.create(&object, OPERATIONS_MANAGER).await,
                Some(present) => {
                    for field in ["uid", "resourceVersion"] {
                        object["metadata"][field] = present["metadata"][field].clone();
                    }
                    client.replace(&object, OPERATIONS_MANAGER).await
                }
            };
            match written {
                Ok(_) => {
                    *is_ours = true;
                    return Ok(());
                }
                // Deleted, made or written in between: look again.
                Err(failure) if matches!(failure.code(), 404 | 409) => {
                    object["metadata"]["uid"] = Value::Null;
                    object["metadata"]["resourceVersion"] = Value::Null;
                }
                Err(failure) => return Err(unwritten(failure)),
            }
        }
        Err(Trouble::Refused(
            "the journal cannot be written: somebody writes it all the time".to_owned(),
        ))
    }
}

impl Deref for JournalStore {
    type Target = Journal;

    fn deref(&self) -> &Journal {
        match self {
            Self::Memory(journal) => journal,
            Self::Namespace { stored, .. } => &stored.journal,
        }
    }
}

impl DerefMut for JournalStore {
    fn deref_mut(&mut self) -> &mut Journal {
        match self {
            Self::Memory(journal) => journal,
            Self::Namespace { stored, .. } => &mut stored.journal,
        }
    }
}
