//! Objects of the API server as decisions read them: each is parsed once, into the fields that somebody decides on.
//! A field that is not as Kubernetes 1.36 writes it makes the object unreadable, and names itself. An absent field is
//! what it means in an object that was read whole: the API server's default where there is one, `None` otherwise.
//! Containers are found by name: clusters inject others, in any place.

use alloc::{
    format,
    string::{String, ToString},
};

use serde::de::DeserializeOwned;
use serde_json::Value;

mod condition;
mod cron_job;
mod event;
mod finding;
mod job;
mod metadata;
mod namespace;
mod pod;
#[cfg(test)]
pub(crate) mod tests;
mod workload;

pub use condition::{Condition, Conditions, Definition};
pub use cron_job::{CronJob, CronJobSpec};
pub(crate) use cron_job::{is_left, suspended_by};
pub use event::{Event, Involved};
pub use finding::Finding;
pub use job::{Job, JobEnd};
pub use metadata::{Metadata, Owner};
pub use namespace::Namespace;
pub use pod::{
    Container, ContainerStatus, Pod, PodSpec, Running, State, Template, Terminated, Waiting,
};
pub use workload::{ReplicaSet, Workload, WorkloadSpec, WorkloadStatus};

/// An object that can be read.
pub trait View: DeserializeOwned {
    /// `v1`, `apps/v1`, …
    const API_VERSION: &'static str;

    /// Its kind; in messages too, where the object does not say.
    const KIND: &'static str;

    /// Reads it.
    ///
    /// # Errors
    /// Which field is not as it should be.
    fn read(object: &Value) -> Result<Self, Unreadable> {
        read(Self::KIND, object)
    }
}

fn read<T: DeserializeOwned>(kind: &str, object: &Value) -> Result<T, Unreadable> {
    // Keeping track of the path takes time, and is of use only where something is wrong.
    if let Ok(view) = T::deserialize(object) {
        return Ok(view);
    }
    serde_path_to_error::deserialize(object).map_err(|error| {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
        let kind = text("/kind").unwrap_or(kind);
        Unreadable {
            object: match text("/metadata/name") {
                Some(name) => format!("{kind} {name}"),
                None => format!("a {kind} without a name"),
            },
            field: match error.path().to_string().as_str() {
                "." => String::new(),
                path => format!("{path}: "),
            },
            cause: error.inner().to_string(),
        }
    })
}

/// An object with a field that is not what Kubernetes writes there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{object} cannot be read: {field}{cause}")]
pub struct Unreadable {
    object: String,
    /// Its path and `: `; nothing where it is the object itself that lacks something.
    field: String,
    cause: String,
}
