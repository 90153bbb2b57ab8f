//! Deployments and StatefulSets.

use alloc::{format, string::String, vec::Vec};

use jiff::Timestamp;

use super::{Observation, WaitStatus, not_yet};
use crate::cluster::{Pod, Workload};

pub(super) fn assess(
    workload: &Workload,
    observation: &Observation,
    began: Timestamp,
) -> WaitStatus {
    if let Some(unseen) = unseen(workload) {
        return not_yet(unseen);
    }
    let pods = present(workload, &observation.pods);
    let seen = observation.of(&pods);
    let trouble = seen.trouble(began);
    if let Some(given_up) = workload.status.conditions.failing("Progressing") {
        let message = given_up.words();
        return WaitStatus::Failed {
            cause: match trouble {
                Some(trouble) => format!("{message} {trouble}"),
                None => message,
            },
        };
    }
    let Some(cause) = missing(workload) else {
        return WaitStatus::Met;
    };
    // A pod that may not be made has no status to tell of it; the Deployment's has.
    let not_made = workload.status.conditions.holding("ReplicaFailure");
    if let Some(trouble) = trouble.or_else(|| Some(not_made?.words())) {
        return WaitStatus::Unhealthy { cause: trouble };
    }
    match seen.waiting() {
        Some(waiting) => not_yet(format!("{cause} ({waiting})")),
        None => not_yet(cause),
    }
}

/// Why the status says nothing yet about what is asked for.
pub(super) fn unseen(workload: &Workload) -> Option<String> {
    (!workload.is_seen()).then(|| match workload.metadata.generation {
        Some(generation) => format!("its controller has not observed generation {generation}"),
        None => "its generation is not known".into(),
    })
}

/// The pods of the present template. Those of the one before may be in the very trouble that the new
/// one ends.
fn present<'a>(workload: &Workload, pods: &'a [Pod]) -> Vec<&'a Pod> {
    let (label, revision) = if workload.is_deployment() {
        // The Deployment does not say which hash is the present one: its youngest pod does.
        let label = "pod-template-hash";
        let youngest = pods.iter().max_by_key(|pod| pod.metadata.created);
        (label, youngest.and_then(|pod| pod.metadata.label(label)))
    } else {
        let revision = workload.status.update_revision.as_deref();
        ("controller-revision-hash", revision)
    };
    let is_present = |pod: &&Pod| revision.is_none() || pod.metadata.label(label) == revision;
    pods.iter().filter(is_present).collect()
}

fn missing(workload: &Workload) -> Option<String> {
    let (wanted, status) = (workload.spec.replicas, &workload.status);
    let serving = workload.serving();
    if status.updated < wanted {
        let updated = status.updated;
        Some(format!(
            "{updated} of {wanted} pods run the current template"
        ))
    } else if status.replicas > wanted {
        let surplus = status.replicas - wanted;
        Some(format!("{surplus} surplus pods remain"))
    } else if serving < wanted {
        Some(format!("{serving} of {wanted} pods are ready"))
    } else {
        None
    }
}
