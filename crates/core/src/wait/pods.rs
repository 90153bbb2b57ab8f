//! What keeps pods from running, in the words of the kubelet, the scheduler and the controllers.

use alloc::{
    format,
    string::{String, ToString},
};

use jiff::{SignedDuration, Timestamp};

use super::{Observation, WaitStatus, Warning, not_yet};
use crate::{
    cluster::{ContainerStatus, Pod},
    names::COMPARE,
};

/// Waiting reasons that rarely pass by themselves.
const BAD_REASONS: [&str; 8] = [
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
];

/// Warnings about a pod that was never made, or cannot start: no pod's status tells of them.
const BAD_WARNINGS: [&str; 5] = [
    "FailedAttachVolume",
    "FailedCreate",
    "FailedCreatePodSandBox",
    "FailedMount",
    "ProvisioningFailed",
];

/// Pods, and the warnings about them and what owns them.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) pods: &'a [&'a Pod],
    pub(super) warnings: &'a [Warning],
}

impl Seen<'_> {
    fn alive(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().copied().filter(|pod| !pod.is_over())
    }

    /// What is wrong with the pods, if anything is: a bad waiting reason, a container that keeps exiting,
    /// a pod that fits nowhere, a pod that may not be made. Warnings from before the step began are about
    /// what it changes.
    pub(super) fn trouble(&self, began: Timestamp) -> Option<String> {
        self.alive().find_map(pod_trouble).or_else(|| {
            // Kubernetes writes whole seconds.
            let since = began
                .saturating_sub(SignedDuration::from_secs(1))
                .unwrap_or(began);
            self.warnings
                .iter()
                .filter(|warning| warning.last >= since)
                .filter(|warning| BAD_WARNINGS.contains(&warning.reason.as_str()))
                .find(|warning| !self.alive().any(|pod| outdates(pod, warning)))
                .map(ToString::to_string)
        })
    }

    /// What a pod that is all right so far is doing.
    pub(super) fn waiting(&self) -> Option<String> {
        self.alive().find_map(|pod| {
            pod.all_statuses().find_map(|container| {
                let what = format!("{} {}", pod.metadata.name, container.name);
                if let Some(waiting) = &container.state.waiting {
                    return Some(format!("{what}: {}", waiting.reason));
                }
                let is_unready = container.state.running.is_some() && !container.ready;
                is_unready.then(|| format!("{what} is running but not ready"))
            })
        })
    }
}

fn pod_trouble(pod: &Pod) -> Option<String> {
    let name = &pod.metadata.name;
    if let Some(why) = pod.conditions().failing("PodScheduled") {
        return Some(format!("{name} cannot be scheduled: {}", why.words()));
    }
    let mut troubles = pod.all_statuses().filter_map(container_trouble);
    troubles.next().map(|trouble| format!("{name}: {trouble}"))
}

/// Whether what a warning is about has passed: the pod runs, or one could be made later.
fn outdates(pod: &Pod, warning: &Warning) -> bool {
    if warning.reason == "FailedCreate" {
        return pod.metadata.created >= warning.last;
    }
    let runs = |container: &ContainerStatus| container.state.running.is_some();
    warning.about == format!("Pod {}", pod.metadata.name) && pod.all_statuses().any(runs)
}

/// The step's object is itself the pod.
pub(super) fn ready(pod: &Pod, observation: &Observation, began: Timestamp) -> WaitStatus {
    if pod.is_ready() {
        return WaitStatus::Met;
    }
    if pod.is_over() {
        return WaitStatus::Failed {
            cause: last_words(pod).unwrap_or_else(|| "the pod has ended".to_string()),
        };
    }
    let seen = Seen {
        pods: &[pod],
        warnings: &observation.warnings,
    };
    match (seen.trouble(began), seen.waiting()) {
        (Some(cause), _) => WaitStatus::Unhealthy { cause },
        (None, Some(waiting)) => not_yet(waiting),
        (None, None) => not_yet("it has not started"),
    }
}

/// What a container said when it failed (Kubernetes: `terminated.message`).
pub(super) fn last_words(pod: &Pod) -> Option<String> {
    pod.all_statuses()
        .find_map(|container| container.state.terminated.as_ref()?.last_words())
}

/// What the program of a reader that failed exited with, whatever was injected beside it.
pub(super) fn exit_code(reader: &Pod) -> Option<i64> {
    let ended = reader.status_of(COMPARE)?.state.terminated.as_ref()?;
    (ended.exit_code != 0).then_some(ended.exit_code)
}

fn container_trouble(container: &ContainerStatus) -> Option<String> {
    let name = &container.name;
    let waiting = container.state.waiting.as_ref();
    let is_bad = |reason: &str| BAD_REASONS.contains(&reason);
    if let Some(waiting) = waiting.filter(|waiting| is_bad(&waiting.reason)) {
        return Some(format!("container {name}: {}", waiting.words()));
    }
    // Between two restarts a crashing container looks as if it ran. One restart happens to those that
    // start before what they need.
    let before = container.last_state.terminated.as_ref()?;
    let (restarts, exit) = (container.restarts, before.exit_code);
    (restarts > 1 && !container.ready).then(|| {
        format!("container {name} keeps exiting: {restarts} restarts, last exit code {exit}")
    })
}
