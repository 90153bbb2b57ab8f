//! Claims that grow: the storage first, then the file system, in a node on which a pod mounts it.

use alloc::{format, string::ToString};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Observation, WaitStatus, condition, not_yet};
use crate::{gate::text, object::bytes};

/// Of the storage's controller and of the kubelet.
const FAILED: &str = "VolumeResizeFailed";

pub(super) fn assess(claim: &Value, observation: &Observation, began: Timestamp) -> WaitStatus {
    let asked = text(claim, "/spec/resources/requests/storage");
    let has = text(claim, "/status/capacity/storage");
    let (Some(wanted), Some(there)) = (bytes(asked), bytes(has)) else {
        return not_yet("it has no volume");
    };
    if there >= wanted {
        return WaitStatus::Met;
    }
    let so_far = format!("it has {has} of {asked}");
    // Kubernetes 1.36: `PersistentVolumeClaim.status`.
    let error = ["ControllerResizeError", "NodeResizeError"]
        .into_iter()
        .find_map(|kind| condition(claim, kind).filter(|error| error.holds));
    let error = error.map(|error| error.message).or_else(|| {
        // Kubernetes writes whole seconds.
        let since = began.saturating_sub(SignedDuration::from_secs(1));
        let since = since.unwrap_or(began);
        let mut fresh = observation.warnings.iter();
        let warning = fresh.find(|warning| warning.reason == FAILED && warning.last >= since);
        warning.map(ToString::to_string)
    });
    let resized = text(claim, "/status/allocatedResourceStatuses/storage");
    match error {
        error if resized.ends_with("Infeasible") => WaitStatus::Failed {
            cause: format!(
                "{so_far}, and the storage cannot do it: {}",
                error.as_deref().unwrap_or(resized)
            ),
        },
        Some(error) => WaitStatus::Unhealthy {
            cause: format!("{so_far}: {error}"),
        },
        None if condition(claim, "FileSystemResizePending")
            .is_some_and(|pending| pending.holds) =>
        {
            not_yet(format!(
                "{so_far}: its volume has grown, its file system grows when a pod mounts it"
            ))
        }
        None => not_yet(so_far),
    }
}
