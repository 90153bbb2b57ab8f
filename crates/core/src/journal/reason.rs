//! Why a plan cannot go on.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// Why a plan cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "reason")]
pub enum Reason {
    /// The world is not the one that was approved.
    #[error("{step}: not done, because {moved}")]
    Moved {
        /// The step.
        step: String,
        /// What moved.
        moved: String,
    },
    /// The API server refused the effect.
    #[error("{step}: refused: {cause}")]
    Refused {
        /// The step.
        step: String,
        /// In the API server's words.
        cause: String,
    },
    /// What was waited for will not happen, or looked bad or stood still for too long.
    #[error("{step}: gave up waiting: {cause}")]
    Waited {
        /// The step.
        step: String,
        /// What is wrong.
        cause: String,
    },
    /// The driver was told to stop, or cannot go on.
    #[error("{step}: not finished, because {cause}")]
    Interrupted {
        /// The step.
        step: String,
        /// By whom or by what.
        cause: String,
    },
}

impl Reason {
    /// Without the step.
    #[must_use]
    pub fn cause(&self) -> &str {
        match self {
            Self::Moved { moved: cause, .. }
            | Self::Refused { cause, .. }
            | Self::Waited { cause, .. }
            | Self::Interrupted { cause, .. } => cause,
        }
    }
}
