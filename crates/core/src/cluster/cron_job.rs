//! CronJobs.

use alloc::string::String;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Metadata, Unreadable, View, read};

/// A CronJob.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CronJob {
    /// Its metadata.
    pub metadata: Metadata,
    /// What is asked for.
    pub spec: CronJobSpec,
    #[serde(default)]
    status: Status,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CronJobSpec {
    /// As cron writes it.
    pub schedule: String,
    /// Whether no Jobs are made; not, where it does not say (Kubernetes 1.36: the default).
    #[serde(default)]
    pub suspend: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    last_successful_time: Option<Timestamp>,
}

/// A CronJob that is rendered.
#[derive(Deserialize)]
struct Rendered {
    spec: CronJobSpec,
}

impl View for CronJob {
    const API_VERSION: &'static str = "batch/v1";
    const KIND: &'static str = "CronJob";
}

impl CronJob {
    /// When a Job of it last succeeded; `None` when none ever has.
    #[must_use]
    pub fn last_success(&self) -> Option<Timestamp> {
        self.status.last_successful_time
    }
}

impl CronJobSpec {
    /// What a CronJob asks for, also one that is only rendered.
    ///
    /// # Errors
    /// Which field is not as it should be.
    pub fn of(object: &Value) -> Result<Self, Unreadable> {
        read::<Rendered>(CronJob::KIND, object).map(|rendered| rendered.spec)
    }
}
