//! Deployments and StatefulSets.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use jiff::Timestamp;
use serde_json::Value;

use super::{Condition, Observation, WaitStatus, condition, count, not_yet, pods};

pub(super) fn assess(object: &Value, observation: &Observation, began: Timestamp) -> WaitStatus {
    // Everything else in the status is about the generation that the controller has seen.
    let generation = count(object, "/metadata/generation");
    if count(object, "/status/observedGeneration") != generation {
        return not_yet(format!(
            "its controller has not seen generation {generation}"
        ));
    }
    let of_present = Observation {
        pods: present(object, &observation.pods),
        warnings: observation.warnings.clone(),
        ..Observation::default()
    };
    let trouble = pods::trouble(&of_present, began);
    if let Some(Condition {
        holds: false,
        message,
    }) = condition(object, "Progressing")
    {
        return WaitStatus::Failed {
            cause: match trouble {
                Some(trouble) => format!("{message} {trouble}"),
                None => message,
            },
        };
    }
    let Some(cause) = missing(object) else {
        return WaitStatus::Met;
    };
    // A pod that may not be made has no status to tell of it; the Deployment's has.
    let not_made = condition(object, "ReplicaFailure").filter(|failure| failure.holds);
    if let Some(trouble) = trouble.or(not_made.map(|failure| failure.message)) {
        return WaitStatus::Unhealthy { cause: trouble };
    }
    match pods::waiting(&of_present) {
        Some(waiting) => not_yet(format!("{cause} ({waiting})")),
        None => not_yet(cause),
    }
}

/// The pods of the present template. Those of the one before may be in the very trouble that the new
/// one ends.
fn present(object: &Value, pods: &[Value]) -> Vec<Value> {
    let text = |pod: &Value, pointer| Some(pod.pointer(pointer)?.as_str()?.to_string());
    let (pointer, revision) = if is_deployment(object) {
        // The Deployment does not say which hash is the present one: its youngest pod does.
        let pointer = "/metadata/labels/pod-template-hash";
        let youngest = pods
            .iter()
            .max_by_key(|pod| text(pod, "/metadata/creationTimestamp"));
        (pointer, youngest.and_then(|pod| text(pod, pointer)))
    } else {
        let pointer = "/metadata/labels/controller-revision-hash";
        (pointer, text(object, "/status/updateRevision"))
    };
    pods.iter()
        .filter(|pod| revision.is_none() || text(pod, pointer) == revision)
        .cloned()
        .collect()
}

fn is_deployment(object: &Value) -> bool {
    object.get("kind").and_then(Value::as_str) == Some("Deployment")
}

fn missing(object: &Value) -> Option<String> {
    let wanted = object
        .pointer("/spec/replicas")
        .and_then(Value::as_u64)
        .unwrap_or(1);
    let updated = count(object, "/status/updatedReplicas");
    let all = count(object, "/status/replicas");
    let serving = if is_deployment(object) {
        count(object, "/status/availableReplicas")
    } else {
        count(object, "/status/readyReplicas")
    };
    if updated < wanted {
        Some(format!(
            "{updated} of {wanted} pods run the present template"
        ))
    } else if all > wanted {
        Some(format!("{} surplus pods are still there", all - wanted))
    } else if serving < wanted {
        Some(format!("{serving} of {wanted} pods are ready"))
    } else {
        None
    }
}
