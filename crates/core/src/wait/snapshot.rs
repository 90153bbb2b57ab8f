//! `VolumeSnapshot`s. The storage may take hours, and an error comes and goes while it is tried again.

use alloc::{format, string::String};

use serde_json::Value;

use super::{Sight, Standing, not_yet};
use crate::gate::{content_of, is_going, is_ready, text};

pub(super) fn ready(snapshot: &Value, sight: &Sight) -> Standing {
    if is_going(snapshot) {
        return going();
    }
    if is_ready(snapshot) {
        return Standing::Holds;
    }
    wait(snapshot, sight)
}

/// The point in time is fixed when the storage has said when it was (CSI: `creation_time`).
pub(super) fn cut(snapshot: &Value, sight: &Sight) -> Standing {
    if is_going(snapshot) {
        return going();
    }
    if is_ready(snapshot) || !text(snapshot, "/status/creationTime").is_empty() {
        return Standing::Holds;
    }
    wait(snapshot, sight)
}

fn going() -> Standing {
    Standing::Never {
        cause: "somebody is deleting it".into(),
    }
}

fn wait(snapshot: &Value, sight: &Sight) -> Standing {
    let content = content_of(snapshot, &sight.contents);
    let stored = content.map_or(String::new(), |content| {
        match text(content, "/status/snapshotHandle") {
            "" => String::new(),
            handle => format!(" (the storage calls it {handle})"),
        }
    });
    let error = [Some(snapshot), content]
        .into_iter()
        .flatten()
        .find_map(|object| object.pointer("/status/error/message")?.as_str());
    if let Some(message) = error {
        return Standing::Bad {
            cause: format!("the snapshot controller retries after: {message}{stored}"),
        };
    }
    if text(snapshot, "/status/boundVolumeSnapshotContentName").is_empty() {
        return Standing::Bad {
            cause: "no snapshot controller has taken it up: see why the snapshot-controller of kubernetes-csi/external-snapshotter does not run, or install it".into(),
        };
    }
    not_yet(format!("the storage has not finished it{stored}"))
}
