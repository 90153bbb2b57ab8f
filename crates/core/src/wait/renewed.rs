//! A workload that is healthy again after what it ran was ended.

use alloc::format;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Observation, WaitStatus, not_yet, rollout};
use crate::{
    cluster::{Pod, Workload},
    object::Uid,
};

/// A pod from before a fault. It has passed when the pod is gone, or its containers are others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// The pod's incarnation.
    pub uid: Uid,
    /// How often its containers had been restarted, all together.
    pub restarts: u64,
}

impl From<&Pod> for Before {
    /// As a pod is at present.
    fn from(pod: &Pod) -> Self {
        Self {
            uid: pod.metadata.uid.clone(),
            restarts: pod.restarts(),
        }
    }
}

/// What looks bad is what a fault does: it counts only when its time is over. The pods are asked one by one, since
/// the controller's numbers are late.
pub(super) fn assess(
    workload: &Workload,
    before: &[Before],
    observation: &Observation,
    began: Timestamp,
) -> WaitStatus {
    let wanted = workload.spec.replicas;
    if wanted == 0 {
        return not_yet("it is stopped");
    }
    let is_from_before = |pod: &&Pod| {
        before
            .iter()
            .any(|before| pod.metadata.uid == before.uid && pod.restarts() <= before.restarts)
    };
    if let Some(pod) = observation.pods.iter().find(is_from_before) {
        return not_yet(format!("{} has not been replaced yet", pod.metadata.name));
    }
    match rollout::assess(workload, observation, began) {
        WaitStatus::Met => {}
        WaitStatus::Pending { cause }
        | WaitStatus::Unhealthy { cause }
        | WaitStatus::Failed { cause } => {
            return not_yet(cause);
        }
    }
    let is_ready = |pod: &&Pod| !pod.metadata.is_going() && pod.is_ready();
    let ready = observation.pods.iter().filter(is_ready).count();
    if u64::try_from(ready).is_ok_and(|ready| ready >= wanted) {
        WaitStatus::Met
    } else {
        not_yet(format!("{ready} of {wanted} pods are ready"))
    }
}
