//! Namespaces.

use alloc::string::String;

use serde::Deserialize;

use super::{Metadata, View};

/// A Namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Namespace {
    /// Its metadata.
    pub metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct Status {
    phase: Option<String>,
}

impl View for Namespace {
    const API_VERSION: &'static str = "v1";
    const KIND: &'static str = "Namespace";
}

impl Namespace {
    /// `Active` or `Terminating`; `None` before its controller has seen it.
    #[must_use]
    pub fn phase(&self) -> Option<&str> {
        self.status.phase.as_deref()
    }

    /// Whether it is being deleted with all that is in it.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.phase() == Some("Terminating")
    }
}
