//! Pods and their containers.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use jiff::Timestamp;
use serde::Deserialize;

use super::{Conditions, Metadata, View, condition::worded};
use crate::object::ObjectRef;

/// A Pod.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Pod {
    /// Its metadata.
    pub metadata: Metadata,
    /// What is asked for.
    pub spec: PodSpec,
    #[serde(default)]
    status: Status,
}

/// A pod template.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Template {
    /// What its pods are like.
    pub spec: PodSpec,
}

/// What a pod is like.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PodSpec {
    /// Its containers, ours and those that a cluster injects, in any order.
    pub containers: Vec<Container>,
    #[serde(default)]
    volumes: Vec<Volume>,
}

/// A container as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What it runs.
    #[serde(default)]
    pub image: Option<String>,
    /// The arguments of its program.
    #[serde(default)]
    pub args: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    persistent_volume_claim: Option<ClaimVolume>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClaimVolume {
    claim_name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    phase: Option<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    conditions: Conditions,
    #[serde(default)]
    init_container_statuses: Vec<ContainerStatus>,
    #[serde(default)]
    container_statuses: Vec<ContainerStatus>,
}

/// How a container does.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    /// Its name.
    pub name: String,
    /// What it runs.
    #[serde(default)]
    pub image: Option<String>,
    /// Whether its probe succeeds.
    pub ready: bool,
    /// How often it was started again since the pod was made.
    #[serde(rename = "restartCount")]
    pub restarts: u64,
    /// What it does.
    #[serde(default)]
    pub state: State,
    /// How the instance before the present one ended.
    #[serde(default)]
    pub last_state: State,
}

/// What a container does: one of the three, and none when the kubelet has not said yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct State {
    /// It has not started.
    pub waiting: Option<Waiting>,
    /// It runs.
    pub running: Option<Running>,
    /// It has ended.
    pub terminated: Option<Terminated>,
}

/// Why a container has not started.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Waiting {
    /// `ErrImagePull`, …
    #[serde(default)]
    pub reason: String,
    /// A sentence.
    #[serde(default)]
    pub message: String,
}

/// A container that runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// Since when.
    pub started_at: Option<Timestamp>,
}

/// A container that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terminated {
    /// Its exit code.
    pub exit_code: i64,
    /// `Error`, `OOMKilled`, …
    #[serde(default)]
    pub reason: String,
    /// What the program wrote into its termination log.
    #[serde(default)]
    pub message: String,
    started_at: Option<Timestamp>,
    /// When.
    pub finished_at: Option<Timestamp>,
}

impl View for Pod {
    const API_VERSION: &'static str = "v1";
    const KIND: &'static str = "Pod";
}

impl PodSpec {
    /// A container by its name.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers
            .iter()
            .find(|container| container.name == name)
    }

    /// The names of the claims that it mounts.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        self.volumes
            .iter()
            .filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str()))
    }
}

impl Pod {
    /// Where it is found.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        self.metadata.reference::<Self>()
    }

    /// `Pending`, `Running`, …
    #[must_use]
    pub fn phase(&self) -> Option<&str> {
        self.status.phase.as_deref()
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.phase(), Some("Succeeded" | "Failed"))
    }

    /// Whether it has ended, or is told to.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.has_ended() || self.metadata.is_going()
    }

    /// What the kubelet and the scheduler say of it.
    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        &self.status.conditions
    }

    /// Whether all its containers are ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.conditions().holding("Ready").is_some()
    }

    /// Why the pod as a whole is as it is: `Evicted: The node was low on resource …`.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let words = worded(&self.status.reason, &self.status.message);
        Some(words).filter(|_| !self.status.reason.is_empty())
    }

    /// How its containers do, without those that only prepare.
    #[must_use]
    pub fn statuses(&self) -> &[ContainerStatus] {
        &self.status.container_statuses
    }

    /// How all its containers do, those that prepare first.
    pub fn all_statuses(&self) -> impl Iterator<Item = &ContainerStatus> {
        let preparing = self.status.init_container_statuses.iter();
        preparing.chain(self.statuses())
    }

    /// How the container of this name does.
    #[must_use]
    pub fn status_of(&self, container: &str) -> Option<&ContainerStatus> {
        self.statuses()
            .iter()
            .find(|status| status.name == container)
    }

    /// How often its containers were started again, all together.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.statuses().iter().map(|status| status.restarts).sum()
    }
}

impl ContainerStatus {
    /// When the present instance started, also when it has ended since. That a container never started is written
    /// as the beginning of time (Kubernetes 1.36: `StartError`).
    #[must_use]
    pub fn started(&self) -> Option<Timestamp> {
        let ended = self.state.terminated.as_ref();
        let running = self.state.running.as_ref();
        ended
            .and_then(|ended| ended.started_at)
            .or_else(|| running?.started_at)
            .filter(|started| *started > Timestamp::UNIX_EPOCH)
    }
}

impl Waiting {
    /// Reason and message.
    #[must_use]
    pub fn words(&self) -> String {
        worded(&self.reason, &self.message)
    }
}

impl Terminated {
    /// Reason and message.
    #[must_use]
    pub fn words(&self) -> String {
        worded(&self.reason, &self.message)
    }

    /// What the program said when it failed.
    #[must_use]
    pub fn last_words(&self) -> Option<String> {
        let said = self.message.trim();
        (self.exit_code != 0 && !said.is_empty()).then(|| said.to_string())
    }
}
