//! What a reader found in a snapshot.

use serde::{Deserialize, Serialize};

/// What was found in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Finding {
    /// The same as what it was taken of, while nothing was written to that.
    Same,
    /// Nothing.
    Empty,
}

impl Finding {
    /// What a label says; `None` when it is not one of ours.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Same, Self::Empty]
            .into_iter()
            .find(|finding| finding.word() == word)
    }

    /// The value of [`FOUND_LABEL`](crate::names::FOUND_LABEL).
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Empty => "empty",
        }
    }
}
