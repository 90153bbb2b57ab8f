//! CronJobs.

use alloc::string::{String, ToString};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Metadata, Unreadable, View, read};
use crate::{applied::managers, names::OPERATIONS_MANAGER};

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

/// Who suspended it, if it is suspended. Needs the managed fields.
pub(crate) fn suspended_by(cron_job: &Value) -> Option<String> {
    if cron_job.pointer("/spec/suspend").and_then(Value::as_bool) != Some(true) {
        return None;
    }
    let mut owners = managers(cron_job, "/f:spec/f:suspend");
    // Where a person owns the field as well, it is the person's word that counts.
    let first = owners.next().unwrap_or("somebody");
    let person = core::iter::once(first)
        .chain(owners)
        .find(|owner| *owner != OPERATIONS_MANAGER);
    Some(person.unwrap_or(first).to_string())
}

/// Whether an operation of ours suspended it and did not come to resume it.
pub(crate) fn is_left(cron_job: &Value) -> bool {
    suspended_by(cron_job).as_deref() == Some(OPERATIONS_MANAGER)
}
