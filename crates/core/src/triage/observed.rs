//! Objects of the API server as evidence.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::evidence::{Attempt, Container, Ended, Event, Job, JobState, Pod};
use crate::{
    cluster::{self, ContainerStatus, JobEnd},
    known::Known,
    names::{COMPONENT_LABEL, NODE, SERVICE, TEST},
};

/// The components whose pods and Events belong to the evidence.
const WATCHED: [&str; 2] = [NODE, SERVICE];

impl From<&cluster::Job> for Job {
    fn from(job: &cluster::Job) -> Self {
        let or = |text: &str, otherwise: &str| match text {
            "" => otherwise.to_string(),
            text => text.to_string(),
        };
        Self {
            name: job.metadata.name.clone(),
            uid: job.metadata.uid.clone(),
            created: job.metadata.created,
            started: job.started(),
            ended: job.ended(),
            state: match job.end() {
                None => JobState::Running,
                Some(JobEnd::Complete(_)) => JobState::Succeeded,
                Some(JobEnd::Failed(why)) => JobState::Failed {
                    reason: or(&why.reason, "Failed"),
                    message: or(&why.message, "it failed"),
                },
            },
            pods: job.attempts(),
            failed: job.failed(),
            program: job.program(),
            interrupted: job.interrupted().map(ToOwned::to_owned),
        }
    }
}

impl Attempt {
    /// A pod of a test's Job, before its log is read.
    #[must_use]
    pub fn of(pod: &cluster::Pod) -> Self {
        let status = pod.status_of(TEST);
        let ended = status.and_then(|status| status.state.terminated.as_ref());
        let waiting = status.and_then(|status| status.state.waiting.as_ref());
        let said = |words: String| Some(words).filter(|words| !words.is_empty());
        Self {
            pod: pod.metadata.name.clone(),
            created: pod.metadata.created,
            started: status.and_then(ContainerStatus::started),
            ended: ended.and_then(|ended| ended.finished_at),
            phase: pod.phase().unwrap_or("Unknown").to_string(),
            exit: ended.map(|ended| ended.exit_code),
            reason: pod
                .reason()
                .or_else(|| said(ended?.words()))
                .or_else(|| said(waiting?.words()))
                .or_else(|| unscheduled(pod)),
            log: Known::Unknown("it was not read".to_string()),
        }
    }
}

fn unscheduled(pod: &cluster::Pod) -> Option<String> {
    let why = pod.conditions().failing("PodScheduled")?;
    Some(match why.message.as_str() {
        "" => "not scheduled: no reason given".to_string(),
        message => format!("not scheduled: {message}"),
    })
}

/// The pods of the node and of the service.
#[must_use]
pub fn watched_pods(pods: &[cluster::Pod]) -> Vec<Pod> {
    let component = |pod: &cluster::Pod| {
        let component = pod.metadata.label(COMPONENT_LABEL);
        component.is_some_and(|component| WATCHED.contains(&component))
    };
    let watched = pods.iter().filter(|pod| component(pod));
    watched
        .map(|pod| Pod {
            name: pod.metadata.name.clone(),
            created: pod.metadata.created,
            containers: pod.statuses().iter().map(Container::from).collect(),
        })
        .collect()
}

impl From<&ContainerStatus> for Container {
    fn from(status: &ContainerStatus) -> Self {
        let running = status.state.running.as_ref();
        // The present instance may have ended too, and wait for its next start.
        let ended = [&status.state, &status.last_state];
        let ended = ended
            .into_iter()
            .find_map(|state| state.terminated.as_ref());
        Self {
            name: status.name.clone(),
            image: status.image.clone(),
            restarts: status.restarts,
            started: running.and_then(|running| running.started_at),
            before: ended.and_then(|ended| {
                Some(Ended {
                    at: ended.finished_at?,
                    exit: ended.exit_code,
                    reason: match ended.reason.as_str() {
                        "" => "no reason given".to_string(),
                        reason => reason.to_string(),
                    },
                })
            }),
        }
    }
}

/// Events about the node, the service, a Job and its pods.
#[must_use]
pub fn watched_events(events: &[cluster::Event], job: &str) -> Vec<Event> {
    let of_job = format!("{job}-");
    let concerns = |event: &&cluster::Event| {
        let name = event.about.name.as_str();
        let watched = WATCHED.iter().any(|component| name.starts_with(component));
        watched || name == job || name.starts_with(&of_job)
    };
    events
        .iter()
        .filter(concerns)
        .map(|event| Event {
            at: event.last(),
            about: event.title(),
            reason: event.reason.clone(),
            message: event.message().to_string(),
            count: event.times(),
            warning: event.is_warning(),
        })
        .collect()
}
