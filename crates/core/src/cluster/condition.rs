//! What controllers say of an object.

use alloc::{format, string::String, vec::Vec};

use jiff::Timestamp;
use serde::Deserialize;

use super::View;

/// One of `status.conditions`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    #[serde(rename = "type")]
    kind: String,
    /// `True`, `False` or `Unknown`.
    status: String,
    /// One word.
    #[serde(default)]
    pub reason: String,
    /// A sentence.
    #[serde(default)]
    pub message: String,
    /// Since when it is so.
    #[serde(rename = "lastTransitionTime", default)]
    pub since: Option<Timestamp>,
}

impl Condition {
    /// Whether it is `True`.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.status == "True"
    }

    /// Reason and message.
    #[must_use]
    pub fn words(&self) -> String {
        worded(&self.reason, &self.message)
    }
}

/// `reason: message`, as far as they are there.
pub(super) fn worded(reason: &str, message: &str) -> String {
    match (reason, message.trim()) {
        (reason, "") => reason.into(),
        ("", message) => message.into(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

/// `status.conditions`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Conditions(Vec<Condition>);

impl Conditions {
    /// The condition of this type, whether it holds or not.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<&Condition> {
        self.0.iter().find(|condition| condition.kind == kind)
    }

    /// The condition of this type, if it holds.
    #[must_use]
    pub fn holding(&self, kind: &str) -> Option<&Condition> {
        self.get(kind).filter(|condition| condition.holds())
    }

    /// The condition of this type, if it says that it does not hold, or that this is unknown.
    #[must_use]
    pub fn failing(&self, kind: &str) -> Option<&Condition> {
        self.get(kind).filter(|condition| !condition.holds())
    }
}

/// A CustomResourceDefinition.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Definition {
    #[serde(default)]
    status: DefinitionStatus,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct DefinitionStatus {
    #[serde(default)]
    conditions: Conditions,
}

impl View for Definition {
    const API_VERSION: &'static str = "apiextensions.k8s.io/v1";
    const KIND: &'static str = "CustomResourceDefinition";
}

impl Definition {
    /// What its controller says of it.
    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        &self.status.conditions
    }
}
