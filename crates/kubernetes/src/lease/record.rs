//! What is written in a Lease, and what follows from watching it.

use std::time::Duration;

use jiff::Timestamp;
use longrun_core::{
    names::{OPERATION_ANNOTATION, WHO_ANNOTATION},
    object::ObjectRef,
};
use serde_json::{Value, json};

use super::Holder;
use crate::{client::Client, failure::Failure};

/// A Lease as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// Empty when nobody holds it.
    pub(crate) identity: String,
    pub(crate) who: String,
    pub(crate) operation: String,
    /// By the holder's clock, as it is written.
    pub(crate) acquired: String,
    /// By the holder's clock.
    pub(crate) renewed: Option<Timestamp>,
    /// It changes with every renewal, whatever the holder's clock says.
    pub(super) version: String,
    pub(super) duration: Duration,
    pub(super) transitions: u64,
}

impl Record {
    pub(super) async fn read(client: &Client, object: &ObjectRef) -> Result<Option<Self>, Failure> {
        Ok(client.get(object).await?.as_ref().map(Self::of))
    }

    pub(super) fn of(object: &Value) -> Self {
        let text = |pointer: &str| {
            let text = object.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let annotation = |name: &str| {
            let annotations = object.pointer("/metadata/annotations");
            let text = annotations.and_then(|all| all.get(name)?.as_str());
            text.map(str::to_owned)
        };
        let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64);
        let identity = text("/spec/holderIdentity");
        let acquired = text("/spec/acquireTime");
        Self {
            who: annotation(WHO_ANNOTATION).unwrap_or_else(|| identity.clone()),
            operation: annotation(OPERATION_ANNOTATION)
                .unwrap_or_else(|| "an operation".to_owned()),
            acquired: match acquired.parse::<Timestamp>() {
                Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                Err(_) => acquired,
            },
            renewed: text("/spec/renewTime").parse().ok(),
            version: text("/metadata/resourceVersion"),
            duration: Duration::from_secs(number("/spec/leaseDurationSeconds").unwrap_or(15)),
            transitions: number("/spec/leaseTransitions").unwrap_or(0),
            identity,
        }
    }
}

pub(super) fn annotations(holder: &Holder) -> Value {
    json!({WHO_ANNOTATION: holder.who, OPERATION_ANNOTATION: holder.operation})
}

/// `metav1.MicroTime`: exactly six digits after the point.
pub(super) fn micro_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// What follows from having watched a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nobody holds it, or its holder has been silent for its whole duration.
    Free,
    /// It changed while it was watched.
    Alive,
    /// It has not changed yet.
    Silent {
        /// How long it must still not change.
        remaining: Duration,
    },
}

/// Judges a lease by how it was when it was first seen and how it is now, that much later on the observer's
/// own clock. The times in it are its holder's and are never compared: clocks differ.
pub(super) fn judge(first: &Record, found: &Record, watched: Duration) -> Verdict {
    if found.identity.is_empty() {
        Verdict::Free
    } else if found.version != first.version {
        Verdict::Alive
    } else if watched >= found.duration {
        Verdict::Free
    } else {
        Verdict::Silent {
            remaining: found.duration - watched,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(identity: &str, version: &str) -> Record {
        Record {
            identity: identity.to_owned(),
            version: version.to_owned(),
            duration: Duration::from_secs(15),
            ..Record::default()
        }
    }

    fn check(first: (&str, &str), found: (&str, &str), watched: u64) -> Verdict {
        judge(
            &record(first.0, first.1),
            &record(found.0, found.1),
            Duration::from_secs(watched),
        )
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        assert_eq!(check(("", "1"), ("", "1"), 0), Verdict::Free);
        assert_eq!(check(("ana", "1"), ("", "2"), 3), Verdict::Free);
    }

    #[test]
    fn a_renewed_lease_is_held() {
        assert_eq!(check(("ana", "1"), ("ana", "2"), 4), Verdict::Alive);
        assert_eq!(check(("ana", "1"), ("ben", "2"), 20), Verdict::Alive);
    }

    #[test]
    fn a_silent_lease_is_taken_only_after_its_duration() {
        let remaining = Duration::from_secs(1);
        assert_eq!(
            check(("ana", "1"), ("ana", "1"), 14),
            Verdict::Silent { remaining }
        );
        assert_eq!(check(("ana", "1"), ("ana", "1"), 15), Verdict::Free);
    }

    #[test]
    fn a_time_is_written_as_kubernetes_reads_it() {
        let time: Timestamp = "2026-01-02T03:04:05.000007Z".parse().unwrap();
        assert_eq!(micro_time(time), "2026-01-02T03:04:05.000007Z");
        assert_eq!(
            micro_time(Timestamp::UNIX_EPOCH),
            "1970-01-01T00:00:00.000000Z"
        );
    }

    #[test]
    fn a_lease_of_another_tool_is_respected() {
        let record =
            Record::of(&json!({"spec": {"holderIdentity": "robot", "leaseDurationSeconds": 30}}));
        assert_eq!(record.who, "robot");
        assert_eq!(record.duration, Duration::from_secs(30));
    }
}
