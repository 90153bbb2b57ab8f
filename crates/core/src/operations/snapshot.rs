//! Snapshots of the database: taking, listing, deleting and retaining them.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// What a snapshot was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// By a person.
    Manual,
    /// Guards a wipe.
    BeforeWipe,
    /// Guards a restore.
    BeforeRestore,
    /// A test failed.
    Failure,
    /// Guards an upgrade.
    Upgrade,
    /// Makes the next one incremental, and goes when the operation ends.
    Temporary,
}

impl Purpose {
    /// The value of [`PURPOSE_LABEL`](super::data::PURPOSE_LABEL).
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::BeforeWipe => "before-wipe",
            Self::BeforeRestore => "before-restore",
            Self::Failure => "failure",
            Self::Upgrade => "upgrade",
            Self::Temporary => "temporary",
        }
    }
}

/// What a snapshot holds of writes that were on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// The node was stopped: everything.
    Fenced,
    /// As after a power failure.
    Crash,
}

impl Consistency {
    /// The value of [`CONSISTENCY_LABEL`](super::data::CONSISTENCY_LABEL).
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::Crash => "crash",
        }
    }
}

/// How a snapshot is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Its name; otherwise it is made of the claim and the time.
    pub name: Option<String>,
    /// Stop the node for it.
    pub fence: bool,
    /// Do not wait until it can be restored.
    pub no_wait: bool,
    /// Keep it from retention.
    pub keep: bool,
}
