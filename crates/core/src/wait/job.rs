//! Jobs, and the Jobs of a CronJob.

use alloc::{format, string::String, vec::Vec};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Observation, WaitStatus, not_yet, pods};
use crate::{
    cluster::{CronJob, CronJobSpec, Finding, Job, JobEnd, Pod},
    schedule::longest_pause,
};

pub(super) fn complete(job: &Job, observation: &Observation, began: Timestamp) -> WaitStatus {
    match job.end() {
        Some(JobEnd::Complete(_)) => return WaitStatus::Met,
        Some(JobEnd::Failed(why)) => return WaitStatus::Failed { cause: why.words() },
        None => {}
    }
    let pods: Vec<&Pod> = observation.pods.iter().collect();
    let seen = observation.of(&pods);
    match (seen.trouble(began), seen.waiting()) {
        (Some(cause), _) => WaitStatus::Unhealthy { cause },
        (None, Some(waiting)) => not_yet(waiting),
        (None, None) => not_yet(attempts(job)),
    }
}

/// Like [`complete`], and the reason of a failure is what the program said of it.
pub(super) fn verified(job: &Job, observation: &Observation, began: Timestamp) -> WaitStatus {
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
    cron_job: &CronJob,
    observation: &Observation,
    began: Timestamp,
) -> WaitStatus {
    let jobs = observation.jobs.iter();
    let mut fresh: Vec<&Job> = jobs.filter(|job| job.interrupted().is_none()).collect();
    // The oldest first: each minute brings another one that has not got far.
    fresh.sort_by_key(|job| (job.metadata.created, &job.metadata.name));
    if fresh.iter().any(|job| job.is_complete()) {
        return WaitStatus::Met;
    }
    if cron_job.spec.suspend {
        return WaitStatus::Failed {
            cause: "the CronJob is suspended".into(),
        };
    }
    let failed = fresh.iter().find_map(|job| Some((job, job.failure()?)));
    if let Some((job, why)) = failed {
        return WaitStatus::Failed {
            cause: format!("{} failed: {}", job.metadata.name, why.words()),
        };
    }
    let of_fresh = |pod: &&Pod| {
        let owns = |job: &&Job| pod.metadata.is_owned_by(&job.metadata.uid);
        fresh.iter().any(owns)
    };
    let pods: Vec<&Pod> = observation.pods.iter().filter(of_fresh).collect();
    if let Some(cause) = observation.of(&pods).trouble(began) {
        return WaitStatus::Unhealthy { cause };
    }
    match fresh.first() {
        None => not_yet("the next test has not started"),
        Some(job) => not_yet(format!("{}: {}", job.metadata.name, attempts(job))),
    }
}

/// How long the schedule lets the next Job wait.
pub(super) fn pause(cron_job: Option<&Value>) -> SignedDuration {
    let spec = cron_job.and_then(|cron_job| CronJobSpec::of(cron_job).ok());
    let minutes = spec.and_then(|spec| longest_pause(&spec.schedule));
    SignedDuration::from_secs(60 * (minutes.unwrap_or(1) as i64 - 1))
}

fn attempts(job: &Job) -> String {
    match (job.active(), job.failed()) {
        (0, 0) => "no pod has started".into(),
        (_, 0) => "the first attempt is running".into(),
        (0, failed) => format!("attempt {failed} failed, the next one is due"),
        (_, failed) => format!("attempt {} is running", failed + 1),
    }
}
