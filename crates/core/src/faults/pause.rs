//! A pause of the faults: a record that the runner reads, so that nothing has to be suspended. It always ends.

use alloc::string::{String, ToString};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::names::{ENVIRONMENT_LABEL, PAUSE};

const KEY: &str = "pause";

/// Until when nothing is injected, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When it ends by itself.
    pub until: Timestamp,
    /// When it began.
    pub since: Timestamp,
    /// Why, in the words of whoever asked for it.
    pub reason: String,
    /// `ana@laptop`, or `recorder`.
    pub by: String,
}

/// A record of a pause that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the ConfigMap {PAUSE} cannot be read: {cause}; write it anew: cargo xtask chaos pause, or chaos resume"
)]
pub struct PauseError {
    cause: String,
}

impl Pause {
    /// The pause that a ConfigMap holds, over or not.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(live: Option<&Value>) -> Result<Option<Self>, PauseError> {
        let Some(data) = live.and_then(|live| live.get("data")?.get(KEY)) else {
            return Ok(None);
        };
        let text = data.as_str().unwrap_or_default();
        serde_json::from_str(text)
            .map(Some)
            .map_err(|error| PauseError {
                cause: error.to_string(),
            })
    }

    /// Whether it lasts still.
    #[must_use]
    pub fn lasts(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// The ConfigMap that holds it.
    #[must_use]
    pub fn manifest(&self, environment: &str) -> Value {
        // Four fields of text always have one.
        let text = serde_json::to_string(self).unwrap_or_default();
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": PAUSE,
                "namespace": environment,
                "labels": {ENVIRONMENT_LABEL: environment},
            },
            "data": {KEY: text},
        })
    }
}
