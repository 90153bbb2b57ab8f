//! A fact from elsewhere, or why it is not known. Not known is never nothing, zero or good.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// A fact, or why it is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Known<T> {
    /// The fact.
    #[serde(rename = "known")]
    Value(T),
    /// The reason why it is not known.
    Unknown(String),
}

impl<T> From<Result<T, String>> for Known<T> {
    fn from(answer: Result<T, String>) -> Self {
        answer.map_or_else(Self::Unknown, Self::Value)
    }
}

impl<T> Known<T> {
    /// The fact, if it is known.
    #[must_use]
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// Why it is not known.
    #[must_use]
    pub fn why_not(&self) -> Option<&str> {
        match self {
            Self::Value(_) => None,
            Self::Unknown(why) => Some(why),
        }
    }
}
