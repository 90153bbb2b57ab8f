//! What keeps pods from running, in the words of the kubelet, the scheduler and the controllers.

use alloc::{
    format,
    string::{String, ToString},
};

use serde_json::Value;

use super::{Sight, condition};

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
/// a pod that fits nowhere, a pod that may not be made.
#[must_use]
pub fn trouble(sight: &Sight) -> Option<String> {
    let of_pods = sight
        .pods
        .iter()
        .filter(|pod| !is_over(pod))
        .find_map(|pod| {
            let name = name(pod);
            let unschedulable = condition(pod, "PodScheduled").filter(|scheduled| !scheduled.holds);
            if let Some(unschedulable) = unschedulable {
                return Some(format!(
                    "{name} cannot be scheduled: {}",
                    unschedulable.message
                ));
            }
            containers(pod)
                .find_map(|container| Some(format!("{name}: {}", container_trouble(container)?)))
        });
    of_pods.or_else(|| {
        // A pod that exists and is fine outdates warnings about its making.
        let started = |about: &str| {
            sight.pods.iter().any(|pod| {
                about.ends_with(name(pod)) && containers(pod).next().is_some_and(is_running)
            })
        };
        let warning = sight.warnings.iter().find(|warning| {
            BAD_WARNINGS.contains(&warning.reason.as_str()) && !started(&warning.about)
        })?;
        let whole = warning.reason == "FailedCreate" && !sight.pods.is_empty();
        (!whole).then(|| format!("{}: {}: {}", warning.about, warning.reason, warning.message))
    })
}

/// What a pod that is all right so far is doing.
pub(super) fn waiting(sight: &Sight) -> Option<String> {
    sight
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
    // Between two restarts a crashing container looks as if it ran.
    let restarts = container
        .get("restartCount")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    let exit = container
        .pointer("/lastState/terminated/exitCode")
        .and_then(Value::as_i64)
        .filter(|exit| *exit != 0)?;
    let ready = container
        .get("ready")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    (restarts > 0 && !ready).then(|| {
        format!(
            "container {named} keeps exiting: {restarts} restarts, last exit code {}",
            exit.to_string()
        )
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
