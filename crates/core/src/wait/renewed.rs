//! A workload that is healthy again after what it ran was ended.

use alloc::{
    format,
    string::{String, ToString},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Observation, WaitStatus, condition, count, not_yet, rollout};
use crate::object::{Uid, uid};

/// A pod from before a fault. It has passed when the pod is gone, or its containers are others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// The pod's incarnation.
    pub uid: Uid,
    /// How often its containers had been restarted, all together.
    pub restarts: u64,
}

impl Before {
    /// As a pod is at present.
    #[must_use]
    pub fn of(pod: &Value) -> Option<Self> {
        Some(Self {
            uid: uid(pod)?,
            restarts: restarts(pod),
        })
    }
}

fn restarts(pod: &Value) -> u64 {
    let statuses = pod.pointer("/status/containerStatuses");
    let statuses = statuses.and_then(Value::as_array).into_iter().flatten();
    statuses.map(|status| count(status, "/restartCount")).sum()
}

/// What looks bad is what a fault does: it counts only when its time is over. The pods are asked one by one, since
/// the controller's numbers are late.
pub(super) fn assess(
    object: &Value,
    before: &[Before],
    observation: &Observation,
    began: Timestamp,
) -> WaitStatus {
    let wanted = object.pointer("/spec/replicas").and_then(Value::as_u64);
    let wanted = wanted.unwrap_or(1);
    if wanted == 0 {
        return not_yet("it is stopped");
    }
    let is_from_before = |pod: &&Value| {
        before.iter().any(|before| {
            uid(pod).as_ref() == Some(&before.uid) && restarts(pod) <= before.restarts
        })
    };
    if let Some(pod) = observation.pods.iter().find(is_from_before) {
        return not_yet(format!("{} is the one from before", name(pod)));
    }
    match rollout::assess(object, observation, began) {
        WaitStatus::Met => {}
        WaitStatus::Pending { cause }
        | WaitStatus::Unhealthy { cause }
        | WaitStatus::Failed { cause } => {
            return not_yet(cause);
        }
    }
    let is_ready = |pod: &&Value| {
        pod.pointer("/metadata/deletionTimestamp").is_none()
            && condition(pod, "Ready").is_some_and(|ready| ready.holds)
    };
    let ready = observation.pods.iter().filter(is_ready).count();
    if u64::try_from(ready).is_ok_and(|ready| ready >= wanted) {
        WaitStatus::Met
    } else {
        not_yet(format!("{ready} of {wanted} pods are ready"))
    }
}

fn name(pod: &Value) -> String {
    let name = pod.pointer("/metadata/name").and_then(Value::as_str);
    name.unwrap_or("a pod").to_string()
}
