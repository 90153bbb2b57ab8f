//! The Jobs of the minutely test, as one line each.

use std::collections::BTreeMap;

use jiff::Timestamp;
use longrun_core::{names::INTERRUPTED_LABEL, records::Kept};
use serde::Serialize;
use serde_json::Value;

use super::{seconds, text, time};
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
pub(super) fn recent(cron_job: Option<&Value>, jobs: &[Value], now: Timestamp) -> Vec<TestJob> {
    let owner = cron_job.and_then(|cron_job| text(cron_job, "/metadata/uid"));
    let mut tests: Vec<TestJob> = jobs
        .iter()
        .filter(|job| match owner {
            Some(owner) => text(job, "/metadata/ownerReferences/0/uid") == Some(owner),
            None => text(job, "/metadata/name").is_some_and(|name| minute(name).is_some()),
        })
        .filter_map(|job| test(job, now))
        .collect();
    tests.sort_by(|one, other| (other.minute, &other.name).cmp(&(one.minute, &one.name)));
    tests
}

fn test(job: &Value, now: Timestamp) -> Option<TestJob> {
    let name = text(job, "/metadata/name")?.to_owned();
    let count = |pointer: &str| job.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let failed = condition(job, "Failed");
    let result = if condition(job, "Complete").is_some() {
        Attempted::Succeeded
    } else if let Some(operation) = interrupted_by(job) {
        Attempted::Interrupted(operation.to_owned())
    } else if let Some(failed) = failed {
        Attempted::Failed(text(failed, "/message").unwrap_or("it failed").to_owned())
    } else {
        Attempted::Running
    };
    let end = time(job, "/status/completionTime")
        .or_else(|| time(failed?, "/lastTransitionTime"))
        .unwrap_or(now);
    Some(TestJob {
        minute: minute(&name),
        attempts: count("/status/active") + count("/status/succeeded") + count("/status/failed"),
        seconds: time(job, "/status/startTime").map(|start| seconds(start, end).as_secs()),
        signature: None,
        result,
        name,
    })
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

fn interrupted_by(job: &Value) -> Option<&str> {
    let labels = job.pointer("/metadata/labels")?;
    labels.get(INTERRUPTED_LABEL)?.as_str()
}

fn condition<'a>(job: &'a Value, kind: &str) -> Option<&'a Value> {
    job.pointer("/status/conditions")?
        .as_array()?
        .iter()
        .find(|condition| {
            text(condition, "/type") == Some(kind) && text(condition, "/status") == Some("True")
        })
}

/// The CronJob controller names a Job by the minute it was scheduled for (Kubernetes 1.36:
/// `getTimeHashInMinutes`).
fn minute(name: &str) -> Option<Timestamp> {
    let (_, minutes) = name.rsplit_once('-')?;
    let minutes: i64 = minutes.parse().ok()?;
    Timestamp::from_second(minutes.checked_mul(60)?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(name: &str, status: &Value) -> Value {
        json!({
            "metadata": {"name": name, "ownerReferences": [{"uid": "cron"}]},
            "status": status,
        })
    }

    fn check(jobs: &[Value]) -> Vec<TestJob> {
        let now = "2026-01-01T00:10:00Z".parse().unwrap();
        recent(Some(&json!({"metadata": {"uid": "cron"}})), jobs, now)
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
    fn what_an_operation_interrupted_is_no_failure() {
        let failed = json!({"conditions": [{"type": "Failed", "status": "True"}]});
        let mut interrupted = job("test-1", &failed);
        interrupted["metadata"]["labels"] = json!({INTERRUPTED_LABEL: "wipe"});
        let found = check(&[interrupted]);
        assert_eq!(found[0].result, Attempted::Interrupted("wipe".to_owned()));
    }

    #[test]
    fn other_jobs_are_not_tests() {
        let mut other = job("discover", &json!({}));
        other["metadata"]["ownerReferences"] = json!([]);
        assert!(check(&[other]).is_empty());
    }
}
