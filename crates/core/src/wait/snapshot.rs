//! `VolumeSnapshot`s. The storage may take hours, and an error comes and goes while it is tried again.

use alloc::{format, string::String};

use serde_json::Value;

use super::{Observation, WaitStatus, not_yet};
use crate::gate::{content_of, is_going, is_ready, text};

pub(super) fn ready(snapshot: &Value, observation: &Observation) -> WaitStatus {
    if is_going(snapshot) {
        return going();
    }
    if is_ready(snapshot) {
        return WaitStatus::Met;
    }
    wait(snapshot, observation)
}

/// The point in time is fixed when the storage has said when it was (CSI: `creation_time`).
pub(super) fn cut(snapshot: &Value, observation: &Observation) -> WaitStatus {
    if is_going(snapshot) {
        return going();
    }
    if is_ready(snapshot) || !text(snapshot, "/status/creationTime").is_empty() {
        return WaitStatus::Met;
    }
    wait(snapshot, observation)
}

fn going() -> WaitStatus {
    WaitStatus::Failed {
        cause: "the snapshot is being deleted".into(),
    }
}

fn wait(snapshot: &Value, observation: &Observation) -> WaitStatus {
    let content = content_of(snapshot, &observation.contents);
    let handle = content.map_or("", |content| text(content, "/status/snapshotHandle"));
    let error = [Some(snapshot), content]
        .into_iter()
        .flatten()
        .find_map(|object| object.pointer("/status/error/message")?.as_str());
    // The controller clears an error only when the snapshot is ready: of one that the storage has begun it says
    // nothing about now.
    let is_begun = !handle.is_empty() || !text(snapshot, "/status/creationTime").is_empty();
    if let (Some(message), false) = (error, is_begun) {
        return WaitStatus::Unhealthy {
            cause: format!("the snapshot controller retries after: {message}"),
        };
    }
    if text(snapshot, "/status/boundVolumeSnapshotContentName").is_empty() {
        return WaitStatus::Unhealthy {
            cause: "no snapshot controller has picked the snapshot up: check that the snapshot-controller of kubernetes-csi/external-snapshotter runs, or install it".into(),
        };
    }
    let stored = match handle {
        "" => String::new(),
        handle => format!(" (the storage calls it {handle})"),
    };
    let last = error.map_or_else(String::new, |error| format!("; its last error: {error}"));
    not_yet(format!(
        "the storage has not finished the snapshot{stored}{last}"
    ))
}
