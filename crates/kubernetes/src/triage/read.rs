//! Objects of the API server as evidence.

use jiff::Timestamp;
use longrun_core::{
    known::Known,
    names::{INTERRUPTED_LABEL, NODE, SERVICE},
    object::uid,
    triage::{Attempt, Container, Ended, Event, Job, JobState, Pod},
};
use serde_json::Value;

use crate::stamp::stamp;

/// The components of the node and of the service.
const COMPONENT: &str = "/metadata/labels/app.kubernetes.io~1component";
const WATCHED: [&str; 2] = [NODE, SERVICE];

pub(super) fn job(job: &Value) -> Option<Job> {
    let name = text(job, "/metadata/name")?.to_owned();
    let created = time(job, "/metadata/creationTimestamp")?;
    let count = |pointer: &str| job.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let failed = condition(job, "Failed");
    let state = match (condition(job, "Complete"), failed) {
        (Some(_), _) => JobState::Succeeded,
        (None, Some(failed)) => JobState::Failed {
            reason: text(failed, "/reason").unwrap_or("Failed").to_owned(),
            message: text(failed, "/message").unwrap_or("it failed").to_owned(),
        },
        (None, None) => JobState::Running,
    };
    let interrupted = job.pointer("/metadata/labels").and_then(|labels| {
        let by = labels.get(INTERRUPTED_LABEL)?.as_str()?;
        Some(by.to_owned())
    });
    Some(Job {
        uid: uid(job)?,
        created,
        started: time(job, "/status/startTime"),
        ended: time(job, "/status/completionTime").or_else(|| time(failed?, "/lastTransitionTime")),
        state,
        failed: count("/status/failed"),
        pods: count("/status/active") + count("/status/succeeded") + count("/status/failed"),
        program: stamp(job),
        interrupted,
        name,
    })
}

/// A pod of a Job, before its log is read.
pub(super) fn attempt(pod: &Value) -> Option<Attempt> {
    let at = |field: &str| format!("/status/containerStatuses/0/state/{field}");
    let started = time(pod, &at("terminated/startedAt"))
        .or_else(|| time(pod, &at("running/startedAt")))
        // So is written that a container never started (Kubernetes 1.36: `StartError`).
        .filter(|started| *started > Timestamp::UNIX_EPOCH);
    let words = |reason: &str, message: &str| {
        let reason = text(pod, reason).filter(|reason| !reason.is_empty())?;
        Some(match text(pod, message).map(str::trim) {
            None | Some("") => reason.to_owned(),
            Some(message) => format!("{reason}: {message}"),
        })
    };
    let waiting = words(&at("waiting/reason"), &at("waiting/message"));
    let ended = words(&at("terminated/reason"), &at("terminated/message"));
    Some(Attempt {
        pod: text(pod, "/metadata/name")?.to_owned(),
        created: time(pod, "/metadata/creationTimestamp")?,
        started,
        ended: time(pod, &at("terminated/finishedAt")),
        phase: text(pod, "/status/phase").unwrap_or("Unknown").to_owned(),
        exit: pod
            .pointer(&at("terminated/exitCode"))
            .and_then(Value::as_i64),
        reason: words("/status/reason", "/status/message")
            .or(ended)
            .or(waiting)
            .or_else(|| unscheduled(pod)),
        log: Known::Unknown("it was not read".to_owned()),
    })
}

fn unscheduled(pod: &Value) -> Option<String> {
    let conditions = pod.pointer("/status/conditions")?.as_array()?;
    let scheduled = conditions.iter().find(|condition| {
        text(condition, "/type") == Some("PodScheduled")
            && text(condition, "/status") == Some("False")
    })?;
    Some(format!(
        "not scheduled: {}",
        text(scheduled, "/message").unwrap_or("no reason given")
    ))
}

/// The pods of the node and of the service.
pub(super) fn pods(pods: &[Value]) -> Vec<Pod> {
    let watched =
        |pod: &&Value| text(pod, COMPONENT).is_some_and(|component| WATCHED.contains(&component));
    pods.iter().filter(watched).filter_map(pod).collect()
}

fn pod(pod: &Value) -> Option<Pod> {
    let statuses = pod.pointer("/status/containerStatuses");
    let statuses = statuses.and_then(Value::as_array).into_iter().flatten();
    Some(Pod {
        name: text(pod, "/metadata/name")?.to_owned(),
        created: time(pod, "/metadata/creationTimestamp")?,
        containers: statuses.filter_map(container).collect(),
    })
}

fn container(status: &Value) -> Option<Container> {
    // The present instance may have ended too, and wait for its next start.
    let ended = ["/state/terminated", "/lastState/terminated"];
    let before = ended
        .into_iter()
        .find_map(|pointer| status.pointer(pointer))
        .and_then(|ended| {
            Some(Ended {
                at: time(ended, "/finishedAt")?,
                exit: ended.get("exitCode")?.as_i64()?,
                reason: text(ended, "/reason")
                    .unwrap_or("no reason given")
                    .to_owned(),
            })
        });
    Some(Container {
        name: text(status, "/name")?.to_owned(),
        image: text(status, "/image").map(ToOwned::to_owned),
        restarts: status.get("restartCount")?.as_u64()?,
        started: time(status, "/state/running/startedAt"),
        before,
    })
}

/// Events about the node, the service, a Job and its pods.
pub(super) fn events(events: &[Value], job: &str) -> Vec<Event> {
    let of_job = format!("{job}-");
    let concerns = |event: &&Value| {
        text(event, "/involvedObject/name").is_some_and(|name| {
            let watched = WATCHED.iter().any(|component| name.starts_with(component));
            watched || name == job || name.starts_with(&of_job)
        })
    };
    events.iter().filter(concerns).filter_map(event).collect()
}

/// Controllers fill one of four times, depending on which API they use.
fn event(event: &Value) -> Option<Event> {
    let times = [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/eventTime",
        "/metadata/creationTimestamp",
    ];
    let counts = ["/series/count", "/count"];
    let counts = counts.into_iter().filter_map(|count| event.pointer(count));
    Some(Event {
        at: times.into_iter().find_map(|pointer| time(event, pointer))?,
        about: format!(
            "{} {}",
            text(event, "/involvedObject/kind")?,
            text(event, "/involvedObject/name")?
        ),
        reason: text(event, "/reason").unwrap_or_default().to_owned(),
        message: text(event, "/message")
            .unwrap_or_default()
            .trim()
            .to_owned(),
        count: counts.filter_map(Value::as_u64).next().unwrap_or(1),
        warning: text(event, "/type") == Some("Warning"),
    })
}

fn condition<'a>(job: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = job.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| {
        text(condition, "/type") == Some(kind) && text(condition, "/status") == Some("True")
    })
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer)?.as_str()
}

pub(super) fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer)?.parse().ok()
}
