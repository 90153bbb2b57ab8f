//! Whether the snapshot that an operation took is a way back to the database.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// The snapshot that an operation took of the present database, as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// What it is good for.
    pub standing: Standing,
}

/// What such a snapshot is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// It can be restored, and is the same as the database was.
    Verified,
    /// It can be restored, and nobody has compared it with the database.
    Unverified,
    /// It holds nothing.
    Empty,
    /// It cannot be restored now.
    NotReady,
    /// It is deleted, or being deleted.
    Gone,
    /// Nobody has looked.
    Unknown,
}

impl Kept {
    /// Its name, if it is a way back to the database as it was.
    #[must_use]
    pub fn way_back(&self) -> Option<&str> {
        (self.standing == Standing::Verified).then_some(&self.name)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.standing {
            Standing::Verified => write!(
                f,
                "kept:         the database as it was, as VolumeSnapshot {name}, which was compared with it"
            ),
            Standing::Unverified => write!(
                f,
                "UNVERIFIED:   VolumeSnapshot {name} was not compared with the database"
            ),
            Standing::Empty => write!(f, "EMPTY:        VolumeSnapshot {name} holds nothing"),
            Standing::NotReady => write!(
                f,
                "UNVERIFIED:   VolumeSnapshot {name} is not ready, and was not compared with the database"
            ),
            Standing::Gone => write!(
                f,
                "DELETED:      VolumeSnapshot {name}; whether its content is still stored: cargo xtask snapshot list"
            ),
            Standing::Unknown => write!(
                f,
                "not known:    whether VolumeSnapshot {name} is there and was compared with the database"
            ),
        }
    }
}
