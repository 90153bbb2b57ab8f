//! What keeps pods from running, in the words of the kubelet, the scheduler and the controllers.

use alloc::{
    format,
    string::{String, ToString},
    vec,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Observation, WaitStatus, Warning, condition, not_yet};

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

/// What is wrong with the pods, if anything is: a bad waiting reason, a container that keeps exiting,
/// a pod that fits nowhere, a pod that may not be made. Warnings from before the step began are about
/// what it changes.
#[must_use]
pub fn trouble(observation: &Observation, began: Timestamp) -> Option<String> {
    let alive = || observation.pods.iter().filter(|pod| !is_over(pod));
    alive().find_map(pod_trouble).or_else(|| {
        // Kubernetes writes whole seconds.
        let since = began
            .saturating_sub(SignedDuration::from_secs(1))
            .unwrap_or(began);
        observation
            .warnings
            .iter()
            .filter(|warning| warning.last >= since)
            .filter(|warning| BAD_WARNINGS.contains(&warning.reason.as_str()))
            .find(|warning| !alive().any(|pod| outdates(pod, warning)))
            .map(ToString::to_string)
    })
}

fn pod_trouble(pod: &Value) -> Option<String> {
    let name = name(pod);
    if let Some(scheduled) = condition(pod, "PodScheduled").filter(|scheduled| !scheduled.holds) {
        return Some(format!("{name} cannot be scheduled: {}", scheduled.message));
    }
    containers(pod).find_map(|container| Some(format!("{name}: {}", container_trouble(container)?)))
}

/// Whether what a warning is about has passed: the pod runs, or one could be made later.
fn outdates(pod: &Value, warning: &Warning) -> bool {
    if warning.reason == "FailedCreate" {
        let made = pod
            .pointer("/metadata/creationTimestamp")
            .and_then(Value::as_str)
            .and_then(|made| made.parse::<Timestamp>().ok());
        return made >= Some(warning.last);
    }
    warning.about == format!("Pod {}", name(pod)) && containers(pod).any(is_running)
}

/// The step's object is itself the pod.
pub(super) fn ready(pod: &Value, observation: &Observation, began: Timestamp) -> WaitStatus {
    if condition(pod, "Ready").is_some_and(|ready| ready.holds) {
        return WaitStatus::Met;
    }
    if is_over(pod) {
        return WaitStatus::Failed {
            cause: last_words(pod).unwrap_or_else(|| "the pod has ended".to_string()),
        };
    }
    let seen = Observation {
        pods: vec![pod.clone()],
        warnings: observation.warnings.clone(),
        ..Observation::default()
    };
    match (trouble(&seen, began), waiting(&seen)) {
        (Some(cause), _) => WaitStatus::Unhealthy { cause },
        (None, Some(waiting)) => not_yet(waiting),
        (None, None) => not_yet("it has not started"),
    }
}

/// What a container said when it failed (Kubernetes: `terminated.message`).
pub(super) fn last_words(pod: &Value) -> Option<String> {
    containers(pod).find_map(|container| {
        let ended = container.pointer("/state/terminated")?;
        let failed = ended.get("exitCode").and_then(Value::as_i64) != Some(0);
        let said = ended.get("message")?.as_str()?.trim();
        (failed && !said.is_empty()).then(|| said.to_string())
    })
}

/// What a container that failed exited with.
pub(super) fn exit_code(pod: &Value) -> Option<i64> {
    containers(pod).find_map(|container| {
        let code = container.pointer("/state/terminated/exitCode")?.as_i64()?;
        (code != 0).then_some(code)
    })
}

/// What a pod that is all right so far is doing.
pub(super) fn waiting(observation: &Observation) -> Option<String> {
    observation
        .pods
        .iter()
        .filter(|pod| !is_over(pod))
        .find_map(|pod| {
            containers(pod).find_map(|container| {
                let named = container
                    .get("name")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                if let Some(reason) = container
                    .pointer("/state/waiting/reason")
                    .and_then(Value::as_str)
                {
                    return Some(format!("{} {named}: {reason}", name(pod)));
                }
                let ready = container
                    .get("ready")
                    .and_then(Value::as_bool)
                    .unwrap_or(false);
                (is_running(container) && !ready)
                    .then(|| format!("{} {named} runs and is not ready", name(pod)))
            })
        })
}

fn container_trouble(container: &Value) -> Option<String> {
    let named = container
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let waiting = container.pointer("/state/waiting");
    let reason = waiting.and_then(|waiting| waiting.get("reason")?.as_str());
    if let Some(reason) = reason.filter(|reason| BAD_REASONS.contains(reason)) {
        let message = waiting
            .and_then(|waiting| waiting.get("message")?.as_str())
            .unwrap_or_default();
        return Some(format!("container {named}: {reason}: {message}"));
    }
    // Between two restarts a crashing container looks as if it ran. One restart happens to those that
    // start before what they need.
    let restarts = container
        .get("restartCount")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    let exit = container
        .pointer("/lastState/terminated/exitCode")
        .and_then(Value::as_i64)
        .filter(|_| restarts > 1)?;
    let ready = container
        .get("ready")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    (!ready).then(|| {
        format!("container {named} keeps exiting: {restarts} restarts, last exit code {exit}")
    })
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["/status/initContainerStatuses", "/status/containerStatuses"]
        .into_iter()
        .filter_map(|pointer| pod.pointer(pointer)?.as_array())
        .flatten()
}

fn is_running(container: &Value) -> bool {
    container.pointer("/state/running").is_some()
}

fn is_over(pod: &Value) -> bool {
    matches!(
        pod.pointer("/status/phase").and_then(Value::as_str),
        Some("Succeeded" | "Failed")
    ) || pod.pointer("/metadata/deletionTimestamp").is_some()
}

fn name(pod: &Value) -> &str {
    pod.pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or("a pod")
}
