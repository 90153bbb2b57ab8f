//! Deployments and StatefulSets.

use alloc::{format, string::String};

use serde_json::Value;

use super::{Condition, Sight, Standing, condition, count, not_yet, pods};

pub(super) fn assess(object: &Value, sight: &Sight) -> Standing {
    // Everything else in the status is about the generation that the controller has seen.
    let generation = count(object, "/metadata/generation");
    if count(object, "/status/observedGeneration") != generation {
        return not_yet(format!(
            "its controller has not seen generation {generation}"
        ));
    }
    if let Some(Condition {
        holds: false,
        message,
    }) = condition(object, "Progressing")
    {
        return Standing::Never { cause: message };
    }
    match missing(object) {
        None => Standing::Holds,
        Some(cause) => match pods::trouble(sight) {
            Some(trouble) => Standing::Bad { cause: trouble },
            None => match pods::waiting(sight) {
                Some(waiting) => not_yet(format!("{cause} ({waiting})")),
                None => not_yet(cause),
            },
        },
    }
}

fn missing(object: &Value) -> Option<String> {
    let wanted = object
        .pointer("/spec/replicas")
        .and_then(Value::as_u64)
        .unwrap_or(1);
    let updated = count(object, "/status/updatedReplicas");
    let all = count(object, "/status/replicas");
    let serving = if object.get("kind").and_then(Value::as_str) == Some("Deployment") {
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
