//! Jobs, and the Jobs of a CronJob. A Job has ended when it says so in a condition: counts of pods
//! move back and forth before.

use alloc::{format, string::String, vec::Vec};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Observation, WaitStatus, condition, count, not_yet, pods};
use crate::{inputs::longest_pause, names::INTERRUPTED_LABEL, object::ObjectRef, plan::Finding};

pub(super) fn complete(job: &Value, observation: &Observation, began: Timestamp) -> WaitStatus {
    if has(job, "Complete").is_some() {
        return WaitStatus::Met;
    }
    if let Some(cause) = has(job, "Failed") {
        return WaitStatus::Failed { cause };
    }
    match (
        pods::trouble(observation, began),
        pods::waiting(observation),
    ) {
        (Some(cause), _) => WaitStatus::Unhealthy { cause },
        (None, Some(waiting)) => not_yet(waiting),
        (None, None) => not_yet(attempts(job)),
    }
}

/// Like [`complete`], and the reason of a failure is what the program said of it.
pub(super) fn verified(job: &Value, observation: &Observation, began: Timestamp) -> WaitStatus {
    let said = observation.pods.iter().rev().find_map(pods::last_words);
    match (complete(job, observation, began), said) {
        (WaitStatus::Failed { cause }, Some(said)) => WaitStatus::Failed {
            cause: format!("{said} ({cause})"),
        },
        (standing, _) => standing,
    }
}

/// What `verification compare` and `verification examine` exit with when there is nothing in a copy.
const EMPTY: i64 = 3;

/// What the last of the readers that failed found, by its exit code. One that could not read has found nothing out.
pub(super) fn finding(observation: &Observation) -> Option<Finding> {
    let mut codes = observation.pods.iter().rev().filter_map(pods::exit_code);
    codes
        .next()
        .is_some_and(|code| code == EMPTY)
        .then_some(Finding::Empty)
}

/// The Jobs are those that were made after the step began. Those that an operation interrupted prove
/// nothing.
pub(super) fn first_success(
    cron_job: &Value,
    observation: &Observation,
    began: Timestamp,
) -> WaitStatus {
    let mut fresh: Vec<&Value> = observation
        .jobs
        .iter()
        .filter(|job| !is_interrupted(job))
        .collect();
    // The oldest first: each minute brings another one that has not got far.
    fresh.sort_by_key(|job| (created(job), name(job)));
    if fresh.iter().any(|job| has(job, "Complete").is_some()) {
        return WaitStatus::Met;
    }
    if cron_job.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true) {
        return WaitStatus::Failed {
            cause: "the CronJob is suspended".into(),
        };
    }
    let failed = fresh
        .iter()
        .find_map(|job| Some(format!("{} failed: {}", name(job), has(job, "Failed")?)));
    if let Some(cause) = failed {
        return WaitStatus::Failed { cause };
    }
    let of_fresh = |pod: &&Value| fresh.iter().any(|job| owns(job, pod));
    let pods = observation.pods.iter().filter(of_fresh).cloned().collect();
    let warnings = observation.warnings.clone();
    let seen = Observation {
        pods,
        warnings,
        ..Observation::default()
    };
    if let Some(cause) = pods::trouble(&seen, began) {
        return WaitStatus::Unhealthy { cause };
    }
    match fresh.first() {
        None => not_yet("the next test has not begun"),
        Some(job) => not_yet(format!("{}: {}", name(job), attempts(job))),
    }
}

/// How long the schedule lets the next Job wait.
pub(super) fn pause(observation: &Observation) -> SignedDuration {
    let schedule = observation.object.as_ref();
    let schedule = schedule.and_then(|cron_job| cron_job.pointer("/spec/schedule")?.as_str());
    let minutes = schedule.and_then(longest_pause).unwrap_or(1);
    SignedDuration::from_secs(60 * (minutes as i64 - 1))
}

pub(super) fn is_finished(job: &Value) -> bool {
    has(job, "Complete").or(has(job, "Failed")).is_some()
}

pub(super) fn is_interrupted(job: &Value) -> bool {
    let labels = job.pointer("/metadata/labels");
    labels.is_some_and(|labels| labels.get(INTERRUPTED_LABEL).is_some())
}

/// Items of a list do not say what they are.
pub(super) fn reference(job: &Value) -> Option<ObjectRef> {
    let text = |pointer| job.pointer(pointer)?.as_str();
    let (namespace, name) = (text("/metadata/namespace")?, text("/metadata/name")?);
    Some(ObjectRef::namespaced("batch/v1", "Job", namespace, name))
}

/// When a Job said that it has ended.
pub(super) fn ended(job: &Value) -> Option<Timestamp> {
    let conditions = job.pointer("/status/conditions")?.as_array()?;
    let of_end = |condition: &&Value| {
        let kind = condition.get("type").and_then(Value::as_str);
        matches!(kind, Some("Complete" | "Failed"))
    };
    let ends = conditions.iter().filter(of_end);
    ends.filter_map(|condition| condition.get("lastTransitionTime")?.as_str()?.parse().ok())
        .max()
}

/// The message of a condition that holds.
fn has(job: &Value, kind: &str) -> Option<String> {
    condition(job, kind)
        .filter(|condition| condition.holds)
        .map(|condition| condition.message)
}

fn owns(job: &Value, pod: &Value) -> bool {
    let owners = pod
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    owners
        .into_iter()
        .flatten()
        .any(|owner| owner.get("uid") == job.pointer("/metadata/uid"))
}

fn attempts(job: &Value) -> String {
    match (count(job, "/status/active"), count(job, "/status/failed")) {
        (0, 0) => "no pod has started".into(),
        (_, 0) => "the first attempt is running".into(),
        (0, failed) => format!("attempt {failed} failed, the next one follows"),
        (_, failed) => format!("attempt {} is running", failed + 1),
    }
}

fn name(job: &Value) -> &str {
    job.pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or("a Job")
}

fn created(job: &Value) -> Option<Timestamp> {
    job.pointer("/metadata/creationTimestamp")?
        .as_str()?
        .parse()
        .ok()
}
