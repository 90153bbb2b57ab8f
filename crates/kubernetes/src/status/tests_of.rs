//! The Jobs of the minutely test, as one line each.

use std::collections::BTreeMap;

use jiff::Timestamp;
use longrun_core::{
    cluster::{CronJob, Job},
    records::Kept,
    triage::{self, JobState, minute},
};
use serde::Serialize;

use crate::{client::Client, records::recorded};

/// One test Job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestJob {
    /// Its name: `test-<minute since the epoch>`.
    pub name: String,
    /// The minute for which it was scheduled; `None` when the name does not say.
    pub minute: Option<Timestamp>,
    /// How it went.
    pub result: Attempted,
    /// Attempts that were begun.
    pub attempts: u64,
    /// From its start to its end, or to now, in seconds.
    pub seconds: Option<i64>,
    /// By what its failure is known, where the recorder has the evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl TestJob {
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.result, Attempted::Failed(_))
    }
}

/// How a test went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Attempted {
    /// It is not over.
    Running,
    /// It verified.
    Succeeded,
    /// No attempt verified, in the Job controller's words.
    Failed(String),
    /// This operation stopped the node under it: whatever became of it says nothing.
    Interrupted(String),
}

/// The Jobs of a CronJob, newest first. Without the CronJob, those that are named like its Jobs.
pub(super) fn recent(cron_job: Option<&CronJob>, jobs: &[Job], now: Timestamp) -> Vec<TestJob> {
    let is_test = |job: &&Job| match cron_job {
        Some(owner) => job.metadata.is_owned_by(&owner.metadata.uid),
        None => minute(&job.metadata.name).is_ok(),
    };
    let tests = jobs.iter().filter(is_test);
    let mut tests: Vec<TestJob> = tests.map(|job| test(job, now)).collect();
    tests.sort_by(|one, other| (other.minute, &other.name).cmp(&(one.minute, &one.name)));
    tests
}

fn test(job: &Job, now: Timestamp) -> TestJob {
    let end = job.ended().unwrap_or(now);
    let length = |start| end.duration_since(start).as_secs();
    TestJob {
        minute: minute(&job.metadata.name).ok(),
        result: Attempted::from(triage::Job::from(job)),
        attempts: job.attempts(),
        seconds: job.started().map(length),
        signature: None,
        name: job.metadata.name.clone(),
    }
}

impl From<triage::Job> for Attempted {
    /// As the recorder and triage see it: what an operation interrupted says nothing, whatever becomes of it.
    fn from(job: triage::Job) -> Self {
        match (job.interrupted, job.state) {
            (Some(operation), _) => Self::Interrupted(operation),
            (None, JobState::Running) => Self::Running,
            (None, JobState::Succeeded) => Self::Succeeded,
            (None, JobState::Failed { message, .. }) => Self::Failed(message),
        }
    }
}

/// The signatures of failed tests, as far as the recorder has them: without them, the controller's word is left.
pub(super) async fn signatures(
    client: &Client,
    environment: &str,
    tests: &[TestJob],
) -> BTreeMap<String, String> {
    if !tests.iter().any(TestJob::has_failed) {
        return BTreeMap::new();
    }
    let listed = recorded(client, environment, "evidence").await;
    let listed = listed.ok().flatten().unwrap_or_default();
    let listed: Vec<Kept> = serde_json::from_str(&listed).unwrap_or_default();
    let signatures = listed.into_iter();
    signatures.map(|one| (one.job, one.signature)).collect()
}

#[cfg(test)]
mod tests {
    use longrun_core::cluster::View as _;
    use serde_json::{Value, json};

    use super::*;

    fn job(name: &str, status: &Value) -> Value {
        json!({
            "metadata": {"name": name, "uid": name, "creationTimestamp": "2026-01-01T00:08:00Z",
                "ownerReferences": [{"uid": "cron"}]},
            "spec": {"template": {"spec": {"containers": []}}},
            "status": status,
        })
    }

    fn check(jobs: &[Value]) -> Vec<TestJob> {
        let now = "2026-01-01T00:10:00Z".parse().unwrap();
        let cron_job = json!({"metadata": {"name": "test", "uid": "cron",
            "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"schedule": "* * * * *"}});
        let jobs: Vec<Job> = jobs.iter().map(|job| Job::read(job).unwrap()).collect();
        recent(Some(&CronJob::read(&cron_job).unwrap()), &jobs, now)
    }

    #[test]
    fn the_newest_comes_first_with_its_minute_and_duration() {
        let done = json!({
            "conditions": [
                {"type": "SuccessCriteriaMet", "status": "True"},
                {"type": "Complete", "status": "True"},
            ],
            "startTime": "2026-01-01T00:08:00Z", "completionTime": "2026-01-01T00:08:12Z",
            "succeeded": 1, "failed": 1,
        });
        let running = json!({"startTime": "2026-01-01T00:09:00Z", "active": 1});
        let found = check(&[job("test-29453768", &done), job("test-29453769", &running)]);
        assert_eq!(found[0].result, Attempted::Running);
        assert_eq!(found[0].seconds, Some(60));
        assert_eq!(found[1].result, Attempted::Succeeded);
        assert_eq!((found[1].attempts, found[1].seconds), (2, Some(12)));
        assert_eq!(found[1].minute.unwrap().to_string(), "2026-01-01T00:08:00Z");
    }

    #[test]
    fn a_failure_is_only_what_the_controller_says() {
        let failing = json!({"startTime": "2026-01-01T00:08:00Z", "failed": 7});
        let failed = json!({
            "conditions": [{"type": "Failed", "status": "True", "message": "Job has reached the specified backoff limit",
                "lastTransitionTime": "2026-01-01T00:09:00Z"}],
            "startTime": "2026-01-01T00:08:00Z", "failed": 7,
        });
        let found = check(&[job("test-2", &failing), job("test-1", &failed)]);
        assert_eq!(found[0].result, Attempted::Running);
        assert!(matches!(found[1].result, Attempted::Failed(_)));
        assert_eq!(found[1].seconds, Some(60));
    }

    #[test]
    fn other_jobs_are_not_tests() {
        let mut other = job("discover", &json!({}));
        other["metadata"]["ownerReferences"] = json!([]);
        assert!(check(&[other]).is_empty());
    }
}
