//! Jobs. One has ended when it says so in a condition: counts of pods move back and forth before.

use alloc::string::String;

use jiff::Timestamp;
use serde::Deserialize;

use super::{Condition, Conditions, Metadata, Template, View};
use crate::{
    names::{INTERRUPTED_LABEL, TEST},
    object::ObjectRef,
};

/// How the template of the test has the name of the Job put into the id of the program.
const OWN_NAME: &str = "$(TEST_JOB)";

/// A Job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Job {
    /// Its metadata.
    pub metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Spec {
    template: Template,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    // Left out by the API server when zero.
    #[serde(default)]
    active: u64,
    #[serde(default)]
    succeeded: u64,
    #[serde(default)]
    failed: u64,
    start_time: Option<Timestamp>,
    completion_time: Option<Timestamp>,
    #[serde(default)]
    conditions: Conditions,
}

/// How a Job ended. `SuccessCriteriaMet` and `FailureTarget` come before the end, while pods still run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEnd<'a> {
    /// It succeeded.
    Complete(&'a Condition),
    /// It was given up, and why.
    Failed(&'a Condition),
}

impl View for Job {
    const API_VERSION: &'static str = "batch/v1";
    const KIND: &'static str = "Job";
}

impl Job {
    /// Where it is found.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        self.metadata.reference::<Self>()
    }

    /// How it ended; `None` while it has not.
    #[must_use]
    pub fn end(&self) -> Option<JobEnd<'_>> {
        let conditions = &self.status.conditions;
        let complete = conditions.holding("Complete").map(JobEnd::Complete);
        complete.or_else(|| conditions.holding("Failed").map(JobEnd::Failed))
    }

    /// Whether it has ended, whichever way.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.end().is_some()
    }

    /// Whether it ended well.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.end(), Some(JobEnd::Complete(_)))
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&Condition> {
        match self.end()? {
            JobEnd::Complete(_) => None,
            JobEnd::Failed(why) => Some(why),
        }
    }

    /// Why it fails, also while its last pods still end.
    #[must_use]
    pub fn failing(&self) -> Option<&Condition> {
        let target = || self.status.conditions.holding("FailureTarget");
        self.failure().or_else(target)
    }

    /// When it ended, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<Timestamp> {
        match self.end()? {
            JobEnd::Complete(end) => end.since.or(self.status.completion_time),
            JobEnd::Failed(end) => end.since,
        }
    }

    /// When its controller began with it.
    #[must_use]
    pub fn started(&self) -> Option<Timestamp> {
        self.status.start_time
    }

    /// The operation that interrupted it: whatever becomes of it says nothing.
    #[must_use]
    pub fn interrupted(&self) -> Option<&str> {
        self.metadata.label(INTERRUPTED_LABEL)
    }

    /// How many of its pods run or are about to.
    #[must_use]
    pub fn active(&self) -> u64 {
        self.status.active
    }

    /// How many of its pods have failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.status.failed
    }

    /// How many pods its controller counts: how many attempts were begun.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        let Status {
            active,
            succeeded,
            failed,
            ..
        } = self.status;
        active.saturating_add(succeeded).saturating_add(failed)
    }

    /// The id of the program that it runs, if it is a test. A Job keeps that for as long as Kubernetes keeps the
    /// Job, whatever the environment's file has become since.
    #[must_use]
    pub fn program(&self) -> Option<String> {
        let program = self.spec.template.spec.container(TEST)?.args.first()?;
        let named = program.contains(OWN_NAME);
        named.then(|| program.replace(OWN_NAME, &self.metadata.name))
    }
}
