//! Events about what faults do, on the objects that they do it to: where people look first.

use longrun_core::{
    names::{FAULTS, OPERATIONS_MANAGER},
    object::{ObjectRef, uid},
};
use serde_json::json;

use crate::client::Client;

/// What is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    Injected,
    Healed,
    Recovered,
    NotRecovered,
    Skipped,
}

impl Reason {
    fn word(self) -> &'static str {
        match self {
            Self::Injected => "FaultInjected",
            Self::Healed => "FaultHealed",
            Self::Recovered => "FaultRecovered",
            Self::NotRecovered => "FaultNotRecovered",
            Self::Skipped => "FaultSkipped",
        }
    }
}

/// Tells it of an object. Events are for people: one that cannot be written keeps nothing from being done. They
/// are of type Normal, as what is done on purpose is no warning to whoever waits for the same object.
pub(super) async fn tell(client: &Client, about: &ObjectRef, reason: Reason, message: &str) {
    let live = client.get(about).await.ok().flatten();
    let Some(uid) = live.as_ref().and_then(uid) else {
        return;
    };
    let now = client.now();
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": format!("{}.{:x}", about.name, now.as_nanosecond()),
            "namespace": about.namespace,
        },
        "involvedObject": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": uid,
        },
        "type": "Normal",
        "reason": reason.word(),
        "message": message,
        "source": {"component": FAULTS},
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    });
    let _ = client.create(&event, OPERATIONS_MANAGER).await;
}
