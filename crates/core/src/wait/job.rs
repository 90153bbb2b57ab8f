//! Jobs, and the Jobs of a CronJob. A Job has ended when it says so in a condition: counts of pods
//! move back and forth before.

use alloc::{format, string::String, vec::Vec};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Condition, Sight, Standing, condition, count, not_yet, pods};

pub(super) fn complete(job: &Value, sight: &Sight) -> Standing {
    if let Some(Condition { holds: true, .. }) = condition(job, "Complete") {
        return Standing::Holds;
    }
    if let Some(Condition {
        holds: true,
        message,
    }) = condition(job, "Failed")
    {
        return Standing::Never { cause: message };
    }
    match (pods::trouble(sight), pods::waiting(sight)) {
        (Some(cause), _) => Standing::Bad { cause },
        (None, Some(waiting)) => not_yet(waiting),
        (None, None) => not_yet(attempts(job)),
    }
}

/// Jobs made before the step began prove nothing about what was just deployed.
pub(super) fn first_success(cron_job: &Value, sight: &Sight, began: Timestamp) -> Standing {
    // Kubernetes writes whole seconds.
    let since = began
        .saturating_sub(SignedDuration::from_secs(1))
        .unwrap_or(began);
    let fresh: Vec<&Value> = sight
        .jobs
        .iter()
        .filter(|job| created(job) >= Some(since))
        .collect();
    if fresh
        .iter()
        .any(|job| condition(job, "Complete").is_some_and(|complete| complete.holds))
    {
        return Standing::Holds;
    }
    if cron_job.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true) {
        return Standing::Never {
            cause: "the CronJob is suspended".into(),
        };
    }
    let failed = fresh.iter().find_map(|job| {
        let Condition {
            holds: true,
            message,
        } = condition(job, "Failed")?
        else {
            return None;
        };
        Some(format!("{} failed: {message}", name(job)))
    });
    if let Some(cause) = failed {
        return Standing::Never { cause };
    }
    if let Some(cause) = pods::trouble(sight) {
        return Standing::Bad { cause };
    }
    match fresh.first() {
        None => not_yet("the next minute has not begun"),
        Some(job) => not_yet(format!("{}: {}", name(job), attempts(job))),
    }
}

pub(super) fn is_finished(job: &Value) -> bool {
    ["Complete", "Failed"]
        .iter()
        .any(|kind| condition(job, kind).is_some_and(|condition| condition.holds))
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
