//! Events. Controllers fill one of four times and one of two counts, depending on which API they use.

use alloc::{format, string::String};

use jiff::Timestamp;
use serde::Deserialize;

use super::View;
use crate::object::Uid;

/// An Event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    metadata: Metadata,
    /// What it is about.
    #[serde(rename = "involvedObject")]
    pub about: Involved,
    /// `Killing`, …
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    message: String,
    #[serde(rename = "type", default)]
    kind: String,
    count: Option<u64>,
    series: Option<Series>,
    last_timestamp: Option<Timestamp>,
    event_time: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Metadata {
    #[serde(rename = "creationTimestamp")]
    created: Timestamp,
}

/// What an Event is about.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Involved {
    /// `Pod`, …
    #[serde(default)]
    pub kind: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its incarnation, where the controller says it.
    #[serde(default)]
    pub uid: Option<Uid>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Series {
    count: Option<u64>,
    last_observed_time: Option<Timestamp>,
}

impl View for Event {
    const API_VERSION: &'static str = "v1";
    const KIND: &'static str = "Event";
}

impl Event {
    /// When it was last seen.
    #[must_use]
    pub fn last(&self) -> Timestamp {
        let series = self.series.as_ref();
        series
            .and_then(|series| series.last_observed_time)
            .or(self.last_timestamp)
            .or(self.event_time)
            .unwrap_or(self.metadata.created)
    }

    /// How often it was seen.
    #[must_use]
    pub fn times(&self) -> u64 {
        let series = self.series.as_ref();
        let times = series.and_then(|series| series.count).or(self.count);
        times.unwrap_or(1)
    }

    /// `Pod restate-0`
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.about.kind, self.about.name)
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        self.message.trim()
    }

    /// Whether Kubernetes calls it a warning.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.kind == "Warning"
    }
}
