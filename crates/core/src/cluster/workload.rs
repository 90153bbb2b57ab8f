//! Deployments and StatefulSets.

use alloc::string::String;

use serde::Deserialize;
use serde_json::Value;

use super::{Conditions, Metadata, Template, Unreadable, View, read};

/// A Deployment or a StatefulSet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Workload {
    kind: Kind,
    /// Its metadata.
    pub metadata: Metadata,
    /// What is asked for.
    pub spec: WorkloadSpec,
    /// How it does.
    #[serde(default)]
    pub status: WorkloadStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Kind {
    Deployment,
    StatefulSet,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WorkloadSpec {
    /// How many pods; one, where it does not say (Kubernetes 1.36: the default).
    #[serde(default = "one")]
    pub replicas: u64,
    /// What the pods are like.
    pub template: Template,
}

fn one() -> u64 {
    1
}

/// How a workload does. The API server leaves out what is zero; all of it is about the generation that the
/// controller has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadStatus {
    observed_generation: Option<u64>,
    /// Pods that there are.
    #[serde(default)]
    pub replicas: u64,
    /// Pods of the present template.
    #[serde(rename = "updatedReplicas", default)]
    pub updated: u64,
    /// Pods that are ready.
    #[serde(rename = "readyReplicas", default)]
    pub ready: u64,
    #[serde(rename = "availableReplicas", default)]
    available: u64,
    /// What the pods of the present template of a StatefulSet carry as `controller-revision-hash`.
    pub update_revision: Option<String>,
    /// What its controller says of it.
    #[serde(default)]
    pub conditions: Conditions,
}

/// A workload that is rendered.
#[derive(Deserialize)]
struct Rendered {
    spec: WorkloadSpec,
}

impl View for Workload {
    const API_VERSION: &'static str = "apps/v1";
    const KIND: &'static str = "workload";
}

/// A ReplicaSet: the pods of one template of a Deployment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ReplicaSet {
    /// Its metadata.
    pub metadata: Metadata,
}

impl View for ReplicaSet {
    const API_VERSION: &'static str = "apps/v1";
    const KIND: &'static str = "ReplicaSet";
}

impl WorkloadSpec {
    /// What a workload asks for, also one that is only rendered.
    ///
    /// # Errors
    /// Which field is not as it should be.
    pub fn of(object: &Value) -> Result<Self, Unreadable> {
        read::<Rendered>(Workload::KIND, object).map(|rendered| rendered.spec)
    }
}

impl Workload {
    /// Whether it is a Deployment.
    #[must_use]
    pub fn is_deployment(&self) -> bool {
        self.kind == Kind::Deployment
    }

    /// Whether the status is about what is asked for now.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        let seen = self.status.observed_generation;
        seen.is_some() && seen == self.metadata.generation
    }

    /// Pods that serve: a Deployment counts those that have been ready for long enough.
    #[must_use]
    pub fn serving(&self) -> u64 {
        if self.is_deployment() {
            self.status.available
        } else {
            self.status.ready
        }
    }
}
